//! Tools that let others in, hide where traffic goes or turn a server against others (MITRE ATT&CK T1219, T1572, T1090, T1071.004, T1095, T1498.002) or encrypt files: known by the
//! names of their servers, or by what they do with a protocol.

use std::ops::RangeInclusive;

use super::fact::{Fact, FactKind, domain};
use crate::app::{Facts, INJECTIONS};
use crate::flow::{FlowRecord, SideStats};

/// Data in the echoes of ICMP.
pub const ECHO_TUNNEL: &str = "a tunnel in ICMP echo";
/// NTP's list of the last clients, which was taken out in 2010 (CVE-2013-5211).
pub const MONLIST: &str = "the list of a clock's clients";
/// Files that get their name with an ending behind it (T1486).
pub const ENDINGS: &str = "endings appended to the names of files";
/// Files of one connection that make it one: a single one may be put aside by somebody.
pub(super) const MANY_ENDINGS: u32 = 3;
const TOR: &str = "Tor";

/// The registrable part of a server's name; what the whole name has to end with, where that is more; and the tool. In the order of the first.
const SERVERS: [(&str, &str, &str); 57] = [
    ("adguard-dns.com", "", "DNS over HTTPS of AdGuard"),
    ("aeroadmin.com", "", "AeroAdmin"),
    ("ammyy.com", "", "Ammyy Admin"),
    ("anydesk.com", "", "AnyDesk"),
    ("argotunnel.com", "", "Cloudflare Tunnel"),
    ("atera.com", "", "Atera"),
    ("beyondtrustcloud.com", "", "BeyondTrust"),
    ("bomgarcloud.com", "", "BeyondTrust"),
    ("cleanbrowsing.org", "doh.cleanbrowsing.org", "DNS over HTTPS of CleanBrowsing"),
    ("cloudflare-dns.com", "", "DNS over HTTPS of Cloudflare"),
    ("controld.com", "dns.controld.com", "DNS over HTTPS of Control D"),
    ("devtunnels.ms", "", "Dev Tunnels"),
    ("dns.google", "", "DNS over HTTPS of Google"),
    ("dwservice.net", "", "DWService"),
    ("expressvpn.com", "", "ExpressVPN"),
    ("getscreen.me", "", "Getscreen"),
    ("google.com", "remotedesktop.google.com", "Chrome Remote Desktop"),
    ("googleapis.com", "remotedesktop-pa.googleapis.com", "Chrome Remote Desktop"),
    ("gotoassist.com", "", "GoToAssist"),
    ("gotomypc.com", "", "GoToMyPC"),
    ("hoptodesk.com", "", "HopToDesk"),
    ("islonline.net", "", "ISL Online"),
    ("loca.lt", "", "localtunnel"),
    ("localhost.run", "", "localhost.run"),
    ("logmein.com", "", "LogMeIn"),
    ("logmeinrescue.com", "", "LogMeIn Rescue"),
    ("meshcentral.com", "", "MeshCentral"),
    ("mullvad.net", "", "Mullvad"),
    ("nextdns.io", "", "DNS over HTTPS of NextDNS"),
    ("ngrok-agent.com", "", "ngrok"),
    ("ngrok-free.app", "", "ngrok"),
    ("ngrok.com", "", "ngrok"),
    ("ngrok.io", "", "ngrok"),
    ("ninjarmm.com", "", "NinjaOne"),
    ("nordvpn.com", "", "NordVPN"),
    ("opendns.com", "doh.opendns.com", "DNS over HTTPS of OpenDNS"),
    ("parsec.app", "", "Parsec"),
    ("pinggy.io", "", "Pinggy"),
    ("playit.gg", "", "playit"),
    ("portmap.io", "", "Portmap"),
    ("protonvpn.com", "", "Proton VPN"),
    ("quad9.net", "dns.quad9.net", "DNS over HTTPS of Quad9"),
    ("remotepc.com", "", "RemotePC"),
    ("remoteutilities.com", "", "Remote Utilities"),
    ("rustdesk.com", "", "RustDesk"),
    ("screenconnect.com", "", "ScreenConnect"),
    ("serveo.net", "", "Serveo"),
    ("showmypc.com", "", "ShowMyPC"),
    ("splashtop.com", "", "Splashtop"),
    ("supremocontrol.com", "", "Supremo"),
    ("surfshark.com", "", "Surfshark"),
    ("tailscale.com", "", "Tailscale"),
    ("teamviewer.com", "", "TeamViewer"),
    ("torproject.org", "", "Tor"),
    ("trycloudflare.com", "", "Cloudflare Tunnel"),
    ("zerotier.com", "", "ZeroTier"),
    ("zoho.com", "assist.zoho.com", "Zoho Assist"),
];

/// What a server's name ends with, and the tool of which it is.
fn find(name: &str, domain: &str) -> Option<(&'static str, &'static str)> {
    let place = SERVERS.binary_search_by(|&(known, ..)| known.bytes().cmp(lower(domain))).ok()?;
    let (known, whole, tool) = SERVERS[place];
    let end = if whole.is_empty() { known } else { whole };
    ends_with(name, end).then_some((end, tool))
}

/// Lengths of the names that Tor makes up.
const TOR_LABEL: RangeInclusive<usize> = 8..=20;
/// Consonants in a row that no word has, with digits behind others.
const CONSONANTS: usize = 5;
/// Fewest echoes of which one may say what they carry.
const ECHOES: u64 = 4;

/// The tool that shows in what a flow does.
pub(super) fn seen_in(record: &FlowRecord) -> Option<&'static str> {
    match record.facts.as_deref() {
        // Whoever looks for such clocks asks all, and most do not answer.
        Some(Facts::Ntp(ntp)) => (ntp.monlist > 0 && record.resp.payload_bytes > record.orig.payload_bytes).then_some(MONLIST),
        None => is_echo_tunnel(record).then_some(ECHO_TUNNEL),
        _ => None,
    }
}

/// An echo brings back what was sent (RFC 792; RFC 4443, 4.2). Are the answers of other lengths than the questions, however those are paired that were lost or
/// stand at an end of the segment? Some servers cut long ones to one length.
fn is_echo_tunnel(record: &FlowRecord) -> bool {
    let (asked, answered) = (&record.orig, &record.resp);
    if !record.service().is_ping() || asked.packets.min(answered.packets) < ECHOES {
        return false;
    }
    let unpaired = asked.packets.abs_diff(answered.packets) + 1;
    let longest = u64::from(asked.payload_max.max(answered.payload_max));
    let is_longer = answered.payload_bytes > asked.payload_bytes;
    asked.payload_bytes.abs_diff(answered.payload_bytes) > unpaired * longest && (is_longer || !are_alike(answered))
}

/// Are all packets of one length?
fn are_alike(side: &SideStats) -> bool {
    let sum = side.payload_bytes as f64;
    side.payload_square_sum * side.packets as f64 <= sum * sum * (1.0 + 1e-9)
}

/// Is it such a name as Tor makes up for the hello to a relay: 8 to 20 characters of base 32 between `www` and `com`? Words have digits behind letters once or
/// twice; of those with two, only what nobody could say is taken for made up. Each relay is called by another name: some of them are told apart.
fn is_of_tor(name: &str) -> bool {
    let Some((_, label)) = name.rsplit_once('.').filter(|(_, last)| *last == "com").and_then(|(host, _)| host.split_once("www."))
    else {
        return false;
    };
    let is_base_32 = |byte: u8| matches!(byte, b'a'..=b'z' | b'2'..=b'7');
    let bytes = label.as_bytes();
    let turns = bytes.windows(2).filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_digit()).count();
    let is_consonant = |byte: &u8| byte.is_ascii_lowercase() && !b"aeiouy".contains(byte);
    let is_unspeakable = bytes.windows(CONSONANTS).any(|letters| letters.iter().all(is_consonant));
    name.starts_with("www.")
        && TOR_LABEL.contains(&bytes.len())
        && bytes.iter().copied().all(is_base_32)
        && (turns > 2 || turns == 2 && is_unspeakable)
}

/// Programs made to look for what is wrong with a server of pages and to use it (MITRE ATT&CK T1595.002, T1595.003): what they call themselves, and their names. Not what
/// asks the whole Internet for one page each.
const ATTACKERS: [(&str, &str); 14] = [
    ("sqlmap/", "sqlmap"),
    ("gobuster/", "Gobuster"),
    ("DirBuster", "DirBuster"),
    ("feroxbuster/", "feroxbuster"),
    ("Fuzz Faster U Fool", "ffuf"),
    ("Wfuzz/", "Wfuzz"),
    ("(Nikto/", "Nikto"),
    ("WPScan v", "WPScan"),
    ("(Hydra)", "Hydra"),
    ("commix/", "commix"),
    ("w3af.org", "w3af"),
    ("Arachni/", "Arachni"),
    ("Havij", "Havij"),
    ("Nmap Scripting Engine", "Nmap"),
];

/// The program that a client of a server of pages says it is, where it is one of those.
pub(super) fn called(user_agent: &str) -> Option<&'static str> {
    ATTACKERS.iter().find(|(text, _)| user_agent.contains(text)).map(|&(_, tool)| tool)
}

/// Is a fact of such a program?
#[must_use]
pub fn attacks_servers(fact: Fact) -> bool {
    fact.kind == FactKind::Tool && ATTACKERS.iter().any(|(_, tool)| fact == Fact::new(FactKind::Tool, tool))
}

/// Is a fact of a request that tries to have a server of pages do what it is not for?
#[must_use]
pub fn injects(fact: Fact) -> bool {
    fact.kind == FactKind::Tool && INJECTIONS.iter().any(|what| fact == Fact::new(FactKind::Tool, what))
}

/// The tool of which a server with this name is, whose registrable part is `domain`.
pub(super) fn of(name: &str, domain: &str) -> Option<&'static str> {
    find(name, domain).map(|(_, tool)| tool).or_else(|| is_of_tor(name).then_some(TOR))
}

/// How many labels at the end of a server's name say of which tool it is, so that they name nobody; 0 where it is of none.
#[must_use]
pub fn labels_of_tool(name: &str) -> usize {
    let end = find(name, domain(name)).map(|(end, _)| end).or_else(|| is_of_tor(name).then_some(name));
    end.map_or(0, |end| end.split('.').count())
}

fn lower(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().map(|byte| byte.to_ascii_lowercase())
}

/// Is a name one of another's, or that itself?
fn ends_with(name: &str, of: &str) -> bool {
    let name = name.trim_end_matches('.').as_bytes();
    let Some(before) = name.len().checked_sub(of.len()) else { return false };
    name[before..].eq_ignore_ascii_case(of.as_bytes()) && (before == 0 || name[before - 1] == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_in_order_and_end_with_their_registrable_part() {
        assert!(SERVERS.is_sorted_by(|a, b| a.0 < b.0));
        assert!(SERVERS.iter().all(|(domain, whole, _)| whole.is_empty() || whole.ends_with(domain)));
    }

    #[test]
    fn tools_are_known_by_the_names_of_their_servers() {
        assert_eq!(of("relay-5ab3c1.net.AnyDesk.com", "AnyDesk.com"), Some("AnyDesk"));
        assert_eq!(of("anydesk.com.", "anydesk.com"), Some("AnyDesk"));
        assert_eq!(of("remotedesktop.google.com", "google.com"), Some("Chrome Remote Desktop"));
        assert_eq!([of("www.google.com", "google.com"), of("notremotedesktop.google.com", "google.com")], [None; 2]);
        assert_eq!([of("", ""), of("zzz.example", "zzz.example")], [None; 2]);
        let labels = ["relay-5ab3c1.net.AnyDesk.com.", "x.remotedesktop.google.com", "www.google.com", ""].map(labels_of_tool);
        assert_eq!(labels, [2, 3, 0, 0]);
    }

    #[test]
    fn what_is_done_tells_more_than_with_what() {
        use super::super::fact::said;
        use crate::app::HttpFacts;
        let user_agent = Some("sqlmap/1.8.2#stable".into());
        let facts =
            Facts::Http(HttpFacts { user_agent, injection: Some("SQL injection"), status: Some(200), ..HttpFacts::default() });
        let tools: Vec<&str> = said(&facts).into_iter().filter(|(kind, _)| *kind == FactKind::Tool).map(|it| it.1).collect();
        assert_eq!(tools, ["SQL injection", "sqlmap"]);
    }

    #[test]
    fn attackers_are_known_by_what_they_call_themselves() {
        let calls = ["sqlmap/1.8.2#stable (https://sqlmap.org)", "Mozilla/5.00 (Nikto/2.1.6) (Evasions:None) (Test:map_codes)"];
        assert_eq!(calls.map(called), [Some("sqlmap"), Some("Nikto")]);
        assert!(attacks_servers(Fact::new(FactKind::Tool, "Nikto")) && !attacks_servers(Fact::new(FactKind::Tool, "AnyDesk")));
        assert_eq!(
            [called("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36"), called("curl/8.5.0"), called("")],
            [None; 3]
        );
    }

    #[test]
    fn names_that_tor_makes_up_are_no_words() {
        let of = |label: &str| of(&format!("www.{label}.com"), &format!("{label}.com"));
        assert_eq!([of("dbhcce32aa4hhe"), of("7bdh5faifg22g6")], [Some(TOR); 2]);
        // Words, one number, digits that base 32 lacks, too short.
        assert_eq!(["kindershop", "route53login", "a1b2c3d4e5", "a2b3c", "3d2print4u"].map(of), [None; 5]);
        assert_eq!(labels_of_tool("www.dbhcce32aa4hhe.com"), 3, "it names nobody");
        assert_eq!([labels_of_tool("dbhcce32aa4hhe.com"), labels_of_tool("www.dbhcce32aa4hhe.net")], [0; 2]);
    }

    /// Do echoes of these lengths and their answers make a tunnel? Of a length of 0 there is no answer.
    fn is_tunnel(echoes: impl Iterator<Item = (u32, u32)>) -> bool {
        use crate::flow::testing::packet;
        use crate::flow::{FlowKey, FlowLimits, HomeNets, Shard};
        const ICMP: u8 = 1;
        let (limits, home) = (FlowLimits::default().check().unwrap(), HomeNets::default());
        let (mut shard, mut out) = (Shard::default(), Vec::new());
        for (n, (asked, answered)) in echoes.enumerate() {
            let at = n as i64 * 1000;
            for (mut packet, bytes) in [(packet(at, 1, 8, 2, 0, ICMP), asked), (packet(at + 1, 2, 0, 1, 0, ICMP), answered)] {
                if bytes > 0 {
                    packet.payload_bytes = bytes;
                    let (key, from_low) = FlowKey::of(&packet);
                    shard.packet((key, from_low, key.hash()), &packet, &[], (&limits, &home), &mut out);
                }
            }
        }
        shard.finish(&limits, packet(0, 1, 8, 2, 0, ICMP).time, &mut out);
        seen_in(&out[0]) == Some(ECHO_TUNNEL)
    }

    #[test]
    fn an_echo_that_does_not_bring_back_what_was_sent_is_a_tunnel() {
        assert!(is_tunnel((0..20).map(|n| (200 + n * 50, 40 + n))), "shorter, each another");
        assert!(is_tunnel((0..20).map(|_| (40, 1200))), "longer");
        assert!(!is_tunnel((0..20).map(|n| (50 + n * 50, 50 + n * 50))), "as it is to be");
        assert!(!is_tunnel((0..20).map(|n| (50 + n * 50, if n < 10 { 50 + n * 50 } else { 0 }))), "what is too long gets lost");
        assert!(!is_tunnel((0..20).map(|_| (1400, 64))), "a server that cuts");
        assert!(!is_tunnel((0..3).map(|_| (40, 1200))), "too few");
    }
}
