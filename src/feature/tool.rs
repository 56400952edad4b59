//! Tools that are known by the names of their servers: those that let others in, or hide where traffic goes (MITRE ATT&CK T1219, T1572, T1090, T1071.004).

use super::fact::domain;

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

/// The tool of which a server with this name is, whose registrable part is `domain`.
pub(super) fn of(name: &str, domain: &str) -> Option<&'static str> {
    find(name, domain).map(|(_, tool)| tool)
}

/// How many labels at the end of a server's name say of which tool it is, so that they name nobody; 0 where it is of none.
#[must_use]
pub fn labels_of_tool(name: &str) -> usize {
    find(name, domain(name)).map_or(0, |(end, _)| end.split('.').count())
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
}
