//! HPACK, the compression of header fields in HTTP/2 (RFC 7541): the static table, literals and their Huffman code. The dynamic
//! table is not kept, so that only the first block of a side is read in full.

use std::borrow::Cow;

use super::reader::Reader;

/// Longest header field that is decoded, in bytes on the wire.
const MOST_TEXT_BYTES: usize = 4096;

/// Names and values of appendix A, the first of which has number 1.
const FIELDS: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// Bits of each byte's code, and of the end's, in appendix B. The code is canonical: among codes of one length those of smaller
/// bytes come first, and a longer code follows a shorter one.
#[rustfmt::skip]
const CODE_BITS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];
const MOST_CODE_BITS: usize = 30;
/// The symbol that stands for the end, and is never sent.
const END: u16 = 256;

/// Codes by their length.
struct Codes {
    /// The first code of each length.
    first: [u32; MOST_CODE_BITS + 1],
    /// Where the symbols of each length start.
    at: [u16; MOST_CODE_BITS + 2],
    /// Symbols in the order of their codes.
    symbols: [u16; 257],
}

const CODES: Codes = Codes::new();

impl Codes {
    const fn new() -> Self {
        let mut codes = Self { first: [0; MOST_CODE_BITS + 1], at: [0; MOST_CODE_BITS + 2], symbols: [0; 257] };
        let (mut bits, mut code, mut place) = (1, 0, 0);
        while bits <= MOST_CODE_BITS {
            code <<= 1;
            (codes.first[bits], codes.at[bits]) = (code, place);
            let mut symbol = 0;
            while symbol < CODE_BITS.len() {
                if CODE_BITS[symbol] as usize == bits {
                    codes.symbols[place as usize] = symbol as u16;
                    place += 1;
                    code += 1;
                }
                symbol += 1;
            }
            bits += 1;
        }
        codes.at[bits] = place;
        codes
    }

    /// The symbol of this code.
    fn symbol(&self, code: u32, bits: usize) -> Option<u16> {
        let nth = code.checked_sub(*self.first.get(bits)?)?;
        let [start, end] = *self.at.get(bits..)?.first_chunk::<2>()?;
        let place = u32::from(start).checked_add(nth).filter(|place| *place < u32::from(end))?;
        self.symbols.get(place as usize).copied()
    }
}

/// A value as it stands in a block.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    bytes: &'a [u8],
    is_coded: bool,
}

impl<'a> Text<'a> {
    const fn plain(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), is_coded: false }
    }

    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let first = *reader.0.first()?;
        let length = number(reader, 7)?;
        Some(Self { bytes: reader.take(length)?, is_coded: first & 0x80 != 0 })
    }

    /// The text itself; nothing when it is too long or its code is unsound.
    pub fn decode(self) -> Option<Cow<'a, [u8]>> {
        if self.bytes.len() > MOST_TEXT_BYTES {
            return None;
        }
        if self.is_coded { huffman(self.bytes).map(Cow::Owned) } else { Some(Cow::Borrowed(self.bytes)) }
    }
}

/// Goes through the fields of a block. Those that stand in the dynamic table are passed over. Nothing when the block is unsound.
pub(super) fn fields(block: &[u8], mut field: impl FnMut(&[u8], Text<'_>)) -> Option<()> {
    let mut reader = Reader(block);
    while let Some(first) = reader.0.first().copied() {
        let name_bits = match first {
            0x80.. => {
                if let Some((name, value)) = known(number(&mut reader, 7)?) {
                    field(name.as_bytes(), Text::plain(value));
                }
                continue;
            }
            0x40..=0x7f => 6,
            0x20..=0x3f => {
                // A new size of the dynamic table.
                number(&mut reader, 5)?;
                continue;
            }
            _ => 4,
        };
        match number(&mut reader, name_bits)? {
            0 => {
                let name = Text::read(&mut reader)?;
                let value = Text::read(&mut reader)?;
                if let Some(name) = name.decode() {
                    field(&name, value);
                }
            }
            place => {
                let value = Text::read(&mut reader)?;
                if let Some((name, _)) = known(place) {
                    field(name.as_bytes(), value);
                }
            }
        }
    }
    Some(())
}

fn known(number: usize) -> Option<(&'static str, &'static str)> {
    FIELDS.get(number.checked_sub(1)?).copied()
}

/// A number whose first byte holds this many bits of it (RFC 7541, 5.1).
fn number(reader: &mut Reader<'_>, bits: u8) -> Option<usize> {
    let mask = u8::MAX >> (8 - bits);
    let first = reader.u8()? & mask;
    let mut number = usize::from(first);
    if first < mask {
        return Some(number);
    }
    for place in 0..4 {
        let byte = reader.u8()?;
        number += usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn huffman(coded: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(coded.len() * 8 / 5);
    let (mut code, mut bits) = (0, 0);
    for byte in coded {
        for place in (0..8).rev() {
            code = code << 1 | u32::from(byte >> place & 1);
            bits += 1;
            if bits > MOST_CODE_BITS {
                return None;
            }
            if let Some(symbol) = CODES.symbol(code, bits) {
                if symbol == END {
                    return None;
                }
                text.push(symbol as u8);
                (code, bits) = (0, 0);
            }
        }
    }
    // What is left over are the first bits of the end's code, all ones.
    (bits < 8 && code == (1 << bits) - 1).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        text.split(' ')
            .flat_map(|part| (0..part.len()).step_by(2).map(|at| u8::from_str_radix(&part[at..at + 2], 16).unwrap()))
            .collect()
    }

    fn read(block: &[u8]) -> Option<Vec<(String, String)>> {
        let mut found = Vec::new();
        fields(block, |name, value| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            found.push((text(name), value.decode().map(|value| text(&value)).unwrap_or_default()));
        })?;
        Some(found)
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// The first requests of RFC 7541, C.3.1 and C.4.1, and the first answer of C.6.1.
    #[test]
    fn blocks_are_those_of_the_standard() {
        let request = pairs(&[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")]);
        assert_eq!(read(&hex("828684410f 7777772e6578616d706c652e636f6d")).unwrap(), request);
        assert_eq!(read(&hex("828684418cf1e3c2e5f23a6ba0ab90f4ff")).unwrap(), request);
        let answer =
            hex("488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3");
        let want = pairs(&[
            (":status", "302"),
            ("cache-control", "private"),
            ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
            ("location", "https://www.example.com"),
        ]);
        assert_eq!(read(&answer).unwrap(), want);
    }

    #[test]
    fn unsound_blocks_are_refused_wherever_they_end() {
        let block = hex("828684418cf1e3c2e5f23a6ba0ab90f4ff");
        assert!((4..block.len()).all(|end| read(&block[..end]).is_none()), "the last field is cut");
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), None, "a number without an end");
        assert_eq!(read(&[0xbe]).unwrap(), [], "a field of the dynamic table");
        assert_eq!(huffman(&[0xff; 4]), None, "the end's code is never sent");
        assert_eq!(huffman(&[0x00]), None, "what is left over must be ones");
    }

    #[test]
    fn every_byte_has_its_code() {
        for symbol in 0..256_u16 {
            let bits = usize::from(CODE_BITS[usize::from(symbol)]);
            let place = CODES.symbols.iter().position(|known| *known == symbol).unwrap();
            let code = CODES.first[bits] + (place as u32 - u32::from(CODES.at[bits]));
            // The code at the front, ones behind it.
            let word = ((u64::from(code) << (64 - bits)) | ((1 << (64 - bits)) - 1)).to_be_bytes();
            assert_eq!(huffman(&word[..bits.div_ceil(8)]).unwrap(), [symbol as u8]);
        }
        assert_eq!(CODES.first[30] + 3, 0x3fff_ffff, "the end's code is the last");
    }
}
