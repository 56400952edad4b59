//! When a flow ends, and how many may be open.

use crate::time::Span;

/// Timeouts and caps of the flow table. [`FlowLimits::check`] makes them usable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowLimits {
    /// A TCP flow ends after this long without a packet, in seconds. Default 300.
    pub tcp_idle_s: u32,
    /// A UDP flow ends after this long without a packet, in seconds. Default 60.
    pub udp_idle_s: u32,
    /// A flow of any other protocol ends after this long without a packet, in seconds. Default 60.
    pub other_idle_s: u32,
    /// A closed TCP flow takes late packets for this long, in seconds. Default 10.
    pub closed_s: u32,
    /// A flow that goes on is reported in segments of this length, in seconds. Default 300.
    pub active_s: u32,
    /// A flow that is still open is judged for the first time after this long, in seconds, and after six times as long once more where it has moved much by
    /// then. Default 10.
    pub first_look_s: u32,
    /// Open flows at the most, over all shards. Default 700,000 (at most 448 bytes each, some 490 with all that the table holds for them).
    pub max_flows: u32,
}

impl Default for FlowLimits {
    fn default() -> Self {
        Self {
            tcp_idle_s: 300,
            udp_idle_s: 60,
            other_idle_s: 60,
            closed_s: 10,
            active_s: 300,
            first_look_s: 10,
            max_flows: 700_000,
        }
    }
}

/// The time to the second look, in those to the first.
const SECOND_LOOK: i64 = 6;

/// What [`FlowLimits::check`] refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitsError {
    /// A timeout of zero or more than a day.
    #[error("{name} is {got} s: wanted 1 to 86400")]
    Timeout {
        /// Which one.
        name: &'static str,
        /// What was given, in seconds.
        got: u32,
    },
    /// Too small a table: every shard needs room for some flows.
    #[error("max_flows is {got}: wanted at least {wanted}")]
    Flows {
        /// What was given.
        got: u32,
        /// The least that works.
        wanted: u32,
    },
}

/// Limits that hold together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedLimits {
    pub(super) tcp_idle: Span,
    pub(super) udp_idle: Span,
    pub(super) other_idle: Span,
    pub(super) closed: Span,
    pub(super) active: Span,
    pub(super) first_look: Span,
    pub(super) second_look: Span,
    pub(super) flows_per_shard: usize,
}

impl FlowLimits {
    /// Checks every value.
    ///
    /// # Errors
    /// Names the first value that is out of range.
    pub fn check(&self) -> Result<CheckedLimits, LimitsError> {
        let span = |name, got: u32| match got {
            1..=86_400 => Ok(Span::from_secs(i64::from(got))),
            _ => Err(LimitsError::Timeout { name, got }),
        };
        let wanted = 4 * super::SHARDS as u32;
        if self.max_flows < wanted {
            return Err(LimitsError::Flows { got: self.max_flows, wanted });
        }
        Ok(CheckedLimits {
            tcp_idle: span("tcp_idle_s", self.tcp_idle_s)?,
            udp_idle: span("udp_idle_s", self.udp_idle_s)?,
            other_idle: span("other_idle_s", self.other_idle_s)?,
            closed: span("closed_s", self.closed_s)?,
            active: span("active_s", self.active_s)?,
            first_look: span("first_look_s", self.first_look_s)?,
            second_look: Span::from_secs(i64::from(self.first_look_s) * SECOND_LOOK),
            flows_per_shard: self.max_flows as usize / super::SHARDS,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_hold() {
        assert!(FlowLimits::default().check().is_ok());
    }

    #[test]
    fn refuses_and_names_the_value() {
        let error = FlowLimits { udp_idle_s: 0, ..FlowLimits::default() }.check().unwrap_err();
        assert_eq!(error.to_string(), "udp_idle_s is 0 s: wanted 1 to 86400");
        let error = FlowLimits { max_flows: 3, ..FlowLimits::default() }.check().unwrap_err();
        assert_eq!(error.to_string(), "max_flows is 3: wanted at least 256");
    }
}
