//! Devices that behave alike: clustered by the services that they use and offer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::commons::MAX_ROLES;
use super::host::HostBaseline;
use super::kmeans;
use super::order::Order;
use super::pooled::Pooled;
use super::window::Map;
use crate::feature::Host;
use crate::flow::Service;

/// Uses (a service used or offered) that devices are compared by: those of the most devices.
const MAX_USES: usize = 64;
/// A use of fewer devices tells nothing of a role.
const MIN_DEVICES: u32 = 2;
/// Devices below which all are one role, in general.
pub(super) const FEW: usize = 4;
/// Uses in a role's name.
const NAMED: usize = 3;

/// Devices that behave alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Role {
    /// What its devices mostly do: `uses udp/53 tcp/443, offers tcp/11112`.
    pub name: String,
    /// How many there are.
    pub devices: u32,
    /// What they do together.
    pub pooled: Pooled,
}

/// A service, and whether it is offered rather than used.
type Use = (bool, Service);

/// Gives every device at home a role, and returns the roles (without what their devices do together), the largest first. A
/// device outside has role 0 without being one of it. Fewer devices than `few` are one role.
pub(super) fn assign(hosts: &mut Map<Host, Box<HostBaseline>>, order: &Order, (seed, few): (u64, usize)) -> Vec<Role> {
    let at_home = hosts.iter().filter(|(address, host)| host.local && address.is_device());
    let mut home: Vec<Host> = at_home.map(|(&address, _)| address).collect();
    home.sort_by_cached_key(|address| order.key(*address));
    let uses = common_uses(hosts, &home);
    let wanted = if home.len() < few || uses.is_empty() { 1 } else { kmeans::cluster_count(home.len() * 2, MAX_ROLES) };
    let rows = home.iter().map(|address| row(&hosts[address], &uses));
    // One role is no clustering; where the library fails, which it does not for finite rows, there is one too.
    let centres = if wanted > 1 { kmeans::centres(rows, uses.len(), wanted, seed).unwrap_or_default() } else { Vec::new() };
    // Rows are made again where they are needed: those of a fleet would take a gigabyte.
    let mut members: Vec<Members> = (0..centres.len().max(1)).map(|_| Members::new(uses.len())).collect();
    for (place, address) in home.iter().enumerate() {
        let row = row(&hosts[address], &uses);
        members[kmeans::nearest(centres.iter(), &row)].add(place as u32, &row);
    }
    members.retain(|role| !role.places.is_empty());
    members.sort_by_key(|role| (std::cmp::Reverse(role.places.len()), role.places.first().copied()));
    let mut roles = Vec::with_capacity(members.len());
    for (number, role) in members.iter().enumerate() {
        for &place in &role.places {
            if let Some(host) = hosts.get_mut(&home[place as usize]) {
                host.role = number as u16;
            }
        }
        roles.push(Role { name: name(&uses, role), devices: role.places.len() as u32, pooled: Pooled::default() });
    }
    roles
}

/// The devices of one role.
struct Members {
    /// Their places among the devices at home.
    places: Vec<u32>,
    /// By use: the sum of their shares.
    shares: Vec<f64>,
}

impl Members {
    fn new(uses: usize) -> Self {
        Self { places: Vec::new(), shares: vec![0.0; uses] }
    }

    fn add(&mut self, place: u32, row: &[f64]) {
        self.places.push(place);
        self.shares.iter_mut().zip(row).for_each(|(sum, value)| *sum += value * value);
    }
}

fn common_uses(hosts: &Map<Host, Box<HostBaseline>>, home: &[Host]) -> Vec<Use> {
    let mut devices: BTreeMap<Use, u32> = BTreeMap::new();
    for host in home.iter().map(|address| &hosts[address]) {
        host.services.iter().for_each(|(service, _)| *devices.entry((false, service)).or_default() += 1);
        host.offers().iter().for_each(|(service, _)| *devices.entry((true, service)).or_default() += 1);
    }
    let mut uses: Vec<(Use, u32)> = devices.into_iter().filter(|&(_, devices)| devices >= MIN_DEVICES).collect();
    uses.sort_by_key(|&(using, devices)| (std::cmp::Reverse(devices), using));
    uses.truncate(MAX_USES);
    uses.into_iter().map(|(using, _)| using).collect()
}

/// Square roots of the shares of a device's minutes: their distances are Hellinger's, in which a rare use counts more than its
/// share. Uses that few others have share what is left.
fn row(host: &HostBaseline, uses: &[Use]) -> Vec<f64> {
    let all = host.services.total() + host.offers().total();
    let share = |&(offered, service): &Use| {
        let minutes = if offered { host.offers().get(service) } else { host.services.get(service) };
        (f64::from(minutes) / all.max(1.0)).sqrt()
    };
    uses.iter().map(share).collect()
}

fn name(uses: &[Use], role: &Members) -> String {
    let mean = |place: usize| role.shares[place] / role.places.len() as f64;
    let words = |offered: bool| {
        let mut shares: Vec<(f64, Service)> =
            (0..uses.len()).filter(|&place| uses[place].0 == offered).map(|place| (mean(place), uses[place].1)).collect();
        shares.retain(|&(share, _)| share >= 0.05);
        shares.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        shares.iter().take(NAMED).map(|(_, service)| service.to_string()).collect::<Vec<_>>().join(" ")
    };
    match (words(false), words(true)) {
        (used, offered) if used.is_empty() && offered.is_empty() => "others".to_owned(),
        (used, offered) if offered.is_empty() => format!("uses {used}"),
        (used, offered) if used.is_empty() => format!("offers {offered}"),
        (used, offered) => format!("uses {used}; offers {offered}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Addr;

    const DNS: Service = Service { protocol: 17, port: 53 };
    const WEB: Service = Service { protocol: 6, port: 443 };
    const HL7: Service = Service { protocol: 6, port: 2575 };

    fn network() -> Map<Host, Box<HostBaseline>> {
        let device = |n: u8| {
            let mut host = HostBaseline { local: true, ..HostBaseline::default() };
            host.services.add(DNS, 10);
            host.services.add(if n < 8 { WEB } else { HL7 }, 100 + u32::from(n));
            (Host(Addr::v4([10, 0, 0, n])), Box::new(host))
        };
        (0..12).map(device).collect()
    }

    #[test]
    fn those_that_do_the_same_have_one_role_with_its_name() {
        let mut hosts = network();
        let roles = assign(&mut hosts, &Order::default(), (1, FEW));
        let role = |n: u8| hosts[&Host(Addr::v4([10, 0, 0, n]))].role;
        assert_eq!((roles.len(), roles[0].devices, roles[1].devices), (2, 8, 4));
        assert!((0..8).all(|n| role(n) == 0) && (8..12).all(|n| role(n) == 1));
        assert_eq!((&*roles[0].name, &*roles[1].name), ("uses tcp/443 udp/53", "uses tcp/2575 udp/53"));
    }

    #[test]
    fn a_few_devices_are_one_role_and_the_same_network_gives_the_same_roles() {
        let few = |n: usize| network().into_iter().take(n).collect::<Map<_, _>>();
        assert_eq!(assign(&mut few(3), &Order::default(), (1, FEW)).len(), 1);
        assert_eq!(assign(&mut network(), &Order::default(), (1, FEW)), assign(&mut network(), &Order::default(), (1, FEW)));
        assert_eq!(assign(&mut network(), &Order::default(), (1, usize::MAX)).len(), 1);
    }
}
