//! The completion checklist of the plan's section 7, with the evidence for each item.

use p1_contract::artifacts::{CLOSURE_NOTES, ChecklistItem, ItemStatus, PhaseSummary, RollupBlockerRegister};
use p1_contract::evidence::Body;
use p1_contract::observations::ClosureAudit;
use p1_contract::observations::phase_verdict::Facts;
use p1_contract::request::StepInput;
use p1_contract::step::Step;
use p1_contract::verdict::PhaseVerdict;
use p1_runtime::{Fault, key_in};

/// How many items the plan has.
pub(crate) const ITEMS: usize = 13;

/// The items, in the plan's order and words.
pub(crate) fn items(
    input: &StepInput,
    facts: &Facts,
    verdict: PhaseVerdict,
    resolved: bool,
) -> Result<Vec<ChecklistItem>, Fault> {
    let environment = &input.settings.environment;
    let own = input.phase_execution_id(Step::PhaseVerdict);
    let advances = verdict == PhaseVerdict::AdvanceToM4;
    let at_advance = |status: ItemStatus| if advances { status } else { ItemStatus::Open };
    let mut items: Vec<ChecklistItem> = Step::PhaseVerdict
        .before()
        .map(|step| {
            let link = facts.link(step);
            item(
                format!("{step} complete."),
                done(link.is_some_and(ClosureAudit::is_green)),
                link.map(|link| link.closure.key.to_string()).into_iter().collect(),
            )
        })
        .collect();
    items.push(item(
        format!("{} complete.", Step::PhaseVerdict),
        at_advance(ItemStatus::AwaitsCommit),
        vec![key_in(environment, &own, &format!("{}.json", PhaseSummary::NAME))?.to_string()],
    ));
    // A hold that registers what it holds for is fail-closed, as the plan asks.
    let register = facts
        .link(Step::GateRollup)
        .filter(|link| link.lists(RollupBlockerRegister::NAME))
        .map(|link| {
            format!(
                "{}{}.json",
                environment.phase_folder(&link.closure.phase_execution_id),
                RollupBlockerRegister::NAME
            )
        });
    items.push(item(
        "M3 blockers resolved or explicitly fail-closed.".to_owned(),
        done(resolved || !advances),
        register.into_iter().collect(),
    ));
    let [_, implementation_map, logbook] = CLOSURE_NOTES;
    let note = |name: &str| key_in(environment, &own, &format!("{name}.md")).map(|key| vec![key.to_string()]);
    items.push(item(
        "M3 closure note appended in implementation map.".to_owned(),
        at_advance(ItemStatus::AwaitsAppend),
        note(implementation_map)?,
    ));
    // What was done is logged for a hold too.
    items.push(item(
        "M3 action log appended in logbook.".to_owned(),
        ItemStatus::AwaitsAppend,
        note(logbook)?,
    ));
    Ok(items)
}

fn done(is_done: bool) -> ItemStatus {
    if is_done {
        ItemStatus::Complete
    } else {
        ItemStatus::Open
    }
}

fn item(item: String, status: ItemStatus, evidence: Vec<String>) -> ChecklistItem {
    ChecklistItem {
        item,
        complete: status == ItemStatus::Complete,
        status: Some(status),
        evidence,
        remaining: remaining(status).map(str::to_owned),
    }
}

/// What has to happen after the summary.
fn remaining(status: ItemStatus) -> Option<&'static str> {
    match status {
        ItemStatus::Complete | ItemStatus::Open => None,
        ItemStatus::AwaitsCommit => Some("the COMMITTED record of the run's ledger names this summary"),
        ItemStatus::AwaitsAppend => Some("`cargo p1 close` appends the published note to the document"),
    }
}

/// Whether an item says the same in all its fields and, at an advance, leaves nothing undone that P1 can do.
pub(crate) fn is_consistent(item: &ChecklistItem, advances: bool) -> bool {
    item.status.is_some_and(|status| {
        item.complete == (status == ItemStatus::Complete)
            && item.remaining.as_deref() == remaining(status)
            && !(advances && status == ItemStatus::Open)
    })
}
