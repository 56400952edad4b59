//! What is usual: a device's own values, drawn towards those of its role, and these towards those of the network.

use super::evidence::{Evidence, Of};
use crate::feature::{BYTES_ORIG, BYTES_RESP, DURATION};
use crate::flow::Service;
use crate::model::{
    Baselines, Edge, FEW_BYTES, FEW_EXCHANGES, Histogram, HostBaseline, Kind, Packed, Pooled, Roles, ServiceBaseline, ServiceUse,
    Side, bucket, upper_edge,
};

/// The weight of what is drawn towards, in values: this many of its own count as much as all of the others'.
pub(super) const PRIOR_VALUES: f64 = 20.0;

/// Values at least this probable are never told.
const STANDS_OUT: f64 = 0.25;

/// Values that a device showed, that devices of its role showed, and that all did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range<'h> {
    own: Option<Packed<'h>>,
    role: &'h Histogram,
    network: &'h Histogram,
    /// Are the values of others the most of each?
    is_busiest: bool,
    /// Minutes (or hours) of the device, of its role and of the network, where those without any were not counted as values.
    minutes: [f64; 3],
    /// Values below were not counted.
    least: f64,
}

impl<'h> Range<'h> {
    /// The range of what `pick` takes from devices together, for a device with values of its `own`.
    pub(super) fn of(
        own: Option<Packed<'h>>,
        host: Option<&HostBaseline>,
        baselines: &'h Baselines,
        pick: impl Fn(&'h Pooled) -> &'h Histogram,
    ) -> Self {
        Self {
            own,
            role: pick(baselines.like(host)),
            network: pick(&baselines.pooled),
            is_busiest: false,
            minutes: [0.0; 3],
            least: 1.0,
        }
    }

    /// The range of a count per minute or hour, of the device that it speaks of (the one that serves, of crowds); none of other
    /// evidence. A device that is hardly known is taken for one of those that use the service, of the role to which most is usual
    /// (`roles` tells which these are), and what it begins is compared with the most that each of them ever did, where enough devices are known: it may just
    /// have been switched on.
    pub(super) fn of_count(
        evidence: Evidence,
        host: Option<&'h HostBaseline>,
        service: Service,
        (baselines, roles): (&'h Baselines, impl Fn() -> Roles),
    ) -> Option<Self> {
        let is_newcomer = host.is_none_or(HostBaseline::is_hardly_known);
        let asked = || host.and_then(|host| host.asked(service));
        let served = || host.and_then(|host| host.served(service));
        let of = |own: Option<Packed<'h>>, pick: fn(&'h Pooled) -> &'h Histogram| {
            let range = Self::of(own, host, baselines, pick);
            if is_newcomer && !evidence.is_crowd() { range.with_largest_of(roles(), baselines, pick) } else { range }
        };
        Some(match evidence {
            Evidence::FlowRate | Evidence::TargetRate | Evidence::SlowTargets if is_newcomer && knows_busiest(baselines) => {
                let pick = busiest(evidence)?;
                let pick: fn(&'h Pooled) -> &'h Histogram = pick;
                Self { is_busiest: true, ..of(None, pick) }
            }
            Evidence::SentOut | Evidence::Asking | Evidence::Asked if baselines.whole_hours == 0 => return None,
            Evidence::SentOut => of(host.map(HostBaseline::sent_out_per_hour), |like| &like.sent_out_per_hour)
                .among_hours(FEW_BYTES, host, baselines),
            Evidence::Asking => return Self::of_exchanges(Side::Asking, service, host?, baselines),
            Evidence::Asked => return Self::of_exchanges(Side::Asked, service, host?, baselines),
            Evidence::FlowRate => of(asked().map(|own| own.flows_per_min), |like| &like.any_service.flows_per_min),
            Evidence::TargetRate => of(host.map(HostBaseline::targets_per_min), |like| &like.targets_per_min),
            Evidence::SlowTargets => of(host.map(HostBaseline::targets_per_hour), |like| &like.targets_per_hour),
            Evidence::SlowFailures => of(host.map(HostBaseline::failed_per_hour), |like| &like.failed_per_hour),
            Evidence::ServedRate => of(served().map(|own| own.flows_per_min), |like| &like.any_served.flows_per_min),
            Evidence::ClientRate => of(served().map(|own| own.clients_per_min), |like| &like.any_served.clients_per_min),
            // Minutes without a failure or a change are not in the histograms.
            Evidence::FailedRate => {
                of(host.map(HostBaseline::failed_per_min), |like| &like.failed_per_min).among_minutes(host, baselines)
            }
            Evidence::LoginFailures => of(host.map(HostBaseline::login_failures_per_min), |like| &like.login_failures_per_min)
                .among_minutes(host, baselines),
            Evidence::FileChanges => {
                of(host.map(HostBaseline::file_changes_per_min), |like| &like.file_changes_per_min).among_minutes(host, baselines)
            }
            Evidence::Refusals if baselines.rules == 0 => return None,
            Evidence::Refusals => {
                of(host.map(HostBaseline::refusals_per_min), |like| &like.refusals_per_min).among_minutes(host, baselines)
            }
            Evidence::NamesMissing => of(host.map(HostBaseline::names_missing_per_min), |like| &like.names_missing_per_min)
                .among_minutes(host, baselines),
            _ => return None,
        })
    }

    /// The range of exchanges per hour with a service on one side, of a device that is known, and to offer it; none where it is not, or nobody used or offered it.
    fn of_exchanges(side: Side, service: Service, host: &'h HostBaseline, baselines: &'h Baselines) -> Option<Self> {
        let is_known = !host.is_hardly_known() && (side == Side::Asking || host.offers().contains(service));
        let network = baselines.pooled.asking.of(side, service).filter(|_| is_known)?;
        let role = baselines.like(Some(host)).asking.of(side, service).unwrap_or(network);
        let hours = if side == Side::Asking { host.whole_hours() } else { f64::from(baselines.whole_hours) };
        Some(Self {
            own: Some(host.exchanges_per_hour(side, service)),
            role: &role.exchanges,
            network: &network.exchanges,
            is_busiest: false,
            least: f64::from(FEW_EXCHANGES),
            minutes: [hours, role.hours, network.hours],
        })
    }

    /// The roles of which several devices use a service.
    pub(super) fn roles_that_use(service: Service, baselines: &Baselines) -> Roles {
        baselines.commons.roles_of_several(Kind::Service, service)
    }

    /// The range of a volume (a feature of [`VOLUMES`]) among the device's [own](Self::own_use) flows of the service, or among `later` segments of such: of a
    /// device that never had any, where it excuses the value, among its whole flows, of which a part is no more. A device that is hardly known is taken for one
    /// of these `roles`, of that to which most is usual: of those that speak to the same service of the same peer.
    pub(super) fn of_volume(
        (feature, value): (usize, f64),
        later: bool,
        (host, service, own): (Option<&'h HostBaseline>, Service, Option<ServiceUse<'h>>),
        (baselines, roles): (&'h Baselines, Roles),
    ) -> Self {
        let pick: fn(&ServiceBaseline) -> &Histogram = match feature {
            DURATION => |service| &service.duration_ms,
            BYTES_ORIG => |service| &service.bytes_orig,
            _ => |service| &service.bytes_resp,
        };
        let of = |used: ServiceUse<'h>| match feature {
            DURATION => used.duration_ms,
            BYTES_ORIG => used.bytes_orig,
            _ => used.bytes_resp,
        };
        let own = own.map(of);
        let pick = |like: &'h Pooled| pick(if later { &like.any_continued } else { &like.any_service });
        let range = Self::of(own, host, baselines, pick);
        if host.is_none_or(HostBaseline::is_hardly_known) {
            return range.with_largest_of(roles, baselines, pick);
        }
        if !later || own.is_some() || feature == DURATION {
            return range;
        }
        let whole = host.and_then(|host| host.asked(service)).map(|whole| Self { own: Some(of(whole)), ..range });
        whole.filter(|whole| whole.p(value) > range.p(value)).unwrap_or(range)
    }

    /// A device's own flows of a service, or later segments of such.
    pub(super) fn own_use(host: Option<&'h HostBaseline>, service: Service, later: bool) -> Option<ServiceUse<'h>> {
        host.and_then(|host| if later { host.continued(service) } else { host.asked(service) })
    }

    /// The roles of which one a device is taken for by its volumes: of one of which nothing at all is known, those that speak to the same service of the same peer.
    pub(super) fn roles_by_volume(host: Option<&HostBaseline>, edge: Edge, baselines: &Baselines) -> Roles {
        if host.is_some() { Roles::NONE } else { baselines.roles_for(None, edge) }
    }

    /// The same, but of a device that is taken for one of these roles: of that to which most is usual. As it was where there is none.
    fn with_largest_of(self, roles: Roles, baselines: &'h Baselines, pick: impl Fn(&'h Pooled) -> &'h Histogram) -> Self {
        let mut largest: Option<(f64, &Histogram)> = None;
        for role in roles.iter().filter_map(|role| baselines.roles.get(usize::from(role))) {
            let role = pick(&role.pooled);
            let high = role.usual().map_or(0.0, |(_, high)| high);
            // Of those that tie the last.
            if largest.is_none_or(|(most, _)| high >= most) {
                largest = Some((high, role));
            }
        }
        Self { role: largest.map_or(self.role, |(_, role)| role), ..self }
    }

    /// The range of a count per minute or hour in the busiest minute or hour of each device of the same role; none of other evidence, and where
    /// too few devices are known.
    pub(super) fn of_busiest(evidence: Evidence, host: Option<&HostBaseline>, baselines: &'h Baselines) -> Option<Self> {
        let range = Self::of(None, host, baselines, busiest(evidence)?);
        knows_busiest(baselines).then_some(Self { is_busiest: true, ..range })
    }

    /// The same for what is counted only in minutes that have any: those without are values too.
    fn among_minutes(mut self, host: Option<&HostBaseline>, baselines: &Baselines) -> Self {
        self.minutes = [host.map_or(0.0, |host| f64::from(host.minutes)), baselines.like(host).minutes, baselines.pooled.minutes];
        self
    }

    /// The same for what is counted only in hours that have so much.
    fn among_hours(mut self, least: f64, host: Option<&HostBaseline>, baselines: &Baselines) -> Self {
        let hours = |like: &Pooled| f64::from(like.targets_per_hour.total());
        self.minutes = [host.map_or(0.0, HostBaseline::whole_hours), hours(baselines.like(host)), hours(&baselines.pooled)];
        self.least = least;
        self
    }

    /// The probability of a value at least this large, where it is small enough to be told; none of one within what is usual.
    pub(super) fn rare(&self, value: f64) -> Option<f64> {
        self.rarer(value, f64::INFINITY)
    }

    /// The same where it is less than this, too.
    pub(super) fn rarer(&self, value: f64, than: f64) -> Option<f64> {
        if self.own.is_none() && self.usual_of_others().is_some_and(|(_, high)| value <= high) {
            return None;
        }
        // Most values end here: whatever the others do, it is usual for the device itself.
        let own = self.own_tail(value);
        if let Some((total, tail)) = own {
            let n = f64::from(total).max(self.minutes[0]);
            if n * tail > STANDS_OUT.min(than) * (n + PRIOR_VALUES) {
                return None;
            }
        }
        Some(self.tail(value, own)).filter(|&p| p <= STANDS_OUT && p < than)
    }

    /// The probability of a value at least this large.
    fn p(&self, value: f64) -> f64 {
        self.tail(value, self.own_tail(value))
    }

    /// Values of its own, and the probability of one at least this large among them.
    fn own_tail(&self, value: f64) -> Option<(u32, f64)> {
        self.own.map(|own| own.total_and_tail(value, self.minutes[0], self.least))
    }

    fn tail(&self, value: f64, own: Option<(u32, f64)>) -> f64 {
        let (own, role, _) = self.steps_from(value, own);
        own.unwrap_or(role).p
    }

    /// How the probability of a value at least this large comes about: among the device's own values where there are any, drawn
    /// towards that of its role, which is drawn towards that of the network.
    pub(super) fn steps(&self, value: f64) -> (Option<Step>, Step, Step) {
        self.steps_from(value, self.own_tail(value))
    }

    fn steps_from(&self, value: f64, own_tail: Option<(u32, f64)>) -> (Option<Step>, Step, Step) {
        let [own, role, network] = self.minutes;
        // Of what nobody was looked at for nothing is known.
        let is_known = self.network.total() > 0 || network > 0.0;
        let at = bucket(value);
        let tail = if is_known { self.network.tail_in(at, value, network, self.least) } else { 1.0 };
        // A device of which nothing is known has no role: both are the network's.
        let is_network = is_known && std::ptr::eq(self.role, self.network) && role == network;
        let role_tail = if is_network { tail } else { self.role.tail_in(at, value, role, self.least) };
        let network = Step { values: f64::from(self.network.total()).max(network), tail, p: tail };
        let role = Step::of((self.role.total(), role_tail), role, network.p);
        (own_tail.map(|own_tail| Step::of(own_tail, own, role.p)), role, network)
    }

    /// The range from the fifth to the ninety-fifth of a hundred values: the device's own where it has shown enough, else its
    /// role's, else the network's; none where nothing was shown at all.
    pub(super) fn usual(&self) -> Option<(f64, f64)> {
        let is_enough = |total: u32| f64::from(total) >= PRIOR_VALUES;
        if let Some(own) = self.own.filter(|own| is_enough(own.total())) {
            return Some((own.quantile(0.05)?, own.quantile(0.95)?));
        }
        self.usual_of_others()
    }

    /// Is it compared with values of its own?
    pub(super) const fn has_own(&self) -> bool {
        self.own.is_some()
    }

    /// The most of the device's own, to within a bucket; the least that is counted where it had less.
    pub(super) fn most_of_its_own(&self) -> f64 {
        self.own.and_then(Packed::most).map_or(self.least, upper_edge).max(self.least)
    }

    /// The same of its role, or the network.
    fn usual_of_others(&self) -> Option<(f64, f64)> {
        let from = if f64::from(self.role.total()) >= PRIOR_VALUES { self.role } else { self.network };
        from.usual()
    }

    /// Whose range [`usual`](Self::usual) gives.
    pub(super) fn whose(&self) -> Of {
        match self.own {
            Some(own) if f64::from(own.total()) >= PRIOR_VALUES => Of::Device,
            _ if self.is_busiest => Of::Busiest,
            _ => Of::Network,
        }
    }
}

/// Are so many devices known that one busy one does not excuse every other?
fn knows_busiest(baselines: &Baselines) -> bool {
    f64::from(baselines.pooled.busiest.targets_per_min.total()) >= PRIOR_VALUES
}

/// What counts the busiest minute or hour of each device.
fn busiest(evidence: Evidence) -> Option<fn(&Pooled) -> &Histogram> {
    match evidence {
        Evidence::FlowRate => Some(|like| &like.busiest.flows_per_min),
        Evidence::TargetRate => Some(|like| &like.busiest.targets_per_min),
        Evidence::SlowTargets => Some(|like| &like.busiest.targets_per_hour),
        _ => None,
    }
}

/// One step of [`Range::steps`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Values (or minutes) looked at.
    pub values: f64,
    /// The probability among these alone.
    pub tail: f64,
    /// The same drawn towards the wider step's, with the weight of [`PRIOR_VALUES`].
    pub p: f64,
}

impl Step {
    fn of((total, tail): (u32, f64), minutes: f64, towards: f64) -> Self {
        let values = f64::from(total).max(minutes);
        let p = if values == 0.0 { towards } else { (values * tail + PRIOR_VALUES * towards) / (values + PRIOR_VALUES) };
        Self { values, tail, p }
    }
}

/// Features whose size is compared with the device's own flows of the service: duration, payload sent and received.
pub(super) const VOLUMES: [usize; 3] = [DURATION, BYTES_ORIG, BYTES_RESP];

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: f64, times: usize) -> Histogram {
        let mut histogram = Histogram::default();
        (0..times).for_each(|_| histogram.add(value));
        histogram
    }

    fn range<'h>(own: Option<&'h [u8]>, role: &'h Histogram, network: &'h Histogram) -> Range<'h> {
        Range { own: own.map(Packed::of), role, network, is_busiest: false, minutes: [0.0; 3], least: 1.0 }
    }

    #[test]
    fn what_others_do_all_day_is_less_odd_than_what_nobody_does() {
        let (own, busy, quiet) = (of(2.0, 200).pack(), of(50.0, 1000), of(2.0, 1000));
        let p = |role, network| range(Some(&own), role, network).p(50.0);
        assert!(p(&busy, &busy) > 0.09 && p(&quiet, &quiet) < 0.001, "{} {}", p(&busy, &busy), p(&quiet, &quiet));
        assert!(p(&quiet, &quiet) < p(&quiet, &busy) && p(&quiet, &busy) < p(&busy, &busy));
    }

    #[test]
    fn few_values_of_its_own_say_little() {
        let (few, many, like) = (of(2.0, 3).pack(), of(2.0, 3000).pack(), of(5.0, 1000));
        assert_eq!(
            (range(Some(&few), &like, &like).whose(), range(Some(&many), &like, &like).whose()),
            (Of::Network, Of::Device)
        );
        assert!(range(Some(&few), &like, &like).p(5.0) > 0.8 && range(Some(&many), &like, &like).p(5.0) < 0.01);
        let nothing = Histogram::default();
        let quiet = Range { minutes: [600.0, 6000.0, 9000.0], ..range(Some(&[]), &nothing, &nothing) };
        assert!(quiet.p(3.0) < 0.01, "what never happened in all minutes is rare");
        assert!(range(Some(&[]), &nothing, &nothing).p(3.0) == 1.0, "of what was never looked for nothing is known");
        assert!(range(None, &nothing, &nothing).usual().is_none());
        assert_eq!(range(None, &nothing, &like).usual(), range(None, &like, &like).usual());
    }
}
