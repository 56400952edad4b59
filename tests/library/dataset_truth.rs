//! Label files as they are in the wild, and the clinic's own.

use std::fs::File;
use std::path::{Path, PathBuf};

use auscult::dataset::{FlowTuple, Kind, Label, Truth};
use auscult::time::Timestamp;

fn development_data(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let data = std::env::var_os("AUSCULT_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from);
    let path = data.join(name);
    if !path.is_file() {
        println!("skipped: {} is missing", path.display());
        return None;
    }
    Some(path)
}

#[test]
fn the_label_files_of_development_are_read_whole() {
    let files = [
        ("hospital-lab/hospital-lab.labels.csv", 4428, 8),
        ("iot-lan/iot-lan.labels.csv", 9341, 5),
        ("dns-c2/labels.csv", 800, 5),
        ("slips/labels.csv", 6, 2),
    ];
    for (name, rows, attacks) in files {
        let Some(path) = development_data(name) else { continue };
        let truth = Truth::read(File::open(&path).unwrap(), name).unwrap();
        let malicious = truth.rows().iter().filter(|row| row.kind == Kind::Malicious);
        let names: std::collections::BTreeSet<&str> = malicious.map(|row| truth.detail(row)).collect();
        assert_eq!((truth.rows().len(), names.len()), (rows, attacks), "{name}: {names:?}");
    }
}

#[test]
fn every_row_of_the_clinic_labels_its_own_conversation() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/clinic/clinic.labels.csv");
    let truth = Truth::read(File::open(&path).unwrap(), "clinic.labels.csv").unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let (mut benign, mut malicious) = (0, 0);
    for line in text.lines().skip(1) {
        let f: Vec<&str> = line.split(',').collect();
        let port = |text: &str| if text.is_empty() { 0 } else { text.parse().unwrap() };
        let protocol = match f[4] {
            "tcp" => 6,
            "udp" => 17,
            "icmp" => 1,
            _ => 58,
        };
        let time = |text: &str| auscult::time::parse(text).unwrap();
        let (src_port, dst_port) = (port(f[2]), port(f[3]));
        let (start, end) = (time(f[5]), time(f[6]));
        // The other way round: the answer's direction has the same label.
        let flow = FlowTuple {
            src: f[1].parse().unwrap(),
            dst: f[0].parse().unwrap(),
            src_port: dst_port,
            dst_port: src_port,
            protocol,
            start,
            end,
        };
        if f[9] == "malicious" {
            assert_eq!(truth.label(&flow), Some(Label::Malicious(f[10])), "{line}");
            malicious += 1;
        } else {
            assert_eq!(truth.label(&flow), Some(Label::Benign), "{line}");
            benign += 1;
        }
        let stranger = FlowTuple { src: "10.77.0.99".parse().unwrap(), ..flow };
        assert_eq!(truth.label(&stranger), None, "{line}");
    }
    assert!(benign > 1000 && malicious > 1000, "{benign} benign, {malicious} malicious");
    assert_eq!(truth.first_attack(), Some(Timestamp::from_parts(1_772_534_160, 0)));
}
