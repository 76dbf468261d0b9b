//! The ten steps: what each one checked, raised, wrote and read, and every attempt at it.

use maud::{Markup, html};
use p1_contract::step::Step;

use super::parts::{self, Cell, Mark, count, facts, mark, met, object, objects, outcome, table, value};
use super::verdict::{blockers, remarks};
use crate::model::{Attempt, Handle, Model, Outcome, Particulars, StepView};
use crate::text::Text;

/// The purpose of a step in one line.
pub(super) fn purpose(step: Option<Step>) -> &'static str {
    match step {
        None => {
            "Checks the held run and the reset receipt, pins today's registry for the steps to come, and acquires the ledger."
        }
        Some(Step::HandleClosure) => {
            "Closes the required handles and checks that M2's receipt, the orchestrator and the bucket are there."
        }
        Some(Step::RunIdentity) => "Reserves the platform run id and derives the scenario run id.",
        Some(Step::ConfigDigest) => "Proves the config digest by two computations.",
        Some(Step::OrchestratorReadiness) => {
            "Checks that this is the right machine with the right role, and that the ledger is ours."
        }
        Some(Step::RunPublication) => "Writes run.json and the run header, once.",
        Some(Step::M4Handoff) => "Publishes the pack that M4 starts from.",
        Some(Step::RerunDiscipline) => "Looks for drift and destructive mutation, and states who may rerun.",
        Some(Step::CostEnvelope) => "States the budget envelope and what the spend was for.",
        Some(Step::GateRollup) => "Reads every closure again and adjudicates.",
        Some(Step::PhaseVerdict) => "States the verdict, commits it to the ledger and marks M4's entry.",
    }
}

pub(super) fn name(step: Option<Step>) -> String {
    step.map_or_else(|| "Admit rerun".to_owned(), Step::state_name)
}

pub(super) fn anchor(step: Option<Step>) -> String {
    format!("step-{}", step.map_or("admission", Step::prefix))
}

pub(super) fn section(model: &Model) -> Markup {
    let body = html! {
        p { "Each step with the attempt that the verdict rests on. A check that could not be answered blocks; it never passes." }
        @for step in &model.steps { (step_card(model, step)) }
    };
    parts::section("steps", "Steps", body)
}

fn step_card(model: &Model, view: &StepView) -> Markup {
    let title = name(view.step);
    let mark = mark(view.outcome);
    html! {
        article class={ "step " (mark.class()) } id=(anchor(view.step)) aria-labelledby={ (anchor(view.step)) "-title" } {
            header {
                h3 id={ (anchor(view.step)) "-title" } { (title) }
                (mark.with(&outcome(view.outcome)))
            }
            p.purpose { (purpose(view.step)) }
            @match &view.deciding {
                Some(attempt) => (attempt_body(model, view, attempt, 4)),
                None => p.quiet { (absent(view.outcome)) },
            }
            @for other in &view.others {
                details.attempt {
                    summary {
                        "Attempt of execution " (other.execution) " at " (title) ": " (outcome(other.outcome))
                    }
                    (attempt_body(model, view, other, 4))
                }
            }
        }
    }
}

fn absent(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Missing => "The verdict names a closure of this step, and it is not in the directory.",
        _ => "The step did not run: a gate before it was closed, or the execution ended. It is never counted as green.",
    }
}

fn attempt_body(model: &Model, view: &StepView, attempt: &Attempt, level: u8) -> Markup {
    let title = name(view.step);
    let said = &attempt.particulars;
    html! {
        @if !attempt.remarks.is_empty() {
            (remarks(&format!("Verification findings about {title}"), &attempt.remarks))
        }
        @if !attempt.unreadable.is_empty() {
            (table(
                &format!("Documents of {title} that cannot be read"),
                &["Object", "Why"],
                attempt.unreadable.iter().map(|(key, why)| vec![Cell::head(value(key)), Cell::from(why)]),
            ))
        }
        @if !attempt.blockers.is_empty() { (blockers(&attempt.blockers, level)) }
        (facts([
            ("closed by", html! { a href={ "#execution-" (attempt.execution) } { (execution(model, attempt.execution)) } }),
            ("phase execution", html! { code.value { (attempt.phase_execution_id) } }),
            ("next gate", html! { @match &attempt.next_gate { Some(gate) => code { (gate) }, None => span.quiet { "not known" } } }),
            ("rests on", upstream(&attempt.upstream)),
        ]))
        (checks(&title, said, attempt.outcome != Outcome::Pass))
        (handles(&title, &said.handles))
        @if let Some(summary) = &attempt.summary {
            details {
                summary { "Closure and " (count(attempt.artifacts.len(), "artifact", "artifacts")) " of " (title) }
                h4.label { "Execution summary: the closure" }
                (object(summary))
                @if !attempt.artifacts.is_empty() {
                    h4.label { "Artifacts that it lists" }
                    (objects(&attempt.artifacts))
                }
            }
        }
        @if !attempt.inputs.is_empty() {
            details {
                summary { (count(attempt.inputs.len(), "object", "objects")) " that " (title) " read" }
                (objects(&attempt.inputs))
            }
        }
    }
}

/// A short name of an execution.
pub(super) fn execution(model: &Model, number: usize) -> Markup {
    let name = model
        .executions
        .iter()
        .find(|execution| execution.number == number)
        .and_then(|execution| execution.name.as_ref());
    html! { "execution " (number) @if let Some(name) = name { ", " (name) } }
}

fn upstream(closures: &[(Text, Option<usize>)]) -> Markup {
    if closures.is_empty() {
        return html! { span.quiet { "nothing before it" } };
    }
    html! {
        span.upstream {
            @for (step, execution) in closures {
                span { (step) @if let Some(execution) = execution { small { " by " (execution) } } }
            }
        }
    }
}

fn checks(title: &str, said: &Particulars, open: bool) -> Markup {
    if said.checks.is_empty() && said.receipts.is_empty() && said.facts.is_empty() {
        return html! {};
    }
    let met_checks = said.checks.iter().filter(|check| check.pass).count();
    html! {
        details open[open] {
            summary {
                "Checks of " (title)
                @if !said.checks.is_empty() { ": " (met_checks) " of " (said.checks.len()) " met" }
            }
            @if !said.checks.is_empty() {
                (table(
                    &format!("Checks of {title}"),
                    &["Check", "Outcome", "What was seen"],
                    said.checks.iter().map(|check| vec![
                        Cell::head(value(&check.name)), Cell::from(met(check.pass)), Cell::from(seen(&check.detail)),
                    ]),
                ))
            }
            @if !said.receipts.is_empty() {
                (table(
                    &format!("Questions that {title} asked, and the answers"),
                    &["For", "Operation", "About", "Answer"],
                    said.receipts.iter().map(|receipt| vec![
                        Cell::head(value(&receipt.check)), Cell::from(value(&receipt.operation)), Cell::from(value(&receipt.target)),
                        Cell::from(value(&receipt.outcome)),
                    ]),
                ))
            }
            @if !said.facts.is_empty() {
                h4.label { "What it settled" }
                (facts(said.facts.iter().map(|(name, text)| (*name, value(text)))))
            }
        }
    }
}

/// An observed value: a digest in the font of digests, other text as text.
fn seen(text: &Text) -> Markup {
    if text.is_digest() {
        value(text)
    } else {
        html! { (text) }
    }
}

fn handles(title: &str, handles: &[Handle]) -> Markup {
    if handles.is_empty() {
        return html! {};
    }
    let resolved = handles.iter().filter(|handle| handle.value.is_some()).count();
    html! {
        details {
            summary { "Handles that " (title) " requires: " (resolved) " of " (handles.len()) " resolved" }
            (table(
                "Required handles",
                &["Handle", "Value", "Source"],
                handles.iter().map(|handle| vec![
                    Cell::head(value(&handle.name)),
                    Cell::from(match &handle.value {
                        Some(text) => value(text),
                        None if handle.placeholder => Mark::Held.with("placeholder"),
                        None => Mark::Held.with("unresolved"),
                    }),
                    Cell::from(handle.source.unwrap_or("not known")),
                ]),
            ))
        }
    }
}
