//! One file of flow records, record by record.

use std::borrow::Cow;
use std::io::{self, BufReader, Chain, Cursor, Read as _};

use super::account::RecordAccount;
use super::draft::Draft;
use super::error::{RecordError, Wrong};
use super::format::{Format, names_flows, recognise};
use super::line::Lines;
use super::row::{Header, JsonRow, Row as _, split_csv};
use super::{eve, zeek};
use crate::capture::{Content, Input, begins_capture};

/// Bytes read in one go, and looked at to tell the format.
const HEAD_BYTES: usize = 64 << 10;

/// Reads one file.
pub(super) struct Reader {
    input: Input,
    body: Body,
    size: Option<u64>,
    finished: bool,
}

enum Body {
    Lines(Box<Text>),
    #[cfg(feature = "parquet")]
    Parquet(Box<super::parquet::Rows>),
}

struct Text {
    lines: Lines<BufReader<Chain<Cursor<Vec<u8>>, Content>>>,
    form: Form,
}

/// How a line becomes named fields.
#[derive(Debug)]
pub(super) enum Form {
    Json,
    Csv(Option<Header>),
    Zeek(ZeekHeader),
}

/// What the header of a Zeek log has said so far.
#[derive(Debug)]
pub(super) struct ZeekHeader {
    separator: String,
    unset: String,
    path: Option<String>,
    fields: Option<Header>,
}

/// What one line was.
#[derive(Debug)]
pub(super) enum Told {
    /// A record.
    Record(Box<Draft>),
    /// An event of another kind.
    Other(String),
    /// A header or a comment.
    Nothing,
}

/// A line that could not be read, and where.
pub(super) struct BadLine {
    pub line: u64,
    pub wrong: Wrong,
    /// Was it the last of its file, without an end?
    pub is_cut: bool,
}

impl Form {
    pub(super) fn of(format: Format) -> Self {
        match format {
            Format::Csv => Self::Csv(None),
            Format::Zeek => {
                let (separator, unset) = ("\t".to_owned(), "-".to_owned());
                Self::Zeek(ZeekHeader { separator, unset, path: None, fields: None })
            }
            Format::Json | Format::Parquet => Self::Json,
        }
    }

    /// Reads a line that is not blank.
    pub(super) fn read(&mut self, line: &str) -> Result<Told, Wrong> {
        match self {
            Self::Json => json(line),
            Self::Csv(Some(header)) => table(header, split_csv(line)?),
            Self::Csv(empty @ None) => {
                let header = Header::new(split_csv(line)?.iter().map(AsRef::as_ref));
                if !names_flows(&header) {
                    return Err(Wrong::new("header", "addresses, protocol and start of flows", line));
                }
                *empty = Some(header);
                Ok(Told::Nothing)
            }
            Self::Zeek(header) => header.read(line),
        }
    }
}

impl ZeekHeader {
    fn read(&mut self, line: &str) -> Result<Told, Wrong> {
        if let Some(comment) = line.strip_prefix('#') {
            self.header(comment)?;
            return Ok(Told::Nothing);
        }
        let Some(fields) = &self.fields else {
            return Err(Wrong::new("line", "a header with #fields before the first record", line));
        };
        if let Some(path) = self.path.as_deref().filter(|path| *path != "conn") {
            return Ok(Told::Other(path.to_owned()));
        }
        let cell = |text| if text == self.unset { Cow::Borrowed("") } else { Cow::Borrowed(text) };
        table(fields, line.split(self.separator.as_str()).map(cell).collect())
    }

    fn header(&mut self, comment: &str) -> Result<(), Wrong> {
        // The name of the separator is followed by a space, since it is not known yet; all others by the separator.
        let is_first = comment.starts_with("separator");
        let parts = if is_first { comment.split_once([' ', '\t']) } else { comment.split_once(self.separator.as_str()) };
        let (name, value) = parts.unwrap_or((comment, ""));
        match name {
            "separator" => {
                let byte = value.strip_prefix("\\x").and_then(|digits| u8::from_str_radix(digits.trim(), 16).ok());
                self.separator = match byte {
                    Some(byte) if byte.is_ascii() => char::from(byte).to_string(),
                    None if !value.is_empty() => value.to_owned(),
                    _ => return Err(Wrong::new("#separator", "a character, or \\x and two digits", value)),
                };
            }
            "unset_field" => self.unset = value.to_owned(),
            "path" => self.path = Some(value.trim().to_owned()),
            "fields" => {
                let header = Header::new(value.split(self.separator.as_str()));
                let is_conn = self.path.as_deref().is_none_or(|path| path == "conn");
                if is_conn && !names_flows(&header) {
                    return Err(Wrong::new("#fields", "ts, id.orig_h, id.resp_h and proto", value));
                }
                self.fields = Some(header);
            }
            _ => {}
        }
        Ok(())
    }
}

/// A line of JSON is an event of EVE or a record of Zeek, whichever it says.
fn json(line: &str) -> Result<Told, Wrong> {
    let row = JsonRow::read(line)?;
    if let Some(kind) = row.text("event_type") {
        return if kind == "flow" { Ok(Told::Record(Box::new(eve::read(&row)?))) } else { Ok(Told::Other(kind.into_owned())) };
    }
    // Logs that were gathered say of which kind a line is.
    if let Some(path) = row.text("_path").filter(|path| path != "conn") {
        return Ok(Told::Other(path.into_owned()));
    }
    if row.text("id.orig_h").is_none() && row.text("src_ip").is_none() {
        return Err(Wrong::missing("event_type", "an EVE event (event_type) or a record of a conn log (id.orig_h)"));
    }
    Ok(Told::Record(Box::new(zeek::read(&row)?)))
}

/// A row of a table of our own, or of one like Zeek's.
pub(super) fn table(header: &Header, cells: Vec<Cow<'_, str>>) -> Result<Told, Wrong> {
    let row = header.row(cells)?;
    let draft = if header.has(&["flow_pkts_toserver"]) { eve::read(&row)? } else { zeek::read(&row)? };
    Ok(Told::Record(Box::new(draft)))
}

impl Reader {
    /// Opens a file and tells its format.
    pub(super) fn open(input: &Input) -> Result<Self, RecordError> {
        if let Input::Path(path) = input
            && path.is_dir()
        {
            return Err(RecordError::Folder { file: input.clone() });
        }
        let content = Content::open(input)?;
        let (size, is_packed) = (content.size(), content.compression().is_some());
        let (head, content) = begin(content).map_err(|source| RecordError::Read { file: input.clone(), line: 1, source })?;
        let Some(format) = recognise(&head) else {
            if begins_capture(&head) {
                return Err(RecordError::Capture { file: input.clone() });
            }
            let seen = String::from_utf8_lossy(head.get(..head.len().min(48)).unwrap_or_default()).into_owned();
            return Err(RecordError::Unrecognised { file: input.clone(), seen });
        };
        let body = match format {
            Format::Parquet => parquet(input, is_packed)?,
            format => {
                let lines = Lines::new(BufReader::with_capacity(HEAD_BYTES, Cursor::new(head).chain(content)));
                Body::Lines(Box::new(Text { lines, form: Form::of(format) }))
            }
        };
        Ok(Self { input: input.clone(), body, size, finished: false })
    }

    /// Its name.
    pub(super) fn input(&self) -> &Input {
        &self.input
    }

    /// Size as it is stored, of a regular file.
    pub(super) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Bytes taken so far, as they are stored; of Parquet nothing is known.
    pub(super) fn stored_bytes(&self) -> u64 {
        match &self.body {
            Body::Lines(text) => text.lines.input().get_ref().get_ref().1.stored_bytes(),
            #[cfg(feature = "parquet")]
            Body::Parquet(_) => 0,
        }
    }

    /// The next record; `None` at the end. What cannot be read is handed to `bad` and counted.
    pub(super) fn next(
        &mut self,
        account: &mut RecordAccount,
        bad: &mut dyn FnMut(BadLine),
    ) -> Result<Option<Box<Draft>>, RecordError> {
        while !self.finished {
            let (told, line, is_whole) = match self.told() {
                Ok(Some(told)) => told,
                Ok(None) => break,
                Err(error) => {
                    self.finished = true;
                    return Err(error);
                }
            };
            match told {
                Ok(Told::Nothing) => continue,
                Ok(Told::Other(kind)) => account.skip(&kind),
                Ok(Told::Record(draft)) => {
                    account.lines += 1;
                    return Ok(Some(draft));
                }
                Err(wrong) => {
                    account.unreadable += 1;
                    bad(BadLine { line, wrong, is_cut: !is_whole });
                }
            }
            account.lines += 1;
        }
        self.finished = true;
        Ok(None)
    }

    /// The next line that is not blank, its number, and whether it had an end.
    #[allow(clippy::type_complexity, reason = "used once, right above")]
    fn told(&mut self) -> Result<Option<(Result<Told, Wrong>, u64, bool)>, RecordError> {
        match &mut self.body {
            Body::Lines(text) => loop {
                let Text { lines, form } = &mut **text;
                let number = lines.number + 1;
                let read = |source| RecordError::Read { file: self.input.clone(), line: number, source };
                let told = match lines.next().map_err(read)? {
                    None => return Ok(None),
                    Some(Ok(line)) if line.trim().is_empty() => continue,
                    Some(line) => line.and_then(|line| form.read(line)),
                };
                // Nothing behind a header that names no flows can be read.
                if let (Err(wrong), Form::Csv(None) | Form::Zeek(ZeekHeader { fields: None, .. })) = (&told, &text.form) {
                    return Err(RecordError::Header { file: self.input.clone(), line: number, wrong: wrong.clone() });
                }
                return Ok(Some((told, number, text.lines.is_whole)));
            },
            #[cfg(feature = "parquet")]
            Body::Parquet(rows) => {
                let told = rows.next().map_err(|reason| RecordError::Parquet { file: self.input.clone(), reason })?;
                Ok(told.map(|(told, number)| (told, number, true)))
            }
        }
    }
}

/// Reads the first lines, or the first 64 KiB where there is no end of a line: what tells the format, and no more, so that a pipe
/// is not waited for.
fn begin(mut content: Content) -> io::Result<(Vec<u8>, Content)> {
    let (mut head, mut piece) = (Vec::new(), vec![0; HEAD_BYTES]);
    while head.len() < HEAD_BYTES && !head.contains(&b'\n') {
        match content.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => head.extend_from_slice(piece.get(..read).unwrap_or_default()),
            // What came before is looked at; the error comes again when it is read on.
            Err(_) if !head.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok((head, content))
}

#[cfg(feature = "parquet")]
fn parquet(input: &Input, is_packed: bool) -> Result<Body, RecordError> {
    let refuse = |reason: String| RecordError::Parquet { file: input.clone(), reason };
    match input {
        Input::Path(path) if !is_packed => Ok(Body::Parquet(Box::new(super::parquet::Rows::open(path).map_err(refuse)?))),
        _ => Err(refuse(String::from("Parquet is read from its end: give a file that is not compressed as a whole"))),
    }
}

#[cfg(not(feature = "parquet"))]
fn parquet(input: &Input, _is_packed: bool) -> Result<Body, RecordError> {
    let reason = String::from("this program was built without the feature `parquet`");
    Err(RecordError::Parquet { file: input.clone(), reason })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::feature::Observation;
    use crate::flow::HomeNets;

    const FIELDS: &str =
        "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tconn_state";

    fn zeek() -> Form {
        let mut form = Form::of(Format::Zeek);
        for line in ["#separator \\x09", "#unset_field\t-", "#path\tconn", FIELDS] {
            assert!(matches!(form.read(line), Ok(Told::Nothing)), "{line}");
        }
        form
    }

    #[test]
    fn a_log_of_zeek_says_how_it_is_to_be_read() {
        let line = "1700000000.5\tC1\t10.0.0.5\t5000\t10.0.0.1\t53\tudp\tdns\t-\t-\tS0";
        let Ok(Told::Record(draft)) = zeek().read(line) else { panic!("no record") };
        assert_eq!((draft.record.resp_port(), draft.record.start), (53, draft.record.end));
        let wrong = zeek().read("1700000000.5\tC1").unwrap_err();
        assert_eq!(wrong.to_string(), r#"field "line": wanted as many fields as the header has, got "2 fields, 11 columns""#);
        let mut other = Form::of(Format::Zeek);
        for header in ["#separator ,", "#path,dns", "#fields,ts,query"] {
            assert!(matches!(other.read(header), Ok(Told::Nothing)), "{header}");
        }
        assert!(matches!(other.read("1,example.org"), Ok(Told::Other(path)) if path == "dns"));
        assert!(Form::of(Format::Zeek).read("1700000000.5\tC1").is_err(), "a record before the header");
    }

    #[test]
    fn json_is_told_line_by_line() {
        let mut form = Form::of(Format::Json);
        assert!(matches!(form.read(r#"{"event_type":"dns"}"#), Ok(Told::Other(kind)) if kind == "dns"));
        assert!(matches!(form.read(r#"{"_path":"ssl","ts":1}"#), Ok(Told::Other(kind)) if kind == "ssl"));
        assert_eq!(form.read("{}").unwrap_err().field, "event_type");
        assert_eq!(form.read("[]").unwrap_err().wanted, "a JSON object");
    }

    /// Lines that are nearly right: fields of records with some replaced by anything.
    fn nearly() -> impl Strategy<Value = String> {
        let value = prop_oneof![
            Just("10.0.0.1".to_owned()),
            Just("1e999".to_owned()),
            Just("-1".to_owned()),
            Just("18446744073709551615".to_owned()),
            Just("9223372036854775807.9".to_owned()),
            Just("65536".to_owned()),
            Just("tcp".to_owned()),
            Just("^hSaRq".to_owned()),
            "[ -~]{0,12}",
            "\\PC{0,6}",
        ];
        prop::collection::vec(value, 0..60).prop_map(|cells| cells.join("\t"))
    }

    fn survives(form: &mut Form, line: &str) {
        if let Ok(Told::Record(draft)) = form.read(line) {
            let seen = draft.record.end;
            let observation: Box<Observation> = draft.emit(seen, &HomeNets::default()).observation;
            assert!(observation.vector.iter().all(|value| value.is_finite()), "{line}");
        }
    }

    const NAMES: [&str; 32] = [
        "src_ip",
        "dest_ip",
        "dst_ip",
        "src_port",
        "dest_port",
        "proto",
        "start",
        "end",
        "ts",
        "duration",
        "orig_bytes",
        "resp_bytes",
        "orig_pkts",
        "resp_pkts",
        "orig_ip_bytes",
        "conn_state",
        "history",
        "service",
        "flow_start",
        "flow_end",
        "flow_pkts_toserver",
        "flow_pkts_toclient",
        "flow_bytes_toserver",
        "tcp_flags_ts",
        "auscult_segment",
        "auscult_reason",
        "auscult_facts",
        "vlan",
        "duration_s",
        "silence_max_s",
        "first_size_1",
        "orig_l2_addr",
    ];
    const VALUES: [&str; 22] = [
        "10.0.0.1",
        "fe80::1",
        "",
        "-",
        "0",
        "1",
        "6",
        "tcp",
        "icmp",
        "65535",
        "1700000000.25",
        "9007199254740991",
        "9223372036",
        "-0.0",
        "1e38",
        "3e38",
        "0.000001",
        "SF",
        "ShADadFf",
        "active",
        "{\"sni\":1}",
        "00:00:00:00:00:01",
    ];

    proptest! {
        #[test]
        fn no_line_makes_the_parser_panic(line in nearly(), noise in "\\PC{0,80}") {
            for text in [line.as_str(), &line.replace('\t', ","), &noise] {
                survives(&mut zeek(), text);
                survives(&mut Form::of(Format::Zeek), text);
                survives(&mut Form::of(Format::Json), text);
                let mut csv = Form::of(Format::Csv);
                prop_assert!(csv.read("src_ip,dst_ip,proto,start").is_ok());
                survives(&mut csv, text);
            }
        }

        #[test]
        fn no_record_has_a_feature_that_is_not_finite(
            picks in prop::collection::vec((0..NAMES.len(), 0..VALUES.len()), 0..24),
            own in any::<bool>(),
        ) {
            let mut fields = vec![("src_ip", "10.0.0.9"), ("dest_ip", "10.0.0.2"), ("proto", "tcp"), ("ts", "1700000000")];
            fields.extend(own.then_some(("flow_pkts_toserver", "3")));
            fields.extend(picks.iter().map(|&(name, value)| (NAMES[name], VALUES[value])));
            let column = |part: fn(&(&'static str, &'static str)) -> &'static str| {
                fields.iter().map(|field| format!("\"{}\"", part(field).replace('"', "\"\""))).collect::<Vec<_>>().join(",")
            };
            let mut csv = Form::of(Format::Csv);
            prop_assert!(csv.read(&column(|field| field.0)).is_ok());
            survives(&mut csv, &column(|field| field.1));
            let members = fields.iter().map(|&(name, value)| (name.to_owned(), serde_json::Value::from(value)));
            let mut object: serde_json::Map<_, _> = members.collect();
            survives(&mut Form::of(Format::Json), &serde_json::Value::from(object.clone()).to_string());
            object.insert("event_type".to_owned(), "flow".into());
            survives(&mut Form::of(Format::Json), &serde_json::Value::from(object).to_string());
        }
    }
}
