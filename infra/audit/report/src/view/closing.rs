//! The last sections of the page: lanes, cost, ledger, checklist, and how to check everything without this page.

use maud::{Markup, html};
use p1_contract::artifacts::ItemStatus;

use super::parts::{Cell, Mark, bytes, count, facts, object, section, table, value};
use super::steps::anchor;
use crate::model::{Cost, Item, Model, Object, Scale};
use crate::text::Text;

pub(super) fn lanes(model: &Model) -> Markup {
    let covered = model.lanes.iter().filter(|lane| lane.covered).count();
    let body = html! {
        @if model.lanes.is_empty() {
            p.quiet { "M3.I's matrix is not in the directory, or cannot be read." }
        } @else {
            p { (covered) " of " (model.lanes.len()) " lanes are covered by evidence of steps that passed, as M3.I found when it read every closure again." }
            (table(
                "Capability lanes and their evidence",
                &["Lane", "Covered", "Steps", "Evidence"],
                model.lanes.iter().map(|lane| vec![
                    Cell::head(&lane.name),
                    Cell::from(if lane.covered { Mark::Pass.with("covered") } else { Mark::Held.with("not covered") }),
                    Cell::from(html! { span.upstream { @for step in &lane.steps { a href={ "#" (anchor(Some(*step))) } { (step.id()) } } } }),
                    Cell::from(html! { ul.evidence { @for (name, found) in &lane.evidence { li { (proof(name, found.as_ref())) } } } }),
                ]),
            ))
        }
    };
    section("lanes", "Capability lanes", body)
}

fn proof(name: &Text, found: Option<&Object>) -> Markup {
    html! {
        div { (value(name)) " " @match found { Some(found) => (bytes(found.state)), None => (Mark::NotReached.with("not published")) } }
        @if let Some(found) = found { code.value.hash { (found.sha256) } }
    }
}

pub(super) fn cost(model: &Model) -> Markup {
    let body = html! {
        @match &model.cost {
            None => p.quiet { "M3.H published no envelope and no receipt, or they cannot be read." },
            Some(cost) => (cost_body(cost)),
        }
    };
    section("cost", "Cost", body)
}

fn money(amount: Option<&Text>, currency: Option<&Text>) -> Markup {
    match amount {
        Some(amount) => html! { (amount) @if let Some(currency) = currency { " " (currency) } },
        None => html! { span.quiet { "not known" } },
    }
}

fn cost_body(cost: &Cost) -> Markup {
    let currency = cost.currency.as_ref();
    html! {
        dl.figures {
            div { dt { "spend, month to date" } dd { (money(cost.spend.as_ref(), cost.spend_currency.as_ref()))
                @if cost.estimated == Some(true) { small { " estimated" } } } }
            div { dt { "monthly limit" } dd { (money(cost.limit.as_ref(), currency)) } }
            @for (place, alert) in cost.alerts.iter().enumerate() {
                div { dt { "alert " (place + 1) } dd { (money(alert.as_ref(), currency)) } }
            }
        }
        @if let Some(scale) = &cost.scale { (scale_drawn(scale)) }
        (facts([
            ("window", html! { @match &cost.window { Some((start, end)) => { (start) " to " (end) ", UTC" } None => span.quiet { "not known" } } }),
            ("alerts reached", html! { @match cost.alerts_reached { Some(reached) => (reached), None => span.quiet { "not known" } } }),
            ("scope", html! { @match &cost.scope { Some(scope) => (value(scope)), None => span.quiet { "not known" } } }),
            ("decision or risk retired", html! { @match &cost.retired { Some(retired) => (retired), None => span.quiet { "no receipt" } } }),
        ]))
        @if !cost.sources.is_empty() {
            (table(
                "Cost sources",
                &["Source", "Usable", "Mode", "What was seen"],
                cost.sources.iter().map(|source| vec![
                    Cell::head(html! { (source.name) @if source.enabled == Some(false) { small { " off" } } }),
                    Cell::from(if source.pass { Mark::Pass.with("yes") } else { Mark::Held.with("no") }),
                    Cell::from(value(&source.mode)),
                    Cell::from(&source.detail),
                ]),
            ))
        }
        @if !cost.proofs.is_empty() {
            details {
                summary { (count(cost.proofs.len(), "proof", "proofs")) " that the spend is for" }
                (table(
                    "What the phase must leave behind for its spend",
                    &["Artifact", "Step", "There"],
                    cost.proofs.iter().map(|(step, name, present)| vec![
                        Cell::head(value(name)),
                        Cell::from(step.id()),
                        Cell::from(if *present { Mark::Pass.with("present") } else { Mark::Held.with("absent") }),
                    ]),
                ))
            }
        }
    }
}

/// A bar that shows the spend in relation to the limit. The numbers beside it say the same.
fn scale_drawn(scale: &Scale) -> Markup {
    html! {
        svg.scale viewBox="0 0 1000 26" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            rect.scale-limit x="0" y="8" width="1000" height="10" {}
            rect.scale-spend x="0" y="8" width=(scale.spend) height="10" {}
            @for alert in &scale.alerts { rect.scale-alert x=(alert.saturating_sub(1)) y="2" width="2" height="22" {} }
        }
    }
}

pub(super) fn ledger(model: &Model) -> Markup {
    let body = html! {
        @if model.ledger.is_empty() {
            p { "The directory has no ledger. A run that is held before it has an id has none, and its hold commits nothing; an advance without one is void." }
        } @else {
            p { "Create-only records say who may work on the run and what was committed. A verdict that is not here is void." }
            ol.ledger {
                @for record in &model.ledger {
                    li class=(if record.kind == "COMMITTED" { "record committed" } else { "record" }) {
                        h3 { span.sequence { (format!("{:06}", record.sequence)) } " " (record.kind)
                            @if let Some(verdict) = record.verdict { " " span.quiet { (verdict) } } }
                        (facts([
                            ("holder", value(&record.holder)),
                            ("its start", html! { time datetime=(record.holder_stamp) { (record.holder_stamp) } }),
                        ]))
                        @if let Some(summary) = &record.summary {
                            h4.label { "The summary that it commits" }
                            (object(summary))
                        }
                        @if let Some(own) = &record.record {
                            h4.label { "The record itself" }
                            (object(own))
                        }
                    }
                }
            }
        }
    };
    section("ledger", "Ledger", body)
}

/// How far an item has come. Evidence of revision 1 says only whether P1's own part of it is complete.
fn status(item: &Item) -> Markup {
    match item.status {
        Some(ItemStatus::AwaitsCommit) => Mark::NotReached.with("awaits the commit"),
        Some(ItemStatus::AwaitsAppend) => Mark::NotReached.with("awaits the append"),
        _ if item.complete => Mark::Pass.with("complete"),
        _ => Mark::NotReached.with("open"),
    }
}

pub(super) fn checklist(model: &Model) -> Markup {
    let body = html! {
        @if model.checklist.is_empty() {
            p.quiet { "The phase summary is not in the directory, or cannot be read." }
        } @else {
            (table(
                "The plan's completion checklist, as M3.J filled it in",
                &["Item", "Complete", "Evidence", "Still to happen"],
                model.checklist.iter().map(|item| vec![
                    Cell::head(&item.item),
                    Cell::from(status(item)),
                    Cell::from(html! { @if item.evidence.is_empty() { span.quiet { "none" } } @for key in &item.evidence { div { (value(key)) } } }),
                    Cell::from(html! { @match &item.remaining { Some(remaining) => (remaining), None => span.quiet { "nothing" } } }),
                ]),
            ))
        }
    };
    section("checklist", "Completion checklist", body)
}

pub(super) fn check(model: &Model) -> Markup {
    let commit = model
        .ledger
        .iter()
        .rev()
        .find_map(|record| record.summary.as_ref().zip(record.record.as_ref()));
    let body = html! {
        p {
            "Nothing here has to be believed. Before this page was made, " code { "cargo p1 verify" } " walked the evidence from the \
             ledger's COMMITTED record to every object that a closure names, hashed every byte again, and derived ids and \
             verdict again; the page shows those very bytes. Do the same: " code { "DIR" } " is the evidence directory, and none of \
             these commands uses the network or credentials."
        }
        (command("The tool, in Rust", "cargo p1 verify DIR"))
        (command("A second implementation: one file of plain Python, standard library only", "python3 tests/verify/verify.py DIR"))
        (command("Every step computed again from what it observed, by the functions' own code", "cargo p1 replay DIR"))
        p { "The first two end with 0 for pinned and intact, 1 for held and intact, 2 for tampered or inconsistent, 3 for incomplete, 4 for a directory that cannot be checked." }
        @if let Some((summary, record)) = commit {
            p { "That this is the run in the bucket, and not another whole run made from it, is known by the COMMITTED record alone. Ask the bucket for it, and compare:" }
            (command("The record's hash in the bucket", &ask(summary.bucket.as_ref(), &record.key)))
            (facts([("must be", html! { code.value { (record.sha256) } })]))
            p { "The record names the phase summary, that names every closure, and those name every object by its SHA-256." }
        }
    };
    section("check", "Check it yourself", body)
}

/// The command that asks the bucket. A value that is not a plain word is left for the reader to fill in, because a shell could
/// interpret it.
fn ask(bucket: Option<&Text>, key: &Text) -> String {
    let bucket = bucket.and_then(Text::for_shell).unwrap_or("BUCKET");
    let key = key.for_shell().unwrap_or("KEY");
    format!("aws s3 cp s3://{bucket}/{key} - | sha256sum")
}

fn command(what: &str, command: &str) -> Markup {
    html! {
        div.command {
            p.label { (what) }
            pre tabindex="0" role="region" aria-label=(what) { code { (command) } }
        }
    }
}
