//! The answer to a later phase: what it asked, what was checked, and what it may go on with.

use maud::{Markup, html};

use super::parts::{self, Cell, met, table, value};
use crate::model::{Entry, Raised};

pub(super) fn section(entry: &Entry) -> Markup {
    let pairs = |pairs: &[(crate::text::Text, crate::text::Text)]| {
        html! {
            dl.facts { @for (name, text) in pairs { div { dt { (name) } dd { (value(text)) } } } }
        }
    };
    let body = html! {
        p { "A later phase asked the orchestrator whether it may work on a run. It asked with:" }
        (pairs(&entry.asked))
        @if !entry.environment.is_empty() {
            p { "Its runtimes are scoped to the run by:" }
            (pairs(&entry.environment))
        }
        (table("Checks", &["check", "result", "what was seen"], entry.checks.iter().map(|(name, pass, detail)| {
            vec![Cell::head(name), Cell::from(met(*pass)), Cell::from(html! { (detail) })]
        })))
        @if !entry.blockers.is_empty() {
            (table("What keeps the phase out", &["code", "about", "what was seen", "what to do"],
                entry.blockers.iter().map(|Raised { code, subject, detail }| vec![
                    Cell::head(code.code()), Cell::from(value(subject)), Cell::from(detail), Cell::from(code.remedy()),
                ])))
        }
        @if !entry.references.is_empty() {
            (table("The evidence that the answer rests on", &["what", "key", "SHA-256"],
                entry.references.iter().map(|[name, key, sha256]| {
                    vec![Cell::head(name), Cell::from(value(key)), Cell::from(value(sha256))]
                })))
        }
    };
    parts::section("entry", "Phase entry", body)
}
