//! What the conversations say: first bytes of each protocol as its specification has them.

pub mod dicom;
pub mod hl7;
pub mod mqtt;
pub mod name;
pub mod service;
pub mod smb;
pub mod tls;
