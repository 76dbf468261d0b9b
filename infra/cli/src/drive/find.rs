//! Finds the execution that somebody asks for, by a run, a phase execution or a name.

use jiff::Timestamp;
use p1_audit::text;
use p1_contract::ids::{ExecutionArn, PhaseExecutionId, PlatformRunId};
use p1_contract::ledger::{LedgerKind, LedgerRecord};
use p1_contract::owner::Owner;
use p1_runtime::aws::{Answer, Call};

use crate::bucket::evidence::Evidence;
use crate::bucket::verify::Place;
use crate::drive::executions::not_described;
use crate::drive::start::CLOCK_SKEW;
use crate::drive::target::Target;
use crate::exit::CliError;

/// What somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    Execution(ExecutionArn),
    Run(PlatformRunId),
    Step(PhaseExecutionId),
}

/// An execution, and the run that it was asked for by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The execution.
    pub execution: ExecutionArn,
    /// The run. `None` if the question named none.
    pub run: Option<PlatformRunId>,
    /// Whether Step Functions still has its history.
    pub is_known: bool,
}

/// The execution that `what` names: an execution's ARN or name, a run, a phase execution, or an S3 URI of one of the last two. Of a run,
/// it is the execution that committed last, or else the one that holds the ledger.
///
/// # Errors
/// Returns [`CliError::Usage`] if `what` names nothing on this deployment, and a fault if AWS does not answer.
pub async fn find(target: &Target, what: &str) -> Result<Found, CliError> {
    let named = text::brief(what, 200);
    let nothing = |why: &str| {
        CliError::usage(format!(
            "{named}: {why}; give a platform_run_id, an execution's ARN or name, a phase execution id, or an s3:// URI below the evidence bucket"
        ))
    };
    let asked = parse(target, what).map_err(|why| nothing(&why))?;
    let (execution, run) = match asked {
        Asked::Execution(execution) => (Some(execution), None),
        Asked::Run(run) => (holder(&target.evidence(), &run).await?, Some(run)),
        Asked::Step(id) => (listed(target, &id).await?, None),
    };
    let Some(execution) = execution else {
        return Err(nothing(&match run {
            Some(_) => format!("the ledger of this run in {} has no record", target.evidence_bucket),
            None => format!(
                "no execution of {} that Step Functions still lists has it",
                target.state_machine
            ),
        }));
    };
    let is_known = match target.describe(execution.as_str()).await {
        Ok(_) => true,
        Err(error) if Answer::of(Call::DescribeExecution, &error) == Answer::NotThere => false,
        Err(error) => return Err(not_described(execution.as_str(), &error)),
    };
    if !is_known && run.is_none() {
        return Err(nothing(
            "Step Functions does not know this execution, or no longer does: it forgets 90 days after the end, and the run's id still leads to the evidence then",
        ));
    }
    Ok(Found {
        execution,
        run,
        is_known,
    })
}

fn parse(target: &Target, what: &str) -> Result<Asked, String> {
    if what.starts_with("s3://") {
        let (bucket, place) = Place::parse(what).map_err(|error| error.to_string())?;
        if bucket != target.evidence_bucket {
            return Err(format!("the deployment's evidence lies in {}", target.evidence_bucket));
        }
        return Ok(match place {
            Place::Run(run) => Asked::Run(run),
            Place::Step(_, id) => Asked::Step(id),
        });
    }
    if let Ok(run) = PlatformRunId::parse(what) {
        return Ok(Asked::Run(run));
    }
    if let Some(id) = PhaseExecutionId::parse(what)
        .ok()
        .filter(|id| id.as_str().starts_with("m3"))
    {
        return Ok(Asked::Step(id));
    }
    let machine = target
        .state_machine
        .as_str()
        .replacen(":stateMachine:", ":execution:", 1);
    let arn = if what.starts_with("arn:") {
        what.to_owned()
    } else {
        format!("{machine}:{what}")
    };
    let execution = ExecutionArn::parse(&arn).map_err(|_| "it is none of these".to_owned())?;
    match execution.as_str().strip_prefix(&machine) {
        Some(name) if name.starts_with(':') => Ok(Asked::Execution(execution)),
        _ => Err(format!("the deployment's state machine is {}", target.state_machine)),
    }
}

/// The execution that committed to the ledger of `run` last. Without a commit, the one that acquired it last.
async fn holder(evidence: &Evidence, run: &PlatformRunId) -> Result<Option<ExecutionArn>, CliError> {
    let mut last: Option<LedgerRecord> = None;
    for key in evidence.keys(&run.ledger_prefix()).await? {
        let Some(fetched) = evidence.get(&key, None).await? else {
            continue;
        };
        // `verify` names what is no record.
        let Ok(record) = LedgerRecord::parse(&fetched.bytes) else {
            continue;
        };
        let rank = |record: &LedgerRecord| (record.kind == LedgerKind::Committed, record.sequence);
        if last.as_ref().is_none_or(|last| rank(last) < rank(&record)) {
            last = Some(record);
        }
    }
    Ok(last.map(|record| record.holder))
}

/// The execution whose step has this phase execution id: the id follows from its ARN and its start.
async fn listed(target: &Target, id: &PhaseExecutionId) -> Result<Option<ExecutionArn>, CliError> {
    let Some(stamp) = id.stamp() else { return Ok(None) };
    let Ok(earliest) = stamp.rfc3339().parse::<Timestamp>() else {
        return Ok(None);
    };
    let is_of = |arn: &str| Owner::all().any(|owner| PhaseExecutionId::derive(owner, stamp, arn) == *id);
    let found = target.find_listed(earliest - CLOCK_SKEW, async |execution| {
        let arn = execution.execution_arn();
        Ok(is_of(arn).then(|| ExecutionArn::parse(arn).ok()))
    });
    Ok(found.await?.flatten())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::target::tests::target;

    #[test]
    fn a_question_names_a_run_a_step_or_an_execution_of_this_deployment() {
        let target = target(true);
        let run = PlatformRunId::parse("platform_20261122T121701Z").unwrap();
        let step = PhaseExecutionId::parse("m3j_20261122T121701Z_0123456789ab").unwrap();
        let arn = "arn:aws:states:eu-west-2:111122223333:execution:test-machine:p1-x";
        let execution = Asked::Execution(ExecutionArn::parse(arn).unwrap());
        for (what, asked) in [
            ("platform_20261122T121701Z", Asked::Run(run.clone())),
            (
                "s3://test-evidence/evidence/runs/platform_20261122T121701Z/",
                Asked::Run(run),
            ),
            ("m3j_20261122T121701Z_0123456789ab", Asked::Step(step.clone())),
            (
                "s3://test-evidence/evidence/dev_full/run_control/m3j_20261122T121701Z_0123456789ab/",
                Asked::Step(step),
            ),
            (arn, execution.clone()),
            ("p1-x", execution),
        ] {
            assert_eq!(parse(&target, what), Ok(asked), "{what}");
        }
        for (what, why) in [
            ("s3://other/evidence/runs/platform_20261122T121701Z/", "test-evidence"),
            ("s3://test-evidence/evidence/", "not a place"),
            (
                "arn:aws:states:eu-west-2:111122223333:execution:other:p1-x",
                "test-machine",
            ),
            (
                "arn:aws:states:eu-west-2:111122223333:execution:test-machine-2:p1-x",
                "test-machine",
            ),
            ("a b", "none of these"),
            ("", "none of these"),
        ] {
            let said = parse(&target, what).unwrap_err();
            assert!(said.contains(why), "{what}: {said}");
        }
    }
}
