//! The answer to a later phase: what it asked, what was checked, and what it may go on with.

use maud::{Markup, html};

use super::parts::{Cell, met, table, value};
use crate::model::Entry;

pub(super) fn section(entry: &Entry) -> Markup {
    let pairs = |pairs: &[(crate::text::Text, crate::text::Text)]| {
        html! {
            dl.facts { @for (name, text) in pairs { div { dt { (name) } dd { (value(text)) } } } }
        }
    };
    html! {
        section id="entry" aria-labelledby="entry-title" {
            h2 id="entry-title" { "Phase entry" }
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
                    entry.blockers.iter().map(|(code, subject, detail)| {
                        vec![
                            Cell::head(html! { (code.code()) }),
                            Cell::from(value(subject)),
                            Cell::from(html! { (detail) }),
                            Cell::from(html! { (code.remedy()) }),
                        ]
                    })))
            }
            @if !entry.references.is_empty() {
                (table("The evidence that the answer rests on", &["what", "key", "SHA-256"],
                    entry.references.iter().map(|[name, key, sha256]| {
                        vec![Cell::head(name), Cell::from(value(key)), Cell::from(value(sha256))]
                    })))
            }
        }
    }
}
