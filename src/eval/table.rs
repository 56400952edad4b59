//! The scores for people.

use std::fmt;

use super::{AlertScores, FlowScores};

/// The attacks by their AUC, the worst first, then the sums.
impl fmt::Display for FlowScores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut attacks: Vec<_> = self.attacks.iter().collect();
        attacks.sort_by(|a, b| a.1.auc.total_cmp(&b.1.auc));
        let width = attacks.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max("macro".len());
        writeln!(f, "{:width$}  {:>8}  {:>9}", "attack", "flow AUC", "flows")?;
        for (name, attack) in attacks {
            writeln!(f, "{name:width$}  {:>8.3}  {:>9}", attack.auc, attack.flows)?;
        }
        writeln!(f, "{:width$}  {:>8.3}", "macro", self.macro_auc)?;
        writeln!(f, "{:width$}  {:>8.3}", "worst", self.worst_auc)?;
        write!(f, "against {} benign flows; {} flows left out", self.benign_flows, self.left_out)
    }
}

/// The counts, then each attack with the time that it took to find it, and those that were missed.
impl fmt::Display for AlertScores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "episodes detected     {} of {}", self.detected, self.episodes)?;
        writeln!(f, "alerts                {}, of them false {}", self.alerts, self.false_alerts)?;
        write!(f, "false per host-day    ")?;
        match (self.false_alerts_per_host_day, self.local_hosts, self.days) {
            (Some(rate), Some(hosts), Some(days)) => write!(f, "{rate:.4}   ({hosts} hosts, {days:.2} days)")?,
            _ => write!(f, "unknown: the labels name no local hosts or no times")?,
        }
        let mut found: Vec<_> = self.seconds_to_detect.iter().collect();
        found.sort_by(|a, b| a.1.unwrap_or(0.0).total_cmp(&b.1.unwrap_or(0.0)));
        for (name, seconds) in found {
            match seconds {
                Some(seconds) => write!(f, "\n  {:>10}  {name}", format!("{seconds:.0} s"))?,
                None => write!(f, "\n  {:>10}  {name}", "found")?,
            }
        }
        for name in &self.missed {
            write!(f, "\n  {:>10}  {name}", "missed")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::eval::AttackScore;

    #[test]
    fn flow_scores_are_an_aligned_table_with_the_worst_first() {
        let attacks = [("scan", 0.99, 3000), ("dns tunnel", 0.5, 12)];
        let attacks = attacks.map(|(name, auc, flows)| (name.to_owned(), AttackScore { auc, flows }));
        let scores =
            FlowScores { macro_auc: 0.745, worst_auc: 0.5, benign_flows: 70, left_out: 4, attacks: BTreeMap::from(attacks) };
        let want = "\
attack      flow AUC      flows
dns tunnel     0.500         12
scan           0.990       3000
macro          0.745
worst          0.500
against 70 benign flows; 4 flows left out";
        assert_eq!(scores.to_string(), want);
    }

    #[test]
    fn alert_scores_name_what_was_found_and_what_was_missed() {
        let mut scores = AlertScores {
            episodes: 3,
            detected: 2,
            recall: Some(2.0 / 3.0),
            alerts: 5,
            false_alerts: 1,
            local_hosts: Some(26),
            days: Some(0.25),
            false_alerts_per_host_day: Some(0.153_846),
            missed: vec!["beacon".to_owned()],
            seconds_to_detect: BTreeMap::from([("scan".to_owned(), Some(65.4)), ("flood".to_owned(), None)]),
        };
        let want = "\
episodes detected     2 of 3
alerts                5, of them false 1
false per host-day    0.1538   (26 hosts, 0.25 days)
       found  flood
        65 s  scan
      missed  beacon";
        assert_eq!(scores.to_string(), want);
        scores.days = None;
        assert!(scores.to_string().contains("unknown: the labels name no local hosts or no times"));
    }
}
