//! For people: what matters first, one alert a paragraph.

use std::fmt::Write as _;

use super::view::{Level, View};

const RESET: &str = "\x1b[0m";
/// Where the lines below the first begin.
const INDENT: &str = "                                       ";

pub(super) fn page(view: &View, colour: bool, one_line: bool) -> String {
    let incident = &view.auscult.incident;
    let time: String = view.timestamp.chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect();
    let level = view.level().name().to_uppercase();
    let mut page = format!("{time} {level:<6} {:6.1} bits  {}: {}", view.auscult.bits, view.title(), view.host());
    page.push_str(&with_whom(view));
    let flows = if incident.flows == 1 { "flow" } else { "flows" };
    let _ = write!(page, ", {} {flows} [{} {}]", incident.flows, incident.state, incident.id);
    let mut more: Vec<String> = Vec::new();
    // What has been told when the incident opened is not told again.
    match incident.state.as_str() {
        "open" => {
            more.extend(view.auscult.why.iter().take(3).map(|why| why.text.clone()));
            more.extend(view.auscult.evidence.iter().map(|file| format!("packets in {file}")));
            more.extend(view.auscult.check.iter().map(|question| format!("? {question}")));
        }
        "closed" => {}
        _ => more.extend(view.auscult.why.first().map(|why| why.text.clone())),
    }
    let mut page = printable(&page);
    for line in more.iter().map(|line| printable(line)) {
        let _ = if one_line { write!(page, "; {line}") } else { write!(page, "\n{INDENT}{line}") };
    }
    if colour { page.replacen(&level, &format!("{}{level}{RESET}", begin(view.level())), 1) } else { page }
}

const fn begin(level: Level) -> &'static str {
    match level {
        Level::High => "\x1b[1;31m",
        Level::Medium => "\x1b[33m",
        Level::Low => "\x1b[2m",
    }
}

fn with_whom(view: &View) -> String {
    let incident = &view.auscult.incident;
    let mut text = String::new();
    if let Some(peer) = incident.peers.first() {
        let _ = write!(text, " <> {peer}");
    }
    if incident.peers.len() > 1 {
        let _ = write!(text, " and {} more", incident.peers.len() - 1);
    }
    if let Some(service) = incident.services.first() {
        let _ = write!(text, " {service}");
    }
    text
}

/// Names come from the network: none of them may command the terminal, begin a line of its own or turn the direction of the text.
fn printable(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
        if c.is_control() || turns {
            let _ = write!(clean, "{}", c.escape_unicode());
        } else {
            clean.push(c);
        }
    }
    clean
}
