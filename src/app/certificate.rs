//! A server's certificate (RFC 5280), where the handshake shows it in the clear.

use serde::{Serialize, Serializer};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::X509Name;

use super::text::{HOST_BYTES, NAME_BYTES, printable};
use crate::time::Timestamp;

/// DNS names that are kept of one certificate.
const MOST_NAMES: usize = 4;

/// What is kept of a server's certificate. Whether it is genuine is not asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// Common name of the subject, up to 253 characters.
    pub subject: Option<Box<str>>,
    /// The first four DNS names that it is for, up to 253 characters each.
    pub san: Vec<Box<str>>,
    /// Common name of the issuer, else its organisation; up to 64 characters.
    pub issuer: Option<Box<str>>,
    /// Start of its validity.
    #[serde(serialize_with = "moment")]
    pub not_before: Option<Timestamp>,
    /// End of its validity; a later one than the year 2262 is the end of that range.
    #[serde(serialize_with = "moment")]
    pub not_after: Option<Timestamp>,
    /// Does it name its subject as its issuer?
    pub self_signed: bool,
}

#[expect(clippy::ref_option, reason = "serde passes a reference")]
fn moment<S: Serializer>(moment: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match moment {
        Some(moment) => serializer.collect_str(moment),
        None => serializer.serialize_none(),
    }
}

impl Certificate {
    /// Reads a certificate in DER. Tells too whether its two names are of the kind that Tor makes up.
    pub(super) fn read(der: &[u8]) -> Option<(Self, bool)> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let (subject, issuer) = (certificate.subject(), certificate.issuer());
        let names = dns_names(&certificate);
        let has_tor_names = names.is_empty() && are_tor_names(subject, issuer);
        let certificate = Self {
            subject: common_name(subject).map(|name| printable(name, HOST_BYTES)),
            san: names,
            issuer: common_name(issuer).or_else(|| organisation(issuer)).map(|name| printable(name, NAME_BYTES)),
            not_before: Some(Timestamp::from_parts(certificate.validity().not_before.timestamp(), 0)),
            not_after: Some(Timestamp::from_parts(certificate.validity().not_after.timestamp(), 0)),
            self_signed: subject.as_raw() == issuer.as_raw(),
        };
        Some((certificate, has_tor_names))
    }
}

fn common_name<'a>(name: &'a X509Name<'_>) -> Option<&'a [u8]> {
    name.iter_common_name().next().map(|name| name.as_slice())
}

fn organisation<'a>(name: &'a X509Name<'_>) -> Option<&'a [u8]> {
    name.iter_organization().next().map(|name| name.as_slice())
}

fn dns_names(certificate: &X509Certificate<'_>) -> Vec<Box<str>> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = extension.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(printable(name.as_bytes(), HOST_BYTES)),
        _ => None,
    });
    names.take(MOST_NAMES).collect()
}

/// Tor's servers make up both names of their certificates, and put nothing else into them: `www.` with 8 to 20 random
/// characters of base 32 and `.net` for the subject, the same with `.com` for the issuer.
fn are_tor_names(subject: &X509Name<'_>, issuer: &X509Name<'_>) -> bool {
    let is = |name: &X509Name<'_>, end: &[u8]| {
        let random = common_name(name).and_then(|name| name.strip_prefix(b"www.")).and_then(|name| name.strip_suffix(end));
        let random = random.unwrap_or_default();
        name.iter_attributes().count() == 1
            && (8..=20).contains(&random.len())
            && random.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'))
    };
    is(subject, b".net") && is(issuer, b".com")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let body = parts.concat();
        let length = (body.len() as u16).to_be_bytes();
        [&[tag, 0x82][..], &length, &body].concat()
    }

    fn name(text: &str) -> Vec<u8> {
        let attribute = der(0x30, &[&[6, 3, 0x55, 4, 3], &der(0x0c, &[text.as_bytes()])]);
        der(0x30, &[&der(0x31, &[&attribute])])
    }

    /// A certificate with an empty key and signature.
    fn certificate(subject: &str, issuer: &str, names: &[&str]) -> Vec<u8> {
        let algorithm = der(0x30, &[&[6, 3, 0x2b, 0x65, 0x70]]);
        let validity = der(0x30, &[&der(0x17, &[b"260131091203Z"]), &der(0x18, &[b"20560131091203Z"])]);
        let key = der(0x30, &[&algorithm, &der(3, &[&[0; 33]])]);
        let names: Vec<Vec<u8>> = names.iter().map(|name| der(0x82, &[name.as_bytes()])).collect();
        let names = der(0x30, &names.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let extension = der(0x30, &[&[6, 3, 0x55, 0x1d, 17], &der(4, &[&names])]);
        let extensions = der(0xa3, &[&der(0x30, &[&extension])]);
        let version: &[u8] = &[0xa0, 3, 2, 1, 2, 2, 1, 7];
        let body = der(0x30, &[version, &algorithm, &name(issuer), &validity, &name(subject), &key, &extensions]);
        der(0x30, &[&body, &algorithm, &der(3, &[&[0; 65]])])
    }

    #[test]
    fn names_and_times_are_read_and_bounded() {
        let got = Certificate::read(&certificate("pacs.example", "Hospital CA", &["a.example", "b", "c", "d", "e"])).unwrap();
        let want = Certificate {
            subject: Some("pacs.example".into()),
            san: ["a.example", "b", "c", "d"].map(Into::into).to_vec(),
            issuer: Some("Hospital CA".into()),
            not_before: Some(Timestamp::from_parts(1_769_850_723, 0)),
            not_after: Some(Timestamp::from_parts(2_716_535_523, 0)),
            self_signed: false,
        };
        assert_eq!(got, (want, false));
        assert!(Certificate::read(&certificate("printer", "printer", &[])).unwrap().0.self_signed);
    }

    #[test]
    fn every_cut_is_no_certificate() {
        let whole = certificate("pacs.example", "Hospital CA", &["a.example"]);
        assert!((0..whole.len()).all(|end| Certificate::read(&whole[..end]).is_none()));
    }

    #[test]
    fn names_of_tor_are_told_from_those_of_sites() {
        let is_tor = |subject, issuer, names: &[&str]| Certificate::read(&certificate(subject, issuer, names)).unwrap().1;
        assert!(is_tor("www.4kjrwa2qd7.net", "www.b5ouzgtbq3ay.com", &[]));
        assert!(!is_tor("www.4kjrwa2qd7.net", "www.b5ouzgtbq3ay.com", &["www.4kjrwa2qd7.net"]), "made for a browser");
        assert!(!is_tor("www.4kjrwa2qd7.net", "Hospital CA", &[]));
        assert!(!is_tor("www.hospital.net", "www.b5ouz-tbq3ay.com", &[]));
        assert!(!is_tor("www.short.net", "www.b5ouzgtbq3ay.com", &[]));
    }
}
