//! `[FORMAT:]TARGET[#OPTIONS]` of the command line.

use std::net::IpAddr;
use std::path::PathBuf;

use super::SinkError;
use crate::alert::Format;

/// Where alerts go, and in which format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// In which format.
    pub format: Format,
    /// Where.
    pub place: Place,
    /// How.
    pub options: TargetOptions,
}

/// Where alerts go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
    /// Syslog in datagrams (RFC 5426).
    Udp(Endpoint),
    /// Syslog over TCP in counted octets (RFC 6587).
    Tcp(Endpoint),
    /// Syslog over TLS (RFC 5425).
    Tls(Endpoint),
    /// A web hook: its address.
    Http(String),
    /// Splunk's HTTP Event Collector: its address.
    Hec(String),
    /// NATS JetStream: its address.
    Nats(String),
}

impl Place {
    /// The kind of target, without its address.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::File(_) => "file",
            Self::Udp(_) => "udp",
            Self::Tcp(_) => "tcp",
            Self::Tls(_) => "tls",
            Self::Http(_) => "http",
            Self::Hec(_) => "hec",
            Self::Nats(_) => "nats",
        }
    }
}

/// A host and its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Name or address, an IPv6 address without its brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// What stands behind the `#`: `name=value`, separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetOptions {
    /// Certificates (PEM) that are trusted instead of the system's.
    pub ca: Option<PathBuf>,
    /// The program's own certificate and those above it (PEM).
    pub cert: Option<PathBuf>,
    /// Its key (PEM).
    pub key: Option<PathBuf>,
    /// A file whose first line is the token.
    pub token: Option<PathBuf>,
    /// Splunk's index.
    pub index: Option<String>,
    /// Splunk's source type instead of `auscult:FORMAT`.
    pub sourcetype: Option<String>,
    /// HTTP without TLS to another machine.
    pub plain: bool,
    /// Credentials of NATS.
    pub creds: Option<PathBuf>,
    /// The site that stands in the subject of NATS.
    pub site: Option<String>,
}

const NATS_PORT: u16 = 4222;
const SYSLOG_PORT: u16 = 514;
const SYSLOG_TLS_PORT: u16 = 6514;
const HEC_PATH: &str = "/services/collector/event";

impl Target {
    /// Reads `[FORMAT:]TARGET[#OPTIONS]`; without a format it is EVE.
    ///
    /// # Errors
    /// Says what is wrong and what was wanted.
    pub fn parse(spec: &str) -> Result<Self, SinkError> {
        let wrong = |what: String| SinkError::Usage(format!("--alerts {spec}: {what}"));
        let (format, place) = match spec.split_once(':') {
            Some((name, rest)) if Format::NAMES.contains(&name) => {
                (name.parse().map_err(|error| wrong(format!("{error}")))?, rest)
            }
            Some((name, rest)) if !rest.starts_with("//") && is_word(name) => {
                let names = Format::NAMES.join(", ");
                return Err(wrong(format!("{name:?} is no format (wanted {names}); a file of this name is ./{spec}")));
            }
            _ => (Format::Eve, spec),
        };
        let (place, options) =
            if place.contains("://") { network(place).map_err(wrong)? } else { (local(place), TargetOptions::default()) };
        options.check(&place).map_err(wrong)?;
        let format = match &place {
            Place::File(path) if format == Format::Zeek && is_json(path) => Format::ZeekJson,
            _ => format,
        };
        Ok(Self { format, place, options })
    }

    /// Does it need a spool?
    #[must_use]
    pub const fn is_remote(&self) -> bool {
        !matches!(self.place, Place::Stdout | Place::File(_))
    }

    /// Ports of TCP that it is sent to.
    #[must_use]
    pub fn tcp_ports(&self) -> Vec<u16> {
        let (address, usual) = match &self.place {
            Place::Stdout | Place::File(_) | Place::Udp(_) => return Vec::new(),
            Place::Tcp(endpoint) | Place::Tls(endpoint) => return vec![endpoint.port],
            Place::Http(address) | Place::Hec(address) => (address, if address.starts_with("https:") { 443 } else { 80 }),
            Place::Nats(address) => (address, NATS_PORT),
        };
        let authority = address.split_once("://").and_then(|(_, rest)| rest.split(['/', '?']).next()).unwrap_or_default();
        authority
            .split(',')
            .filter_map(|authority| Endpoint::parse(authority, usual).ok())
            .map(|endpoint| endpoint.port)
            .collect()
    }

    /// Files that it is made from.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let TargetOptions { ca, cert, key, token, creds, .. } = &self.options;
        [ca, cert, key, token, creds].into_iter().flatten()
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase())
}

fn is_json(path: &std::path::Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json" || extension == "jsonl")
}

fn local(place: &str) -> Place {
    if place == "-" { Place::Stdout } else { Place::File(place.into()) }
}

fn network(text: &str) -> Result<(Place, TargetOptions), String> {
    let (address, options) = text.split_once('#').map_or((text, None), |(address, options)| (address, Some(options)));
    let options = options.map_or_else(|| Ok(TargetOptions::default()), TargetOptions::parse)?;
    let Some((scheme, rest)) = address.split_once("://") else { return Err("no address".to_owned()) };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("no user name or password stands in an address: other users see it; name a file with #token=FILE, for NATS #creds=FILE".to_owned());
    }
    let bare = |port| if authority == rest { Endpoint::parse(rest, port) } else { Err(format!("{scheme} has no path")) };
    let place = match scheme {
        "udp" => Place::Udp(bare(SYSLOG_PORT)?),
        "tcp" => Place::Tcp(bare(SYSLOG_PORT)?),
        "tls" => Place::Tls(bare(SYSLOG_TLS_PORT)?),
        "http" | "https" => {
            Endpoint::parse(authority, 443)?;
            Place::Http(address.to_owned())
        }
        "hec+http" | "hec+https" => {
            Endpoint::parse(authority, 443)?;
            let path = if matches!(&rest[authority.len()..], "" | "/") { HEC_PATH } else { &rest[authority.len()..] };
            Place::Hec(format!("{}://{authority}{path}", scheme.trim_start_matches("hec+")))
        }
        "nats" | "tls+nats" => {
            authority.split(',').try_for_each(|authority| Endpoint::parse(authority, NATS_PORT).map(drop))?;
            Place::Nats(address.to_owned())
        }
        other => {
            return Err(format!("{other:?} is no way to send: wanted udp, tcp, tls, https, http, hec+https, hec+http or nats"));
        }
    };
    Ok((place, options))
}

impl Endpoint {
    /// Reads `HOST`, `HOST:PORT`, `[V6]` or `[V6]:PORT`.
    ///
    /// # Errors
    /// Says what was wanted.
    pub fn parse(text: &str, port: u16) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no HOST:PORT (an IPv6 address stands in brackets)");
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']').ok_or_else(wrong)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| wrong())?;
                let port = if after.is_empty() { Ok(port) } else { after.strip_prefix(':').ok_or_else(wrong)?.parse() };
                (host, port)
            }
            None => match text.split_once(':') {
                Some((host, port)) => (host, port.parse()),
                None => (text, Ok(port)),
            },
        };
        let port = port.ok().filter(|&port| port != 0).ok_or_else(wrong)?;
        let is_name =
            |host: &str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':'));
        if host.is_empty() || !is_name(host) {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), port })
    }

    /// Does it stay on this machine?
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl TargetOptions {
    fn parse(text: &str) -> Result<Self, String> {
        const KNOWN: &str = "ca=FILE, cert=FILE, key=FILE, token=FILE, index=NAME, sourcetype=NAME, creds=FILE, site=NAME, plain";
        let mut options = Self::default();
        for option in text.split(',') {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            if value.is_empty() != (name == "plain") {
                return Err(format!("{option:?} is no option: wanted {KNOWN}"));
            }
            match name {
                "ca" => options.ca = Some(value.into()),
                "cert" => options.cert = Some(value.into()),
                "key" => options.key = Some(value.into()),
                "token" => options.token = Some(value.into()),
                "index" => options.index = Some(value.to_owned()),
                "sourcetype" => options.sourcetype = Some(value.to_owned()),
                "creds" => options.creds = Some(value.into()),
                "site" => options.site = Some(site(value)?),
                "plain" => options.plain = true,
                _ => return Err(format!("{option:?} is no option: wanted {KNOWN}")),
            }
        }
        Ok(options)
    }

    /// Do they fit the target?
    fn check(&self, place: &Place) -> Result<(), String> {
        let (address, is_hec) = match place {
            Place::Http(address) => (Some(address), false),
            Place::Hec(address) => (Some(address), true),
            _ => (None, false),
        };
        let is_nats = matches!(place, Place::Nats(_));
        let secure = is_nats || matches!(place, Place::Tls(_)) || address.is_some_and(|address| address.starts_with("https:"));
        let only = |given: bool, fits: bool, what: &str| if given && !fits { Err(what.to_owned()) } else { Ok(()) };
        only(self.ca.is_some() || self.cert.is_some() || self.key.is_some(), secure, "ca, cert and key are for tls and https")?;
        only(self.cert.is_some() != self.key.is_some(), false, "cert and key belong together")?;
        only(self.token.is_some(), address.is_some(), "token is for https and hec")?;
        only(self.index.is_some() || self.sourcetype.is_some(), is_hec, "index and sourcetype are for hec")?;
        only(self.plain, address.is_some(), "plain is for http")?;
        only(self.creds.is_some() || self.site.is_some(), is_nats, "creds and site are for nats")?;
        if let Some(rest) = address.and_then(|address| address.strip_prefix("http://")) {
            let authority = rest.split(['/', '?']).next().unwrap_or_default();
            let stays = Endpoint::parse(authority, 80)?.is_loopback();
            only(true, stays || self.plain, "http is readable to all on the way: use https, or say #plain")?;
        }
        Ok(())
    }
}

/// A name that stands in a subject.
fn site(text: &str) -> Result<String, String> {
    let fits = text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if fits { Ok(text.to_owned()) } else { Err(format!("site={text}: wanted letters, digits, - and _, at most 64 of them")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(spec: &str) -> Target {
        Target::parse(spec).unwrap()
    }

    fn refused(spec: &str) -> String {
        let Err(SinkError::Usage(text)) = Target::parse(spec) else { panic!("{spec} was taken") };
        text
    }

    fn endpoint(host: &str, port: u16) -> Endpoint {
        Endpoint { host: host.to_owned(), port }
    }

    #[test]
    fn ports_of_tcp_are_known() {
        let ports = |spec: &str| Target::parse(spec).unwrap().tcp_ports();
        let port = |spec: &str| ports(spec).first().copied();
        let specs = ["-", "file", "udp://siem", "tcp://siem", "tls://[::1]", "tls://siem:7"];
        assert_eq!(specs.map(port), [None, None, None, Some(514), Some(6514), Some(7)]);
        assert_eq!(ports("nats://a,b:7,[::1]:8/x#site=north"), [4222, 7, 8]);
        let specs = ["https://siem/hook", "https://siem:8443/hook?a=b", "hec+https://siem:8088", "http://127.0.0.1/hook"];
        assert_eq!(specs.map(port), [Some(443), Some(8443), Some(8088), Some(80)]);
    }

    #[test]
    fn a_target_has_a_format_and_a_place() {
        assert_eq!(parsed("-"), Target { format: Format::Eve, place: Place::Stdout, options: TargetOptions::default() });
        assert_eq!(parsed("cef:tls://siem").place, Place::Tls(endpoint("siem", 6514)));
        assert_eq!(parsed("udp://10.0.0.1:5514").place, Place::Udp(endpoint("10.0.0.1", 5514)));
        assert_eq!(parsed("text:tcp://[::1]:601").place, Place::Tcp(endpoint("::1", 601)));
        assert_eq!(parsed("eve:/var/log/a:b.jsonl").place, Place::File("/var/log/a:b.jsonl".into()));
        assert_eq!(parsed("./new:name").place, Place::File("./new:name".into()));
        assert_eq!(parsed("zeek:notice.log").format, Format::Zeek);
        assert_eq!(parsed("zeek:notice.json").format, Format::ZeekJson);
        assert_eq!(
            parsed("hec+https://splunk:8088#token=t").place,
            Place::Hec("https://splunk:8088/services/collector/event".into())
        );
        assert_eq!(parsed("https://hook/a?b=c").place, Place::Http("https://hook/a?b=c".into()));
    }

    #[test]
    fn options_stand_behind_a_hash() {
        let options = parsed("tls://siem#ca=/etc/ca.pem,cert=c.pem,key=k.pem").options;
        let want = TargetOptions {
            ca: Some("/etc/ca.pem".into()),
            cert: Some("c.pem".into()),
            key: Some("k.pem".into()),
            ..TargetOptions::default()
        };
        assert_eq!(options, want);
        let options = parsed("hec+https://splunk#token=t,index=ids,sourcetype=suricata").options;
        assert_eq!((options.index.as_deref(), options.sourcetype.as_deref()), (Some("ids"), Some("suricata")));
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_was_wanted() {
        for (spec, word) in [
            ("leef:/x", "no format"),
            ("gopher://x", "no way to send"),
            ("tls://", "HOST:PORT"),
            ("tls://siem:0", "HOST:PORT"),
            ("tls://siem:x", "HOST:PORT"),
            ("tcp://::1:601", "HOST:PORT"),
            ("tcp://siem/path", "no path"),
            ("https://me:secret@hook", "token=FILE"),
            ("http://10.1.1.1/hook", "#plain"),
            ("hec+http://splunk.example", "#plain"),
            ("tcp://siem#ca=x", "tls and https"),
            ("tls://siem#cert=x", "belong together"),
            ("tls://siem#token=x", "https and hec"),
            ("https://hook#index=x", "for hec"),
            ("tls://siem#plain", "for http"),
            ("tls://siem#creds=x", "for nats"),
            ("nats://siem#site=a.b", "letters"),
            ("nats://siem#token=x", "https and hec"),
            ("nats://me:secret@siem", "creds=FILE"),
            ("tls://siem#ca", "wanted ca=FILE"),
            ("tls://siem#nonsense=1", "wanted ca=FILE"),
        ] {
            let text = refused(spec);
            assert!(text.starts_with(&format!("--alerts {spec}: ")) && text.contains(word), "{text}");
        }
        assert_eq!(parsed("http://127.0.0.1:8080/x").place, Place::Http("http://127.0.0.1:8080/x".into()));
        assert!(parsed("http://10.1.1.1/hook#plain").options.plain);
    }
}
