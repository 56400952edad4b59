//! DICOM upper layer and message service (PS3.8 section 9.3, PS3.7 annex E).

/// Verification.
pub const VERIFICATION: &str = "1.2.840.10008.1.1";
/// Computed tomography image storage.
pub const CT_IMAGE: &str = "1.2.840.10008.5.1.4.1.1.2";
/// Magnetic resonance image storage.
pub const MR_IMAGE: &str = "1.2.840.10008.5.1.4.1.1.4";
/// Ultrasound image storage.
pub const US_IMAGE: &str = "1.2.840.10008.5.1.4.1.1.6.1";
/// Query, study root.
pub const FIND: &str = "1.2.840.10008.5.1.4.1.2.2.1";
/// Retrieval, study root.
pub const MOVE: &str = "1.2.840.10008.5.1.4.1.2.2.2";
/// Modality work list.
pub const WORKLIST: &str = "1.2.840.10008.5.1.4.31";

const APPLICATION_CONTEXT: &str = "1.2.840.10008.3.1.1.1";
const EXPLICIT_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1";
const IMPLEMENTATION: &str = "2.25.771";

/// Command fields (PS3.7, E.1).
pub mod command {
    /// C-STORE request; a response has the top bit set, here and below.
    pub const STORE: u16 = 0x0001;
    /// C-FIND request.
    pub const FIND: u16 = 0x0020;
    /// C-MOVE request.
    pub const MOVE: u16 = 0x0021;
    /// C-ECHO request.
    pub const ECHO: u16 = 0x0030;
    /// The bit of a response.
    pub const RESPONSE: u16 = 0x8000;
}

fn item(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut item = vec![kind, 0];
    item.extend((content.len() as u16).to_be_bytes());
    item.extend(content);
    item
}

fn pdu(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut pdu = vec![kind, 0];
    pdu.extend((content.len() as u32).to_be_bytes());
    pdu.extend(content);
    pdu
}

fn association(kind: u8, called: &str, calling: &str, presentation: &[u8]) -> Vec<u8> {
    let mut content = vec![0, 1, 0, 0];
    content.extend(format!("{called:<16.16}{calling:<16.16}").bytes());
    content.extend([0; 32]);
    content.extend(item(0x10, APPLICATION_CONTEXT.as_bytes()));
    content.extend(presentation);
    let user = [item(0x51, &65_536u32.to_be_bytes()), item(0x52, IMPLEMENTATION.as_bytes())].concat();
    content.extend(item(0x50, &user));
    pdu(kind, &content)
}

/// A-ASSOCIATE-RQ for one abstract syntax.
pub fn associate(called: &str, calling: &str, abstract_syntax: &str) -> Vec<u8> {
    let syntaxes = [item(0x30, abstract_syntax.as_bytes()), item(0x40, EXPLICIT_LITTLE_ENDIAN.as_bytes())].concat();
    association(1, called, calling, &item(0x20, &[&[1, 0, 0, 0][..], &syntaxes].concat()))
}

/// A-ASSOCIATE-AC.
pub fn accept(called: &str, calling: &str) -> Vec<u8> {
    let syntax = item(0x40, EXPLICIT_LITTLE_ENDIAN.as_bytes());
    association(2, called, calling, &item(0x21, &[&[1, 0, 0, 0][..], &syntax].concat()))
}

/// A-ASSOCIATE-RJ: rejected for good by the user because the calling title is not known.
pub fn reject() -> Vec<u8> {
    pdu(3, &[0, 1, 1, 3])
}

/// A-RELEASE-RQ.
pub fn release() -> Vec<u8> {
    pdu(5, &[0; 4])
}

/// A-RELEASE-RP.
pub fn released() -> Vec<u8> {
    pdu(6, &[0; 4])
}

fn element(number: u16, value: &[u8]) -> Vec<u8> {
    let mut element = vec![0, 0];
    element.extend(number.to_le_bytes());
    element.extend((value.len() as u32).to_le_bytes());
    element.extend(value);
    element
}

/// P-DATA-TF with a command set, in implicit little endian as commands always are; `more`: a data set follows.
pub fn message(sop_class: &str, field: u16, message_id: u16, more: bool) -> Vec<u8> {
    let mut class = sop_class.as_bytes().to_vec();
    if class.len() % 2 == 1 {
        class.push(0);
    }
    let identifier = if field & command::RESPONSE == 0 { 0x0110 } else { 0x0120 };
    let mut elements = element(0x0002, &class);
    elements.extend(element(0x0100, &field.to_le_bytes()));
    elements.extend(element(identifier, &message_id.to_le_bytes()));
    elements.extend(element(0x0800, &(if more { 0x0001u16 } else { 0x0101 }).to_le_bytes()));
    if field & command::RESPONSE != 0 {
        elements.extend(element(0x0900, &(if more { 0xff00u16 } else { 0 }).to_le_bytes()));
    }
    let length = element(0x0000, &(elements.len() as u32).to_le_bytes());
    value(3, &[length, elements].concat(), 0)
}

/// The first bytes of a P-DATA-TF with a data set of `bytes` bytes, which begins with a study's date.
pub fn data_set(bytes: usize) -> Vec<u8> {
    let begin = [&[0x08, 0x00, 0x20, 0x00, b'D', b'A', 8, 0][..], b"20260303"].concat();
    value(2, &begin, bytes.saturating_sub(begin.len()))
}

/// A P-DATA-TF with one presentation data value: control 3 is a last command fragment, 2 a last data fragment; `rest` bytes
/// more are to follow.
fn value(control: u8, content: &[u8], rest: usize) -> Vec<u8> {
    let bytes = content.len() + rest;
    let mut pdu = vec![4, 0];
    pdu.extend((bytes as u32 + 6).to_be_bytes());
    pdu.extend((bytes as u32 + 2).to_be_bytes());
    pdu.extend([1, control]);
    pdu.extend(content);
    pdu
}
