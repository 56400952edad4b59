//! A fleet of devices, simulated as flow records: some twenty roles over many sites, each device with its own few services, peers,
//! names and volumes, and five attackers. The same seed gives the same records; nothing is kept of a device but its number.

use std::f64::consts::LN_2;

use auscult::app::{App, Basis, Events};
use auscult::feature::{Fact, FactKind, Host, Observation};
use auscult::flow::{
    ConnState, DirectionBasis, EndReason, FlowKey, FlowRecord, Fragments, History, HomeNets, Service, SideStats,
};
use auscult::flow::{FIRST_SIZES, Sight};
use auscult::time::{Span, Timestamp};
use auscult::wire::Addr;

use super::fleet_roles::{ROLES, Role, SERVER, SERVERS, To, Use};

/// Devices of a site; the first [`SERVERS`] are its servers.
const SITE: u32 = 2000;
/// Every device is active in one minute of so many.
pub const ROUND_MIN: u64 = 30;
/// 2026-11-02T00:00:00Z.
const EPOCH_S: i64 = 1_793_577_600;

/// A record with its observation.
pub type Flow = (Box<FlowRecord>, Observation);

/// A device and what it does that it should not.
pub type Attacker = (Host, &'static str);

/// Devices and what they do.
pub struct Fleet {
    devices: u32,
    seed: u64,
    home: HomeNets,
    links: Vec<Link>,
}

/// One thing that a device usually does.
#[derive(Clone, Copy)]
struct Link {
    using: &'static Use,
    peer: Host,
    /// Which of several peers of this use.
    number: u32,
}

/// Bits that depend on these four alone (splitmix64's last steps).
fn mix(seed: u64, a: u64, b: u64, c: u64) -> u64 {
    let mut x = seed
        ^ a.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ b.wrapping_mul(0xbf58_476d_1ce4_e5b9)
        ^ c.wrapping_mul(0x94d0_49bb_1331_11eb);
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

/// 0 to 1.
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// What a flow carries and how it ends.
#[derive(Clone, Copy)]
struct Carries {
    bytes: [f64; 2],
    ms: f64,
    state: ConnState,
}

impl Fleet {
    /// A fleet of so many devices, 1,000 at the least.
    pub fn new(devices: u32, seed: u64) -> Self {
        let home = HomeNets::parse(&["10.0.0.0/8"]).unwrap_or_default();
        Self { devices: devices.max(1000), seed, home, links: Vec::new() }
    }

    /// Devices.
    pub const fn devices(&self) -> u32 {
        self.devices
    }

    /// The address of a device.
    pub fn host(&self, device: u32) -> Host {
        let (site, place) = (device / SITE, device % SITE);
        Host(Addr::v4((0x0a00_0000 + site * 2048 + place + 1).to_be_bytes()))
    }

    /// Tells the device of an address.
    #[allow(dead_code, reason = "each program uses its own part")]
    pub fn device_of(&self) -> impl Fn(Host) -> u32 + use<> {
        let last = self.devices - 1;
        move |host| {
            let place = (host.0.bits() as u32).saturating_sub(0x0a00_0000);
            (place / 2048 * SITE + (place % 2048).saturating_sub(1)).min(last)
        }
    }

    fn role(&self, device: u32) -> &'static Role {
        if device % SITE < SERVERS {
            return &SERVER;
        }
        let all: u32 = ROLES.iter().map(|role| role.share).sum();
        let mut place = (mix(self.seed, device.into(), 1, 0) % u64::from(all)) as u32;
        let found = ROLES.iter().find(|role| {
            let is_it = place < role.share;
            place = place.saturating_sub(role.share);
            is_it
        });
        found.unwrap_or(&SERVER)
    }

    /// The first device, from `from` on, of a role that is named so.
    fn first_of(&self, role: &str, from: u32) -> u32 {
        (from..self.devices).find(|&device| self.role(device).name == role).unwrap_or(SERVERS)
    }

    /// Puts what a device usually does into the list.
    fn find_links(&mut self, device: u32) {
        self.links.clear();
        for (place, using) in self.role(device).uses.iter().enumerate() {
            let random = mix(self.seed, device.into(), 2, place as u64);
            let peers = using.peers.0 + (random % u64::from(using.peers.1 - using.peers.0 + 1)) as u32;
            for number in 0..peers {
                let peer = match using.to {
                    To::Site(first, servers) => self.host(device / SITE * SITE + first + (random as u32 / 64 + number) % servers),
                    To::Cloud(group, addresses) => {
                        let which = mix(self.seed, device.into(), 3 + place as u64, number.into()) % u64::from(addresses);
                        Host(Addr::v4([198, 18 + group, (which >> 8) as u8, which as u8]))
                    }
                };
                self.links.push(Link { using, peer, number });
            }
        }
    }

    /// What happens in a minute, in the order of its seconds: what every device that is active in it does, and the attacks.
    pub fn minute(&mut self, minute: u64, attacks: &mut Vec<(u64, Flow)>, mut tell: impl FnMut(Flow)) {
        let (round, phase) = (minute / ROUND_MIN, minute % ROUND_MIN);
        let first = (phase + ROUND_MIN * 7 - (round * 7) % (ROUND_MIN * 7)) % ROUND_MIN;
        let active = (u64::from(self.devices).saturating_sub(first)).div_ceil(ROUND_MIN).max(1);
        for (place, device) in (first..u64::from(self.devices)).step_by(ROUND_MIN as usize).enumerate() {
            let second = minute * 60 + place as u64 * 60 / active;
            let due = attacks.iter().take_while(|(at, _)| *at <= second).count();
            attacks.drain(..due).for_each(|(_, flow)| tell(flow));
            let device = device as u32;
            self.find_links(device);
            let visits = 2 + u64::from(mix(self.seed, device.into(), 40, round).is_multiple_of(4));
            for n in 0..visits {
                let link = self.links[((round * 2 + n) % self.links.len() as u64) as usize];
                tell(self.usual(device, link, round, second));
            }
        }
    }

    fn usual(&self, device: u32, link: Link, round: u64, second: u64) -> Flow {
        let Link { using, peer, number } = link;
        let own = mix(self.seed, device.into(), 50, u64::from(using.port) << 16 | u64::from(number));
        let random = mix(self.seed, device.into(), 60 + u64::from(number), round << 20 | u64::from(using.port));
        // A device's own volume within half and double of its role's, each flow within a quarter of the device's.
        let scale = ((2.0 * unit(own) - 1.0) * LN_2).exp();
        let jitter = |bits: u64| scale * (0.5 * unit(bits) - 0.25).exp();
        let bytes = using.bytes.map(f64::from);
        let carries = Carries {
            bytes: [bytes[0] * jitter(random), bytes[1] * jitter(random.rotate_left(17))],
            ms: f64::from(using.ms) * jitter(random.rotate_left(34)),
            state: if using.protocol == 6 { ConnState::Sf } else { ConnState::Oth },
        };
        let service = Service { protocol: using.protocol, port: using.port };
        let (record, mut seen) = self.flow((self.host(device), peer, service), using.app, carries, second, random);
        self.say(device, using, round + u64::from(number), &mut seen.facts);
        (record, seen)
    }

    /// What the application says: of its role's vocabulary the few words that are the device's own.
    fn say(&self, device: u32, using: &Use, turn: u64, facts: &mut Vec<Fact>) {
        for &(kind, words, own) in using.facts {
            let mine = 1 + mix(self.seed, device.into(), 70 + kind as u64, 0) % u64::from(own);
            let word = mix(self.seed, device.into(), 80 + kind as u64, turn % mine) % u64::from(words);
            if kind == FactKind::Name {
                facts.push(Fact::new(FactKind::Domain, &format!("d{}.{}.example", word % 8, using.port)));
            }
            facts.push(Fact::new(kind, &format!("{word}.{}.{}", kind.name(), using.port)));
        }
    }

    fn flow(&self, (orig, resp, service): (Host, Host, Service), app: App, carries: Carries, second: u64, random: u64) -> Flow {
        let seen = Timestamp::from_parts(EPOCH_S + second as i64, 0);
        let end = seen - Span::from_nanos(1_000_000 + (random % 900_000_000) as i64);
        let start = end - Span::from_nanos((carries.ms * 1e6) as i64);
        let port = 49_152 + (random >> 40) as u16 % 16_000;
        let answered = !carries.state.failed();
        let is_tcp = service.protocol == 6;
        let (low, high) = ((orig.0, port), (resp.0, service.port));
        let orig_is_low = low <= high;
        let (low, high) = if orig_is_low { (low, high) } else { (high, low) };
        let key = FlowKey {
            low: low.0,
            high: high.0,
            low_port: low.1,
            high_port: high.1,
            protocol: service.protocol,
            one_way: false,
            vlans: [0; 2],
        };
        let record = FlowRecord {
            key,
            orig_is_low,
            id: random >> 11,
            segment: 0,
            reason: if is_tcp { EndReason::Closed } else { EndReason::Idle },
            sight: Sight::Whole,
            looked_at: None,
            direction: if is_tcp { DirectionBasis::Syn } else { DirectionBasis::Ports },
            state: carries.state,
            history: History::default(),
            under_way: false,
            fragments: Fragments::default(),
            icmp_error: None,
            quoted: None,
            start,
            end,
            orig: side(carries.bytes[0], is_tcp, start, end, true),
            resp: side(carries.bytes[1], is_tcp, start, end, answered),
            turns: 2,
            first_sizes: [0; FIRST_SIZES],
            response_delay: answered.then(|| Span::from_nanos(500_000)),
            app: (app, Basis::Content),
            facts: None,
            events: Events::default(),
            told_events: Events::default(),
            macs: [[0; 6]; 2],
            vlans: [0; 2],
            tunnel: None,
        };
        let observation = Observation::of(&record, seen, &self.home);
        (Box::new(record), observation)
    }

    /// Five attacks that begin in a minute: the attackers, what they do, and their flows by second.
    pub fn attacks(&self, minute: u64) -> (Vec<Attacker>, Vec<(u64, Flow)>) {
        let roles = ["workstation", "camera", "printer", "laptop", "sensor"];
        let what = ["port scan", "exfiltration", "DICOM by a printer", "lateral movement", "beacon"];
        let devices: Vec<u32> = roles.iter().map(|role| self.first_of(role, SERVERS + 40)).collect();
        let (second, tcp) = (minute * 60, |port: u16| Service { protocol: 6, port });
        let carries = |orig: f64, resp: f64, state: ConnState| Carries { bytes: [orig, resp], ms: 900.0, state };
        let outside = |n: u8| Host(Addr::v4([203, 0, 113, n]));
        let mut flows = Vec::new();
        let mut tell =
            |attacker: usize, at: u64, resp: Host, service: Service, app: App, carries: Carries, fact: Option<Fact>| {
                let ends = (self.host(devices[attacker]), resp, service);
                let (record, mut seen) =
                    self.flow(ends, app, carries, at, mix(self.seed, at, service.port.into(), attacker as u64));
                seen.facts.extend(fact);
                flows.push((at, (record, seen)));
            };
        for n in 0..200_u16 {
            tell(
                0,
                second + 60 + u64::from(n) / 10,
                self.host(5),
                tcp(1000 + n),
                App::Unknown,
                carries(0.0, 0.0, ConnState::Rej),
                None,
            );
        }
        for n in 0..4 {
            tell(1, second + 120 + n * 20, outside(66), tcp(443), App::Tls, carries(4e8, 4e4, ConnState::Sf), None);
        }
        for n in 0..20 {
            let title = Some(Fact::new(FactKind::CallingAe, "INTRUDER"));
            tell(
                2,
                second + 130 + n,
                self.host(12 + n as u32 % 2),
                tcp(104),
                App::Dicom,
                carries(2e3, 8e6, ConnState::Sf),
                title,
            );
        }
        for n in 0..40 {
            tell(3, second + 180 + n, self.host(100 + n as u32), tcp(22), App::Ssh, carries(4e3, 6e3, ConnState::Sf), None);
        }
        for n in 0..24 {
            tell(4, second + 30 + n * 20, outside(77), tcp(8443), App::Tls, carries(400.0, 200.0, ConnState::Sf), None);
        }
        flows.sort_by_key(|&(at, _)| at);
        (devices.iter().map(|&device| self.host(device)).zip(what).collect(), flows)
    }
}

/// What one side sent: so many bytes in full packets.
fn side(bytes: f64, is_tcp: bool, start: Timestamp, end: Timestamp, is_there: bool) -> SideStats {
    if !is_there {
        return SideStats::default();
    }
    let payload = bytes as u64;
    let data = payload.div_ceil(1400);
    let bare = if is_tcp { 3 } else { 0 };
    let packets = (data + bare).max(1);
    let mean = payload as f64 / data.max(1) as f64;
    let seconds = end.since(start).as_seconds() / packets as f64;
    SideStats {
        packets,
        ip_bytes: payload + packets * 40,
        wire_bytes: payload + packets * 54,
        payload_bytes: payload,
        data_packets: data as u32,
        payload_max: payload.min(1400) as u32,
        payload_square_sum: data as f64 * mean * mean,
        first: start,
        last: end,
        gap_max: Span::from_nanos((seconds * 2e9) as i64),
        gap_square_sum: seconds * seconds * packets as f64,
        syn: is_tcp.into(),
        fin: is_tcp.into(),
        psh: (data as u32).min(1),
        ttl: 64,
        ..SideStats::default()
    }
}
