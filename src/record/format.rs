//! What a file holds, told by its first bytes.

use super::row::{Header, split_csv};

/// A form of flow records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A JSON object a line: EVE events or Zeek's JSON logs, line by line.
    Json,
    /// Zeek's own form: a header of lines with `#`, then fields with a separator between.
    Zeek,
    /// Comma-separated values with a header.
    Csv,
    /// Apache Parquet.
    Parquet,
}

/// Names of the initiator's address.
pub(super) const SRC: [&str; 3] = ["src_ip", "id.orig_h", "orig_h"];
/// Names of the responder's address.
pub(super) const DST: [&str; 4] = ["dest_ip", "dst_ip", "id.resp_h", "resp_h"];
/// Names of the time of the first packet.
pub(super) const START: [&str; 4] = ["flow.start", "flow_start", "start", "ts"];
/// Names of the protocol.
pub(super) const PROTO: [&str; 1] = ["proto"];

/// Does a header name what every record must say?
pub(super) fn names_flows(header: &Header) -> bool {
    header.has(&SRC) && header.has(&DST) && header.has(&START) && header.has(&PROTO)
}

/// The form of what begins with these bytes (decompressed); nothing where it is none of them. A few kilobytes are enough; of a
/// table the whole header is wanted.
#[must_use]
pub fn recognise(head: &[u8]) -> Option<Format> {
    if head.starts_with(b"PAR1") {
        return Some(Format::Parquet);
    }
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    match head.trim_ascii_start() {
        [b'{', rest @ ..] => matches!(rest.trim_ascii_start(), [] | [b'"', ..]).then_some(Format::Json),
        text if [&b"#separator"[..], b"#fields", b"#set_separator", b"#path"].iter().any(|start| text.starts_with(start)) => {
            Some(Format::Zeek)
        }
        text => {
            let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
            let names = split_csv(str::from_utf8(line).ok()?.trim_end()).ok()?;
            names_flows(&Header::new(names.iter().map(AsRef::as_ref))).then_some(Format::Csv)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_tells_the_format() {
        for (head, want) in [
            (&b"{\"timestamp\":1}\n"[..], Some(Format::Json)),
            (b"\xef\xbb\xbf{ \"ts\":1}", Some(Format::Json)),
            (b"#separator \\x09\n", Some(Format::Zeek)),
            (b"#fields\tts\n", Some(Format::Zeek)),
            (b"src_ip,dst_ip,src_port,dst_port,proto,start,end\n1", Some(Format::Csv)),
            (b"ts,uid,id.orig_h,id.resp_h,proto\r\n", Some(Format::Csv)),
            (b"PAR1\x15\x04", Some(Format::Parquet)),
            (b"src_ip,dst_ip,label\n", None),
            (b"\xd4\xc3\xb2\xa1\x02\x00", None),
            (b"[1,2]", None),
            (b"{1}", None),
            (b"# a comment", None),
            (b"", None),
        ] {
            assert_eq!(recognise(head), want, "{}", String::from_utf8_lossy(head));
        }
    }
}
