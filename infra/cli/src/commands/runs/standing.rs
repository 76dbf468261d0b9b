//! Where a run stands: what its ledger says and, where the holder has not committed, what Step Functions says of the holder.

use p1_contract::artifacts::PhaseSummary;
use p1_contract::evidence::Document;
use p1_contract::ids::{Environment, ExecutionArn, PlatformRunId};
use p1_contract::ledger::{Ledger, LedgerKind, LedgerRecord};
use p1_contract::observations::ExecutionAnswer;
use p1_contract::verdict::PhaseVerdict;
use p1_runtime::aws::{Answer, Call};

use super::{Run, State};
use crate::bucket::evidence::{Evidence, ReadError};
use crate::drive::target::Target;

/// Where `run` stands. `None` if another environment committed it.
///
/// # Errors
/// Fails if S3 does not answer at all. What it refuses, or gives in part, is told of the run.
pub(super) async fn of(target: &Target, evidence: &Evidence, run: &PlatformRunId) -> Result<Option<Run>, ReadError> {
    match try_of(target, evidence, run).await {
        Err(error) if !error.is_silence() => Ok(Some(unreadable(run, &error.to_string()))),
        stands => stands,
    }
}

async fn try_of(target: &Target, evidence: &Evidence, run: &PlatformRunId) -> Result<Option<Run>, ReadError> {
    let ledger = match evidence.ledger(run).await? {
        Ok(ledger) => ledger,
        Err(why) => return Ok(Some(unreadable(run, &why))),
    };
    let Some(head) = ledger.head() else {
        return Ok(Some(Run::new(State::NoLedger, Some(run.clone()))));
    };
    if head.kind == LedgerKind::Committed {
        return committed(&target.environment, evidence, head).await;
    }
    let (answer, why) = ask(target, &head.holder).await;
    let is_open = || Ok(Some(open(&ledger, head, answer.as_ref(), &why)));
    if !has_ended(answer.as_ref()) {
        return is_open();
    }
    // It may have committed since the ledger was read. What has ended commits no more, so a second look is the last one.
    let again = match evidence.ledger(run).await? {
        Ok(again) => again,
        Err(why) => return Ok(Some(unreadable(run, &why))),
    };
    match again.head() {
        Some(head) if head.kind == LedgerKind::Committed => {
            return committed(&target.environment, evidence, head).await;
        }
        Some(later) if later.holder != head.holder => {
            let why = "another execution has just acquired the ledger";
            return Ok(Some(open(&again, later, None, why)));
        }
        _ => {}
    }
    // A rerun that committed nothing leaves the run as it was held before.
    let mut earlier = ledger.records().iter().rev();
    let Some(before) = earlier.find(|record| record.kind == LedgerKind::Committed) else {
        return is_open();
    };
    let stands = committed(&target.environment, evidence, before).await?;
    Ok(stands.map(|run| match run.state {
        State::Held => run.because("a later execution has ended and committed no verdict"),
        _ => run,
    }))
}

fn unreadable(run: &PlatformRunId, why: &str) -> Run {
    Run::new(State::Unreadable, Some(run.clone())).because(why)
}

/// A run whose head is a COMMITTED record.
async fn committed(
    environment: &Environment,
    evidence: &Evidence,
    head: &LedgerRecord,
) -> Result<Option<Run>, ReadError> {
    let run = &head.platform_run_id;
    let (Some(verdict), Some(named)) = (head.verdict, &head.summary) else {
        return Ok(Some(unreadable(run, "its COMMITTED record has no verdict")));
    };
    let of_another = |(of, _): (Environment, &str)| &of != environment;
    if Environment::of_key(named.key.as_str()).is_some_and(of_another) {
        return Ok(None);
    }
    Ok(Some(match evidence.phase_summary(named).await? {
        Ok(phase) => concluded(head, verdict, &phase),
        Err(why) => unreadable(run, &why),
    }))
}

/// What was committed, with what the committed summary says of it.
fn concluded(head: &LedgerRecord, verdict: PhaseVerdict, phase: &Document<PhaseSummary>) -> Run {
    let run = &head.platform_run_id;
    let ids = phase.header.run();
    if ids.platform_run_id.as_ref() != Some(run) || phase.body.verdict != verdict {
        return unreadable(run, "its committed phase summary is of another run or verdict");
    }
    let state = match verdict {
        PhaseVerdict::AdvanceToM4 => State::Pinned,
        PhaseVerdict::HoldM3 => State::Held,
    };
    let mut blockers: Vec<_> = phase
        .body
        .unresolved_blockers
        .iter()
        .map(|blocker| blocker.code)
        .collect();
    blockers.sort();
    blockers.dedup();
    Run {
        scenario_run_id: ids.scenario_run_id,
        config_digest: ids.config_digest,
        verdict: Some(verdict),
        blockers,
        ..held_by(head, state)
    }
}

/// A run whose holder has not committed. One that was held before and whose holder has ended is held, and none of these.
fn open(ledger: &Ledger, head: &LedgerRecord, answer: Option<&ExecutionAnswer>, why: &str) -> Run {
    let mut records = ledger.records().iter();
    let resumed = records.any(|record| record.kind == LedgerKind::Committed);
    let before = if resumed { "; it was held before" } else { "" };
    let (state, why) = match answer {
        Some(ExecutionAnswer::Found { status }) if has_ended(answer) => {
            let why = format!("its execution ended {status} and committed no verdict");
            (State::Ended, why)
        }
        Some(ExecutionAnswer::Found { status }) => (State::Running, format!("its execution is {status}{before}")),
        Some(ExecutionAnswer::NotFound) => {
            let why = format!("Step Functions does not know its execution, or no longer does{before}");
            (State::Unknown, why)
        }
        Some(ExecutionAnswer::Denied) => {
            let why = format!("these credentials may not ask for its execution (states:DescribeExecution){before}");
            (State::Unknown, why)
        }
        None => (State::Unknown, why.to_owned()),
    };
    held_by(head, state).because(&why)
}

fn held_by(head: &LedgerRecord, state: State) -> Run {
    Run {
        execution_arn: Some(head.holder.clone()),
        execution_stamp_utc: Some(head.holder_stamp_utc),
        ..Run::new(state, Some(head.platform_run_id.clone()))
    }
}

/// Whether an execution has ended. One that nobody knows may still run.
fn has_ended(answer: Option<&ExecutionAnswer>) -> bool {
    let statuses = ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"];
    matches!(answer, Some(ExecutionAnswer::Found { status }) if statuses.contains(&status.as_str()))
}

/// What Step Functions says of an execution. Without an answer, the words say why there is none.
async fn ask(target: &Target, execution: &ExecutionArn) -> (Option<ExecutionAnswer>, String) {
    let error = match target.describe(execution.as_str()).await {
        Ok(found) => {
            let status = found.status().as_str().to_owned();
            return (Some(ExecutionAnswer::Found { status }), String::new());
        }
        Err(error) => error,
    };
    match Answer::of(Call::DescribeExecution, &error) {
        Answer::NotThere => (Some(ExecutionAnswer::NotFound), String::new()),
        Answer::Denied => (Some(ExecutionAnswer::Denied), String::new()),
        _ => {
            let why = p1_contract::cause::chain(&error);
            let why = format!("Step Functions did not say whether its execution still runs: {why}");
            (None, why)
        }
    }
}

#[cfg(test)]
mod tests {
    use p1_contract::hash::Sha256Hex;
    use p1_contract::ids::{BucketName, S3Key, Stamp};
    use p1_contract::reference::ObjectRef;

    use super::*;

    fn run() -> PlatformRunId {
        PlatformRunId::parse("platform_20261122T121701Z").unwrap()
    }

    fn record(sequence: u32, holder: &str) -> LedgerRecord {
        let holder = format!("arn:aws:states:eu-west-2:123456789012:execution:p1:{holder}");
        let stamp = Stamp::parse("2026-11-22T12:17:01Z").unwrap();
        LedgerRecord::acquired(&run(), sequence, &holder.parse().unwrap(), stamp)
    }

    fn found(status: &str) -> ExecutionAnswer {
        ExecutionAnswer::Found {
            status: status.to_owned(),
        }
    }

    #[test]
    fn only_an_execution_that_is_known_runs_or_has_ended() {
        let ledger = Ledger::read(&run(), vec![record(1, "a")]).unwrap();
        let stands = |answer: Option<ExecutionAnswer>| open(&ledger, &record(1, "a"), answer.as_ref(), "no answer");
        for (answer, state, why) in [
            (Some(found("RUNNING")), State::Running, "RUNNING"),
            (Some(found("PENDING_REDRIVE")), State::Running, "PENDING_REDRIVE"),
            (Some(found("SUCCEEDED")), State::Ended, "SUCCEEDED"),
            (Some(found("FAILED")), State::Ended, "FAILED"),
            (Some(found("TIMED_OUT")), State::Ended, "TIMED_OUT"),
            (Some(found("ABORTED")), State::Ended, "ABORTED"),
            (Some(ExecutionAnswer::NotFound), State::Unknown, "does not know"),
            (Some(ExecutionAnswer::Denied), State::Unknown, "may not ask"),
            (None, State::Unknown, "no answer"),
        ] {
            let run = stands(answer.clone());
            assert_eq!((run.state, run.verdict), (state, None), "{answer:?}");
            assert!(run.why.as_deref().unwrap().contains(why), "{run:?}");
            assert!(!run.why.unwrap().contains("held before"));
        }
    }

    #[test]
    fn a_run_that_is_resumed_has_no_verdict_and_was_held_before() {
        let summary = ObjectRef {
            bucket: BucketName::parse("evidence").unwrap(),
            key: S3Key::parse("evidence/s.json").unwrap(),
            version_id: None,
            sha256: Sha256Hex::of(b"s"),
            bytes: 1,
        };
        let first = record(1, "a");
        let (holder, stamp) = (&first.holder, first.holder_stamp_utc);
        let held = LedgerRecord::committed(&run(), 2, holder, stamp, PhaseVerdict::HoldM3, summary);
        let ledger = Ledger::read(&run(), vec![first.clone(), held, record(3, "b")]).unwrap();
        let stands = open(&ledger, &record(3, "b"), Some(&found("RUNNING")), "");
        assert_eq!((stands.state, stands.verdict), (State::Running, None));
        assert!(stands.why.unwrap().ends_with("held before"));
        assert_eq!(stands.execution_arn, Some(record(3, "b").holder));
    }
}
