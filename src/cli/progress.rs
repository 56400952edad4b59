//! How far the work is: a bar on a terminal, a line now and then elsewhere. On stderr.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};

use crate::pipeline::{Progress, Stopwatch};
use crate::train::{Phase, Step};

/// Seconds between two lines at the least.
const LINE_EVERY_S: f64 = 10.0;

/// How far reading is, with rate and time left; nothing where stderr is no terminal.
#[derive(Debug)]
pub struct Bar {
    bar: Option<ProgressBar>,
}

impl Bar {
    /// A bar for so many bytes; none where nobody knows how many there are.
    pub fn of(size: Option<u64>) -> Self {
        let bar = size.filter(|_| std::io::stderr().is_terminal()).map(|size| {
            let style = ProgressStyle::with_template("{bar:30} {percent}%  {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left");
            ProgressBar::new(size).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar }
    }

    /// None at all.
    pub const fn none() -> Self {
        Self { bar: None }
    }

    /// Moves it.
    pub fn set(&self, progress: Progress) {
        if let Some(bar) = &self.bar {
            bar.set_position(progress.read_bytes);
        }
    }

    /// Takes it away.
    pub fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// How far a training is: the phase, its share done, and the time that it has left at the rate so far.
pub struct Stages {
    on_terminal: bool,
    bar: Option<ProgressBar>,
    watch: Option<Stopwatch>,
    /// The phase, and when it began.
    phase: Option<(Phase, f64)>,
    last_line_s: f64,
}

impl Stages {
    /// Nothing yet.
    pub fn new() -> Self {
        let on_terminal = std::io::stderr().is_terminal();
        Self { on_terminal, bar: None, watch: None, phase: None, last_line_s: 0.0 }
    }

    /// Shows a step.
    pub fn set(&mut self, step: Step) {
        let now_s = self.watch.get_or_insert_with(Stopwatch::start).seconds();
        let is_new = self.phase.is_none_or(|(phase, _)| phase != step.phase);
        let began_s = self.phase.filter(|_| !is_new).map_or(now_s, |(_, began_s)| began_s);
        self.phase = Some((step.phase, began_s));
        if self.on_terminal {
            self.draw(step, is_new);
        } else if let Some(line) = self.line(step, now_s) {
            tell!("{line}");
        }
    }

    /// Takes the bar away.
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        self.phase = None;
    }

    fn draw(&mut self, step: Step, is_new: bool) {
        if is_new {
            self.bar.take().iter().for_each(ProgressBar::finish_and_clear);
        }
        let bar = self.bar.get_or_insert_with(|| {
            let known = "{msg}  {bar:30} {percent}%  {bytes_per_sec}  {eta} left";
            let template = if step.of.is_some() { known } else { "{msg}  {bytes}  {bytes_per_sec}" };
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            step.of.map_or_else(ProgressBar::no_length, ProgressBar::new).with_style(style).with_message(title(step.phase))
        });
        bar.set_position(step.done);
    }

    /// The line of a step at this time, where one is due.
    fn line(&mut self, step: Step, now_s: f64) -> Option<String> {
        if now_s - self.last_line_s < LINE_EVERY_S {
            return None;
        }
        self.last_line_s = now_s;
        let title = title(step.phase);
        let Some(of) = step.of.filter(|&of| of > 0) else {
            return Some(format!("progress {title}: {:.0} MB", step.done as f64 / 1e6));
        };
        let share = (step.done as f64 / of as f64).min(1.0);
        let spent_s = self.phase.map_or(0.0, |(_, began_s)| now_s - began_s);
        let left = if share > 0.0 { format!(", {} left", duration(spent_s * (1.0 - share) / share)) } else { String::new() };
        Some(format!("progress {title}: {:.0} %{left}", share * 100.0))
    }
}

/// `reading (1 of 5)`
fn title(phase: Phase) -> String {
    let place = phase as usize + 1;
    format!("{} ({place} of {})", phase.name(), place.max(Phase::ALL.len()))
}

/// `40 s`, `3 min`, `2.5 h`
fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 100.0 => format!("{s:.0} s"),
        s if s < 6000.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_tell_the_phase_its_share_and_the_time_left_and_come_seldom() {
        let mut stages = Stages { phase: Some((Phase::Reading, 0.0)), ..Stages::new() };
        let mut lines = Vec::new();
        for tenths in 0..1000_u64 {
            let step = Step { phase: Phase::Reading, done: tenths, of: Some(1000) };
            lines.extend(stages.line(step, tenths as f64 / 10.0));
        }
        assert_eq!(lines.len(), 9, "one in ten seconds");
        assert_eq!(lines[1], "progress reading (1 of 5): 20 %, 80 s left");
    }

    #[test]
    fn of_a_pipe_the_bytes_are_told() {
        let step = Step { phase: Phase::Reading, done: 5_000_000, of: None };
        assert_eq!(Stages::new().line(step, 10.0).unwrap(), "progress reading (1 of 5): 5 MB");
    }

    #[test]
    fn phases_count_from_one_and_times_are_short() {
        for (place, &phase) in Phase::ALL.iter().enumerate() {
            assert!(title(phase).ends_with(&format!("({} of 5)", place + 1)), "{}", title(phase));
        }
        assert_eq!(title(Phase::LeavingOut), "leaving out attacks (6 of 6)");
        assert_eq!([59.6, 150.0, 9000.0].map(duration), ["60 s", "2 min", "2.5 h"]);
    }
}
