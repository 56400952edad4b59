//! BACnet/IP: who looks for whom, what is read and written, and what is done to devices (ASHRAE 135, annex J and clauses 6
//! and 20). Objects and values are not looked at.

use serde::Serialize;

use super::listed::count;
use super::listen::{Heard, Listen, Place};
use super::reader::Reader;

/// Facts of a conversation in BACnet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BacnetFacts {
    /// Calls for devices (Who-Is).
    pub who_is: u32,
    /// Devices that say who they are (I-Am).
    pub i_am: u32,
    /// Calls for objects and answers to these (Who-Has, I-Have).
    pub who_has: u32,
    /// Requests to read properties, one, several, or a range.
    pub read_property: u32,
    /// Requests to write properties, one or several.
    pub write_property: u32,
    /// Requests to restart a device, or to back it up or restore it.
    pub reinitialize_device: u32,
    /// Requests to make a device silent, or to let it speak again.
    pub device_communication_control: u32,
    /// Requests to read files.
    pub read_file: u32,
    /// Requests to write files.
    pub write_file: u32,
    /// Requests to create or delete objects, or to change lists.
    pub change_object: u32,
    /// Requests to be told of changes.
    pub subscribe: u32,
    /// Requests that set clocks.
    pub time_synchronization: u32,
    /// Requests of any other service, with or without confirmation.
    pub other_requests: u32,
    /// Answers.
    pub responses: u32,
    /// Errors, rejections and abortions.
    pub errors: u32,
    /// Messages about the network between devices.
    pub network_messages: u32,
    /// Requests to broadcast on another network's behalf (foreign devices), and to change the table of it.
    pub link_control: u32,
}

impl Listen for BacnetFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, _: &mut Place) -> bool {
        self.link(heard.payload.bytes);
        true
    }
}

impl BacnetFacts {
    fn link(&mut self, datagram: &[u8]) -> Option<()> {
        let mut reader = Reader(datagram);
        let [0x81, function] = reader.array()? else { return None };
        reader.take(2)?;
        match function {
            // A forwarded message names its sender first.
            4 => drop(reader.take(6)?),
            9..=11 => {}
            1 | 5 | 8 => {
                count(&mut self.link_control);
                return None;
            }
            _ => return None,
        }
        self.network(reader)
    }

    fn network(&mut self, mut reader: Reader<'_>) -> Option<()> {
        let [1, control] = reader.array()? else { return None };
        let (has_destination, has_source) = (control & 0x20 != 0, control & 0x08 != 0);
        for _ in 0..u8::from(has_destination) + u8::from(has_source) {
            reader.take(2)?;
            reader.vec8()?;
        }
        if has_destination {
            // The hops that are left.
            reader.u8()?;
        }
        if control & 0x80 != 0 {
            count(&mut self.network_messages);
            return Some(());
        }
        self.application(reader)
    }

    fn application(&mut self, mut reader: Reader<'_>) -> Option<()> {
        let first = reader.u8()?;
        match first >> 4 {
            0 => {
                // Sizes and the request's number; a segment has two bytes more, and only the first counts.
                reader.take(2)?;
                if first & 0x08 != 0 && reader.array::<2>()?[0] != 0 {
                    return Some(());
                }
                self.confirmed(reader.u8()?);
            }
            1 => self.unconfirmed(reader.u8()?),
            2 | 3 => count(&mut self.responses),
            5..=7 => count(&mut self.errors),
            _ => {}
        }
        Some(())
    }

    const fn confirmed(&mut self, service: u8) {
        count(match service {
            5 | 28 | 30 => &mut self.subscribe,
            6 => &mut self.read_file,
            7 => &mut self.write_file,
            8..=11 => &mut self.change_object,
            12..=14 | 26 => &mut self.read_property,
            15 | 16 => &mut self.write_property,
            17 => &mut self.device_communication_control,
            20 => &mut self.reinitialize_device,
            _ => &mut self.other_requests,
        });
    }

    const fn unconfirmed(&mut self, service: u8) {
        count(match service {
            0 => &mut self.i_am,
            1 | 7 => &mut self.who_has,
            6 | 9 => &mut self.time_synchronization,
            8 => &mut self.who_is,
            // A group is written to without anyone's confirmation.
            10 => &mut self.write_property,
            _ => &mut self.other_requests,
        });
    }
}
