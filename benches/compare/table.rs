//! What was reached, for people.

use std::fmt;

use super::{Row, Variant};

/// Every way of scoring, and auscult with other behaviours.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The capture.
    pub name: String,
    /// Complete flows of the learning time.
    pub learned: usize,
    /// Of them those that the alternatives learned from.
    pub sample: usize,
    pub rows: Vec<Row>,
    pub variants: Vec<Variant>,
}

/// auscult without one part at a time, or with behaviours of one seed at a time.
#[derive(Clone, Debug)]
pub struct Ablation {
    /// The capture.
    pub name: String,
    pub variants: Vec<Variant>,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(itself) = self.rows.first() else { return Ok(()) };
        writeln!(f, "{}\n", self.name)?;
        writeln!(f, "{} flows to learn from, the alternatives from {} of them", self.learned, self.sample)?;
        writeln!(f, "{} benign flows, {} left out\n", itself.scores.benign_flows, itself.scores.left_out)?;
        writeln!(f, "{:20} {:>6} {:>6} {:>8} {:>10}  note", "", "macro", "worst", "fit s", "us/flow")?;
        for row in &self.rows {
            let Row { name, scores, fit_s, score_us, note } = row;
            writeln!(f, "{name:20} {:6.3} {:6.3} {fit_s:8.2} {score_us:10.2}  {note}", scores.macro_auc, scores.worst_auc)?;
        }
        writeln!(f, "\nflow AUC of every attack, in the order above")?;
        for (attack, own) in &itself.scores.attacks {
            write!(f, "{attack:32} {:6}", own.flows)?;
            for row in &self.rows {
                write!(f, " {:5.3}", row.scores.attacks.get(attack).map_or(0.0, |score| score.auc))?;
            }
            writeln!(f)?;
        }
        writeln!(f, "\nauscult with other behaviours")?;
        variants(f, &self.variants)
    }
}

impl fmt::Display for Ablation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_both = self.variants.iter().any(|variant| variant.without_rarity.is_some());
        writeln!(f, "{}\n\n{}", self.name, if has_both { "auscult without" } else { "auscult with the behaviours of" })?;
        variants(f, &self.variants)
    }
}

fn variants(f: &mut fmt::Formatter<'_>, variants: &[Variant]) -> fmt::Result {
    let has_both = variants.iter().any(|variant| variant.without_rarity.is_some());
    let rarity = if has_both { "     nor rarity" } else { "" };
    writeln!(f, "{:30} {:>6} {:>6}{rarity} {:>10} {:>6}  worst attack", "", "macro", "worst", "episodes", "false")?;
    for Variant { name, judgement, without_rarity, note } in variants {
        let (flows, alerts) = (&judgement.flows, &judgement.alerts);
        let episodes = format!("{} of {}", alerts.detected, alerts.episodes);
        write!(f, "{name:30} {:6.3} {:6.3}", flows.macro_auc, flows.worst_auc)?;
        if let Some(flows) = without_rarity {
            write!(f, "   {:6.3} {:6.3}", flows.macro_auc, flows.worst_auc)?;
        }
        let worst = flows.attacks.iter().min_by(|a, b| a.1.auc.total_cmp(&b.1.auc)).map_or("", |(name, _)| name);
        writeln!(f, " {episodes:>10} {:6}  {worst}{}{note}", alerts.false_alerts, if note.is_empty() { "" } else { "; " })?;
    }
    Ok(())
}
