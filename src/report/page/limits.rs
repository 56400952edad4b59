//! What could not be seen.

use maud::{Markup, html};

use super::Page;
use crate::report::account::Account;
use crate::report::text::{counted, grouped};

/// All of it.
pub fn section(page: &Page<'_>) -> Markup {
    let gather = &page.report.gather;
    html! {
        ul {
            @if let Some(account) = &page.report.account { (of_account(account)) } @else {
                li { "What was lost or passed over before it could be judged is not known here: give " code { "--stats FILE" } ", or name captures." }
            }
            @if gather.talks.others > 0 {
                li { (counted(gather.talks.others, "flow record")) " of pairs of devices beyond the first 100,000 are in the sums alone." }
            }
            @if gather.unusual.others > 0 {
                li { (counted(gather.unusual.others, "unusual flow")) " beyond the first 20,000 groups are in the sums alone." }
            }
            li { "What is encrypted is judged by its shape: who, whom, when, how much. No content is looked into." }
            li { "Traffic that does not pass the mirror port, or stays within one device, leaves no trace here." }
            li { "Unusual is not harmful, and harmful is not always unusual: an attack that looks like ordinary work is missed." }
        }
    }
}

fn of_account(account: &Account) -> Markup {
    let noun = if account.of_records { "line" } else { "frame" };
    html! {
        @if account.dropped > 0 { li { b { (counted(account.dropped, noun)) " were lost" } " before they could be read." } }
        @if account.cut > 0 {
            li {
                (counted(account.cut, "frame")) " of " (grouped(account.read)) " were cut by the capture's snap length: what their applications said of "
                "themselves may be missing."
            }
        }
        @for (reason, count) in &account.skipped {
            li { (counted(*count, noun)) " passed over: " (reason.as_str().replace('_', " ")) "." }
        }
        @for (link, count) in &account.link_types { li { (counted(*count, "frame")) " of link type " (link) ", which is not read." } }
        @if account.bad_checksums > 0 { li { (counted(account.bad_checksums, "packet")) " had a wrong checksum." } }
        @if !account.model_fits {
            li { b { "The model does not fit this network." } " Much of what is new to it was held back; train a model of this network." }
        }
    }
}
