//! Records behind the question: how long answers may be kept, and which services hosts announce (RFC 1035, 4.1.3; RFC 6763, 4 and 7).

use crate::app::reader::Reader;
use crate::app::text::printable;

/// Records of one message that are read.
const MOST_RECORDS: u16 = 64;
/// Pointers that are followed in one name, and labels of it.
const MOST_STEPS: usize = 40;
/// Longest service type that is kept, in bytes: a name of 15 characters at most, its underscore and its transport (RFC 6763, 7).
const SERVICE_BYTES: usize = 24;
const PTR: u16 = 12;

/// Reads the answers behind the questions. Tells the lowest time to live among the first section's, and hands each name of a
/// service to `service` when it is asked to.
pub(super) fn answers(message: &[u8], mut service: Option<&mut dyn FnMut(Box<str>)>) -> Option<u32> {
    let mut reader = Reader(message);
    reader.take(4)?;
    let questions = reader.u16()?;
    let answers = reader.u16()?.min(MOST_RECORDS);
    reader.take(4)?;
    for _ in 0..questions.min(MOST_RECORDS) {
        let name = skip_name(&mut reader)?;
        let [high, low, ..] = reader.array::<4>()?;
        if let Some(service) = service.as_mut().filter(|_| u16::from_be_bytes([high, low]) == PTR) {
            service_type(message, name).into_iter().for_each(service);
        }
    }
    let mut lowest = None;
    for _ in 0..answers {
        let Some((name, kind, ttl, data)) = record(&mut reader) else { break };
        lowest = Some(lowest.map_or(ttl, |lowest: u32| lowest.min(ttl)));
        if let Some(service) = service.as_mut().filter(|_| kind == PTR) {
            // A list of types names them in its data.
            let is_list = labels(message, name).first().is_some_and(|first| *first == b"_services");
            service_type(message, if is_list { data } else { name }).into_iter().for_each(service);
        }
    }
    lowest
}

/// Name, type, time to live and data of a record.
fn record<'a>(reader: &mut Reader<'a>) -> Option<(&'a [u8], u16, u32, &'a [u8])> {
    let name = skip_name(reader)?;
    let kind = reader.u16()?;
    reader.take(2)?;
    let ttl = reader.u32()?;
    Some((name, kind, ttl, reader.vec16()?))
}

/// Passes over a name; returns all from its start on.
fn skip_name<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let start = reader.0;
    for _ in 0..MOST_STEPS {
        match reader.u8()? {
            0 => return Some(start),
            bytes @ 1..=63 => reader.take(bytes.into()).map(drop)?,
            0xc0.. => return reader.u8().map(|_| start),
            _ => return None,
        }
    }
    None
}

/// The labels of a name, pointers followed; of one that is damaged, those before.
fn labels<'a>(message: &'a [u8], start: &'a [u8]) -> Vec<&'a [u8]> {
    let mut reader = Reader(start);
    let mut labels = Vec::new();
    for _ in 0..MOST_STEPS {
        match reader.u8() {
            Some(bytes @ 1..=63) => match reader.take(bytes.into()) {
                Some(label) => labels.push(label),
                None => break,
            },
            Some(high @ 0xc0..) => {
                let at = reader.u8().map(|low| usize::from(u16::from_be_bytes([high & 0x3f, low])));
                match at.and_then(|at| message.get(at..)) {
                    Some(target) => reader.0 = target,
                    None => break,
                }
            }
            _ => break,
        }
    }
    labels
}

/// The type of service that a name speaks of, as in `_ipp._tcp`, without the instance before it.
fn service_type(message: &[u8], name: &[u8]) -> Option<Box<str>> {
    let labels = labels(message, name);
    let transport = labels.iter().position(|label| label.eq_ignore_ascii_case(b"_tcp") || label.eq_ignore_ascii_case(b"_udp"))?;
    let (service, transport) = (labels.get(transport.checked_sub(1)?)?, labels.get(transport)?);
    let is_type = service.len() <= 17 && service.first() == Some(&b'_') && !service.eq_ignore_ascii_case(b"_dns-sd");
    is_type.then(|| printable(&[service, &b"."[..], transport].concat().to_ascii_lowercase(), SERVICE_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Vec<u8> {
        text.split('.').flat_map(|label| [&[label.len() as u8][..], label.as_bytes()].concat()).chain([0]).collect()
    }

    fn message(questions: &[Vec<u8>], answers: &[Vec<u8>]) -> Vec<u8> {
        let counts = [0, questions.len() as u8, 0, answers.len() as u8, 0, 0, 0, 0];
        [&[0, 0, 0x84, 0][..], &counts, &questions.concat(), &answers.concat()].concat()
    }

    fn answer(owner: &[u8], kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
        let fixed = [&kind.to_be_bytes()[..], &[0, 1], &ttl.to_be_bytes(), &(data.len() as u16).to_be_bytes()].concat();
        [owner, &fixed, data].concat()
    }

    fn read(message: &[u8]) -> (Option<u32>, Vec<Box<str>>) {
        let mut found = Vec::new();
        let mut service = |name| found.push(name);
        let lowest = answers(message, Some(&mut service));
        (lowest, found)
    }

    #[test]
    fn services_are_told_without_their_instances() {
        let question = [name("_ipp._tcp.local"), vec![0, 12, 0, 1]].concat();
        let instance = [&[8][..], b"Ward 7 B", &[0xc0, 12]].concat();
        let list = answer(&name("_services._dns-sd._udp.local"), 12, 4500, &name("_hl7._tcp.local"));
        let whole = message(&[question], &[answer(&[0xc0, 12], 12, 120, &instance), list, answer(&[0xc0, 12], 16, 60, &[0])]);
        let (lowest, found) = read(&whole);
        assert_eq!(
            (lowest, found.iter().map(|name| &**name).collect::<Vec<_>>()),
            (Some(60), vec!["_ipp._tcp", "_ipp._tcp", "_hl7._tcp"])
        );
        for end in 0..whole.len() {
            let (_, found) = read(&whole[..end]);
            assert!(found.iter().all(|name| ["_ipp._tcp", "_hl7._tcp"].contains(&&**name)), "cut at {end}");
        }
    }

    #[test]
    fn a_name_that_points_to_itself_ends() {
        let (lowest, found) = read(&message(&[], &[answer(&[0xc0, 12], 12, 9, &[0xc0, 12])]));
        assert_eq!((lowest, found.len()), (Some(9), 0));
    }
}
