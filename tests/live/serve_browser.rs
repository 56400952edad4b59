//! The live page in a browser: by itself, by keys, with answers, and with as many incidents as there may be.

#![cfg(all(unix, feature = "http"))]

use auscult::detect::IncidentState::{Closed, Open};
use auscult::serve::ServeOptions;
use serde_json::json;

use crate::browser::Browser;
use crate::serve_support::{Live, notice};

/// Notes in the page how long the script, or drawing, kept it from answering.
const WATCH_LONG_TASKS: &str = "window.longest = 0; new PerformanceObserver((list) => { for (const task of list.getEntries()) \
    window.longest = Math.max(window.longest, task.duration); }).observe({ type: 'longtask', buffered: true });";

/// Scrolls through the list for some seconds, and tells frames, the middle and the longest time between two in ms, and rows drawn.
const SCROLL: &str = "(async () => { const list = document.getElementById('list'), times = []; \
    const frame = () => new Promise(requestAnimationFrame); const start = await frame(); let before = start; \
    while (before - start < 2000) { list.scrollTop = list.scrollTop + list.clientHeight + 1 >= list.scrollHeight ? 0 : list.scrollTop + 400; \
    const now = await frame(); times.push(now - before); before = now; } times.sort((a, b) => a - b); \
    return [times.length, times[times.length >> 1], times[times.length - 1], list.querySelectorAll('.row').length]; })()";

/// Draws all rows that there are, and tells how long it took in ms.
const DRAW_ALL: &str = "(() => { const more = document.getElementById('more'), start = performance.now(); \
    while (!more.hidden) more.click(); return performance.now() - start; })()";

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
    browser.until("document.activeElement.textContent.includes('muted by http')");
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
    let at_first = browser.value(SCROLL);
    let drawn_within = browser.value(DRAW_ALL).as_f64().unwrap();
    assert_eq!(browser.value("document.querySelectorAll('.row').length"), 9992, "all of them can be in the list");
    let with_all = browser.value(SCROLL);
    println!(
        "9,990 incidents loaded after {loaded} ms, longest task {longest_loading} ms; all rows drawn in {drawn_within} ms; scrolling, frames, \
         middle and longest in ms, rows: {at_first}, with all rows {with_all}"
    );
    // Slack for a machine that does other things.
    let middle = |scrolled: &serde_json::Value| scrolled[1].as_f64().unwrap();
    assert!(longest_loading < 3000.0 && drawn_within < 10_000.0 && middle(&at_first) < 200.0 && middle(&with_all) < 500.0);
    browser.until("!!document.querySelector('#parts #words')");
    assert_eq!(browser.value("document.title"), "Test");
    assert_eq!(browser.value("document.documentElement.scrollWidth <= innerWidth"), true);
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}
