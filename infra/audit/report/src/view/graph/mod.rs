//! The state machine, drawn once for each execution: ten steps, their gates, the path to the rollup, and a rerun's admission.
//!
//! There are two drawings of each, one horizontal and one vertical. The style sheet shows the one that fits. The table below says
//! the same in words.

mod tall;
mod wide;

use maud::{Markup, html};
use p1_contract::blocker::Blocker;
use p1_contract::step::Step;

use super::parts::{self, Cell, Mark, facts, mark, outcome, table, value};
use super::steps::{anchor, execution, name};
use super::verdict::is_intact;
use crate::model::{Ending, Execution, Model, Node, Outcome};

/// The largest number of executions that are drawn.
const DRAWN: usize = 12;

/// The gate after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    Open,
    Closed,
    Unused,
}

fn gate(node: &Node, execution: &Execution) -> Gate {
    match (node.step, node.outcome) {
        (_, Outcome::NotReached | Outcome::Carried(_)) => Gate::Unused,
        (Step::PhaseVerdict, _) if matches!(execution.ending, Ending::Advance(_)) => Gate::Open,
        (Step::PhaseVerdict, _) => Gate::Closed,
        (_, Outcome::Pass) => Gate::Open,
        _ => Gate::Closed,
    }
}

/// Whether the execution ran the step itself.
fn ran(node: &Node) -> bool {
    !matches!(node.outcome, Outcome::NotReached | Outcome::Carried(_))
}

/// Whether the execution went on from the step to the next box. M3.I has no gate: it always goes on to M3.J.
fn passes(node: &Node, execution: &Execution) -> bool {
    let followed = execution.nodes.get(place(node.step) + 1).is_none_or(ran);
    let goes_on = matches!(node.step, Step::GateRollup | Step::PhaseVerdict) || gate(node, execution) == Gate::Open;
    ran(node) && followed && goes_on
}

/// The first step that the execution ran.
fn first(execution: &Execution) -> Option<&Node> {
    execution.nodes.iter().find(|node| ran(node))
}

/// The index of the step whose closed gate sent the execution to the rollup.
fn diverted(execution: &Execution) -> Option<usize> {
    let held = |node: &&Node| node.step < Step::GateRollup && gate(node, execution) == Gate::Closed;
    let reached = execution
        .nodes
        .iter()
        .any(|node| node.step == Step::GateRollup && ran(node));
    let held = execution.nodes.iter().filter(held).map(|node| node.step).next_back()?;
    reached.then(|| place(held))
}

fn place(step: Step) -> usize {
    step.before().count()
}

/// The two lines in the last box, and its mark.
fn end(ending: Ending) -> (&'static str, String, Mark) {
    match ending {
        Ending::Advance(record) => ("Advance", format!("ledger {record}"), Mark::Pass),
        Ending::Hold(record) => ("Hold", format!("ledger {record}"), Mark::Held),
        Ending::HoldWithoutLedger => ("Hold", "no ledger".to_owned(), Mark::Held),
        Ending::Void => ("Void", "not in ledger".to_owned(), Mark::Alarm),
        Ending::Refused => ("Refused", "no verdict".to_owned(), Mark::Held),
        Ending::SingleState => ("One state", "no verdict".to_owned(), Mark::NotReached),
        Ending::NoVerdict => ("No verdict", "stopped".to_owned(), Mark::Unknown),
    }
}

/// How an execution ended, as the end of a sentence.
fn ended(ending: Ending) -> String {
    match ending {
        Ending::Advance(record) => format!("ADVANCE_TO_M4, committed as ledger record {record}"),
        Ending::Hold(record) => format!("HOLD_M3, committed as ledger record {record}"),
        Ending::HoldWithoutLedger => "HOLD_M3, before the run had a ledger".to_owned(),
        Ending::Void => "a verdict that the ledger does not have: it is void".to_owned(),
        Ending::Refused => "the rerun was refused".to_owned(),
        Ending::SingleState => "one state was run alone; it commits nothing".to_owned(),
        Ending::NoVerdict => "no verdict was reached".to_owned(),
    }
}

/// The outcome with the first code, short enough for the drawing.
fn short(node: &Node) -> String {
    match (node.outcome, node.codes.as_slice()) {
        (Outcome::Held(_), [one]) => one.code().to_owned(),
        (Outcome::Held(_), [first, rest @ ..]) => format!("{first} +{}", rest.len()),
        (Outcome::Carried(Some(number)), _) => format!("by exec. {number}"),
        (other, _) => outcome(other),
    }
}

pub(super) fn section(model: &Model) -> Markup {
    let (drawn, rest) = model.executions.split_at(model.executions.len().min(DRAWN));
    let body = html! {
        p {
            "Ten steps, each behind a gate. A gate that is closed sends the execution to the rollup; M3.J ends it, and only a committed verdict counts."
            @if !is_intact(model.standing) { " " strong { "Drawn as the directory claims it." } }
        }
        (legend())
        div.executions { @for execution in drawn { (figure(model, execution)) } }
        @if !rest.is_empty() { p.more { (rest.len()) " more executions are not drawn." } }
        (by_step(model))
    };
    parts::section("states", "State machine", body)
}

fn legend() -> Markup {
    let marks = [
        (Mark::Pass, "pass"),
        (Mark::Held, "held"),
        (Mark::NoGo, "no-go"),
        (Mark::Carried, "closed by an earlier execution"),
        (Mark::NotReached, "not reached"),
        (Mark::Alarm, "changed or unreadable"),
        (Mark::Unknown, "missing"),
    ];
    html! { ul.legend aria-label="Marks" { @for (mark, word) in marks { li { (mark.with(word)) } } } }
}

fn figure(model: &Model, drawn: &Execution) -> Markup {
    let (_, _, mark) = end(drawn.ending);
    let number = drawn.number;
    html! {
        figure.execution id={ "execution-" (number) } tabindex="-1" {
            figcaption {
                h3 { "Execution " (number) " of " (model.executions.len()) @if drawn.own { " " span.quiet { "this directory's" } } }
                (mark.with(&ended(drawn.ending)))
                (facts([
                    ("started", html! { @match drawn.started {
                        Some(started) => time datetime=(started.rfc3339()) { (started.rfc3339()) }, None => span.quiet { "not known" } } }),
                    ("kind", html! { @match &drawn.admission {
                        Some(admission) => a href="#step-admission" {
                            "rerun, " (if admission.admitted { "admitted" } else { "not admitted" })
                            @if let Some(step) = admission.resume_at { " at " (step.id()) } },
                        None => "start" } }),
                    ("ARN", html! { @match &drawn.arn { Some(arn) => (value(arn)), None => span.quiet { "nothing in the directory says whose these steps are" } } }),
                ]))
            }
            div.drawing.across { (wide::drawing(drawn)) }
            div.drawing.down { (tall::drawing(drawn)) }
        }
    }
}

/// Title and description of a drawing, for readers who cannot see it.
fn described(execution: &Execution, id: &str) -> Markup {
    html! {
        title id={ (id) "-title" } { "State machine of execution " (execution.number) ": " (ended(execution.ending)) }
        desc id={ (id) "-desc" } {
            @if let Some(admission) = &execution.admission {
                "Admit rerun: " (if admission.admitted { "pass" } else { "held" }) (codes(&admission.codes)) ". "
            }
            @for node in &execution.nodes {
                (node.step.state_name()) ": " (outcome(node.outcome)) (codes(&node.codes)) ". "
            }
        }
    }
}

fn codes(codes: &[Blocker]) -> String {
    let codes: Vec<&str> = codes.iter().take(20).map(|code| code.code()).collect();
    if codes.is_empty() {
        String::new()
    } else {
        format!(" ({})", codes.join(", "))
    }
}

/// The content of the drawings in words, with a link to each step.
fn by_step(model: &Model) -> Markup {
    table(
        "Step by step, and which execution closed each",
        &["Step", "Outcome", "Closed by", "Checks", "Blockers", "Artifacts"],
        model.steps.iter().map(|view| {
            let attempt = view.deciding.as_ref();
            let checks = attempt.map(|attempt| {
                let checks = &attempt.particulars.checks;
                (checks.iter().filter(|check| check.pass).count(), checks.len())
            });
            vec![
                Cell::head(html! { a href={ "#" (anchor(view.step)) } { (name(view.step)) } }),
                Cell::from(mark(view.outcome).with(&outcome(view.outcome))),
                Cell::from(html! { @match attempt { Some(attempt) => (execution(model, attempt.execution)), None => span.quiet { "none" } } }),
                Cell::from(html! { @match checks { Some((held, all)) if all > 0 => { (held) " of " (all) }, _ => span.quiet { "none" } } }),
                Cell::from(html! { @match attempt.map(|attempt| attempt.blockers.as_slice()) {
                    Some(blockers @ [_, ..]) => span.upstream { @for blocker in blockers { code { (blocker.code.code()) } } },
                    _ => span.quiet { "none" },
                } }),
                Cell::from(html! { (attempt.map_or(0, |attempt| attempt.artifacts.len())) }),
            ]
        }),
    )
}
