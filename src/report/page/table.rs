//! Tables that can be read on a phone: there each row becomes a block of named values.

use maud::{Markup, html};

/// A cell: what it shows, and whether it is a number.
pub type Cell = (Markup, bool);

/// A table with its caption. The first cell of a row names it.
pub fn table(caption: &str, heads: &[&str], rows: &[Vec<Cell>]) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="region" aria-label=(caption) {
            table class="stack" {
                caption { (caption) }
                thead {
                    tr {
                        @for (place, head) in heads.iter().enumerate() {
                            @let is_number = rows.first().and_then(|row| row.get(place)).is_some_and(|cell| cell.1);
                            th scope="col" class=[is_number.then_some("number")] { (head) }
                        }
                    }
                }
                tbody {
                    @for row in rows {
                        tr {
                            @for (place, (content, is_number)) in row.iter().enumerate() {
                                @let head = heads.get(place).copied().unwrap_or_default();
                                @if place == 0 {
                                    th scope="row" { (content) }
                                } @else {
                                    td data-label=(head) class=[is_number.then_some("number")] { div { (content) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A cell of text.
pub fn text(text: impl maud::Render) -> Cell {
    (html! { (text) }, false)
}

/// A cell of a number.
pub fn figure(text: impl maud::Render) -> Cell {
    (html! { (text) }, true)
}
