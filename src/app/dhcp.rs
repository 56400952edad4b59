//! DHCP: what a device says of itself when it asks for an address (RFC 2131, RFC 2132; version 6: RFC 8415).

mod v4;
mod v6;

use serde::{Serialize, Serializer};

use super::count::bump;
use super::listen::{Heard, Listen, Place};
use crate::wire::Addr;

/// Longest fingerprint that is kept, in codes; a real client asks for 20 at most.
const MOST_CODES: usize = 64;

/// What one DHCP message says. All text is printable ASCII of bounded length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DhcpMessage {
    /// Kind of message: `discover`, `offer`, `request`, `decline`, `ack`, `nak`, `release`, `inform`, `bootp`; in version 6
    /// `solicit`, `advertise`, `request`, `confirm`, `renew`, `rebind`, `reply`, `release`, `decline`, `reconfigure`,
    /// `information`; else `other`. A relayed message counts as what it carries.
    pub kind: &'static str,
    /// Does the server's side say it?
    pub from_server: bool,
    /// Does it say so to a relay (RFC 2131, 4.1: on the servers' port), which gives it to the client? Whoever knows the ports says so.
    pub to_relay: bool,
    /// Is it version 6?
    pub is_v6: bool,
    /// Hardware address of the client; in version 6 as its identifier gives it.
    pub client_mac: Option<[u8; 6]>,
    /// Host name that the client gives (option 12, else 81; version 6: 39), up to 253 characters.
    pub host_name: Option<Box<str>>,
    /// Vendor class (option 60; version 6: 16), up to 64 characters.
    pub vendor_class: Option<Box<str>>,
    /// Codes that the client asks for in their order, as in `1,3,6,15` (option 55; version 6: 6), 64 at most.
    pub fingerprint: Option<Box<str>>,
    /// Address that is asked for, offered, acknowledged or given back.
    pub address: Option<Addr>,
    /// Address of the server (option 54); version 6 has none.
    pub server: Option<Addr>,
    /// Domain that the server gives (option 15; version 6: 24), up to 253 characters.
    pub domain: Option<Box<str>>,
}

/// Reads a datagram as a DHCP message of version 4 or 6; nothing when it is none.
///
/// Version 4 is told by its magic cookie. Version 6 has none: there the options have to fill the datagram and name the client
/// or the server, so ask only for datagrams on its ports (546, 547) where that matters.
#[must_use]
pub fn dhcp_message(payload: &[u8]) -> Option<DhcpMessage> {
    v4::message(payload).or_else(|| v6::message(payload))
}

/// How many messages of which kind; version 6's kinds count as version 4's where they mean the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DhcpKinds {
    /// DISCOVER, or SOLICIT.
    pub discover: u32,
    /// OFFER, or ADVERTISE.
    pub offer: u32,
    /// REQUEST, or REQUEST, CONFIRM, RENEW and REBIND.
    pub request: u32,
    /// ACK, or REPLY.
    pub ack: u32,
    /// NAK.
    pub nak: u32,
    /// DECLINE.
    pub decline: u32,
    /// RELEASE.
    pub release: u32,
    /// INFORM, or INFORMATION-REQUEST.
    pub inform: u32,
    /// Any other, BOOTP included.
    pub other: u32,
}

/// Facts of a flow of DHCP. What several messages say, the last one says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DhcpFacts {
    /// Messages by their kind.
    pub messages: DhcpKinds,
    /// Is it version 6?
    pub v6: bool,
    /// Hardware address of the client as `aa:bb:cc:dd:ee:ff`.
    #[serde(serialize_with = "mac")]
    pub client_mac: Option<[u8; 6]>,
    /// Host name that the client gives.
    #[serde(rename = "hostname")]
    pub host_name: Option<Box<str>>,
    /// Vendor class of the client (`MSFT 5.0`).
    #[serde(rename = "vendor_class_identifier")]
    pub vendor_class: Option<Box<str>>,
    /// Codes that the client asks for: tells its system (`1,3,6,15`).
    pub fingerprint: Option<Box<str>>,
    /// Address that the client asks for.
    #[serde(serialize_with = "addr")]
    pub requested_ip: Option<Addr>,
    /// Address that the server offers or acknowledges.
    #[serde(serialize_with = "addr")]
    pub assigned_ip: Option<Addr>,
    /// The server.
    #[serde(rename = "server_ip", serialize_with = "addr")]
    pub server: Option<Addr>,
    /// Domain that the server gives.
    pub domain: Option<Box<str>>,
}

fn mac<S: Serializer>(mac: &Option<[u8; 6]>, serializer: S) -> Result<S::Ok, S::Error> {
    let Some([a, b, c, d, e, f]) = mac else { return serializer.serialize_none() };
    serializer.collect_str(&format_args!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"))
}

fn addr<S: Serializer>(addr: &Option<Addr>, serializer: S) -> Result<S::Ok, S::Error> {
    let Some(addr) = addr else { return serializer.serialize_none() };
    serializer.collect_str(addr)
}

impl Listen for DhcpFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, _: &mut Place) -> bool {
        if let Some(message) = dhcp_message(heard.payload.bytes) {
            self.message(message);
        }
        true
    }
}

impl DhcpFacts {
    fn message(&mut self, message: DhcpMessage) {
        let kinds = &mut self.messages;
        bump(match message.kind {
            "discover" | "solicit" => &mut kinds.discover,
            "offer" | "advertise" => &mut kinds.offer,
            "request" | "confirm" | "renew" | "rebind" => &mut kinds.request,
            "ack" | "reply" => &mut kinds.ack,
            "nak" => &mut kinds.nak,
            "decline" => &mut kinds.decline,
            "release" => &mut kinds.release,
            "inform" | "information" => &mut kinds.inform,
            _ => &mut kinds.other,
        });
        self.v6 = message.is_v6;
        let address = if message.from_server { &mut self.assigned_ip } else { &mut self.requested_ip };
        update(address, message.address);
        update(&mut self.client_mac, message.client_mac);
        update(&mut self.host_name, message.host_name);
        update(&mut self.vendor_class, message.vendor_class);
        update(&mut self.fingerprint, message.fingerprint);
        update(&mut self.server, message.server);
        update(&mut self.domain, message.domain);
    }
}

fn update<T>(old: &mut Option<T>, new: Option<T>) {
    if new.is_some() {
        *old = new;
    }
}

/// Codes as numbers with commas between them; nothing when there are none.
fn codes(codes: impl Iterator<Item = u16>) -> Option<Box<str>> {
    let codes: Vec<String> = codes.take(MOST_CODES).map(|code| code.to_string()).collect();
    (!codes.is_empty()).then(|| codes.join(",").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option4(code: u8, value: &[u8]) -> Vec<u8> {
        [&[code, value.len() as u8][..], value].concat()
    }

    fn option6(code: u16, value: &[u8]) -> Vec<u8> {
        [&code.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), value].concat()
    }

    fn bootp(op: u8, yours: [u8; 4], options: &[Vec<u8>]) -> Vec<u8> {
        let head = [&[op, 1, 6, 0, 9, 9, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0][..], &yours, &[0; 8], &[2, 0, 0, 0, 0, 7]].concat();
        [&head[..], &[0; 10 + 192], &[0x63, 0x82, 0x53, 0x63], &options.concat(), &[255]].concat()
    }

    fn request() -> Vec<u8> {
        let name = option4(12, b"ct-room-2");
        let asked = [option4(50, &[10, 0, 0, 9]), option4(54, &[10, 0, 0, 1]), option4(55, &[1, 3, 6, 15])].concat();
        bootp(1, [0; 4], &[option4(53, &[3]), vec![0], name, option4(60, b"MSFT 5.0"), asked])
    }

    #[test]
    fn a_client_names_itself_and_gets_an_address() {
        let request = dhcp_message(&request()).unwrap();
        assert_eq!((request.kind, request.from_server, request.client_mac), ("request", false, Some([2, 0, 0, 0, 0, 7])));
        assert_eq!((request.host_name.as_deref(), request.vendor_class.as_deref()), (Some("ct-room-2"), Some("MSFT 5.0")));
        assert_eq!((request.fingerprint.as_deref(), request.address), (Some("1,3,6,15"), Some(Addr::v4([10, 0, 0, 9]))));
        assert_eq!(request.server, Some(Addr::v4([10, 0, 0, 1])));
        let ack = bootp(2, [10, 0, 0, 9], &[option4(53, &[5]), option4(15, b"ward.example\0"), option4(54, &[10, 0, 0, 1])]);
        let mut facts = DhcpFacts::default();
        facts.message(request);
        facts.message(dhcp_message(&ack).unwrap());
        assert_eq!((facts.messages.request, facts.messages.ack), (1, 1));
        assert_eq!((facts.assigned_ip, facts.domain.as_deref()), (Some(Addr::v4([10, 0, 0, 9])), Some("ward.example")));
        let json = serde_json::to_value(&facts).unwrap();
        assert_eq!((&json["client_mac"], &json["assigned_ip"]), (&"02:00:00:00:00:07".into(), &"10.0.0.9".into()));
    }

    #[test]
    fn version_6_says_the_same_in_its_own_way_and_through_a_relay() {
        let client = option6(1, &[&[0, 1, 0, 1, 1, 2, 3, 4][..], &[2, 0, 0, 0, 0, 7]].concat());
        let address = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
        let wanted = option6(3, &[&[0; 12][..], &option6(5, &[&address[..], &[0; 8]].concat())].concat());
        let name = option6(39, b"\0\x05ct-r2\x04ward\0");
        let vendor = option6(16, &[0, 0, 1, 0x37, 0, 8, b'M', b'S', b'F', b'T', b' ', b'5', b'.', b'0']);
        let solicit = [&[1, 7, 7, 7][..], &client, &wanted, &name, &vendor, &option6(6, &[0, 24, 0, 23])].concat();
        let relayed = [&[12, 0][..], &[0; 32], &option6(18, b"port 7"), &option6(9, &solicit)].concat();
        for message in [&solicit, &relayed] {
            let got = dhcp_message(message).unwrap();
            assert_eq!((got.kind, got.client_mac, got.address), ("solicit", Some([2, 0, 0, 0, 0, 7]), Some(Addr::v6(address))));
            assert_eq!((got.host_name.as_deref(), got.fingerprint.as_deref()), (Some("ct-r2.ward"), Some("24,23")));
            assert_eq!((got.vendor_class.as_deref(), got.is_v6), (Some("MSFT 5.0"), true));
        }
        for end in 0..relayed.len() {
            assert_eq!(dhcp_message(&relayed[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn what_is_cut_says_less_and_nothing_wrong() {
        let whole = request();
        let want = dhcp_message(&whole).unwrap();
        for end in 0..whole.len() {
            let Some(got) = dhcp_message(&whole[..end]) else { continue };
            assert!(got.host_name.is_none() || got.host_name == want.host_name, "cut at {end}");
            assert!(got.address.is_none() || got.address == want.address, "cut at {end}");
            assert!(got.fingerprint.is_none() || got.fingerprint == want.fingerprint, "cut at {end}");
        }
        assert_eq!(dhcp_message(b"\x01\x06"), None);
        assert_eq!(dhcp_message(&[1; 300]), None);
    }
}
