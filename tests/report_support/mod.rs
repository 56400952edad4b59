//! Reading a page as a browser would, as far as the tests need it.

#![allow(dead_code, reason = "each test program uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::collections::BTreeMap;

/// A tag with its attributes; of an end tag the name begins with `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    pub name: String,
    pub attributes: BTreeMap<String, String>,
}

impl Tag {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

/// All tags of a page and its text, by the rules of HTML for text, tags and quoted attributes. Panics at anything that an honest
/// page has not: a comment, an attribute without quotes or twice, a stray `<`.
pub fn read(page: &str) -> (Vec<Tag>, String) {
    let (mut tags, mut text) = (Vec::new(), String::new());
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        text.push_str(&rest[..at]);
        text.push(' ');
        rest = &rest[at + 1..];
        let (tag, after) = tag(rest);
        rest = after;
        if tag.name == "style" {
            rest = &rest[rest.find("</style>").expect("a style ends")..];
        }
        tags.push(tag);
    }
    text.push_str(rest);
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
    (tags, text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn tag(text: &str) -> (Tag, &str) {
    let end = text.find([' ', '>']).expect("a tag ends");
    let name = &text[..end];
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    assert!(name == "!DOCTYPE" || is_name(name.trim_start_matches('/')), "no name of a tag: {:?}", &text[..text.len().min(80)]);
    let mut attributes = BTreeMap::new();
    let mut rest = &text[end..];
    loop {
        rest = rest.trim_start_matches(' ');
        if let Some(after) = rest.strip_prefix('>') {
            return (Tag { name: name.to_owned(), attributes }, after);
        }
        let end = rest.find(['=', '>', ' ']).expect("an attribute ends");
        let key = &rest[..end];
        assert!(is_name(key), "no name of an attribute: {key:?}");
        rest = &rest[end..];
        let mut value = String::new();
        if let Some(after) = rest.strip_prefix("=\"") {
            let end = after.find('"').expect("a value ends");
            value = after[..end].to_owned();
            rest = &after[end + 1..];
        } else {
            assert!(name == "!DOCTYPE", "an attribute without quotes: {key:?} of {name:?}");
        }
        assert!(attributes.insert(key.to_owned(), value).is_none(), "twice the attribute {key:?} of {name:?}");
    }
}

/// What cannot depend on any text from outside: the tags and the names of their attributes.
pub fn skeleton(page: &str) -> Vec<String> {
    let (tags, _) = read(page);
    let line = |tag: &Tag| format!("{} {}", tag.name, tag.attributes.keys().map(String::as_str).collect::<Vec<_>>().join(" "));
    tags.iter().map(line).collect()
}

/// An alert line with these texts wherever a text from outside can stand.
pub fn alert(number: u64, bits: f64, words: &str) -> String {
    let event = serde_json::json!({
        "timestamp": "2026-06-03T09:08:12.225184+0000", "event_type": "alert", "src_ip": "10.0.0.1", "dest_ip": "10.0.0.2",
        "proto": "TCP", "app_proto": "tls", "dest_port": 443,
        "alert": {"signature": format!("auscult: {words}"), "severity": number % 3 + 1},
        "auscult": {
            "incident": {
                "id": format!("{number:016x}"), "class": words, "state": words,
                "hosts": [format!("10.0.{}.{}", number / 250 % 250, number % 250)], "peers": ["10.9.0.2", "10.9.0.3"],
                "services": [words], "first": "2026-06-03T09:08:01.284915+0000", "last": "2026-06-03T09:09:01.688367+0000", "flows": 503,
            },
            "bits": bits, "p_value": 4.79e-15,
            "why": [
                {"feature": words, "observed": 512.0, "usual": {"low": 0.0, "high": 3.364, "of": words}, "unit": words, "bits": 21.6, "text": words},
                {"feature": words, "observed": 1.0, "usual": {"low": null, "high": null, "of": words}, "unit": words, "bits": 3, "text": words},
            ],
            "check": [words], "attack": [{"technique": words, "tactic": words}],
            "model": {"digest": words, "trained_until": words},
        }
    });
    event.to_string()
}

/// A flow event with these words.
pub fn flow(second: u32, bits: f64, words: &str) -> String {
    let time = format!("2026-06-03T09:{:02}:{:02}.000000+0000", second / 60 % 60, second % 60);
    let event = serde_json::json!({
        "timestamp": time, "event_type": "flow", "src_ip": "10.0.0.1", "dest_ip": "10.9.0.2", "proto": words, "app_proto": words,
        "dest_port": 443,
        "flow": {"pkts_toserver": 2, "pkts_toclient": 1, "bytes_toserver": 200, "bytes_toclient": 100, "start": time, "end": time},
        "auscult": {"bits": bits, "behaviour": words, "orig": {"missing_bytes": 10}, "resp": {}},
    });
    event.to_string()
}

/// An inventory with these words.
pub fn inventory(words: &str) -> String {
    let device = |last: u8, words: &str| {
        serde_json::json!({
            "id": words, "mac": words, "vendor": words, "addresses": [{"ip": format!("10.0.0.{last}"), "claimed": true}],
            "names": [{"name": words, "source": "dns"}], "roles": [{"role": words, "evidence": words}],
            "serves": [{"service": words, "app": words}], "uses": [{"service": words}], "ae_titles": [{"title": words}],
            "hl7_applications": [{"name": words}], "software": [{"what": "os", "text": words}], "vlans": [7], "last": words,
            "bytes_sent": 5, "bytes_received": 6,
        })
    };
    serde_json::json!({"version": 1, "devices": [device(1, words), device(0, words)]}).to_string()
}
