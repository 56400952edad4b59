//! The imaging devices, the archive and the reading stations.

use super::dialogue::{Titles, echo, find, http, https, look_up, retrieve, store};
use crate::generator::clock::{MINUTE, SECOND, SPAN, people, period};
use crate::generator::datagram::moment;
use crate::generator::host::{CT, FILES, HIS, Host, MR, NEW_SITES, PACS, READING, SITES, ULTRASOUND};
use crate::generator::label::{Story, benign};
use crate::generator::net::Net;
use crate::generator::protocol::dicom;
use crate::generator::random::Rng;
use crate::generator::tcp::{Call, Filler, Message, Side, Tcp};

/// Port of the archive.
pub const ARCHIVE_PORT: u16 = 11_112;
/// Port on which a reading station takes images.
pub const STATION_PORT: u16 = 11_113;
/// The archive's title.
pub const ARCHIVE: &str = "PACS";

/// An imaging device: what it sends, and how often.
struct Modality {
    host: Host,
    title: &'static str,
    sop_class: &'static str,
    every: i64,
    images: (usize, usize),
    image_bytes: usize,
}

/// Everything in imaging.
pub fn live(net: &mut Net) {
    let modalities = [
        Modality {
            host: CT,
            title: "CT1",
            sop_class: dicom::CT_IMAGE,
            every: 20 * MINUTE,
            images: (7, 13),
            image_bytes: 130_000,
        },
        Modality { host: MR, title: "MR1", sop_class: dicom::MR_IMAGE, every: 27 * MINUTE, images: (9, 17), image_bytes: 60_000 },
        Modality {
            host: ULTRASOUND,
            title: "US1",
            sop_class: dicom::US_IMAGE,
            every: 14 * MINUTE,
            images: (3, 8),
            image_bytes: 80_000,
        },
    ];
    for modality in &modalities {
        examine(net, modality);
    }
    for station in READING {
        read(net, station);
    }
    back_up(net, 55 * MINUTE);
    back_up(net, 286 * MINUTE);
}

fn to_archive(from: Host, at: i64, what: &'static str) -> Call {
    Call { from: from.at(), to: PACS.at(), port: ARCHIVE_PORT, at, story: benign(what) }
}

/// Work lists, studies, and a sign of life now and then.
fn examine(net: &mut Net, modality: &Modality) {
    let mut rng = net.rng(modality.host.name);
    let titles = Titles { called: ARCHIVE, calling: modality.title };
    for at in people(&mut rng, modality.every) {
        let worklist = Call { at, ..to_archive(modality.host, at, "dicom work list") };
        let answers = rng.between(2, 9);
        find(net, &mut rng, worklist, titles, dicom::WORKLIST, answers);
        let done = at + rng.between(2, 7) * MINUTE;
        let count = rng.size(modality.images.0, modality.images.1);
        let images: Vec<usize> = (0..count).map(|_| rng.around(modality.image_bytes as i64, 0.25) as usize).collect();
        store(net, &mut rng, to_archive(modality.host, done, "dicom store"), titles, modality.sop_class, &images);
    }
    for at in period(&mut rng, 15 * MINUTE, 0.05, 0, SPAN) {
        echo(net, &mut rng, to_archive(modality.host, at, "dicom echo"), titles);
    }
    for at in period(&mut rng, 20 * MINUTE, 0.02, 0, SPAN) {
        let call = Call { from: modality.host.at(), to: HIS.at(), port: 8080, at, story: benign("configuration") };
        let bytes = rng.size(1_800, 2_600);
        http(net, &mut rng, call, "his.clinic.example", "/device/config", bytes);
    }
}

/// A radiologist: a query, the study, minutes of reading; a little of the web.
fn read(net: &mut Net, station: Host) {
    let mut rng = net.rng(station.name);
    let title = station.name.to_uppercase();
    let titles = Titles { called: ARCHIVE, calling: &title };
    for at in people(&mut rng, 15 * MINUTE) {
        let answers = rng.between(3, 24);
        let found = find(net, &mut rng, to_archive(station, at, "dicom query"), titles, dicom::FIND, answers);
        let images: Vec<usize> = (0..rng.size(3, 9)).map(|_| rng.around(130_000, 0.3) as usize).collect();
        let then = found + rng.between(3, 25) * SECOND;
        retrieve(net, &mut rng, to_archive(station, then, "dicom retrieve"), titles, (station.at(), STATION_PORT), &images);
    }
    for at in period(&mut rng, 30 * MINUTE, 0.04, 0, SPAN) {
        echo(net, &mut rng, to_archive(station, at, "dicom echo"), titles);
    }
    for at in people(&mut rng, 12 * MINUTE) {
        report(net, &mut rng, station, at);
    }
    for at in people(&mut rng, 22 * MINUTE) {
        let site = *rng.pick(&[SITES[9], SITES[9], SITES[2], SITES[0], SITES[4]]);
        let then = look_up(net, &mut rng, station, &site, at, benign("dns")) + moment(&mut rng);
        let bytes = rng.heavy(site.answer_bytes);
        let call = Call { from: station.at(), to: site.at(), port: 443, at: then, story: benign("web") };
        https(net, &mut rng, call, site.name, &[(0, 700, bytes)]);
    }
    if station.number == READING[1].number {
        let story: Story = benign("web, a new site");
        let at = look_up(net, &mut rng, station, &NEW_SITES[1], 299 * MINUTE, story) + moment(&mut rng);
        let call = Call { from: station.at(), to: NEW_SITES[1].at(), port: 443, at, story };
        https(net, &mut rng, call, NEW_SITES[1].name, &[(0, 650, 18_000), (6 * SECOND, 500, 9_000)]);
    }
}

/// A report, written in the hospital information system.
fn report(net: &mut Net, rng: &mut Rng, station: Host, at: i64) {
    let call = Call { from: station.at(), to: HIS.at(), port: 443, at, story: benign("report") };
    let requests = [(0, 600, rng.heavy(8_000)), (rng.between(20, 90) * SECOND, rng.size(1_500, 5_000), 700)];
    https(net, rng, call, "his.clinic.example", &requests);
}

/// The archive's nightly copy runs late and slowly, twice in the morning.
fn back_up(net: &mut Net, at: i64) {
    let mut rng = net.rng(if at < 100 * MINUTE { "backup early" } else { "backup late" });
    let call = Call { from: PACS.at(), to: FILES.at(), port: 873, at, story: benign("slow backup") };
    let mut c = Tcp::open(net, &mut rng, call);
    c.say(Side::Server, b"@RSYNCD: 31.0\n".to_vec());
    c.say(Side::Client, b"@RSYNCD: 31.0\narchive\n".to_vec());
    for _ in 0..rng.between(80, 100) {
        c.wait(rng.exponential(20 * SECOND));
        let bytes = rng.size(4_000, 18_000);
        c.say(Side::Client, Message::new(rng.cipher_bytes(12), bytes, Filler::Noise));
        c.wait(moment(&mut rng));
        c.say(Side::Server, rng.cipher_bytes(5));
    }
    c.close(Side::Client);
}
