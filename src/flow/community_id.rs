//! Community ID v1 (<https://github.com/corelight/community-id-spec>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use super::FlowKey;
use crate::wire::Addr;

/// The Community ID of a flow: `1:` and the base64 of a SHA-1. `seed` is 0 unless tools were told otherwise.
///
/// Protocols without ports leave the port bytes out.
#[must_use]
pub fn community_id(key: &FlowKey, seed: u16) -> String {
    let mut sha = Sha1::new();
    sha.update(seed.to_be_bytes());
    hash_addr(&mut sha, key.low);
    hash_addr(&mut sha, key.high);
    sha.update([key.protocol, 0]);
    if matches!(key.protocol, 1 | 6 | 17 | 58 | 132) {
        sha.update(key.low_port.to_be_bytes());
        sha.update(key.high_port.to_be_bytes());
    }
    format!("1:{}", STANDARD.encode(sha.finalize()))
}

fn hash_addr(sha: &mut Sha1, addr: Addr) {
    match addr.ip() {
        core::net::IpAddr::V4(ip) => sha.update(ip.octets()),
        core::net::IpAddr::V6(ip) => sha.update(ip.octets()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::stats::testing::packet;

    fn id(src: &str, sport: u16, dst: &str, dport: u16, protocol: u8, seed: u16) -> String {
        let mut p = packet(0, 0, sport, 0, dport, protocol);
        p.src = src.parse().unwrap();
        p.dst = dst.parse().unwrap();
        community_id(&FlowKey::of(&p).0, seed)
    }

    /// The vectors of the specification's baseline.
    #[test]
    fn agrees_with_the_specification() {
        for (src, sport, dst, dport, protocol, seed, want) in [
            ("1.2.3.4", 1122, "5.6.7.8", 3344, 6, 0, "1:wCb3OG7yAFWelaUydu0D+125CLM="),
            ("1.2.3.4", 1122, "5.6.7.8", 3344, 6, 1, "1:HhA1B+6CoLbiKPEs5nhNYN4XWfk="),
            ("1.2.3.4", 1122, "5.6.7.8", 3344, 17, 0, "1:0Mu9InQx6z4ZiCZM/7HXi2WMhOg="),
            ("1.2.3.4", 1122, "5.6.7.8", 3344, 132, 0, "1:EKt4MsxuyaE6mL+hmrEkQ9csDD8="),
            ("1.2.3.4", 8, "5.6.7.8", 0, 1, 0, "1:crodRHL2FEsHjbv3UkRrfbs4bZ0="),
            ("1.2.3.4", 11, "5.6.7.8", 0, 1, 0, "1:f/YiSyWqczrTgfUCZlBUnvHRcPk="),
            ("1.2.3.4", 0, "5.6.7.8", 0, 46, 0, "1:ikv3kmf89luf73WPz1jOs49S768="),
            ("192.168.0.89", 8, "192.168.0.1", 0, 1, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
            ("192.168.0.1", 0, "192.168.0.89", 0, 1, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
            (
                "2001:470:e5bf:dead:4957:2174:e82c:4887",
                63943,
                "2607:f8b0:400c:c03::1a",
                25,
                6,
                0,
                "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=",
            ),
            ("192.168.1.52", 54585, "8.8.8.8", 53, 17, 0, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
            ("8.8.8.8", 53, "192.168.1.52", 54585, 17, 0, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
            ("fe80::200:86ff:fe05:80da", 135, "fe80::260:97ff:fe07:69ea", 0, 58, 0, "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="),
        ] {
            assert_eq!(id(src, sport, dst, dport, protocol, seed), want, "{src}:{sport} > {dst}:{dport} {protocol}");
        }
    }
}
