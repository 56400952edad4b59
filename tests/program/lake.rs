//! Folders of Parquet (`--flows DIR/`): what is in which file, what is read back, and what is left when something goes wrong.

#![cfg(all(unix, feature = "parquet"))]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use serde_json::Value;

use crate::support::{self, CLINIC_SPLIT, Folder, Run, auscult, clinic, have, lines, program, project, text};

/// The model of the clinic's normal time, made once.
fn model() -> &'static str {
    static MODEL: OnceLock<(Folder, String)> = OnceLock::new();
    let made = MODEL.get_or_init(|| {
        let folder = Folder::new();
        let model = support::clinic_model(&folder);
        (folder, model)
    });
    &made.1
}

fn replay(arguments: &[&str]) -> Run {
    auscult(&[&["replay", text(&clinic()), "--from", CLINIC_SPLIT, "--model", model()], arguments].concat())
}

/// All files below a folder with what they hold, by name.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(bytes) = fs::read(&path) {
                // One that is being written may have got its name in between.
                found.insert(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned(), bytes);
            }
        }
    }
    found
}

fn parts(folder: &Path) -> Vec<PathBuf> {
    files(folder).into_keys().filter(|name| name.ends_with(".parquet")).map(|name| folder.join(name)).collect()
}

/// The rows of a file by the names of its columns.
fn rows(path: &Path) -> Vec<BTreeMap<String, Field>> {
    let reader = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(|row| row.unwrap().get_column_iter().map(|(name, field)| (name.clone(), field.clone())).collect()).collect()
}

fn count(folder: &Path) -> usize {
    parts(folder).iter().map(|path| rows(path).len()).sum()
}

/// The one line on stderr that has these words.
fn line<'r>(run: &'r Run, words: &str) -> &'r str {
    run.stderr.lines().find(|line| line.contains(words)).unwrap_or_else(|| panic!("{words:?} is not in:\n{}", run.stderr))
}

#[test]
fn a_lake_has_the_same_bytes_for_any_number_of_workers_and_the_records_of_eve() {
    let folder = Folder::new();
    let lake = |workers: &str| {
        let name = folder.name(&format!("lake{workers}/"));
        replay(&["--flows", &name, "--site", "clinic", "--part-every", "10m", "--workers", workers]).ended(0);
        files(Path::new(&name))
    };
    let (one, four) = (lake("1"), lake("4"));
    assert!(one == four, "{:?} and {:?}", one.keys(), four.keys());
    assert!(one.len() > 8, "{:?}", one.keys());
    replay(&["--flows", &folder.name("flows")]).ended(0);
    let key = |id: u64, segment: u64, bits: f64, behaviour: &str| format!("{id} {segment} {bits} {behaviour}");
    let mut told: Vec<String> = lines(&folder.read("flows"))
        .iter()
        .map(|flow| {
            let own = &flow["auscult"];
            let (bits, behaviour) = (own["bits"].as_f64().unwrap(), own["behaviour"].as_str().unwrap());
            key(flow["flow_id"].as_u64().unwrap(), own["segment"].as_u64().unwrap(), bits, behaviour)
        })
        .collect();
    let mut kept = Vec::new();
    for name in one.keys() {
        let mut held: Vec<&str> = name.split('/').collect();
        assert_eq!((held.len(), held[0]), (4, "site=clinic"), "{name}");
        held.pop();
        for row in rows(&folder.path("lake1").join(name)) {
            let Field::TimestampMicros(end) = row["flow_end"] else { panic!("{:?}", row["flow_end"]) };
            let end = auscult::time::Timestamp::from_nanos(end * 1000).to_string();
            assert_eq!(held[1..], [format!("date={}", &end[..10]), format!("hour={}", &end[11..13])], "{name}");
            let (Field::Long(id), Field::Long(segment)) = (&row["flow_id"], &row["auscult_segment"]) else { panic!("{row:?}") };
            let (Field::Double(bits), Field::Str(behaviour)) = (&row["auscult_bits"], &row["auscult_behaviour"]) else {
                panic!("{row:?}")
            };
            kept.push(key(*id as u64, *segment as u64, *bits, behaviour));
        }
    }
    told.sort();
    kept.sort();
    assert!(told == kept, "{} and {} records", told.len(), kept.len());
}

/// Who changes the columns raises the version, and this file with it.
#[test]
fn the_columns_are_those_of_this_version() {
    let folder = Folder::new();
    let lake = folder.name("lake/");
    auscult(&["flows", text(&clinic()), "--to", "1772522000", "--format", "parquet", "--out", &lake]).ended(0);
    let part = &parts(&folder.path("lake"))[0];
    let reader = SerializedFileReader::new(fs::File::open(part).unwrap()).unwrap();
    let about = reader.metadata().file_metadata();
    let told = about.key_value_metadata().unwrap().iter().find(|pair| pair.key == "auscult.flow_schema").unwrap();
    let mut schema = format!("version {}\n", told.value.as_ref().unwrap());
    for column in about.schema_descr().columns() {
        let is_optional = column.self_type().is_optional();
        let (kind, told) = (column.physical_type(), column.converted_type());
        writeln!(schema, "{} {kind} {told}{}", column.name(), if is_optional { " optional" } else { "" }).unwrap();
    }
    let pinned = fs::read_to_string(project("tests/lake_schema.txt")).unwrap_or_default();
    assert!(schema == pinned, "raise PARQUET_SCHEMA_VERSION, and write to tests/lake_schema.txt:\n{schema}");
    assert!(rows(part).iter().all(|row| row["auscult_bits"] == Field::Null && row["auscult_behaviour"] == Field::Null));
}

#[test]
fn a_lake_is_judged_and_teaches_as_one_file_does() {
    let folder = Folder::new();
    let (lake, one) = (folder.name("lake/"), folder.name("one.parquet"));
    for out in [&lake, &one] {
        auscult(&["flows", text(&clinic()), "--format", "parquet", "--out", out, "--site", "a", "--part-every", "7m"]).ended(0);
    }
    // Two sites, and what two programs leave that were cut short.
    let hour = folder.path("lake/site=a/date=2026-03-03/hour=09");
    fs::create_dir_all(folder.path("lake/site=b/date=2026-03-03")).unwrap();
    fs::rename(&hour, folder.path("lake/site=b/date=2026-03-03/hour=09")).unwrap();
    folder.put("lake/site=b/date=2026-03-03/hour=09/.part-000009.parquet.tmp", b"half");
    let split = "2026-03-03T10:36:00Z";
    let detect = |source: &str, time: &[&str]| auscult(&[&["detect", source, "--model", model()], time].concat()).ended(0);
    let (from_lake, from_one) = (detect(&lake, &["--from", split]), detect(&one, &["--from", split]));
    assert!(from_lake.stdout == from_one.stdout && !from_lake.lines().is_empty());
    line(&from_lake, "unfinished files passed over: 1");
    line(&from_lake, "files outside the time asked for: ");
    let part = ["--from", "2026-03-03T11:00:00Z", "--to", "2026-03-03T11:40:00Z"];
    assert!(detect(&lake, &part).stdout == detect(&one, &part).stdout);
    let learned = |source: &str| {
        let path = folder.name("model");
        auscult(&["train", source, "--to", split, "--out", &path]).ended(0);
        let mut model: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        (model["model"]["baselines"].take(), model["model"]["calibration"].take())
    };
    assert!(learned(&lake) == learned(&one), "the lake teaches something else");
    let of_site =
        auscult(&["detect", &folder.name("lake/site=b"), "--model", model(), "--from", "2026-03-03T12:00:00Z"]).ended(1);
    line(&of_site, "no file of flow records in the time asked for");
    fs::write(folder.path("lake/site=a/date=2026-03-03/hour=10/part-000001.parquet"), "PAR1").unwrap();
    line(&auscult(&["detect", &lake, "--model", model()]).ended(1), "hour=10/part-000001.parquet");
}

#[test]
fn a_second_run_adds_and_wrong_usage_is_told() {
    let folder = Folder::new();
    let lake = folder.name("lake/");
    let capture = clinic();
    let flows = |more: &[&str]| {
        let base = ["flows", text(&capture), "--from", CLINIC_SPLIT, "--format", "parquet", "--out", &lake, "--site", "a"];
        auscult(&[&base[..], more].concat())
    };
    let first = flows(&["--part-every", "1h"]).ended(0);
    assert!(!first.stderr.contains("held records before"), "{}", first.stderr);
    let before = (parts(&folder.path("lake")).len(), count(&folder.path("lake")));
    line(&flows(&["--part-every", "1h"]).ended(0), "hours that held records before: 3");
    let after = (parts(&folder.path("lake")).len(), count(&folder.path("lake")));
    assert_eq!(after, (2 * before.0, 2 * before.1));
    for (wrong, said) in [
        (["--site", "a/b"], "wanted 1 to 63 letters"),
        (["--part-every", "2h"], "wanted 5m to 1h"),
        (["--part-size", "9"], "is no size"),
    ] {
        let run =
            auscult(&[&["flows", text(&clinic()), "--format", "parquet", "--out", &folder.name("no/")], &wrong[..]].concat());
        line(&run.ended(2), said);
    }
    line(&auscult(&["flows", text(&clinic()), "--out", &lake]).ended(2), "a folder holds Parquet: give --format parquet");
}

#[test]
fn old_parts_go_with_keep_also_in_the_sandbox() {
    let folder = Folder::new();
    let lake = folder.name("lake/");
    replay(&["--flows", &lake, "--site", "a"]).ended(0);
    let all = parts(&folder.path("lake"));
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    for path in all.iter().filter(|path| text(path).contains("hour=11")) {
        fs::File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
    }
    let run = replay(&["--to", "2026-03-03T10:40:00Z", "--flows", &lake, "--site", "b", "--keep", "30d"]).ended(0);
    assert!(!run.stderr.contains("removed"), "another site's: {}", run.stderr);
    let run = replay(&["--to", "2026-03-03T10:40:00Z", "--flows", &lake, "--site", "a", "--keep", "30d", "--sandbox"]).ended(0);
    line(&run, "parts removed, as they are older than --keep");
    assert!(!folder.path("lake/site=a/date=2026-03-03/hour=11").exists());
    assert!(folder.path("lake/site=a/date=2026-03-03/hour=10").exists());
    assert!(folder.path("lake/site=a/date=2026-03-03/hour=12").exists());
}

#[test]
fn a_lake_knows_pseudonyms_alone() {
    let folder = Folder::new();
    let key = folder.put("key", b"auscult pseudonyms key 1\n1f3b5d7092a4c6e8001122334455667788990a0b0c0d0e0f1020304050607080\n");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let addresses = |lake: &str, hide: &[&str]| {
        let out = folder.name(lake);
        let capture = clinic();
        let base = ["flows", text(&capture), "--to", "1772524800", "--format", "parquet", "--out", &out];
        auscult(&[&base[..], hide].concat()).ended(0);
        let rows = parts(Path::new(&out)).into_iter().flat_map(|path| rows(&path));
        let ends = rows.flat_map(|row| ["src_ip", "dest_ip"].map(|name| row[name].to_string()));
        ends.collect::<std::collections::BTreeSet<_>>()
    };
    let (real, hidden) = (addresses("real/", &[]), addresses("hidden/", &["--pseudonyms", &key]));
    let of_clinic = |set: &std::collections::BTreeSet<String>| set.iter().filter(|it| it.contains("10.77.0.")).count();
    assert!(of_clinic(&real) > 10 && of_clinic(&hidden) == 0, "{hidden:?}");
    assert_eq!(real.len(), hidden.len());
}

/// The clinic's capture after its normal time as it is read from a pipe.
fn recording() -> Vec<u8> {
    zstd::decode_all(fs::File::open(clinic()).unwrap()).unwrap()
}

/// Lets a program read the first part of a recording and keep the pipe open.
fn feeding(mut command: Command, bytes: Vec<u8>) -> (Child, std::thread::JoinHandle<std::process::ChildStdin>) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || {
        // It may be killed while it reads.
        let _ = stdin.write_all(&bytes);
        stdin
    });
    (child, feeder)
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..600 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{what}: not within a minute");
}

#[test]
fn a_killed_program_loses_the_open_parts_and_no_others() {
    let folder = Folder::new();
    let (lake, bytes) = (folder.path("lake"), recording());
    let mut command = program();
    command.args(["replay", "-", "--model", model(), "--flows", &folder.name("lake/"), "--site", "a", "--workers", "1"]);
    let (mut child, feeder) = feeding(command, bytes[..bytes.len() * 9 / 10].to_vec());
    let is_open = || files(&lake).keys().any(|name| name.ends_with(".tmp"));
    eventually("parts that are whole and one that is open", || lake.exists() && parts(&lake).len() > 8 && is_open());
    let whole = parts(&lake);
    child.kill().unwrap();
    child.wait().unwrap();
    drop(feeder.join());
    assert!(is_open());
    // Every part that has its name is as it is when nothing goes wrong.
    let kept = files(&lake);
    auscult(&["replay", text(&clinic()), "--model", model(), "--flows", &folder.name("whole/"), "--site", "a"]).ended(0);
    let mut wanted = files(&folder.path("whole"));
    wanted.retain(|name, _| kept.contains_key(name));
    let named: BTreeMap<_, _> = kept.into_iter().filter(|(name, _)| name.ends_with(".parquet")).collect();
    assert!(named.len() >= whole.len() && named == wanted, "{:?} and {:?}", named.keys(), wanted.keys());
    let run = replay(&["--to", "2026-03-03T10:40:00Z", "--flows", &folder.name("lake/"), "--site", "other"]).ended(0);
    assert!(is_open() && !run.stderr.contains("cut short"), "another site's is left alone: {}", run.stderr);
    let run = replay(&["--to", "2026-03-03T10:40:00Z", "--flows", &folder.name("lake/"), "--site", "a"]).ended(0);
    line(&run, "unfinished parts of a run that was cut short");
    assert!(!is_open());
}

#[test]
fn a_full_disk_holds_nothing_up_and_loses_no_record() {
    let folder = Folder::new();
    fs::create_dir(folder.path("disk")).unwrap();
    let disk = folder.name("disk");
    let in_disk = |script: &str| {
        let mut command = Command::new("unshare");
        let script = format!("mount -t tmpfs -o size=128k tmpfs '{disk}' && {script}");
        command.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
        command
    };
    if !have("unshare", "--version") || !in_disk("true").output().is_ok_and(|output| output.status.success()) {
        println!("skipped: no mount namespaces; this test needs root");
        return;
    }
    let (kept, bytes) = (folder.name("kept"), recording());
    let script = format!(
        "{{ '{}' replay - --model '{}' --flows '{disk}/lake/' --site a; status=$?; cp -r '{disk}/lake' '{kept}'; exit $status; }}",
        env!("CARGO_BIN_EXE_auscult"),
        model()
    );
    let (first, rest) = bytes.split_at(bytes.len() * 3 / 4);
    let (mut child, feeder) = feeding(in_disk(&script), first.to_vec());
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let told = said.find(|line| line.contains("cannot be written")).unwrap();
    assert!(told.contains("judging goes on and up to 16 MiB of flow records wait: make room on its disk"), "{told}");
    let room = ["-t", &child.id().to_string(), "--mount", "mount", "-o", "remount,size=256m", &disk];
    assert!(Command::new("nsenter").args(room).status().unwrap().success());
    let mut stdin = feeder.join().unwrap();
    stdin.write_all(rest).unwrap();
    drop(stdin);
    let rest: Vec<String> = said.collect();
    assert!(rest.iter().any(|line| line.contains("written to again; flow records lost meanwhile: 0")), "{rest:#?}");
    assert_eq!(child.wait().unwrap().code(), Some(0), "{rest:#?}");
    let whole = folder.name("whole/");
    auscult(&["replay", text(&clinic()), "--model", model(), "--flows", &whole, "--site", "a"]).ended(0);
    assert!(files(Path::new(&kept)) == files(Path::new(&whole)), "the files are those of a disk that has room");
}

#[test]
fn what_cannot_be_written_is_counted_and_ends_nothing() {
    let folder = Folder::new();
    let lake = folder.name("lake/");
    // Where the day's folder would be there is a file.
    folder.put("lake/site=a/date=2026-03-03", b"");
    let run = replay(&["--flows", &lake, "--site", "a", "--alerts", &folder.name("alerts")]).ended(1);
    line(&run, "cannot be written");
    line(&run, "flow records were not written");
    replay(&["--alerts", &folder.name("wanted")]).ended(0);
    assert!(folder.read("alerts") == folder.read("wanted"), "judging goes on");
    folder.put("file", b"");
    line(&replay(&["--flows", &folder.name("file/lake/")]).ended(1), "file/lake/: cannot be written");
}

#[test]
fn hup_ends_the_open_parts() {
    let (folder, bytes) = (Folder::new(), recording());
    let lake = folder.path("lake");
    let mut command = program();
    command.args(["replay", "-", "--model", model(), "--flows", &folder.name("lake/"), "--site", "a"]);
    command.args(["--state", &folder.name("state"), "--alerts", "/dev/null"]);
    let (first, rest) = bytes.split_at(bytes.len() * 3 / 4);
    let (mut child, feeder) = feeding(command, first.to_vec());
    let stderr = child.stderr.take().unwrap();
    let said = std::thread::spawn(move || std::io::read_to_string(stderr).unwrap());
    let mut stdin = feeder.join().unwrap();
    eventually("an open part", || lake.exists() && files(&lake).keys().any(|name| name.ends_with(".tmp")));
    assert!(Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap().success());
    stdin.write_all(rest).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success(), "{}", said.join().unwrap());
    auscult(&["replay", text(&clinic()), "--model", model(), "--flows", &folder.name("whole/"), "--site", "a"]).ended(0);
    let whole = folder.path("whole");
    assert!(parts(&lake).len() > parts(&whole).len(), "{:?}", parts(&lake));
    assert_eq!(count(&lake), count(&whole));
}
