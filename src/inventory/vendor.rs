//! Who made an interface: the registries of the IEEE, as packages ship them.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

use crate::wire::Mac;

/// Lines that are read of a registry at the most: the largest has some 50,000.
const MOST_LINES: usize = 500_000;
/// Longest line that is read, in bytes.
const MOST_LINE_BYTES: u64 = 4096;
/// Longest name that is kept, in bytes.
const NAME_BYTES: usize = 80;

/// Why a registry cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VendorError {
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// No line of it is one of a registry's.
    #[error("no line is one of a registry: wanted the IEEE's oui.csv (mam.csv, oui36.csv) or oui.txt, or Wireshark's manuf")]
    NoRegistry,
}

/// Vendors by the first bits of a MAC address.
#[derive(Clone, Debug, Default)]
pub struct Vendors {
    /// By the number of bits and these bits, the others zeros. Later wins, so that the same files always give the same names.
    prefixes: BTreeMap<(u8, u64), Box<str>>,
    real: Real,
}

/// What turns the addresses that are asked for into those that makers gave.
#[derive(Clone, Default)]
struct Real(Option<Arc<dyn Fn(Mac) -> Mac + Send + Sync>>);

impl fmt::Debug for Real {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "behind pseudonyms" } else { "as they are" })
    }
}

impl Vendors {
    /// Adds the entries of a registry: the IEEE's CSV or text form, or Wireshark's `manuf`. Lines that are none are passed over.
    ///
    /// # Errors
    /// When it cannot be read, or has no entry at all.
    pub fn read(&mut self, registry: impl Read) -> Result<(), VendorError> {
        let before = self.prefixes.len();
        let mut reader = BufReader::new(registry);
        let mut line = Vec::new();
        for _ in 0..MOST_LINES {
            line.clear();
            if (&mut reader).take(MOST_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            let text = String::from_utf8_lossy(&line);
            if let Some((bits, prefix, name)) = csv(&text).or_else(|| oui_text(&text)).or_else(|| manuf(&text)) {
                self.prefixes.insert((bits, prefix), short(&name));
            }
        }
        if self.prefixes.len() == before { Err(VendorError::NoRegistry) } else { Ok(()) }
    }

    /// The same for MAC addresses that `real` turns into those that makers gave.
    #[must_use]
    pub fn behind(self, real: impl Fn(Mac) -> Mac + Send + Sync + 'static) -> Self {
        Self { real: Real(Some(Arc::new(real))), ..self }
    }

    /// Who made the interface; nothing for addresses that software gave, or that are in no registry that was read.
    #[must_use]
    pub fn of(&self, mac: Mac) -> Option<&str> {
        let mac = self.real.0.as_ref().map_or(mac, |real| real(mac));
        if mac.is_local() || !mac.is_station() {
            return None;
        }
        let [a, b, c, d, e, f] = mac.0;
        let number = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        // The longest prefix is the one that was given out.
        [36, 28, 24].into_iter().find_map(|bits| self.prefixes.get(&(bits, masked(number, bits))).map(AsRef::as_ref))
    }
}

const fn masked(number: u64, bits: u8) -> u64 {
    number & !((1 << (48 - bits)) - 1)
}

/// A prefix of hexadecimal digits, six of 24 bits to nine of 36, as bits and number.
fn prefix(digits: &str, bits: Option<u8>) -> Option<(u8, u64)> {
    let count = digits.len();
    if !(6..=12).contains(&count) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let bits = bits.unwrap_or(4 * count as u8);
    let number = u64::from_str_radix(digits, 16).ok()? << (48 - 4 * count);
    matches!(bits, 24 | 28 | 36).then(|| (bits, masked(number, bits)))
}

/// `MA-L,002272,American Micro-Fuel Device Corp.,address`; the name may stand in quotes.
fn csv(line: &str) -> Option<(u8, u64, String)> {
    let (registry, rest) = line.split_once(',')?;
    let (digits, rest) = rest.split_once(',')?;
    let (bits, number) = prefix(digits, None).filter(|_| matches!(registry, "MA-L" | "MA-M" | "MA-S" | "IAB"))?;
    let name = match rest.strip_prefix('"') {
        // A quote in the name is doubled.
        Some(quoted) => quoted.replace("\"\"", "\u{1}").split('"').next()?.replace('\u{1}', "\""),
        None => rest.split(',').next()?.to_owned(),
    };
    Some((bits, number, name))
}

/// `00-22-72   (hex)`, tabs, `American Micro-Fuel Device Corp.`
fn oui_text(line: &str) -> Option<(u8, u64, String)> {
    let (digits, name) = line.split_once("(hex)")?;
    let (bits, number) = prefix(&digits.trim().replace('-', ""), None)?;
    Some((bits, number, name.to_owned()))
}

/// `00:22:72`, tab, `AmericanMic`, tab, `American Micro-Fuel Device Corp.`, or with `/28` or `/36` behind a whole address.
fn manuf(line: &str) -> Option<(u8, u64, String)> {
    let mut fields = line.split('\t').map(str::trim);
    let (digits, short_name) = (fields.next()?, fields.next()?);
    let (digits, bits) = match digits.split_once('/') {
        Some((digits, bits)) => (digits, Some(bits.parse().ok()?)),
        None => (digits, None),
    };
    let (bits, number) = prefix(&digits.replace([':', '-'], ""), bits)?;
    Some((bits, number, fields.next().filter(|name| !name.is_empty()).unwrap_or(short_name).to_owned()))
}

/// A name without space around it and control characters in it, not too long.
fn short(name: &str) -> Box<str> {
    let clean: String = name.trim().chars().filter(|c| !c.is_control()).collect();
    let mut end = clean.len().min(NAME_BYTES);
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    clean.get(..end).unwrap_or_default().trim_end().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vendors(text: &str) -> Vendors {
        let mut vendors = Vendors::default();
        vendors.read(text.as_bytes()).unwrap();
        vendors
    }

    const BLOCK: Mac = Mac([0x70, 0xb3, 0xd5, 0xf2, 0xf1, 0x23]);

    #[test]
    fn all_forms_of_the_registry_are_read_and_the_longest_prefix_wins() {
        let large = "Registry,Assignment,Organization Name,Organization Address\r\nMA-L,70B3D5,IEEE Registration Authority,x\r\n";
        let small = "MA-S,70B3D5F2F,\"Example \"\"Monitors\"\", Inc.\",\"street, town\"\r\n";
        let csv = vendors(&format!("{large}{small}"));
        assert_eq!(csv.of(BLOCK), Some("Example \"Monitors\", Inc."));
        assert_eq!(csv.of(Mac([0x70, 0xb3, 0xd5, 0, 0, 1])), Some("IEEE Registration Authority"));
        let text = vendors("OUI/MA-L   Organization\n\n00-22-72   (hex)\t\tAmerican Micro-Fuel Device Corp.\n");
        assert_eq!(text.of(Mac([0, 0x22, 0x72, 1, 2, 3])), Some("American Micro-Fuel Device Corp."));
        let manuf =
            vendors("# comment\n00:22:72\tAmericanMic\tAmerican Micro-Fuel Device Corp.\n70:B3:D5:F2:F0:00/36\tExample\n");
        assert_eq!(manuf.of(Mac([0, 0x22, 0x72, 1, 2, 3])), Some("American Micro-Fuel Device Corp."));
        assert_eq!(manuf.of(BLOCK), Some("Example"));
        assert_eq!(manuf.of(Mac([2, 0x22, 0x72, 1, 2, 3])), None);
    }

    #[test]
    fn what_is_no_registry_is_refused() {
        assert!(matches!(Vendors::default().read(&b"a,b,c\n1\t2\n"[..]), Err(VendorError::NoRegistry)));
    }
}
