//! The parts that all sections use: marks, tables, objects.

use maud::{Markup, html};
use p1_contract::blocker::Severity;

use crate::model::{Bytes, Object, Outcome};
use crate::text::Text;

/// A sign whose shape gives its meaning. The colour only repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// A tick in a disc.
    Pass,
    /// Two bars in a square.
    Held,
    /// A cross in an octagon.
    NoGo,
    /// A hollow ring.
    NotReached,
    /// An arrow in a ring.
    Carried,
    /// An exclamation mark in a triangle.
    Alarm,
    /// A question mark in a diamond.
    Unknown,
}

impl Mark {
    /// The class that gives it its colour.
    pub(super) fn class(self) -> &'static str {
        match self {
            Mark::Pass => "is-pass",
            Mark::Held => "is-held",
            Mark::NoGo => "is-no-go",
            Mark::NotReached => "is-idle",
            Mark::Carried => "is-carried",
            Mark::Alarm => "is-alarm",
            Mark::Unknown => "is-unknown",
        }
    }

    /// Its outline and its sign, in a box of 16 by 16.
    fn paths(self) -> (&'static str, &'static str) {
        match self {
            Mark::Pass => ("M8 .5a7.5 7.5 0 1 1 0 15a7.5 7.5 0 0 1 0-15z", "M4.6 8.3l2.4 2.4l4.5-5"),
            Mark::Held => (
                "M2.5 1h11a1.5 1.5 0 0 1 1.5 1.5v11a1.5 1.5 0 0 1-1.5 1.5h-11a1.5 1.5 0 0 1-1.5-1.5v-11a1.5 1.5 0 0 1 1.5-1.5z",
                "M6 4.8v6.4M10 4.8v6.4",
            ),
            Mark::NoGo => (
                "M5 .6h6l4.4 4.4v6l-4.4 4.4h-6l-4.4-4.4v-6z",
                "M5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2",
            ),
            Mark::NotReached => ("M8 1.5a6.5 6.5 0 1 1 0 13a6.5 6.5 0 0 1 0-13z", "M5.2 8h5.6"),
            Mark::Carried => (
                "M8 1.5a6.5 6.5 0 1 1 0 13a6.5 6.5 0 0 1 0-13z",
                "M4.6 8h6.2M8.4 5.4l2.6 2.6l-2.6 2.6",
            ),
            Mark::Alarm => ("M8 .8l7.4 13.6h-14.8z", "M8 5.6v4M8 11.7v.6"),
            Mark::Unknown => (
                "M8 .4l7.6 7.6l-7.6 7.6l-7.6-7.6z",
                "M6.2 6.3c.1-2.6 3.7-2.4 3.6-.1c0 1.4-1.8 1.4-1.8 2.9M8 11.2v.5",
            ),
        }
    }

    /// The mark as a picture of `size` pixels at (`x`, `y`) of a drawing.
    pub(super) fn drawn(self, x: i32, y: i32, size: i32) -> Markup {
        let (outline, sign) = self.paths();
        html! {
            svg class={ "mark " (self.class()) } x=(x) y=(y) width=(size) height=(size) viewBox="0 0 16 16" {
                path.outline d=(outline) {}
                path.sign d=(sign) {}
            }
        }
    }

    /// The mark in running text. A word always stands beside it, so screen readers skip it.
    pub(super) fn inline(self) -> Markup {
        let (outline, sign) = self.paths();
        html! {
            svg class={ "mark " (self.class()) } width="16" height="16" viewBox="0 0 16 16" aria-hidden="true" focusable="false" {
                path.outline d=(outline) {}
                path.sign d=(sign) {}
            }
        }
    }

    /// The mark with a word.
    pub(super) fn with(self, word: &str) -> Markup {
        html! { span class={ "tag " (self.class()) } { (self.inline()) span { (word) } } }
    }
}

/// The mark of an outcome.
pub(super) fn mark(outcome: Outcome) -> Mark {
    match outcome {
        Outcome::Pass => Mark::Pass,
        Outcome::Held(Severity::S1) => Mark::NoGo,
        Outcome::Held(Severity::S2) => Mark::Held,
        Outcome::Carried(_) => Mark::Carried,
        Outcome::NotReached => Mark::NotReached,
        Outcome::Unreadable | Outcome::Changed => Mark::Alarm,
        Outcome::Missing => Mark::Unknown,
    }
}

/// The word of an outcome.
pub(super) fn outcome(outcome: Outcome) -> String {
    match outcome {
        Outcome::Pass => "pass".to_owned(),
        Outcome::Held(Severity::S1) => "no-go".to_owned(),
        Outcome::Held(Severity::S2) => "held".to_owned(),
        Outcome::Carried(Some(number)) => format!("from execution {number}"),
        Outcome::Carried(None) => "from elsewhere".to_owned(),
        Outcome::NotReached => "not reached".to_owned(),
        Outcome::Unreadable => "unreadable".to_owned(),
        Outcome::Changed => "changed".to_owned(),
        Outcome::Missing => "missing".to_owned(),
    }
}

/// A mark and a word for a check.
pub(super) fn met(pass: bool) -> Markup {
    if pass {
        Mark::Pass.with("met")
    } else {
        Mark::Held.with("not met")
    }
}

/// A mark and a word for the state of an object's bytes.
pub(super) fn bytes(state: Bytes) -> Markup {
    match state {
        Bytes::Same => Mark::Pass.with("bytes match"),
        Bytes::Other => Mark::Alarm.with("other bytes"),
        Bytes::Missing => Mark::Unknown.with("not there"),
        Bytes::Elsewhere => Mark::NotReached.with("in another bucket"),
        Bytes::Unnamed => html! {},
    }
}

/// A number with separated thousands.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// Returns `1 object`, `2 objects`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number as u64), if number == 1 { one } else { many })
}

/// A value in the fixed-width font. It can break anywhere, so that it is never cut off.
pub(super) fn value(text: &Text) -> Markup {
    html! { code.value { (text) } }
}

/// A cell of a table.
pub(super) struct Cell {
    content: Markup,
    /// Whether this cell is the heading of its row.
    names: bool,
}

impl Cell {
    /// The cell that is the heading of its row.
    pub(super) fn head(content: impl maud::Render) -> Self {
        Cell {
            content: content.render(),
            names: true,
        }
    }
}

impl<T: maud::Render> From<T> for Cell {
    fn from(content: T) -> Self {
        Cell {
            content: content.render(),
            names: false,
        }
    }
}

/// The largest number of rows in one table.
const ROWS: usize = 400;

/// A table. On a narrow page its rows become blocks. ARIA roles keep its meaning as a table, and each cell carries the name of
/// its column.
pub(super) fn table(caption: &str, columns: &[&str], rows: impl IntoIterator<Item = Vec<Cell>>) -> Markup {
    let rows: Vec<Vec<Cell>> = rows.into_iter().collect();
    let more = rows.len().saturating_sub(ROWS);
    html! {
        table role="table" {
            caption { (caption) }
            thead role="rowgroup" {
                tr role="row" { @for column in columns { th scope="col" role="columnheader" { (column) } } }
            }
            tbody role="rowgroup" {
                @for row in rows.into_iter().take(ROWS) {
                    tr role="row" {
                        @for (cell, column) in row.into_iter().zip(columns) {
                            @if cell.names {
                                th scope="row" role="rowheader" data-column=(column) { (cell.content) }
                            } @else {
                                td role="cell" data-column=(column) { div { (cell.content) } }
                            }
                        }
                    }
                }
            }
        }
        @if more > 0 { p.more { (count(more, "more row is", "more rows are")) " not shown." } }
    }
}

/// A section of the page, with its title.
pub(super) fn section(id: &str, title: &str, body: impl maud::Render) -> Markup {
    html! {
        section id=(id) aria-labelledby={ (id) "-title" } {
            h2 id={ (id) "-title" } { (title) }
            (body)
        }
    }
}

/// A list of names and values.
pub(super) fn facts<'a>(facts: impl IntoIterator<Item = (&'a str, Markup)>) -> Markup {
    html! {
        dl.facts { @for (name, value) in facts { div { dt { (name) } dd { (value) } } } }
    }
}

/// Objects with key, version, hash and length.
pub(super) fn objects(objects: &[Object]) -> Markup {
    let more = objects.len().saturating_sub(ROWS);
    html! {
        ul.objects { @for item in objects.iter().take(ROWS) { li { (object(item)) } } }
        @if more > 0 { p.more { (count(more, "more object is", "more objects are")) " not shown." } }
    }
}

/// One object.
pub(super) fn object(object: &Object) -> Markup {
    let place = match (&object.state, &object.bucket) {
        (Bytes::Elsewhere, Some(bucket)) => Some(bucket),
        _ => None,
    };
    html! {
        div.object {
            div.object-head {
                @if let Some(name) = &object.name { span.object-name { (name) } }
                (bytes(object.state))
                @if let Some(bytes) = object.bytes { span.quiet { (grouped(bytes)) " bytes" } }
            }
            dl {
                @if let Some(bucket) = place { div { dt { "bucket" } dd { (value(bucket)) } } }
                div { dt { "key" } dd { (value(&object.key)) } }
                div { dt { "SHA-256" } dd { code.value { (object.sha256) } } }
                div {
                    dt { "version" }
                    dd { @match &object.version { Some(version) => (value(version)), None => span.quiet { "none named" } } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1234), "1\u{202f}234");
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(count(1, "row", "rows"), "1 row");
        assert_eq!(count(0, "row", "rows"), "0 rows");
    }

    #[test]
    fn a_table_says_what_it_leaves_out() {
        let rows = (0..ROWS + 2).map(|_| vec![Cell::head("a"), Cell::from("b")]);
        let table = table("t", &["x", "y"], rows).into_string();
        assert_eq!(table.matches("<tr").count(), ROWS + 1);
        assert!(table.contains("2 more rows are not shown"));
    }
}
