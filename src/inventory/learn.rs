//! What a flow record tells of its two ends.

use super::known::{Known, NameSource, Part, SoftwareKind, deed};
use super::usage::Use;
use crate::app::{App, Basis, DicomFacts, Facts, HttpFacts};
use crate::flow::{ConnState, DirectionBasis, FlowRecord, is_group};

/// Does the record show that one end offers a service and the other uses it? It was answered, and it is known who asked.
pub(super) fn is_service(record: &FlowRecord) -> bool {
    let (app, basis) = record.app;
    let is_known = app != App::Unknown;
    match record.key.protocol {
        6 => {
            let answered = match record.state {
                ConnState::S0 | ConnState::Rej | ConnState::Rstos0 | ConnState::Sh => false,
                ConnState::Oth => record.resp.payload_bytes > 0,
                _ => record.resp.packets > 0,
            };
            let sure = matches!(record.direction, DirectionBasis::Syn | DirectionBasis::Ports) || is_known;
            answered && sure
        }
        17 | 132 if is_group(record.resp_addr()) => is_known,
        17 | 132 => record.resp.packets > 0 && (is_known || basis != Basis::None || record.direction == DirectionBasis::Ports),
        _ => false,
    }
}

/// Takes a record of a service for the end that began it, or for the other.
pub(super) fn flow(known: &mut Known, record: &FlowRecord, began: bool) {
    let peer = if began { record.resp_addr() } else { record.orig_addr() };
    let flows = u64::from(record.segment == 0);
    let one = Use { service: record.service(), app: record.app, peer, flows, first: record.start, last: record.end };
    if began {
        known.uses.count(one);
    } else {
        known.serves.count(one);
    }
    match record.facts.as_deref() {
        Some(Facts::Dicom(dicom)) => learn_dicom(known, dicom, began),
        Some(Facts::Hl7(hl7)) => {
            let (name, part) = if began { (&hl7.sending, Part::Calling) } else { (&hl7.receiving, Part::Called) };
            known.hl7_applications.extend(name.iter().filter(|name| !name.is_empty()).map(|name| (name.clone(), part)));
        }
        Some(Facts::Ssh(ssh)) => {
            let (text, kind) =
                if began { (&ssh.software_orig, SoftwareKind::Client) } else { (&ssh.software_resp, SoftwareKind::Server) };
            known.software.extend(text.iter().map(|text| (kind, text.clone(), "ssh")));
        }
        Some(Facts::Http(http)) => learn_http(known, http, began),
        Some(Facts::Smb(smb)) if !began => {
            known.names.extend(smb.ntlm.server.iter().map(|name| (name.clone(), NameSource::Ntlm)))
        }
        _ => {}
    }
    if let Some(tls) = record.facts.as_deref().and_then(Facts::tls).filter(|tls| !began && tls.version_chosen != 0) {
        server_name(known, tls.server_name.as_deref(), NameSource::Tls);
    }
}

/// Takes what the end that began a flow says of itself, whether it is answered or not.
pub(super) fn said(known: &mut Known, record: &FlowRecord) {
    if let Some(Facts::Nbns(nbns)) = record.facts.as_deref() {
        known.names.extend(nbns.name.iter().map(|name| (name.clone(), NameSource::Netbios)));
    }
}

fn learn_http(known: &mut Known, http: &HttpFacts, began: bool) {
    let (text, kind) = if began { (&http.user_agent, SoftwareKind::Client) } else { (&http.server, SoftwareKind::Server) };
    known.software.extend(text.iter().map(|text| (kind, text.clone(), "http")));
    if !began && matches!(http.status, Some(200..=399)) {
        server_name(known, http.host.as_deref(), NameSource::Http);
    }
}

/// An association that was refused or had no answer says nothing of the called title.
fn learn_dicom(known: &mut Known, dicom: &DicomFacts, began: bool) {
    let accepted = dicom.rejected == 0;
    let (title, part) = if began { (&dicom.calling_ae, Part::Calling) } else { (&dicom.called_ae, Part::Called) };
    if began || accepted {
        known.ae_titles.extend(title.iter().filter(|title| !title.is_empty()).map(|title| (title.clone(), part)));
    }
    let asked = dicom.find > 0 || dicom.get > 0 || dicom.moves > 0;
    let (stores, asks) =
        if began { (deed::SENDS_IMAGES, deed::ASKS_FOR_IMAGES) } else { (deed::TAKES_IMAGES, deed::FINDS_IMAGES) };
    known.deeds |= if dicom.store > 0 { stores } else { 0 };
    known.deeds |= if asked && accepted { asks } else { 0 };
}

/// A name by which a client asked for the server; an address is none.
fn server_name(known: &mut Known, name: Option<&str>, source: NameSource) {
    let is_name = |name: &&str| name.chars().any(char::is_alphabetic) && !name.contains(':');
    known.names.extend(name.filter(is_name).map(|name| (name.into(), source)));
}
