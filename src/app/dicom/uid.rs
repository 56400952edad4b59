//! Names of the unique identifiers that imaging devices offer most (PS3.6, annex A), shortened where that loses nothing.

use std::borrow::Cow;

use super::super::text::printable;

/// What all identifiers of the standard start with.
const STANDARD: &[u8] = b"1.2.840.10008.";
/// Longest identifier, in bytes (PS3.5, 9.1).
const UID_BYTES: usize = 64;

/// The rest of the identifier and its name, in the order of the identifiers' text.
const NAMES: [(&[u8], &str); 146] = [
    (b"1.1", "Verification"),
    (b"1.2", "Implicit VR Little Endian"),
    (b"1.2.1", "Explicit VR Little Endian"),
    (b"1.2.1.98", "Encapsulated Uncompressed Explicit VR Little Endian"),
    (b"1.2.1.99", "Deflated Explicit VR Little Endian"),
    (b"1.2.2", "Explicit VR Big Endian"),
    (b"1.2.4.100", "MPEG2 Main Level"),
    (b"1.2.4.101", "MPEG2 High Level"),
    (b"1.2.4.102", "MPEG-4 AVC High Profile"),
    (b"1.2.4.103", "MPEG-4 AVC BD-compatible High Profile"),
    (b"1.2.4.107", "HEVC Main Profile"),
    (b"1.2.4.108", "HEVC Main 10 Profile"),
    (b"1.2.4.201", "HTJ2K Lossless"),
    (b"1.2.4.202", "HTJ2K Lossless RPCL"),
    (b"1.2.4.203", "HTJ2K"),
    (b"1.2.4.50", "JPEG Baseline"),
    (b"1.2.4.51", "JPEG Extended"),
    (b"1.2.4.57", "JPEG Lossless"),
    (b"1.2.4.70", "JPEG Lossless SV1"),
    (b"1.2.4.80", "JPEG-LS Lossless"),
    (b"1.2.4.81", "JPEG-LS Near-lossless"),
    (b"1.2.4.90", "JPEG 2000 Lossless"),
    (b"1.2.4.91", "JPEG 2000"),
    (b"1.2.4.94", "JPIP Referenced"),
    (b"1.2.4.95", "JPIP Referenced Deflate"),
    (b"1.2.5", "RLE Lossless"),
    (b"1.20.1", "Storage Commitment Push Model"),
    (b"1.3.10", "Media Storage Directory Storage"),
    (b"1.40", "Procedural Event Logging"),
    (b"1.42", "Substance Administration Logging"),
    (b"3.1.2.3.3", "Modality Performed Procedure Step"),
    (b"3.1.2.3.4", "Modality Performed Procedure Step Retrieve"),
    (b"3.1.2.3.5", "Modality Performed Procedure Step Notification"),
    (b"5.1.1.1", "Basic Film Session"),
    (b"5.1.1.14", "Print Job"),
    (b"5.1.1.15", "Basic Annotation Box"),
    (b"5.1.1.16", "Printer"),
    (b"5.1.1.16.376", "Printer Configuration Retrieval"),
    (b"5.1.1.18", "Basic Color Print Management"),
    (b"5.1.1.2", "Basic Film Box"),
    (b"5.1.1.23", "Presentation LUT"),
    (b"5.1.1.4", "Basic Grayscale Image Box"),
    (b"5.1.1.4.1", "Basic Color Image Box"),
    (b"5.1.1.9", "Basic Grayscale Print Management"),
    (b"5.1.4.1.1.1", "Computed Radiography Image Storage"),
    (b"5.1.4.1.1.1.1", "Digital X-Ray Image Storage for Presentation"),
    (b"5.1.4.1.1.1.1.1", "Digital X-Ray Image Storage for Processing"),
    (b"5.1.4.1.1.1.2", "Digital Mammography Image Storage for Presentation"),
    (b"5.1.4.1.1.1.2.1", "Digital Mammography Image Storage for Processing"),
    (b"5.1.4.1.1.1.3", "Digital Intra-Oral X-Ray Image Storage for Presentation"),
    (b"5.1.4.1.1.1.3.1", "Digital Intra-Oral X-Ray Image Storage for Processing"),
    (b"5.1.4.1.1.104.1", "Encapsulated PDF Storage"),
    (b"5.1.4.1.1.104.2", "Encapsulated CDA Storage"),
    (b"5.1.4.1.1.104.3", "Encapsulated STL Storage"),
    (b"5.1.4.1.1.11.1", "Grayscale Softcopy Presentation State Storage"),
    (b"5.1.4.1.1.11.2", "Color Softcopy Presentation State Storage"),
    (b"5.1.4.1.1.11.3", "Pseudo-Color Softcopy Presentation State Storage"),
    (b"5.1.4.1.1.11.4", "Blending Softcopy Presentation State Storage"),
    (b"5.1.4.1.1.12.1", "X-Ray Angiographic Image Storage"),
    (b"5.1.4.1.1.12.1.1", "Enhanced XA Image Storage"),
    (b"5.1.4.1.1.12.2", "X-Ray Radiofluoroscopic Image Storage"),
    (b"5.1.4.1.1.12.2.1", "Enhanced XRF Image Storage"),
    (b"5.1.4.1.1.128", "Positron Emission Tomography Image Storage"),
    (b"5.1.4.1.1.13.1.1", "X-Ray 3D Angiographic Image Storage"),
    (b"5.1.4.1.1.13.1.2", "X-Ray 3D Craniofacial Image Storage"),
    (b"5.1.4.1.1.13.1.3", "Breast Tomosynthesis Image Storage"),
    (b"5.1.4.1.1.130", "Enhanced PET Image Storage"),
    (b"5.1.4.1.1.2", "CT Image Storage"),
    (b"5.1.4.1.1.2.1", "Enhanced CT Image Storage"),
    (b"5.1.4.1.1.2.2", "Legacy Converted Enhanced CT Image Storage"),
    (b"5.1.4.1.1.20", "Nuclear Medicine Image Storage"),
    (b"5.1.4.1.1.3.1", "Ultrasound Multi-frame Image Storage"),
    (b"5.1.4.1.1.4", "MR Image Storage"),
    (b"5.1.4.1.1.4.1", "Enhanced MR Image Storage"),
    (b"5.1.4.1.1.4.2", "MR Spectroscopy Storage"),
    (b"5.1.4.1.1.4.3", "Enhanced MR Color Image Storage"),
    (b"5.1.4.1.1.4.4", "Legacy Converted Enhanced MR Image Storage"),
    (b"5.1.4.1.1.481.1", "RT Image Storage"),
    (b"5.1.4.1.1.481.2", "RT Dose Storage"),
    (b"5.1.4.1.1.481.3", "RT Structure Set Storage"),
    (b"5.1.4.1.1.481.4", "RT Beams Treatment Record Storage"),
    (b"5.1.4.1.1.481.5", "RT Plan Storage"),
    (b"5.1.4.1.1.481.6", "RT Brachy Treatment Record Storage"),
    (b"5.1.4.1.1.481.7", "RT Treatment Summary Record Storage"),
    (b"5.1.4.1.1.481.8", "RT Ion Plan Storage"),
    (b"5.1.4.1.1.481.9", "RT Ion Beams Treatment Record Storage"),
    (b"5.1.4.1.1.6.1", "Ultrasound Image Storage"),
    (b"5.1.4.1.1.6.2", "Enhanced Ultrasound Volume Storage"),
    (b"5.1.4.1.1.66", "Raw Data Storage"),
    (b"5.1.4.1.1.66.1", "Spatial Registration Storage"),
    (b"5.1.4.1.1.66.2", "Spatial Fiducials Storage"),
    (b"5.1.4.1.1.66.3", "Deformable Spatial Registration Storage"),
    (b"5.1.4.1.1.66.4", "Segmentation Storage"),
    (b"5.1.4.1.1.66.5", "Surface Segmentation Storage"),
    (b"5.1.4.1.1.67", "Real World Value Mapping Storage"),
    (b"5.1.4.1.1.7", "Secondary Capture Image Storage"),
    (b"5.1.4.1.1.7.1", "Multi-frame Single Bit Secondary Capture Image Storage"),
    (b"5.1.4.1.1.7.2", "Multi-frame Grayscale Byte Secondary Capture Image Storage"),
    (b"5.1.4.1.1.7.3", "Multi-frame Grayscale Word Secondary Capture Image Storage"),
    (b"5.1.4.1.1.7.4", "Multi-frame True Color Secondary Capture Image Storage"),
    (b"5.1.4.1.1.77.1.1", "VL Endoscopic Image Storage"),
    (b"5.1.4.1.1.77.1.1.1", "Video Endoscopic Image Storage"),
    (b"5.1.4.1.1.77.1.2", "VL Microscopic Image Storage"),
    (b"5.1.4.1.1.77.1.2.1", "Video Microscopic Image Storage"),
    (b"5.1.4.1.1.77.1.3", "VL Slide-Coordinates Microscopic Image Storage"),
    (b"5.1.4.1.1.77.1.4", "VL Photographic Image Storage"),
    (b"5.1.4.1.1.77.1.4.1", "Video Photographic Image Storage"),
    (b"5.1.4.1.1.77.1.5.1", "Ophthalmic Photography 8 Bit Image Storage"),
    (b"5.1.4.1.1.77.1.5.2", "Ophthalmic Photography 16 Bit Image Storage"),
    (b"5.1.4.1.1.77.1.5.4", "Ophthalmic Tomography Image Storage"),
    (b"5.1.4.1.1.77.1.6", "VL Whole Slide Microscopy Image Storage"),
    (b"5.1.4.1.1.88.11", "Basic Text SR Storage"),
    (b"5.1.4.1.1.88.22", "Enhanced SR Storage"),
    (b"5.1.4.1.1.88.33", "Comprehensive SR Storage"),
    (b"5.1.4.1.1.88.34", "Comprehensive 3D SR Storage"),
    (b"5.1.4.1.1.88.40", "Procedure Log Storage"),
    (b"5.1.4.1.1.88.50", "Mammography CAD SR Storage"),
    (b"5.1.4.1.1.88.59", "Key Object Selection Document Storage"),
    (b"5.1.4.1.1.88.65", "Chest CAD SR Storage"),
    (b"5.1.4.1.1.88.67", "X-Ray Radiation Dose SR Storage"),
    (b"5.1.4.1.1.88.68", "Radiopharmaceutical Radiation Dose SR Storage"),
    (b"5.1.4.1.1.9.1.1", "12-lead ECG Waveform Storage"),
    (b"5.1.4.1.1.9.1.2", "General ECG Waveform Storage"),
    (b"5.1.4.1.1.9.1.3", "Ambulatory ECG Waveform Storage"),
    (b"5.1.4.1.1.9.2.1", "Hemodynamic Waveform Storage"),
    (b"5.1.4.1.1.9.3.1", "Cardiac Electrophysiology Waveform Storage"),
    (b"5.1.4.1.1.9.4.1", "Basic Voice Audio Waveform Storage"),
    (b"5.1.4.1.2.1.1", "Patient Root FIND"),
    (b"5.1.4.1.2.1.2", "Patient Root MOVE"),
    (b"5.1.4.1.2.1.3", "Patient Root GET"),
    (b"5.1.4.1.2.2.1", "Study Root FIND"),
    (b"5.1.4.1.2.2.2", "Study Root MOVE"),
    (b"5.1.4.1.2.2.3", "Study Root GET"),
    (b"5.1.4.1.2.3.1", "Patient/Study Only FIND"),
    (b"5.1.4.1.2.3.2", "Patient/Study Only MOVE"),
    (b"5.1.4.1.2.3.3", "Patient/Study Only GET"),
    (b"5.1.4.1.2.4.2", "Composite Instance Root MOVE"),
    (b"5.1.4.1.2.4.3", "Composite Instance Root GET"),
    (b"5.1.4.1.2.5.3", "Composite Instance Without Bulk Data GET"),
    (b"5.1.4.31", "Modality Worklist FIND"),
    (b"5.1.4.33", "Instance Availability Notification"),
    (b"5.1.4.34.6.1", "Unified Procedure Step Push"),
    (b"5.1.4.34.6.2", "Unified Procedure Step Watch"),
    (b"5.1.4.34.6.3", "Unified Procedure Step Pull"),
    (b"5.1.4.34.6.4", "Unified Procedure Step Event"),
    (b"5.1.4.37.1", "General Relevant Patient Information Query"),
];

/// The name of an identifier, or its text when it has none here; nothing when it is no identifier.
pub(super) fn name(bytes: &[u8]) -> Option<Cow<'static, str>> {
    let uid = plain(bytes)?;
    let named = uid.strip_prefix(STANDARD).and_then(|rest| NAMES.binary_search_by(|(known, _)| (*known).cmp(rest)).ok());
    match named.and_then(|place| NAMES.get(place)) {
        Some((_, name)) => Some(Cow::Borrowed(name)),
        None => text(uid).map(Cow::Owned),
    }
}

/// An identifier as text; nothing when it is none.
pub(super) fn text(bytes: &[u8]) -> Option<String> {
    plain(bytes).map(|uid| printable(uid, UID_BYTES).into())
}

/// An identifier without the byte that makes its length even.
fn plain(bytes: &[u8]) -> Option<&[u8]> {
    let uid = bytes.strip_suffix(&[0]).unwrap_or(bytes).trim_ascii();
    let is_uid = (1..=UID_BYTES).contains(&uid.len()) && uid.iter().all(|b| b.is_ascii_digit() || *b == b'.');
    is_uid.then_some(uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_its_order() {
        assert!(NAMES.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn identifiers_have_names_or_their_text() {
        assert_eq!(name(b"1.2.840.10008.5.1.4.1.1.2\0").as_deref(), Some("CT Image Storage"));
        assert_eq!(name(b"1.2.840.10008.1.1").as_deref(), Some("Verification"));
        assert_eq!(name(b"1.2.276.0.7230010.3").as_deref(), Some("1.2.276.0.7230010.3"));
        assert_eq!(name(b"1.2.840.10008.").as_deref(), Some("1.2.840.10008."));
        for none in [&b""[..], b"\0", b"DOE^JANE", &[b'1'; 65]] {
            assert_eq!(name(none), None);
        }
    }
}
