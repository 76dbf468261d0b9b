//! The page as HTML. `maud` builds all of it and escapes its input; this module never writes markup as text.

mod closing;
mod entry;
mod graph;
mod parts;
mod steps;
mod verdict;

use base64ct::{Base64, Encoding};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use p1_contract::hash::Sha256Hex;

use super::model::Model;

/// The only style sheet. The page's policy allows it by its hash, and nothing else.
const STYLE: &str = include_str!("style.css");

/// The page.
pub(super) fn page(model: &Model) -> String {
    let (word, class, _) = verdict::sign(model.standing);
    let run = model
        .platform_run_id
        .as_ref()
        .map_or_else(|| "no run".to_owned(), |id| id.plain());
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex, nofollow";
                meta name="format-detection" content="telephone=no";
                title { (word) " · " (run) " · P1 evidence report" }
                // This is the only text that is not escaped, because it is our own file.
                style { (PreEscaped(STYLE)) }
            }
            body class=(class) {
                a.skip href="#verdict" { "Skip to the verdict" }
                (masthead(model))
                main {
                    (verdict::banner(model))
                    (contents(model))
                    (verdict::findings(model))
                    @if let Some(entry) = &model.entry {
                        (entry::section(entry))
                    } @else {
                        (verdict::hold(model))
                        (graph::section(model))
                        (steps::section(model))
                        (closing::lanes(model))
                        (closing::cost(model))
                        (closing::ledger(model))
                        (closing::checklist(model))
                    }
                    (closing::check(model))
                }
                footer.foot {
                    p {
                        "Made by " code { "cargo p1 report" } " from an evidence directory. The page holds no time of its own, loads nothing \
                         and runs nothing: the same directory gives the same bytes. It is a reading aid, not evidence."
                    }
                }
            }
        }
    }
    .into_string()
}

/// The policy: the page loads nothing, runs nothing and sends nothing. The hash allows the one style sheet.
fn policy() -> String {
    let hash = Base64::encode_string(&Sha256Hex::of(STYLE.as_bytes()).to_bytes());
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'")
}

fn masthead(model: &Model) -> Markup {
    html! {
        header.masthead {
            p.brand { "P1 run pinning" }
            p.kind { "Evidence report" @if model.executions.len() > 1 { " · " (model.executions.len()) " executions" } }
        }
    }
}

fn contents(model: &Model) -> Markup {
    let of_run = model.entry.is_none();
    let sections = [
        ("#findings", "What is wrong", !model.remarks.is_empty()),
        (
            "#next",
            "What to do next",
            of_run && (model.next.is_some() || !model.unresolved.is_empty()),
        ),
        ("#entry", "Phase entry", !of_run),
        ("#states", "State machine", of_run),
        ("#steps", "Steps", of_run),
        ("#lanes", "Lanes", of_run),
        ("#cost", "Cost", of_run),
        ("#ledger", "Ledger", of_run),
        ("#checklist", "Checklist", of_run),
        ("#check", "Check it yourself", true),
    ];
    html! {
        nav.contents aria-label="Contents" {
            ol { @for (target, name, _) in sections.iter().filter(|(_, _, there)| *there) { li { a href=(target) { (name) } } } }
        }
    }
}
