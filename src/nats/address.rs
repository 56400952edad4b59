//! `nats://HOST:PORT[,HOST:PORT…][/PREFIX]` of the command line.

use std::fmt;
use std::path::PathBuf;

use super::NatsError;

const PORT: u16 = 4222;
/// What subjects begin with where nobody says otherwise.
const PREFIX: &str = "auscult";
/// Bytes of a name in a subject.
const MOST_NAME_BYTES: usize = 64;

/// Servers of one system, and what the subjects there begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Hosts and ports; any of them will do.
    pub servers: Vec<(String, u16)>,
    /// Must the way there be encrypted (`tls://`)?
    pub is_tls: bool,
    /// What subjects begin with; default `auscult`.
    pub prefix: String,
}

/// What opens a server, in files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Credentials as `nsc` writes them (JWT and seed), or a file of one line `USER PASSWORD`.
    pub creds: Option<PathBuf>,
    /// Certificates (PEM) that are trusted instead of the system's.
    pub ca: Option<PathBuf>,
    /// The program's own certificate (PEM).
    pub cert: Option<PathBuf>,
    /// Its key (PEM).
    pub key: Option<PathBuf>,
}

impl Access {
    /// Files that are read.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.creds, &self.ca, &self.cert, &self.key].into_iter().flatten()
    }
}

impl Address {
    /// Is this such an address, rather than a file's name?
    #[must_use]
    pub fn is_one(text: &str) -> bool {
        text.starts_with("nats://") || text.starts_with("tls+nats://")
    }

    /// Reads an address.
    ///
    /// # Errors
    /// Says what is wrong and what was wanted.
    pub fn parse(text: &str) -> Result<Self, NatsError> {
        const WANTED: &str = "wanted nats://HOST:PORT[,HOST:PORT…][/PREFIX], or tls+nats://… for an encrypted way";
        let wrong = |what: &str| NatsError::Usage(format!("{text}: {what}; {WANTED}"));
        let (is_tls, rest) = match text.split_once("://") {
            Some(("nats", rest)) => (false, rest),
            Some(("tls+nats", rest)) => (true, rest),
            _ => return Err(wrong("no address of NATS")),
        };
        let (hosts, prefix) = rest.split_once('/').map_or((rest, ""), |(hosts, prefix)| (hosts, prefix));
        if hosts.contains('@') {
            return Err(wrong("no user name or password stands in an address: other users see it; give --nats-creds FILE"));
        }
        let servers = hosts.split(',').map(server).collect::<Option<Vec<_>>>().ok_or_else(|| wrong("no HOST:PORT"))?;
        let prefix = if prefix.is_empty() { PREFIX } else { prefix };
        if prefix.len() > MOST_NAME_BYTES || !prefix.split('.').all(is_name) {
            return Err(wrong("a prefix is made of letters, digits, - and _, its parts separated by dots"));
        }
        Ok(Self { servers, is_tls, prefix: prefix.to_owned() })
    }

    /// A name for a stream, bucket or consumer of this prefix.
    #[must_use]
    pub fn stream(&self, what: &str) -> String {
        format!("{}_{what}", self.prefix.replace('.', "_"))
    }

    /// A subject of this prefix.
    #[must_use]
    pub fn subject(&self, rest: &str) -> String {
        format!("{}.{rest}", self.prefix)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<String> = self.servers.iter().map(|(host, port)| host_port(host, *port)).collect();
        write!(f, "{}nats://{}/{}", if self.is_tls { "tls+" } else { "" }, servers.join(","), self.prefix)
    }
}

/// A host and port as they are written.
pub(super) fn host_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn server(text: &str) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, behind.strip_prefix(':'))
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Some(PORT), |port| port.parse().ok().filter(|&port| port != 0))?;
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':');
    (!host.is_empty() && host.bytes().all(is_host)).then(|| (host.to_owned(), port))
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MOST_NAME_BYTES
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// A name that stands in subjects, such as a site's.
///
/// # Errors
/// Says what was wanted.
pub fn name_of(text: &str) -> Result<String, String> {
    if is_name(text) {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} is no name of letters, digits, - and _, at most {MOST_NAME_BYTES} of them"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let read = |text| Address::parse(text).unwrap();
        assert_eq!(read("nats://a").to_string(), "nats://a:4222/auscult");
        let all = read("tls+nats://a:1,[::1]:2,10.0.0.1/nhs.north");
        assert_eq!((all.to_string().as_str(), all.is_tls), ("tls+nats://a:1,[::1]:2,10.0.0.1:4222/nhs.north", true));
        assert_eq!((all.stream("flows").as_str(), all.subject("flows.x").as_str()), ("nhs_north_flows", "nhs.north.flows.x"));
    }

    #[test]
    fn what_is_none_is_told() {
        for (text, what) in [
            ("nats://", "no HOST:PORT"),
            ("nats://a:0", "no HOST:PORT"),
            ("nats://a:b", "no HOST:PORT"),
            ("nats://u:p@a", "--nats-creds"),
            ("nats://a/x y", "prefix"),
            ("nats://a/x.>", "prefix"),
            ("http://a", "no address of NATS"),
        ] {
            let told = Address::parse(text).unwrap_err().to_string();
            assert!(told.contains(what) && told.contains(text), "{told}");
        }
        assert!(name_of("ward-3").is_ok() && name_of("ward.3").is_err() && name_of("").is_err());
    }
}
