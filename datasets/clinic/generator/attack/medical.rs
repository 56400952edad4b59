//! Attacks on the clinic's own protocols, all by office-3, which has never spoken them before.

use crate::generator::clock::{MILLI, SECOND};
use crate::generator::datagram::moment;
use crate::generator::host::{CT, HIS, MR, OFFICE, PACS, READING, ULTRASOUND};
use crate::generator::label::attack;
use crate::generator::life::dialogue::{Titles, echo, find, retrieve};
use crate::generator::net::Net;
use crate::generator::protocol::{dicom, hl7};
use crate::generator::tcp::{Call, Side, Tcp};

const ARCHIVE_PORT: u16 = 11_112;

/// Who speaks DICOM here, and which studies are there?
pub fn dicom_reconnaissance(net: &mut Net, at: i64) {
    let mut rng = net.rng("dicom reconnaissance");
    let story = attack("dicom-recon");
    let titles = Titles { called: "PACS", calling: "ECHOSCU" };
    let mut now = at;
    for target in [PACS, CT, MR, ULTRASOUND, READING[0], READING[1]] {
        for port in [104, ARCHIVE_PORT] {
            let call = Call { from: OFFICE[2].at(), to: target.at(), port, at: now, story };
            if target.number == PACS.number && port == ARCHIVE_PORT {
                echo(net, &mut rng, call, titles);
            } else {
                Tcp::refused(net, &mut rng, call);
            }
            now += rng.between(200, 1_500) * MILLI;
        }
    }
    for _ in 0..5 {
        let call = Call { from: OFFICE[2].at(), to: PACS.at(), port: ARCHIVE_PORT, at: now, story };
        let answers = rng.between(40, 110);
        now = find(net, &mut rng, call, titles, dicom::FIND, answers) + rng.between(2, 12) * SECOND;
    }
}

/// Study after study, to a station that nobody set up.
pub fn dicom_bulk_retrieval(net: &mut Net, at: i64) {
    let mut rng = net.rng("dicom bulk retrieval");
    let titles = Titles { called: "PACS", calling: "STORESCP" };
    let mut now = at;
    for _ in 0..7 {
        let images: Vec<usize> = (0..rng.size(7, 10)).map(|_| rng.around(110_000, 0.3) as usize).collect();
        let call =
            Call { from: OFFICE[2].at(), to: PACS.at(), port: ARCHIVE_PORT, at: now, story: attack("dicom-bulk-retrieval") };
        now = retrieve(net, &mut rng, call, titles, (OFFICE[2].at(), ARCHIVE_PORT), &images) + rng.between(200, 3_000) * MILLI;
    }
}

/// Forged results, hundreds in a minute.
pub fn hl7_injection(net: &mut Net, at: i64) {
    let mut rng = net.rng("hl7 injection");
    let mut now = at;
    for _ in 0..16 {
        let call = Call { from: OFFICE[2].at(), to: HIS.at(), port: 2575, at: now, story: attack("hl7-injection") };
        let mut c = Tcp::open(net, &mut rng, call);
        for _ in 0..rng.between(18, 30) {
            let (values, sent) = (rng.between(2, 6), c.now);
            c.say(Side::Client, hl7::result(&mut rng, values, sent));
            c.wait(rng.exponential(9 * MILLI));
            c.say(Side::Server, hl7::acknowledgement("HIS", "LAB", sent));
            c.wait(rng.exponential(110 * MILLI));
        }
        c.wait(moment(&mut rng));
        now = c.now + rng.between(200, 1_500) * MILLI;
        c.close(Side::Client);
    }
}
