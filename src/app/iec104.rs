//! IEC 60870-5-104: what a control centre does to its substations (IEC 60870-5-104, 5; IEC 60870-5-101, 7). Objects and values are not looked at.

use serde::Serialize;

use super::heads;
use super::listed::{count, note};
use super::listen::{Heard, Listen, Place};

/// What each frame starts with.
const START: u8 = 0x68;
/// Bytes of the start, the length and the control field.
const CONTROL_BYTES: usize = 6;
/// The same with what heads the data: kind, number of objects, cause, originator, station.
const HEAD_BYTES: usize = 12;
/// Stations that are kept.
const MAX_STATIONS: usize = 8;
/// Causes: asked for; activation, deactivation and what confirms them.
const REQUEST: u8 = 5;
const ACTIVATION: [u8; 2] = [6, 8];
const CONFIRMATION: [u8; 2] = [7, 9];

/// Facts of a conversation in IEC 60870-5-104.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Iec104Facts {
    /// Requests to begin to send data.
    pub start: u32,
    /// Requests to send data no longer.
    pub stop: u32,
    /// Requests for all values of a station, or all its counters.
    pub interrogation: u32,
    /// Requests for one value.
    pub read: u32,
    /// Commands: switches, steps, set points; selected, executed or taken back.
    pub command: u32,
    /// Requests to set parameters.
    pub parameter: u32,
    /// Requests to start anew.
    pub reset: u32,
    /// Requests to set the clock.
    pub clock: u32,
    /// Messages that open, ask for or send files.
    pub file: u32,
    /// Requests of any other kind.
    pub other_requests: u32,
    /// Messages with values.
    pub reports: u32,
    /// Requests that were confirmed.
    pub confirmed: u32,
    /// Requests that were refused.
    pub refused: u32,
    /// Addresses of stations, in the order in which they were first seen; 8 at most.
    pub stations: Vec<u16>,
}

impl Listen for Iec104Facts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        heads::messages(place, &heard.payload, head, |frame| self.frame(frame));
        true
    }
}

impl Iec104Facts {
    fn frame(&mut self, frame: &[u8]) -> Option<u32> {
        let (bytes, control) = frame_start(frame)?;
        match control {
            Control::Other(0x07) => count(&mut self.start),
            Control::Other(0x13) => count(&mut self.stop),
            Control::Other(_) => {}
            Control::Data => {
                if let Some(&[kind, _, cause, _, station_low, station_high]) = frame.get(CONTROL_BYTES..HEAD_BYTES) {
                    note(&mut self.stations, u16::from_le_bytes([station_low, station_high]), MAX_STATIONS);
                    self.data(kind, cause);
                }
            }
        }
        Some(bytes)
    }

    fn data(&mut self, kind: u8, cause: u8) {
        let (is_refused, cause) = (cause & 0x40 != 0, cause & 0x3f);
        let is_asked = cause == REQUEST || ACTIVATION.contains(&cause);
        count(match kind {
            1..=40 => &mut self.reports,
            120..=127 => &mut self.file,
            _ if CONFIRMATION.contains(&cause) && is_refused => &mut self.refused,
            _ if CONFIRMATION.contains(&cause) => &mut self.confirmed,
            // Ends of what was asked for, and causes that do not exist, which refuse it.
            _ if (44..=47).contains(&cause) => &mut self.refused,
            _ if !is_asked => return,
            45..=51 | 58..=64 => &mut self.command,
            100 | 101 => &mut self.interrogation,
            102 => &mut self.read,
            103 => &mut self.clock,
            105 => &mut self.reset,
            110..=113 => &mut self.parameter,
            _ => &mut self.other_requests,
        });
    }
}

/// What the control field says that a frame is.
enum Control {
    /// It carries data.
    Data,
    /// It does not: acknowledges, starts, stops or tests, by the first byte.
    Other(u8),
}

/// The whole length of a frame and what it is, if one can start so.
fn frame_start(frame: &[u8]) -> Option<(u32, Control)> {
    let [START, length, first, second, third, fourth, ..] = *frame else { return None };
    let control = match (length, first) {
        (12..=253, _) if first & 1 == 0 && third & 1 == 0 => Control::Data,
        (4, 1) if second == 0 && third & 1 == 0 => Control::Other(first),
        (4, 0x07 | 0x0b | 0x13 | 0x23 | 0x43 | 0x83) if [second, third, fourth] == [0; 3] => Control::Other(first),
        _ => return None,
    };
    Some((u32::from(length) + 2, control))
}

/// How much of a frame has to be seen.
fn head(frame: &[u8]) -> Option<usize> {
    if frame.len() < CONTROL_BYTES {
        return matches!(frame, [] | [START, ..]).then_some(CONTROL_BYTES);
    }
    let (_, control) = frame_start(frame)?;
    Some(if matches!(control, Control::Data) { HEAD_BYTES } else { CONTROL_BYTES })
}

/// Does a payload start with a frame? On other ports than its own only with one that starts, stops or tests, alone.
pub(super) fn is_frame(payload: &[u8], is_on_port: bool) -> bool {
    match frame_start(payload) {
        Some((_, Control::Other(first))) if first != 1 && payload.len() == CONTROL_BYTES => true,
        found => is_on_port && found.is_some(),
    }
}
