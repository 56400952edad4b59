//! The page: what does not change is written here, what does comes by its script.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::detect::Class;
use crate::report::text::Shown;
use crate::report::{Report, STYLE, parts as sections};

/// Makes the page live.
pub(super) const SCRIPT: &str = include_str!("live.js");
const LIVE_STYLE: &str = include_str!("live.css");

/// What a page may do.
pub(super) struct Offer {
    /// What it shows with every change.
    pub form_token: String,
    /// Can answers be given?
    pub can_answer: bool,
    /// Is there a session to end?
    pub can_leave: bool,
}

/// The report's style and what a live page has besides.
pub(super) fn style() -> String {
    format!("{STYLE}{LIVE_STYLE}")
}

fn head(title: &str, more: Markup) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) }
            link rel="icon" href="data:,";
            link rel="stylesheet" href="/live.css";
            (more)
        }
    }
}

/// The page before anything has come.
pub(super) fn shell(title: &Shown, offer: &Offer) -> String {
    let more = html! {
        meta name="auscult-token" content=(offer.form_token);
        meta name="auscult-answers" content=(if offer.can_answer { "yes" } else { "no" });
        script src="/live.js" defer {}
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(title.as_str(), more))
            body class="live" {
                a class="skip" href="#incidents" { "To the incidents" }
                header class="masthead" {
                    p class="brand" { "auscult" }
                    h1 { (title) }
                    p id="state" class="state" { span class="tag" id="connection" { "connecting" } " " span id="state-text" {} }
                    dl class="figures" id="figures" {}
                    noscript { p class="warning" { "The list of incidents needs its script. " a href="/report.html" { "The report" } " needs none." } }
                }
                div class="columns" {
                    nav class="contents" aria-label="Contents" {
                        ol id="contents" { li { a href="#incidents" { "Incidents" } } }
                        p class="tools" {
                            a href="/report.html" download="" { "Save as a report" } br;
                            button type="button" id="show-keys" { "Keys " kbd { "?" } }
                            @if offer.can_leave { form method="post" action="/logout" { button type="submit" { "Log out" } } }
                        }
                    }
                    main {
                        section class="part" id="incidents" aria-labelledby="incidents-heading" {
                            h2 id="incidents-heading" { "Incidents" }
                            (filters())
                            p id="count" class="muted" role="status" {}
                            button type="button" id="newer" hidden {}
                            div id="list" class="list" role="list" aria-label="Incidents, newest first" {}
                            button type="button" id="more" hidden { "Show more" }
                        }
                        div id="parts" { p class="muted" { "The overview is being made." } }
                        @if offer.can_answer {
                            section class="part" id="answers" aria-labelledby="answers-heading" {
                                h2 id="answers-heading" { "Answers" }
                                ol id="answer-list" class="answers" {}
                            }
                        }
                    }
                }
                (detail(offer.can_answer))
                (keys())
                p id="live" class="unseen" role="status" aria-live="polite" {}
                footer { p { "auscult " (env!("CARGO_PKG_VERSION")) ". All times are UTC, taken from the traffic." } }
            }
        }
    };
    page.into_string()
}

fn filters() -> Markup {
    html! {
        form id="filters" class="filters" role="search" {
            label { "Search" input id="f-text" type="search" autocomplete="off" spellcheck="false" placeholder="address, name, words"; }
            label {
                "State"
                select id="f-state" {
                    option value="told" { "all told" } option value="open" { "open" } option value="closed" { "closed" }
                    option value="waiting" { "without answer" } option value="hidden" { "hidden by answers" }
                }
            }
            label {
                "Severity"
                select id="f-severity" {
                    option value="" { "any" } option value="1" { "high" } option value="2" { "medium" } option value="3" { "low" }
                }
            }
            label {
                "Kind"
                select id="f-class" {
                    option value="" { "any" }
                    @for class in Class::ALL { option value=(class.info().name) { (class.info().title) } }
                }
            }
        }
    }
}

/// One incident, over the list.
fn detail(can_answer: bool) -> Markup {
    html! {
        dialog id="detail" aria-labelledby="detail-heading" {
            header class="dialog-head" {
                h2 id="detail-heading" tabindex="-1" { "Incident" }
                button type="button" id="detail-close" { "Close " kbd { "Esc" } }
            }
            div id="article" {}
            div id="story" {}
            @if can_answer {
                form id="answer" class="answer" {
                    h3 { "Answer" }
                    fieldset {
                        legend { "What is it?" }
                        label { input type="radio" name="answer" value="close" checked; " Dealt with: tell no more of this incident" }
                        label { input type="radio" name="answer" value="learn"; " Normal for this device from now on" }
                        label { input type="radio" name="answer" value="mute"; " Do not tell of this kind and device for a time" }
                    }
                    div class="choices" data-for="learn" {
                        label { input type="checkbox" id="any-peer"; " with any other end" }
                        label { input type="checkbox" id="any-service"; " on any service" }
                    }
                    div class="choices" data-for="mute" {
                        label {
                            "for "
                            select id="mute-for" {
                                option value="1h" { "an hour" } option value="1d" selected { "a day" } option value="7d" { "a week" } option value="30d" { "30 days" }
                            }
                        }
                        label { input type="checkbox" id="same-peers"; " only with the same other ends" }
                    }
                    label class="reason" { "Why (it is written down)" input id="reason" required maxlength="500" autocomplete="off"; }
                    p { button type="submit" { "Answer" } " " span id="answer-said" role="status" {} }
                }
            } @else {
                p class="muted" { "Answers can be given here when the program runs with " code { "--answers FILE" } "." }
            }
        }
    }
}

fn keys() -> Markup {
    let keys = [
        ("j", "next incident"),
        ("k", "incident before"),
        ("Enter", "open it"),
        ("Esc", "close the window; leave a field"),
        ("/", "search"),
        ("n", "show what is new"),
        ("g", "to the first incident"),
        ("?", "these keys"),
    ];
    html! {
        dialog id="keys" aria-labelledby="keys-heading" {
            h2 id="keys-heading" { "Keys" }
            dl class="keys" { @for (key, what) in keys { div { dt { kbd { (key) } } dd { (what) } } } }
            form method="dialog" { button { "Close" } }
        }
    }
}

/// The sections of the report that a live page shows below its incidents; while it is still learned, those that say nothing of judging.
pub(super) fn parts(report: &Report, is_judging: bool) -> String {
    // Its list of incidents is the live one; what an auditor needs is in the report that can be saved.
    let shown = |id: &str| !matches!(id, "incidents" | "audit") && (is_judging || !matches!(id, "words" | "model"));
    html! {
        @for part in sections(report).into_iter().filter(|part| shown(part.id)) {
            section class="part" id=(part.id) aria-labelledby={ (part.id) "-heading" } {
                h2 id={ (part.id) "-heading" } { (part.heading) }
                (PreEscaped(part.html))
            }
        }
    }
    .into_string()
}

/// Where a browser shows its token.
pub(super) fn login(was_wrong: bool) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head("auscult", html! {}))
            body class="live" {
                main class="login" {
                    h1 { "auscult" }
                    @if was_wrong { p class="warning" role="alert" { "That is none of the tokens." } }
                    form method="post" action="/login" {
                        label { "Token" input name="token" type="password" autocomplete="current-password" required autofocus; }
                        button type="submit" { "Log in" }
                    }
                }
            }
        }
    };
    page.into_string()
}
