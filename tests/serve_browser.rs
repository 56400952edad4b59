//! The live page in a browser: by itself, by keys, with answers, and with as many incidents as there may be.

#![cfg(all(unix, feature = "http"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod serve_support;

#[path = "serve_support/browser.rs"]
mod browser;

use auscult::detect::IncidentState::{Closed, Open};
use auscult::serve::ServeOptions;
use browser::Browser;
use serde_json::json;
use serve_support::{Live, notice};

/// Notes in the page how long the script, or drawing, kept it from answering.
const WATCH_LONG_TASKS: &str = "window.longest = 0; new PerformanceObserver((list) => { for (const task of list.getEntries()) \
    window.longest = Math.max(window.longest, task.duration); }).observe({ type: 'longtask', buffered: true });";

/// Scrolls the list to its end step by step, and gives the longest time between two frames in ms.
const SCROLL: &str = "(async () => { const list = document.getElementById('list'); let longest = 0, before = 0; \
    const frame = () => new Promise(requestAnimationFrame); before = await frame(); \
    for (let still = 0; still < 10; ) { const at = list.scrollTop; list.scrollTop += 4000; const now = await frame(); \
    longest = Math.max(longest, now - before); before = now; still = list.scrollTop === at ? still + 1 : 0; } return longest; })()";

#[test]
fn a_page_with_ten_thousand_incidents_lives_and_is_used_by_keys() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut browser) = Browser::start(folder.path(), (1280, 900)) else {
        println!("skipped: chromium is missing: the live page is shown in no browser");
        return;
    };
    let mut live = Live::start(ServeOptions::default(), true);
    live.tell((0..9990).map(|n| notice(n, Closed, "<img src=x onerror=document.title='broken'>")));
    live.until("/api/v1/incidents?limit=1", |reply| reply.json()["kept"] == 9990);
    browser.call("Page.addScriptToEvaluateOnNewDocument", json!({"source": WATCH_LONG_TASKS}));
    let url = format!("http://{}/", live.address());
    browser.call("Page.navigate", json!({"url": url}));
    browser.until("document.getElementById('connection')?.textContent === 'live'");
    browser.until("document.getElementById('count').textContent === '9,990 of 9,990 incidents'");
    let loaded = browser.value("performance.now()");
    let longest_loading = browser.value("window.longest").as_f64().unwrap();

    // Without reload, at the top, announced.
    live.tell([notice(9990, Open, "x")]);
    browser.until("document.querySelector('.row .r-tags').textContent.includes('open')");
    browser.until("document.getElementById('live').textContent.startsWith('New incident')");

    // By keys: down, up, open, back to where one was. What comes meanwhile moves nobody.
    ["j", "j", "j", "k"].into_iter().for_each(|key| browser.key(key));
    let place = "document.activeElement.closest('.row')?.getAttribute('aria-posinset')";
    assert_eq!(browser.value(place), "2");
    live.tell([notice(9991, Open, "x")]);
    browser.until("!document.getElementById('newer').hidden");
    assert_eq!(browser.value(place), "2");
    browser.key("Enter");
    browser.until("document.getElementById('detail').open && !!document.querySelector('#article article')");
    assert_eq!(browser.value("document.querySelector('#article img')"), json!(null));

    // Answered there.
    browser.value("document.querySelector('input[value=mute]').click(); document.getElementById('reason').value = 'a test'; document.querySelector('#answer button').click()");
    browser.until("document.getElementById('answer-said').textContent.startsWith('Answer 0 is written')");
    browser.until("document.getElementById('story').textContent.includes('a test')");
    browser.key("Escape");
    browser.until("!document.getElementById('detail').open");
    assert_eq!(browser.value(place), "2");
    browser.until("document.activeElement.textContent.includes('mute by http')");
    browser.key("n");
    browser.until("document.getElementById('newer').hidden");
    browser.key("?");
    assert_eq!(browser.value("document.getElementById('keys').open"), true);
    browser.key("Escape");

    // Search over all of them.
    browser.key("/");
    browser.call("Input.insertText", json!({"text": "10.0.19.120"}));
    browser.until("document.querySelectorAll('.row').length === 2");
    browser.value(
        "document.getElementById('f-text').value = ''; document.getElementById('filters').dispatchEvent(new Event('input'))",
    );
    browser.until("document.querySelectorAll('.row').length === 100");
    browser.value("window.longest = 0");
    let longest_frame = browser.value(SCROLL).as_f64().unwrap();
    assert_eq!(browser.value("document.querySelectorAll('.row').length"), 9992, "all of them are in the list");
    let longest_scrolling = browser.value("window.longest").as_f64().unwrap();
    println!(
        "9,990 incidents loaded after {loaded} ms, longest task {longest_loading} ms; scrolled to the end: longest frame {longest_frame:.0} ms, longest task {longest_scrolling} ms"
    );
    // Slack for a machine that does other things.
    assert!(longest_loading < 3000.0 && longest_scrolling < 3000.0);
    browser.until("!!document.querySelector('#parts #words')");
    assert_eq!(browser.value("document.title"), "Test");
    assert_eq!(browser.value("document.documentElement.scrollWidth <= innerWidth"), true);
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}
