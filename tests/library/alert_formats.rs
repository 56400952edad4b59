//! The formats of alerts: each against a line written by hand from its specification, and its escaping against a reader of our own.

use auscult::alert::{Format, Formatter};
use auscult::time::parse;
use proptest::prelude::*;
use serde_json::{Value, json};

/// An alert as `auscult` writes it, with what formats must escape in its reasons.
fn alert() -> Value {
    json!({
        "timestamp": "2026-06-03T11:43:29.485696+0000", "event_type": "alert", "src_ip": "10.60.40.23", "dest_ip": "192.175.48.13",
        "src_port": 60832, "dest_port": 443, "proto": "TCP", "app_proto": "tls", "community_id": "1:UgxNMXpNzm5tEd6z9+3OCiuYQzI=",
        "flow_id": 2_257_506_221_071_102u64,
        "alert": {
            "action": "allowed", "gid": 4711, "signature_id": 7, "rev": 1, "signature": "auscult: unusual amount of data moved",
            "category": "Potential Corporate Privacy Violation", "severity": 1,
        },
        "auscult": {
            "incident": {
                "id": "b4990d8806364b41", "class": "exfiltration", "state": "open", "hosts": ["10.60.40.23"],
                "peers": ["192.175.48.13", "192.175.48.14"], "services": ["tcp/443"], "first": "2026-06-03T11:43:15.343858+0000",
                "last": "2026-06-03T11:43:17.396924+0000", "flows": 2,
            },
            "bits": 9.847, "p_value": 7.47e-7, "score": {"shared": 0.0, "ordinary": 10.606, "conversations": [], "others": 0.0},
            "why": [
                {
                    "feature": "payload_bytes_orig", "observed": 601_611.0, "usual": {"low": 608.874, "high": 1217.748, "of": "this device"},
                    "unit": "bytes", "bits": 20.453, "text": "sent 602 kB, name=a|b\\c; usual is up to 1.2 kB",
                    "about": {"host": "10.60.40.23", "peer": "192.175.48.13", "service": "tcp/443"},
                },
                {
                    "feature": "new_peer", "observed": 12.0, "usual": {"low": null, "high": null, "of": "devices like it"}, "unit": "min",
                    "bits": 3.1, "text": "never heard of \"192.175.48.13\"",
                    "about": {"host": "10.60.40.23", "peer": "192.175.48.13", "service": "tcp/443"},
                },
            ],
            "check": ["Was this transfer started by a person?", "What data does the source hold?"],
            "attack": [{"technique": "T1041", "tactic": "TA0010"}],
            "model": {"digest": "sha256:f420", "trained_until": "2026-06-01T22:00:56.728250+0000"}, "baseline": "model", "state": "judging",
            "degraded": false, "chain": {"seq": 49, "prev": "sha256:6660"},
        },
    })
}

fn written(format: Format, alert: &Value) -> String {
    Formatter::new(format, "sensor-1").message(&alert.to_string()).unwrap().unwrap().text
}

fn as_json(format: Format, alert: &Value) -> Value {
    let text = written(format, alert);
    assert!(!text.contains('\n'), "{text}");
    serde_json::from_str(&text).unwrap()
}

/// The same alert between IPv6 addresses by ping, without an ATT&CK technique, closed.
fn ping6() -> Value {
    let mut alert = alert();
    for (name, value) in [("src_ip", json!("2001:db8::1")), ("dest_ip", json!("2001:db8::2")), ("proto", json!("IPv6-ICMP"))] {
        alert[name] = value;
    }
    for name in ["src_port", "dest_port", "app_proto"] {
        alert.as_object_mut().unwrap().remove(name);
    }
    (alert["icmp_type"], alert["icmp_code"]) = (json!(128), json!(0));
    alert["auscult"]["attack"] = json!([]);
    alert["auscult"]["incident"]["hosts"] = json!(["2001:db8::1"]);
    alert["auscult"]["incident"]["state"] = json!("closed");
    alert["auscult"]["model"]["digest"] = Value::Null;
    alert
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[test]
fn eve_stays_as_it_is_and_its_envelope_is_told() {
    let line = alert().to_string();
    let message = Formatter::new(Format::Eve, "s").message(&format!("{line}\n")).unwrap().unwrap();
    assert_eq!((message.text, message.id.as_str(), message.severity), (line, "b4990d8806364b41-49", 1));
    assert_eq!((message.raised, message.class.as_str()), (parse("2026-06-03T11:43:29.485696Z").unwrap(), "exfiltration"));
}

#[test]
fn other_events_are_eve_alone() {
    let line = r#"{"timestamp":"2026-06-03T11:43:29.485696+0000","event_type":"stats","auscult":{}}"#;
    assert_eq!(Formatter::new(Format::Eve, "s").message(line).unwrap().unwrap().text, line);
    assert_eq!(Formatter::new(Format::Cef, "s").message(line).unwrap(), None);
    assert!(Formatter::new(Format::Cef, "s").message("no JSON").is_err());
}

#[test]
fn strict_eve_knows_nothing_that_suricatas_schema_does_not() {
    let mut want = alert();
    want.as_object_mut().unwrap().remove("auscult");
    want["alert"]["metadata"] = json!({
        "auscult_id": ["b4990d8806364b41-49"], "auscult_incident": ["b4990d8806364b41"], "auscult_class": ["exfiltration"],
        "auscult_state": ["open"], "auscult_bits": ["9.847"], "signature_severity": ["High"], "mitre_technique_id": ["T1041"],
        "mitre_tactic_id": ["TA0010"],
    });
    assert_eq!(as_json(Format::StrictEve, &alert()), want);
    let metadata = &as_json(Format::StrictEve, &ping6())["alert"]["metadata"];
    assert!(
        metadata
            .as_object()
            .unwrap()
            .values()
            .all(|value| value.as_array().is_some_and(|list| list.iter().all(Value::is_string)))
    );
}

#[test]
fn cef_is_as_its_specification_says() {
    let want = format!(
        "CEF:0|auscult|auscult|{VERSION}|7|unusual amount of data moved|8|rt=1780487009485 start=1780486995343 end=1780486997396 \
         cat=Potential Corporate Privacy Violation act=allowed cnt=2 dvchost=sensor-1 externalId=b4990d8806364b41-49 src=10.60.40.23 \
         dst=192.175.48.13 spt=60832 dpt=443 proto=TCP app=tls msg=sent 602 kB, name\\=a|b\\\\c; usual is up to 1.2 kB cs1Label=communityId \
         cs1=1:UgxNMXpNzm5tEd6z9+3OCiuYQzI\\= cs2Label=explanation cs2=sent 602 kB, name\\=a|b\\\\c; usual is up to 1.2 kB; never heard of \
         \"192.175.48.13\" cs3Label=attackTechnique cs3=T1041 cs4Label=modelVersion cs4=sha256:f420 cs6Label=incidentId \
         cs6=b4990d8806364b41 flexString1Label=incidentState flexString1=open flexString2Label=incidentClass flexString2=exfiltration \
         cn1Label=flows cn1=2 cn2Label=windowSeconds cn2=3 cfp1Label=score cfp1=9.847 cfp2Label=pValue cfp2=0.000000747"
    );
    assert_eq!(written(Format::Cef, &alert()), want);
}

#[test]
fn cef_has_ipv6_where_its_mapping_wants_it_and_no_label_without_a_value() {
    let text = written(Format::Cef, &ping6());
    assert!(
        text.contains(" c6a2Label=Source IPv6 Address c6a2=2001:db8::1 c6a3Label=Destination IPv6 Address c6a3=2001:db8::2 "),
        "{text}"
    );
    assert!(!text.contains(" src=") && !text.contains("cs3") && !text.contains("cs4") && !text.contains("spt="), "{text}");
}

#[test]
fn ocsf_is_a_detection_finding() {
    let event = as_json(Format::Ocsf, &alert());
    let want = json!({
        "activity_id": 1, "activity_name": "Create", "category_uid": 2, "category_name": "Findings", "class_uid": 2004,
        "class_name": "Detection Finding", "type_uid": 200_401, "type_name": "Detection Finding: Create", "time": 1_780_487_009_485i64,
        "start_time": 1_780_486_995_343i64, "end_time": 1_780_486_997_396i64, "count": 2, "severity_id": 4, "severity": "High",
        "status_id": 1, "status": "New", "is_alert": true,
        "message": "unusual amount of data moved: sent 602 kB, name=a|b\\c; usual is up to 1.2 kB", "risk_score": 10,
        "metadata": {
            "version": "1.6.0", "uid": "b4990d8806364b41-49", "sequence": 49,
            "product": {"name": "auscult", "vendor_name": "auscult", "version": VERSION},
        },
        "finding_info": {
            "uid": "b4990d8806364b41", "title": "unusual amount of data moved",
            "desc": "sent 602 kB, name=a|b\\c; usual is up to 1.2 kB; never heard of \"192.175.48.13\"", "types": ["exfiltration"],
            "first_seen_time": 1_780_486_995_343i64, "last_seen_time": 1_780_486_997_396i64, "related_events_count": 2,
            "analytic": {"type_id": 2, "type": "Behavioral", "uid": "7", "name": "auscult: unusual amount of data moved", "version": "1"},
            "attacks": [{"technique": {"uid": "T1041"}, "tactic": {"uid": "TA0010"}}],
        },
        "evidences": [{
            "src_endpoint": {"ip": "10.60.40.23", "port": 60832}, "dst_endpoint": {"ip": "192.175.48.13", "port": 443},
            "connection_info": {
                "direction_id": 0, "protocol_name": "tcp", "protocol_ver_id": 4, "protocol_num": 6,
                "community_uid": "1:UgxNMXpNzm5tEd6z9+3OCiuYQzI=",
            },
        }],
        "resources": [{"uid": "10.60.40.23", "name": "10.60.40.23", "type": "Device"}],
        "anomaly_analyses": [{
            "analysis_targets": [{"name": "10.60.40.23", "type": "Device"}],
            "anomalies": [
                {"observation_parameter": "payload_bytes_orig", "observations": [{"value": "601611 bytes"}]},
                {"observation_parameter": "new_peer", "observations": [{"value": "12 min"}]},
            ],
            "baselines": [
                {"observation_parameter": "payload_bytes_orig", "observations": [{"value": "608.874 to 1217.748 bytes (this device)"}]},
            ],
        }],
        "unmapped": {
            "class": "exfiltration", "bits": 9.847, "p_value": 7.47e-7, "peers": ["192.175.48.13", "192.175.48.14"],
            "services": ["tcp/443"], "baseline": "model", "model_digest": "sha256:f420",
        },
        "remediation": {"desc": "Was this transfer started by a person? What data does the source hold?"},
    });
    assert_eq!(event, want);
    let closed = as_json(Format::Ocsf, &ping6());
    assert_eq!((&closed["activity_id"], &closed["type_uid"], &closed["status_id"]), (&json!(3), &json!(200_403), &json!(99)));
    for member in ["activity_id", "category_uid", "class_uid", "type_uid", "severity_id", "time", "metadata", "finding_info"] {
        assert!(!closed[member].is_null(), "{member} is required");
    }
}

#[test]
fn ecs_has_the_fields_that_elastic_looks_for() {
    let event = as_json(Format::Ecs, &alert());
    let want = json!({
        "@timestamp": "2026-06-03T11:43:29.485696Z", "ecs": {"version": "8.11.0"},
        "message": "unusual amount of data moved: sent 602 kB, name=a|b\\c; usual is up to 1.2 kB", "tags": ["auscult"],
        "labels": {"incident_id": "b4990d8806364b41", "incident_state": "open", "incident_class": "exfiltration"},
        "event": {
            "kind": "alert", "category": ["network", "intrusion_detection"], "type": ["start"], "action": "exfiltration",
            "module": "auscult", "dataset": "auscult.alert", "id": "b4990d8806364b41-49", "sequence": 49,
            "start": "2026-06-03T11:43:15.343858Z", "end": "2026-06-03T11:43:17.396924Z", "duration": 2_053_066_000i64, "severity": 73,
            "risk_score": 9.847, "reason": "sent 602 kB, name=a|b\\c; usual is up to 1.2 kB; never heard of \"192.175.48.13\"",
        },
        "observer": {"vendor": "auscult", "product": "auscult", "version": VERSION, "type": "ids", "name": "sensor-1"},
        "network": {
            "type": "ipv4", "transport": "tcp", "iana_number": "6", "protocol": "tls", "community_id": "1:UgxNMXpNzm5tEd6z9+3OCiuYQzI=",
        },
        "source": {"ip": "10.60.40.23", "port": 60832}, "destination": {"ip": "192.175.48.13", "port": 443},
        "related": {"ip": ["10.60.40.23", "192.175.48.13", "192.175.48.14"]},
        "rule": {
            "id": "7", "name": "auscult: unusual amount of data moved", "category": "Potential Corporate Privacy Violation", "version": "1",
        },
        "auscult": {
            "bits": 9.847, "p_value": 7.47e-7, "flows": 2, "hosts": ["10.60.40.23"], "peers": ["192.175.48.13", "192.175.48.14"],
            "services": ["tcp/443"], "check": ["Was this transfer started by a person?", "What data does the source hold?"],
            "baseline": "model", "model": {"digest": "sha256:f420"},
        },
        "threat": {"framework": "MITRE ATT&CK", "technique": {"id": ["T1041"]}, "tactic": {"id": ["TA0010"]}},
    });
    assert_eq!(event, want);
    let ping = as_json(Format::Ecs, &ping6());
    assert_eq!(
        (&ping["network"]["type"], &ping["event"]["type"], &ping["threat"]),
        (&json!("ipv6"), &json!(["end"]), &Value::Null)
    );
    assert_eq!(ping["source"], json!({"ip": "2001:db8::1"}));
}

#[test]
fn asim_is_a_network_session_of_an_ids() {
    let event = as_json(Format::Asim, &alert());
    let want = json!({
        "TimeGenerated": "2026-06-03T11:43:29.485696Z", "EventCount": 1, "EventStartTime": "2026-06-03T11:43:15.343858Z",
        "EventEndTime": "2026-06-03T11:43:17.396924Z", "EventType": "IDS", "EventResult": "Success", "DvcAction": "Allow",
        "EventProduct": "auscult", "EventVendor": "auscult", "EventProductVersion": VERSION, "EventSchema": "NetworkSession",
        "EventSchemaVersion": "0.2.6", "EventSeverity": "High", "EventOriginalSeverity": "1", "EventUid": "b4990d8806364b41-49",
        "EventOriginalUid": "b4990d8806364b41", "EventOriginalType": "7",
        "EventMessage": "sent 602 kB, name=a|b\\c; usual is up to 1.2 kB; never heard of \"192.175.48.13\"", "Dvc": "sensor-1",
        "DvcHostname": "sensor-1", "SrcIpAddr": "10.60.40.23", "DstIpAddr": "192.175.48.13", "Src": "10.60.40.23", "Dst": "192.175.48.13",
        "NetworkProtocol": "TCP", "NetworkProtocolVersion": "IPv4", "NetworkDuration": 2053,
        "NetworkRuleName": "auscult: unusual amount of data moved", "ThreatId": "7", "ThreatName": "unusual amount of data moved",
        "ThreatCategory": "Potential Corporate Privacy Violation", "ThreatRiskLevel": 10, "ThreatIpAddr": "10.60.40.23",
        "ThreatField": "SrcIpAddr", "SrcPortNumber": 60832, "DstPortNumber": 443, "NetworkApplicationProtocol": "TLS",
        "NetworkSessionId": "2257506221071102",
        "AdditionalFields": {
            "IncidentClass": "exfiltration", "IncidentState": "open", "Flows": 2, "Hosts": ["10.60.40.23"],
            "Peers": ["192.175.48.13", "192.175.48.14"], "Bits": 9.847, "PValue": 7.47e-7,
            "Check": ["Was this transfer started by a person?", "What data does the source hold?"], "Techniques": ["T1041"],
            "Tactics": ["TA0010"], "CommunityId": "1:UgxNMXpNzm5tEd6z9+3OCiuYQzI=", "ModelDigest": "sha256:f420", "Baseline": "model",
        },
    });
    assert_eq!(event, want);
    let ping = as_json(Format::Asim, &ping6());
    assert_eq!((&ping["NetworkProtocolVersion"], &ping["SrcPortNumber"]), (&json!("IPv6"), &Value::Null));
    const MANDATORY: [&str; 10] = [
        "EventCount",
        "EventStartTime",
        "EventEndTime",
        "EventType",
        "EventResult",
        "EventProduct",
        "EventVendor",
        "EventSchema",
        "EventSchemaVersion",
        "Dvc",
    ];
    assert!(MANDATORY.iter().all(|field| !ping[field].is_null()), "{ping}");
}

#[test]
fn zeek_is_a_notice_log() {
    let formatter = Formatter::new(Format::Zeek, "s");
    let at = parse("2026-06-03T11:43:29.485696Z").unwrap();
    let head = formatter.head(at).unwrap();
    let lines: Vec<&str> = head.lines().collect();
    assert_eq!(
        lines[..6],
        [
            "#separator \\x09",
            "#set_separator\t,",
            "#empty_field\t(empty)",
            "#unset_field\t-",
            "#path\tnotice",
            "#open\t2026-06-03-11-43-29"
        ]
    );
    let [fields, types] = [6, 7].map(|line| lines[line].split('\t').skip(1).collect::<Vec<_>>());
    assert!(lines[6].starts_with("#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tnote\tmsg\tsub\tsrc\tdst\tp\tn\tpeer_descr\tactions\tsuppress_for\t"));
    assert!(lines[7].starts_with("#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tenum\tstring\tstring\taddr\taddr\tport\tcount\tstring\tset[enum]\tinterval\t"));
    let row = "1780487009.485696\t-\t10.60.40.23\t60832\t192.175.48.13\t443\ttcp\tAuscult::Exfiltration\tunusual amount of data moved: sent 602 kB, \
               name=a|b\\x5cc; usual is up to 1.2 kB\tnever heard of \"192.175.48.13\"\t10.60.40.23\t192.175.48.13\t443\t2\tauscult\tNotice::ACTION_LOG\t\
               0.000000\t1:UgxNMXpNzm5tEd6z9+3OCiuYQzI=\tb4990d8806364b41\topen\tb4990d8806364b41-49\t9.847\t-";
    assert_eq!(written(Format::Zeek, &alert()), row);
    assert_eq!((fields.len(), types.len(), row.split('\t').count()), (23, 23, 23));
    assert_eq!(formatter.foot(at).unwrap(), "#close\t2026-06-03-11-43-29");
    let object = as_json(Format::ZeekJson, &alert());
    assert_eq!(
        (&object["ts"], &object["id.orig_p"], &object["note"]),
        (&json!(1_780_487_009.485_696), &json!(60832), &json!("Auscult::Exfiltration"))
    );
    assert!(
        object.as_object().unwrap().keys().all(|name| fields.contains(&name.as_str())) && object.get("uid").is_none(),
        "{object}"
    );
    let ping = written(Format::Zeek, &ping6());
    assert!(ping.contains("\t2001:db8::1\t128\t2001:db8::2\t0\ticmp\t"), "{ping}");
}

#[test]
fn csv_has_a_header_and_quotes_what_must_be_quoted() {
    let head = Formatter::new(Format::Csv, "s").head(parse("0").unwrap()).unwrap();
    let want = "2026-06-03T11:43:29.485696+0000,b4990d8806364b41-49,b4990d8806364b41,open,exfiltration,1,9.847,0.000000747,unusual amount of data moved,\
                10.60.40.23,192.175.48.13 192.175.48.14,tcp/443,10.60.40.23,60832,192.175.48.13,443,TCP,tls,1:UgxNMXpNzm5tEd6z9+3OCiuYQzI=,\
                2026-06-03T11:43:15.343858+0000,2026-06-03T11:43:17.396924+0000,2,T1041,TA0010,\"sent 602 kB, name=a|b\\c; usual is up to 1.2 kB; \
                never heard of \"\"192.175.48.13\"\"\",Was this transfer started by a person? What data does the source hold?,sha256:f420,";
    assert_eq!(written(Format::Csv, &alert()), want);
    assert_eq!(read_csv(want).len(), head.split(',').count());
}

#[test]
fn text_says_what_matters_first() {
    let want = "2026-06-03 11:43:29 HIGH      9.8 bits  unusual amount of data moved: 10.60.40.23 <> 192.175.48.13 and 1 more tcp/443, 2 flows [open b4990d8806364b41]\n\
                \x20                                      sent 602 kB, name=a|b\\c; usual is up to 1.2 kB\n\
                \x20                                      never heard of \"192.175.48.13\"\n\
                \x20                                      ? Was this transfer started by a person?\n\
                \x20                                      ? What data does the source hold?";
    assert_eq!(written(Format::Text, &alert()), want);
    assert!(!written(Format::Text, &ping6()).contains('\n'), "what is over is told in one line");
    let line = alert().to_string();
    let coloured = Formatter::new(Format::Text, "s").coloured(true).message(&line).unwrap().unwrap().text;
    assert_eq!(coloured.replace("\x1b[1;31m", "").replace("\x1b[0m", ""), want);
    let alone = Formatter::new(Format::Text, "s").alone().message(&line).unwrap().unwrap().text;
    assert!(!alone.contains('\n') && alone.contains("; ? Was this"), "{alone}");
}

/// Fields of the header and pairs of the extension, read as ArcSight's guide says.
fn read_cef(line: &str) -> (Vec<String>, Vec<(String, String)>) {
    let (mut header, mut field, mut letters) = (Vec::new(), String::new(), line.char_indices());
    let mut rest = "";
    while let Some((place, c)) = letters.next() {
        match c {
            '\\' => field.push(letters.next().unwrap().1),
            '|' => header.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
        if header.len() == 7 {
            rest = &line[place + 1..];
            break;
        }
    }
    // A value goes on to the space before the next key; an `=` that is no part of a value follows a key directly.
    let is_equals = |place: usize| rest[..place].bytes().rev().take_while(|&byte| byte == b'\\').count() % 2 == 0;
    let equals: Vec<usize> = rest.match_indices('=').map(|(place, _)| place).filter(|&place| is_equals(place)).collect();
    let starts: Vec<usize> = equals.iter().map(|&place| rest[..place].rfind(' ').map_or(0, |space| space + 1)).collect();
    let pairs = equals.iter().enumerate().map(|(number, &place)| {
        let end = starts.get(number + 1).map_or(rest.len(), |start| start - 1);
        let (mut value, mut letters) = (String::new(), rest[place + 1..end].chars());
        while let Some(c) = letters.next() {
            value.push(match c {
                '\\' => match letters.next().unwrap() {
                    'n' => '\n',
                    'r' => '\r',
                    c => c,
                },
                c => c,
            });
        }
        (rest[starts[number]..place].to_owned(), value)
    });
    (header, pairs.collect())
}

fn read_csv(row: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = row.chars().peekable();
    while let Some(c) = letters.next() {
        match c {
            '"' if quoted && letters.peek() == Some(&'"') => cell.push(letters.next().unwrap()),
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    cells.push(cell);
    cells
}

fn read_zeek(cell: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = cell.as_bytes();
    while let Some(&byte) = rest.first() {
        if byte == b'\\' && rest.get(1) == Some(&b'x') {
            bytes.push(u8::from_str_radix(std::str::from_utf8(&rest[2..4]).unwrap(), 16).unwrap());
            rest = &rest[4..];
        } else {
            bytes.push(byte);
            rest = &rest[1..];
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn with_texts(signature: &str, reason: &str) -> Value {
    let mut alert = alert();
    alert["alert"]["signature"] = json!(format!("auscult: {signature}"));
    alert["auscult"]["why"][0]["text"] = json!(reason);
    alert["auscult"]["why"][1]["text"] = json!(reason);
    alert
}

/// Texts rich in what formats escape.
fn text() -> impl Strategy<Value = String> {
    let odd = proptest::sample::select(vec![
        "|", "\\", "=", "\n", "\r", "\t", "\"", ",", " ", "-", "(empty)", "#", "]", "\x1b[31m", "\u{202e}", "é", "n", "\\n",
        "a=b", "\0",
    ]);
    proptest::collection::vec(prop_oneof![2 => odd.prop_map(str::to_owned), 1 => "[ -~]{0,6}"], 0..12)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn cef_is_read_back_whatever_names_hold(signature in text(), reason in text()) {
        let line = written(Format::Cef, &with_texts(&signature, &reason));
        prop_assert!(!line.chars().any(char::is_control), "{:?}", line);
        let (header, pairs) = read_cef(&line);
        let plain = |text: &str| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
        prop_assert_eq!(&header[..], ["CEF:0", "auscult", "auscult", VERSION, "7", &plain(&signature), "8"]);
        let value = |key: &str| pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone()).unwrap();
        let lines = |text: &str| text.chars().map(|c| if c.is_control() && !matches!(c, '\n' | '\r') { ' ' } else { c }).collect::<String>();
        prop_assert_eq!(value("msg"), lines(&reason));
        prop_assert_eq!(value("cs2"), lines(&format!("{reason}; {reason}")));
        prop_assert_eq!(value("cs6"), "b4990d8806364b41");
    }

    #[test]
    fn csv_and_zeek_are_read_back_whatever_names_hold(reason in text()) {
        let alert = with_texts("t", &reason);
        let cells = read_csv(&written(Format::Csv, &alert));
        prop_assert_eq!((cells.len(), &cells[24]), (28, &format!("{reason}; {reason}")));
        let row = written(Format::Zeek, &alert);
        let cells: Vec<&str> = row.split('\t').collect();
        prop_assert!(!row.contains('\n') && cells.len() == 23, "{:?}", row);
        prop_assert_eq!(read_zeek(cells[8]), format!("t: {reason}"));
        match cells[9] {
            "(empty)" => prop_assert_eq!(&reason, ""),
            cell => prop_assert_eq!(read_zeek(cell), reason),
        }
        prop_assert!(cells[9] != "-", "a text that is there is not unset");
    }

    #[test]
    fn no_name_commands_a_terminal_or_begins_a_line_of_its_own(signature in text(), reason in text()) {
        let page = written(Format::Text, &with_texts(&signature, &reason));
        prop_assert!(!page.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{:?}", page);
        prop_assert_eq!(page.lines().count(), 5);
        prop_assert!(page.lines().skip(1).all(|line| line.starts_with("          ")), "{}", page);
    }

    #[test]
    fn every_format_of_a_message_that_stands_alone_is_one_line(signature in text(), reason in text()) {
        let line = with_texts(&signature, &reason).to_string();
        for format in [Format::Eve, Format::StrictEve, Format::Cef, Format::Ocsf, Format::Ecs, Format::Asim, Format::Zeek, Format::Text] {
            let text = Formatter::new(format, "s").alone().message(&line).unwrap().unwrap().text;
            prop_assert!(!text.contains(['\n', '\r']), "{:?}: {:?}", format, text);
        }
    }
}

#[test]
fn the_file_with_the_packets_is_named_where_a_format_has_a_place_for_it() {
    let mut alert = alert();
    let name = "20260603T114315Z-b4990d8806364b41.pcapng";
    alert["auscult"]["evidence"] = json!(name);
    let event = |format| as_json(format, &alert);
    assert_eq!(event(Format::Eve)["auscult"]["evidence"], name);
    let strict = event(Format::StrictEve);
    assert_eq!((&strict["alert"]["metadata"]["auscult_evidence"], &strict["auscult"]), (&json!([name]), &Value::Null));
    assert_eq!(event(Format::Ocsf)["evidences"][0]["file"], json!({"name": name, "type_id": 1, "type": "Regular File"}));
    assert_eq!(event(Format::Ecs)["auscult"]["evidence"], name);
    assert_eq!(event(Format::Asim)["AdditionalFields"]["Evidence"], name);
    assert_eq!(event(Format::ZeekJson)["evidence"], name);
    assert!(written(Format::Zeek, &alert).ends_with(&format!("\t{name}")));
    assert!(written(Format::Csv, &alert).ends_with(&format!(",{name}")));
    assert!(written(Format::Cef, &alert).contains(&format!(" fname={name} ")));
    assert!(written(Format::Text, &alert).contains(&format!("packets in {name}")));
}
