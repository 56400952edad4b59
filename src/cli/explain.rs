//! `auscult explain`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write as _};

use anyhow::{Context as _, bail};

use super::args::ExplainArgs;
use super::exit::{FAILED, Outcome};
use super::judge::load;
use crate::alert::{Told, ToldConversation};
use crate::detect::{Arithmetic, Class};
use crate::model::Model;

/// Bits by which what is drawn again may differ: the numbers in an alert are rounded.
const TOLERANCE_BITS: f64 = 0.02;

/// Draws the bits of alerts again from the model that judged them. Status 1 where they do not agree.
///
/// # Errors
/// Alerts or a model that cannot be read; a model that is not the one that judged.
pub fn run(args: &ExplainArgs) -> anyhow::Result<Outcome> {
    let model = load(&args.model)?;
    let digest = model.digest()?;
    let told = read(args)?;
    if told.is_empty() {
        match &args.incident {
            Some(id) => bail!("{}: no incident {id}", args.alerts.display()),
            None => bail!("{}: no alert", args.alerts.display()),
        }
    }
    let mut outcome = Outcome::default();
    let mut page = String::new();
    for told in told.values() {
        match &told.model {
            None => bail!("incident {}: the capture taught itself, so no model holds what judged it", told.id),
            Some(other) if *other != digest => {
                bail!("incident {}: judged by model {other}, and {} is {digest}", told.id, args.model.display())
            }
            Some(_) => {}
        }
        let wrong = explain(&mut page, told, &model);
        if wrong > 0 {
            outcome.status = FAILED;
            outcome.errors.push(format!("incident {}: {wrong} of its reasons do not follow from the model", told.id));
        }
    }
    io::stdout().write_all(page.as_bytes()).context("standard output")?;
    Ok(outcome)
}

/// The line of each incident with the most bits, in the order in which incidents were first told.
fn read(args: &ExplainArgs) -> anyhow::Result<BTreeMap<usize, Told>> {
    let name = args.alerts.display().to_string();
    let reader: Box<dyn BufRead> = if name == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(&args.alerts).with_context(|| name.clone())?))
    };
    let (mut places, mut best) = (BTreeMap::new(), BTreeMap::<usize, Told>::new());
    for (number, line) in reader.lines().enumerate() {
        let place = || format!("{name}, line {}", number + 1);
        let line = line.with_context(place)?;
        if line.trim().is_empty() {
            continue;
        }
        let Some(told) = Told::read(&line).with_context(place)? else { continue };
        if !told.id.starts_with(args.incident.as_deref().unwrap_or_default()) {
            continue;
        }
        let place = *places.entry(told.id.clone()).or_insert(number);
        match best.get(&place) {
            Some(known) if known.bits >= told.bits => {}
            _ => {
                best.insert(place, told);
            }
        }
    }
    Ok(best)
}

/// Writes the arithmetic of an incident; returns how many reasons do not follow from the model.
fn explain(page: &mut String, told: &Told, model: &Model) -> usize {
    let _ = writeln!(page, "incident {}  {}  {}  {}", told.id, told.timestamp, told.class, told.hosts.join(" "));
    let (calibration, budget) = (&model.calibration, model.budget);
    let margin = |class: Class| class.margin_bits(calibration.unnamed_bits(budget), calibration.raised_bits);
    let threshold = calibration.threshold_of(&told.class, budget) + Class::named(&told.class).map_or(0.0, margin);
    let _ = writeln!(
        page,
        "  {:.1} bits; a window of normal time scores as much with p = {:e}; by the model's own budget such incidents open at {threshold:.1} bits",
        told.bits, told.p_value
    );
    let shared = (told.shared_bits > 0.0).then(|| format!("{:.3} shared by its conversations", told.shared_bits));
    let own = told.conversations.iter().map(|one| format!("{:.3} x {:.3} of {} {}", one.bits, one.counts, one.peer, one.service));
    let others = (told.other_bits > 0.0).then(|| format!("{:.3} of the others", told.other_bits));
    let terms: Vec<String> = shared.into_iter().chain(own).chain(others).collect();
    let _ = writeln!(page, "  = {}", terms.join("\n  + "));
    for conversation in &told.conversations {
        of_conversation(page, conversation);
    }
    let mut wrong = 0;
    for (text, claim) in &told.reasons {
        let _ = writeln!(page, "\n  {:.3} bits, {}: {text}", claim.bits, claim.evidence.feature());
        let sum = Arithmetic::of(claim, &model.vocabulary, &model.baselines);
        for step in &sum.steps {
            let _ = writeln!(page, "    {step}");
        }
        let verdict = match sum.bits {
            None => "these bits come from what was seen alone, not from the model",
            Some(bits) if (bits - claim.bits).abs() <= TOLERANCE_BITS => "agrees with the alert",
            Some(bits) if bits > claim.bits && claim.may_be_shared() => {
                "the alert counts less: many devices did the same within the day"
            }
            Some(_) => {
                wrong += 1;
                "DOES NOT AGREE with the alert"
            }
        };
        let _ = writeln!(page, "    {verdict}");
    }
    page.push('\n');
    wrong
}

fn of_conversation(page: &mut String, conversation: &ToldConversation) {
    let ToldConversation { peer, service, bits, ordinary, repeated, parts, .. } = conversation;
    let sum: f64 = parts.iter().map(|part| part.bits * part.counts).sum();
    let said: Vec<String> = parts.iter().map(|part| format!("{:.3} x {} {}", part.bits, part.counts, part.feature)).collect();
    let mut less = if *ordinary > 0.0 { format!(" - {ordinary:.3} of an ordinary conversation") } else { String::new() };
    if *repeated > 0.0 {
        let _ = write!(less, " - {repeated:.3} told of a stronger one");
    }
    let told_before = sum - ordinary - repeated - bits;
    if told_before > TOLERANCE_BITS {
        let _ = write!(less, " - {told_before:.3} told in an earlier incident");
    }
    let _ = writeln!(page, "    {bits:.3} of {peer} {service} = {}{less}", said.join(" + "));
}
