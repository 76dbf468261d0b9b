//! `cargo p1 runs`: which runs are pinned, which are held and by which codes, and which still run.

mod page;
mod standing;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use p1_audit::text;
use p1_contract::blocker::Blocker;
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{BucketName, Environment, ExecutionArn, PlatformRunId, ScenarioRunId, Stamp};
use p1_contract::verdict::PhaseVerdict;
use serde::Serialize;

use super::deployment::{Code, work_on};
use crate::args::RunsArgs;
use crate::bucket::evidence::{Evidence, ReadError};
use crate::bucket::scenario::Hit;
use crate::drive::screen::Screen;
use crate::drive::target::Target;
use crate::exit::{CliError, ExitStatus};
use crate::named::parsed;

/// The number of runs that are looked at together.
const AT_ONCE: usize = 16;
/// The largest number of runs that are looked at for one list: a filter may let few of them through.
const MOST_LOOKED_AT: usize = 1_000;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// An advance is committed.
    Pinned,
    /// A hold is committed, and nobody has resumed the run.
    Held,
    /// The execution that holds the ledger has not ended.
    Running,
    /// The execution that holds the ledger has ended, and committed nothing.
    Ended,
    /// What became of the execution that holds the ledger is not known.
    Unknown,
    /// There is no ledger: no execution of P1 works on the run.
    NoLedger,
    /// The ledger, or what it commits, cannot be read whole.
    Unreadable,
    /// An object of the scenario index that no ledger confirms.
    Unconfirmed,
}

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    /// Where it stands.
    pub state: State,
    /// Its id. `None` for an object of the index that names none.
    pub platform_run_id: Option<PlatformRunId>,
    /// Its scenario, as far as it is known.
    pub scenario_run_id: Option<ScenarioRunId>,
    /// Its configuration, as far as it is known.
    pub config_digest: Option<Sha256Hex>,
    /// The verdict that is committed and that nothing followed.
    pub verdict: Option<PhaseVerdict>,
    /// The codes of a hold.
    pub blockers: Vec<Blocker>,
    /// The execution that wrote the head of the ledger.
    pub execution_arn: Option<ExecutionArn>,
    /// Its stamp.
    pub execution_stamp_utc: Option<Stamp>,
    /// Why nothing better is known. `None` where everything is.
    pub why: Option<String>,
}

impl Run {
    fn new(state: State, run: Option<PlatformRunId>) -> Self {
        Self {
            state,
            platform_run_id: run,
            scenario_run_id: None,
            config_digest: None,
            verdict: None,
            blockers: Vec::new(),
            execution_arn: None,
            execution_stamp_utc: None,
            why: None,
        }
    }

    fn because(self, why: &str) -> Self {
        Self {
            why: Some(text::brief(why, 400)),
            ..self
        }
    }

    /// Whether something is wrong with the evidence, or could not be learned of it.
    fn is_broken(&self) -> bool {
        matches!(self.state, State::Unreadable | State::Unconfirmed)
    }
}

/// The list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// The environment.
    pub environment: Environment,
    /// The evidence bucket.
    pub evidence_bucket: BucketName,
    /// The scenario that was asked for. `None` for all runs.
    pub scenario_run_id: Option<ScenarioRunId>,
    /// The runs, the latest first.
    pub runs: Vec<Run>,
    /// How many of them are pinned.
    pub pinned: usize,
    /// The number of runs that were not looked at, because the list was full.
    pub more: usize,
}

impl Listing {
    /// How the command ends.
    #[must_use]
    pub fn exit_status(&self) -> ExitStatus {
        let is_unknown = |run: &Run| run.is_broken() || run.state == State::Unknown;
        if self.runs.iter().any(is_unknown) {
            ExitStatus::Fault
        } else {
            ExitStatus::Advance
        }
    }
}

/// What is asked for, parsed.
struct Asked {
    scenario: Option<ScenarioRunId>,
    digest: Option<Sha256Hex>,
    verdict: Option<PhaseVerdict>,
    since: Option<Stamp>,
    limit: usize,
}

impl Asked {
    fn parse(args: &RunsArgs) -> Result<Self, CliError> {
        let since = args.since.as_deref().map(|text| {
            Stamp::from_date(text)
                .or_else(|_| Stamp::from_rfc3339_floor(text))
                .map_err(|_| {
                    let given = text::brief(text, 60);
                    CliError::usage(format!(
                        "--since {given}: give a day like 2026-11-29, or a time like 2026-11-29T05:23:39Z"
                    ))
                })
        });
        let asked = Self {
            scenario: parsed("--scenario", args.scenario.as_deref())?,
            digest: parsed("--digest", args.digest.as_deref())?,
            verdict: args.verdict.map(PhaseVerdict::from),
            since: since.transpose()?,
            limit: args.limit,
        };
        if asked.scenario.is_some() && asked.verdict == Some(PhaseVerdict::HoldM3) {
            return Err(CliError::usage(
                "--verdict hold: the scenario index lists pinned runs alone; leave --scenario out to see those that are held",
            ));
        }
        Ok(asked)
    }

    /// Whether some runs may not be shown.
    fn filters(&self) -> bool {
        self.digest.is_some() || self.verdict.is_some()
    }

    /// Whether a run is shown. What could not be read may be any run, so it is shown whatever was asked for.
    fn wants(&self, run: &Run) -> bool {
        let is = |wanted: bool, is_same: bool| !wanted || is_same;
        run.is_broken()
            || is(self.digest.is_some(), run.config_digest == self.digest)
                && is(self.verdict.is_some(), run.verdict == self.verdict)
    }
}

/// Runs `cargo p1 runs`.
///
/// # Errors
/// Returns [`CliError::Usage`] if the command line is not usable, or if no platform is up, and [`CliError::Fault`] if AWS does not
/// answer.
pub async fn runs(args: RunsArgs) -> Result<ExitStatus, CliError> {
    // Before AWS or a platform is asked for anything.
    Asked::parse(&args)?;
    let work = async |target: &Target| show(&args, &list(&args, target).await?);
    work_on(args.stack.as_deref(), Code::AsDeployed, &Screen::new(), work).await
}

fn show(args: &RunsArgs, listing: &Listing) -> Result<ExitStatus, CliError> {
    let status = listing.exit_status();
    if args.json {
        super::say_document(listing, status)?;
    } else {
        super::say(page::text(listing).trim_end())?;
    }
    Ok(status)
}

/// Lists the runs of a deployment.
///
/// # Errors
/// As [`runs`].
pub async fn list(args: &RunsArgs, target: &Target) -> Result<Listing, CliError> {
    let asked = Asked::parse(args)?;
    let evidence = target.evidence();
    let (runs, more) = match &asked.scenario {
        Some(scenario) => {
            let keys = evidence.indexed(&target.environment, scenario, asked.since).await?;
            let look = |key: String| {
                let evidence = &evidence;
                async move { indexed(evidence, &target.environment, &key).await.map(Some) }
            };
            look_at(keys, look, &asked).await?
        }
        None => {
            let runs = evidence.runs(asked.since).await?;
            let look = |run: PlatformRunId| {
                let evidence = &evidence;
                async move { standing::of(target, evidence, &run).await }
            };
            look_at(runs, look, &asked).await?
        }
    };
    Ok(Listing {
        environment: target.environment.clone(),
        evidence_bucket: target.evidence_bucket.clone(),
        scenario_run_id: asked.scenario,
        pinned: runs.iter().filter(|run| run.state == State::Pinned).count(),
        runs,
        more,
    })
}

/// Looks at one after the other, some at once, until the list is full. Returns the list, and how many come after its last run.
async fn look_at<T, F>(all: Vec<T>, look: impl Fn(T) -> F, asked: &Asked) -> Result<(Vec<Run>, usize), CliError>
where
    F: Future<Output = Result<Option<Run>, ReadError>>,
{
    let number = all.len();
    let (mut runs, mut looked_at) = (Vec::new(), 0);
    let mut rest = all.into_iter().take(MOST_LOOKED_AT).peekable();
    while runs.len() < asked.limit && rest.peek().is_some() {
        // What the list has no room for is not read, unless a filter may take some of it out.
        let room = asked.limit - runs.len();
        let next: Vec<T> = rest
            .by_ref()
            .take(if asked.filters() { AT_ONCE } else { room })
            .collect();
        let found: Vec<Option<Run>> = stream::iter(next).map(&look).buffered(AT_ONCE).try_collect().await?;
        for run in found {
            if runs.len() < asked.limit {
                looked_at += 1;
                runs.extend(run.filter(|run| asked.wants(run)));
            }
        }
    }
    Ok((runs, number - looked_at))
}

/// What the index says at `key`, and whether it counts.
async fn indexed(evidence: &Evidence, environment: &Environment, key: &str) -> Result<Run, ReadError> {
    let file = key.rsplit('/').next().and_then(|file| file.strip_suffix(".json"));
    let named = file.and_then(|id| PlatformRunId::parse(id).ok());
    let unconfirmed = |why: &str| {
        let why = format!("{} is not confirmed: {why}", text::brief(key, 200));
        Run::new(State::Unconfirmed, named.clone()).because(&why)
    };
    Ok(match evidence.hit(environment, key).await {
        Ok(Hit::Pinned(entry)) => Run {
            scenario_run_id: Some(entry.scenario_run_id),
            config_digest: Some(entry.config_digest),
            verdict: Some(entry.verdict),
            execution_arn: Some(entry.execution),
            execution_stamp_utc: Some(entry.execution_stamp_utc),
            ..Run::new(State::Pinned, Some(entry.platform_run_id))
        },
        Ok(Hit::Unconfirmed(why)) => unconfirmed(&why),
        // Whoever asks on waits as long again for each request.
        Err(error) if error.is_silence() => return Err(error),
        Err(error) => unconfirmed(&error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn asked(limit: usize, verdict: Option<PhaseVerdict>) -> Asked {
        Asked {
            scenario: None,
            digest: None,
            verdict,
            since: None,
            limit,
        }
    }

    /// Looks at so many runs, of which every tenth is held and the others are pinned. Returns how many are listed, how many come after,
    /// and how many were looked at.
    async fn look(number: usize, asked: &Asked) -> (usize, usize, usize) {
        let seen = Mutex::new(0);
        let look = |at: usize| {
            *seen.lock().unwrap() += 1;
            async move {
                let held = at % 10 == 9;
                let (state, verdict) = match held {
                    true => (State::Held, PhaseVerdict::HoldM3),
                    false => (State::Pinned, PhaseVerdict::AdvanceToM4),
                };
                Ok(Some(Run {
                    verdict: Some(verdict),
                    ..Run::new(state, None)
                }))
            }
        };
        let (runs, more) = look_at((0..number).collect(), look, asked).await.unwrap();
        (runs.len(), more, seen.into_inner().unwrap())
    }

    #[tokio::test]
    async fn what_the_list_has_no_room_for_is_not_read() {
        assert_eq!(look(5, &asked(20, None)).await, (5, 0, 5));
        assert_eq!(look(10_000, &asked(20, None)).await, (20, 9_980, 20));
        // A filter: two of twenty are held.
        let held = Some(PhaseVerdict::HoldM3);
        assert_eq!(look(10_000, &asked(2, held)).await, (2, 9_980, 32));
        assert_eq!(look(50, &asked(20, held)).await, (5, 0, 50));
        // However few it lets through, so many are looked at and no more.
        assert_eq!(look(10_000, &asked(1_000, held)).await, (100, 9_000, MOST_LOOKED_AT));
    }

    #[test]
    fn what_cannot_be_read_is_told_whatever_was_asked_for() {
        let asked = asked(1, Some(PhaseVerdict::HoldM3));
        for (state, is_shown) in [
            (State::Unreadable, true),
            (State::Unconfirmed, true),
            (State::Pinned, false),
            (State::Unknown, false),
        ] {
            assert_eq!(asked.wants(&Run::new(state, None)), is_shown, "{state:?}");
        }
    }
}
