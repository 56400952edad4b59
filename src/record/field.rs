//! From the text of a field to what it means.

use std::borrow::Cow;

use super::error::Wrong;
use super::row::Row;
use crate::app::App;
use crate::time::{self, Span, Timestamp};
use crate::wire::Addr;

/// Seconds that a duration or a time may have: beyond, nanoseconds of the epoch are beyond their range.
const MOST_SECONDS: f64 = 9e9;

/// The largest count: what JSON and a floating-point number keep exactly. Sums of a few cannot overflow.
const MOST_COUNT: u64 = 1 << 53;

/// The first of these fields that says something, with its name.
pub(super) fn any<'r>(row: &'r dyn Row, names: &[&'static str]) -> Option<(&'static str, Cow<'r, str>)> {
    names.iter().find_map(|&name| row.text(name).map(|text| (name, text)))
}

/// An address, which must be there.
pub(super) fn address(row: &dyn Row, names: &[&'static str]) -> Result<Addr, Wrong> {
    const WANTED: &str = "an IPv4 or IPv6 address";
    let Some((name, text)) = any(row, names) else { return Err(Wrong::missing(first(names), WANTED)) };
    text.parse().map_err(|_| Wrong::new(name, WANTED, &text))
}

/// A whole number from 0 to 2^53, also as `12.0`; 0 where nothing is said.
pub(super) fn count(row: &dyn Row, names: &[&'static str]) -> Result<u64, Wrong> {
    let Some((name, text)) = any(row, names) else { return Ok(0) };
    let number = whole(&text).filter(|number| *number <= MOST_COUNT);
    number.ok_or_else(|| Wrong::new(name, "a whole number from 0 to 2^53", &text))
}

/// The same up to the largest of 32 bits, which stands for more.
pub(super) fn count32(row: &dyn Row, names: &[&'static str]) -> Result<u32, Wrong> {
    Ok(u32::try_from(count(row, names)?).unwrap_or(u32::MAX))
}

fn whole(text: &str) -> Option<u64> {
    let (digits, fraction) = text.split_once('.').unwrap_or((text, ""));
    let plain = !digits.is_empty() && digits.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    (plain && fraction.bytes().all(|byte| byte == b'0')).then(|| digits.parse().ok()).flatten()
}

/// A port, an ICMP type or code, or a VLAN; 0 where nothing is said.
pub(super) fn port(row: &dyn Row, names: &[&'static str]) -> Result<u16, Wrong> {
    let Some((name, text)) = any(row, names) else { return Ok(0) };
    let number = whole(&text).and_then(|number| u16::try_from(number).ok());
    number.ok_or_else(|| Wrong::new(name, "a number from 0 to 65535", &text))
}

/// A finite number.
pub(super) fn number(name: &'static str, text: &str) -> Result<f64, Wrong> {
    text.parse().ok().filter(|value: &f64| value.is_finite()).ok_or_else(|| Wrong::new(name, "a finite number", text))
}

/// A moment: epoch seconds or RFC 3339.
pub(super) fn moment(row: &dyn Row, names: &[&'static str]) -> Result<Option<Timestamp>, Wrong> {
    let Some((name, text)) = any(row, names) else { return Ok(None) };
    let read = time::parse(&text).ok().or_else(|| seconds(&text).map(|span| Timestamp::from_nanos(0) + span));
    read.map(Some).ok_or_else(|| Wrong::new(name, "epoch seconds or RFC 3339", &text))
}

/// A length of time in seconds.
pub(super) fn duration(row: &dyn Row, names: &[&'static str]) -> Result<Option<Span>, Wrong> {
    let Some((name, text)) = any(row, names) else { return Ok(None) };
    let read = seconds(&text).filter(|span| *span >= Span::ZERO);
    read.map(Some).ok_or_else(|| Wrong::new(name, "seconds from 0", &text))
}

/// Rounded to the nanosecond, so that the decimal and the binary form of one number are one span.
fn seconds(text: &str) -> Option<Span> {
    if let Ok(exact) = time::parse(text)
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return Some(exact.since(Timestamp::from_nanos(0)));
    }
    let value: f64 = text.parse().ok()?;
    // Apart, since nanoseconds of the epoch have more digits than a floating-point number.
    let nanos = (value.trunc() as i64).checked_mul(1_000_000_000)?.checked_add((value.fract() * 1e9).round() as i64)?;
    (value.abs() < MOST_SECONDS).then(|| Span::from_nanos(nanos))
}

/// An IP protocol by name or number, which must be there. What Zeek calls an unknown transport is 255, which is nobody's.
pub(super) fn protocol(row: &dyn Row, names: &[&'static str]) -> Result<u8, Wrong> {
    const WANTED: &str = "a protocol such as tcp, or its number";
    let Some((name, text)) = any(row, names) else { return Err(Wrong::missing(first(names), WANTED)) };
    let lower = text.trim().to_ascii_lowercase();
    Ok(match lower.as_str() {
        "tcp" => 6,
        "udp" => 17,
        "icmp" => 1,
        "icmpv6" | "icmp6" | "ipv6-icmp" => 58,
        "igmp" => 2,
        "gre" => 47,
        "esp" => 50,
        "ah" => 51,
        "sctp" => 132,
        "unknown_transport" | "unknown" => 255,
        other => {
            let number = whole(other).and_then(|number| u8::try_from(number).ok());
            number.ok_or_else(|| Wrong::new(name, WANTED, &text))?
        }
    })
}

fn first(names: &[&'static str]) -> &'static str {
    names.first().copied().unwrap_or_default()
}

/// An application by the name that EVE or Zeek gives it.
pub(super) fn application(name: &str) -> Option<App> {
    let name = name.trim().to_ascii_lowercase();
    Some(match name.as_str() {
        "ssl" => App::Tls,
        "krb" | "krb_tcp" | "krb_udp" | "kerberos" => App::Kerberos,
        "dce_rpc" => App::DceRpc,
        "ldap_tcp" | "ldap_udp" => App::Ldap,
        "dnp3_tcp" | "dnp3_udp" => App::Dnp3,
        "modbus_tcp" => App::Modbus,
        "enip_tcp" | "enip_udp" => App::EthernetIp,
        "ntp_udp" => App::Ntp,
        "postgresql" => App::Postgres,
        "netbios-ns" => App::NbtNs,
        "failed" | "unknown" => return None,
        name => App::from_name(name)?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::row::testing::row;
    use super::*;

    #[test]
    fn numbers_are_whole_and_not_negative() {
        for (text, want) in
            [("0", Some(0)), ("12.0", Some(12)), ("-1", None), ("1e3", None), ("1.5", None), ("", None), (".", None)]
        {
            assert_eq!(whole(text), want, "{text:?}");
        }
        assert_eq!(
            port(&row(&[("p", "70000")]), &["p"]).unwrap_err().to_string(),
            r#"field "p": wanted a number from 0 to 65535, got "70000""#
        );
    }

    #[test]
    fn one_duration_in_all_its_spellings() {
        let spans = ["0.000001", "1e-6", "1.0E-6", "0.0000010"].map(seconds);
        assert_eq!(spans, [Some(Span::from_nanos(1000)); 4]);
        for text in ["nan", "inf", "1e300", "--", "1:00"] {
            assert_eq!(seconds(text), None, "{text}");
        }
        assert!(duration(&row(&[("d", "-0.5")]), &["d"]).is_err());
    }

    #[test]
    fn a_moment_is_epoch_seconds_or_a_date() {
        let of = |text: &str| moment(&row(&[("ts", text)]), &["ts"]);
        assert_eq!(of("1615367520.25"), of("2021-03-10T09:12:00.25Z"));
        assert_eq!(of("1.61536752025e9"), of("1615367520.25"));
        assert!(of("noon").is_err());
    }

    #[test]
    fn protocols_and_services_have_many_names() {
        let of = |text: &str| protocol(&row(&[("proto", text)]), &["proto"]).ok();
        assert_eq!(
            (of("TCP"), of("17"), of("IPv6-ICMP"), of("088"), of("unknown_transport")),
            (Some(6), Some(17), Some(58), Some(88), Some(255))
        );
        assert_eq!((of("300"), of("ether")), (None, None));
        assert_eq!(
            (application("ssl"), application("krb_tcp"), application("HTTP")),
            (Some(App::Tls), Some(App::Kerberos), Some(App::Http))
        );
        assert_eq!((application("failed"), application("gopher")), (None, None));
    }
}
