//! The deployment's answer of Cost Explorer for a day. Each call costs money, so one execution asks, and all others of the day
//! read what it kept.
//!
//! An execution claims the question before it asks it, by a create-only write, as it does everything that one of many may do.
//! The others wait for the answer. S3 cannot tell whether the owner of a claim still works: one that was given the whole time
//! that a call takes and kept nothing counts as gone, and the next claim may be made. So there is one call a day; another
//! only for each that brought no answer that could be kept, and never more executions that ask than there are claims.

use std::time::Duration;

use p1_contract::artifacts::{BillingArtifact, COST_CLAIM, CostClaim};
use p1_contract::canonical;
use p1_contract::ids::S3Key;
use p1_contract::observations::Written;
use p1_contract::observations::cost_envelope::SourceAnswer;
use p1_contract::request::StepInput;
use p1_runtime::store::{DOCUMENT_LIMIT, Read};
use p1_runtime::{Fault, Recreated, StepContext, run_control_key};
use serde::Serialize;

use crate::billing::read;
use crate::explorer::CostExplorer;

/// How many executions may ask for one day.
pub(crate) const CLAIMS: u32 = 5;

/// How often the answer is looked for while another execution asks, and how long in between: longer than the five seconds
/// after which the owner of a claim has an answer or none.
const LOOKS: u32 = 8;
const BETWEEN: Duration = Duration::from_secs(1);

/// The day of an execution's start.
pub(crate) struct Day<'c> {
    ctx: &'c StepContext<'c>,
    key: S3Key,
}

/// An answer, and why it could not be kept.
type Answer = (SourceAnswer, Option<String>);

/// What became of a claim.
enum Claim {
    Ours,
    Theirs,
    Free,
}

impl<'c> Day<'c> {
    pub(crate) fn of(ctx: &'c StepContext<'c>) -> Result<Self, Fault> {
        let key = answer_key(ctx.input)?;
        Ok(Day { ctx, key })
    }

    /// Where the answer is kept.
    pub(crate) fn key(&self) -> &S3Key {
        &self.key
    }

    /// The answer: the one that is kept, or else a new one, which is kept. What occupies the key counts, whoever was faster,
    /// and is never replaced: when it is unusable, asking again could not mend it.
    pub(crate) async fn answer(&self, explorer: &CostExplorer, region: &str) -> Result<Answer, Fault> {
        if let Some(kept) = self.kept().await? {
            return Ok((kept, None));
        }
        let mut may_be_asking = false;
        for number in 1..=CLAIMS {
            match self.look(number).await? {
                Claim::Theirs => may_be_asking = true,
                Claim::Ours => {
                    self.claim(number).await?;
                    return self.ask(explorer, region).await;
                }
                Claim::Free => {
                    // Whoever made the claim before this one waited for those before it.
                    if may_be_asking && let Some(theirs) = self.awaited().await? {
                        return Ok((theirs, None));
                    }
                    match self.claim(number).await? {
                        Claim::Ours => return self.ask(explorer, region).await,
                        _ => may_be_asking = true,
                    }
                }
            }
        }
        if let Some(theirs) = self.awaited().await? {
            return Ok((theirs, None));
        }
        let problem = format!(
            "{CLAIMS} executions of the day have asked Cost Explorer and kept no answer; mend what their M3.H says, and resume on another day (UTC) or with the cost source billing_artifact"
        );
        Ok((SourceAnswer::Unusable { problem }, None))
    }

    async fn kept(&self) -> Result<Option<SourceAnswer>, Fault> {
        read(self.ctx, self.ctx.bucket(), &self.key).await
    }

    /// The answer of the execution that asks, once it has kept it; none when its time is over.
    async fn awaited(&self) -> Result<Option<SourceAnswer>, Fault> {
        for _ in 0..LOOKS {
            if let Some(kept) = self.kept().await? {
                return Ok(Some(kept));
            }
            tokio::time::sleep(BETWEEN).await;
        }
        self.kept().await
    }

    /// Whose the claim of this number is. Another's is no input of the verdict, and none of the step's reads.
    async fn look(&self, number: u32) -> Result<Claim, Fault> {
        let (ctx, ours) = (self.ctx, claim(self.ctx.input, number)?);
        let found = ctx.store.read(ctx.bucket(), &ours.key, None, DOCUMENT_LIMIT).await?;
        Ok(match found {
            Read::NotFound => Claim::Free,
            Read::Found(object) if object.bytes == ours.bytes => Claim::Ours,
            _ => Claim::Theirs,
        })
    }

    /// Makes the claim of this number, unless another execution has it.
    async fn claim(&self, number: u32) -> Result<Claim, Fault> {
        let claim = claim(self.ctx.input, number)?;
        match self.create(&claim).await {
            Written::Stored(_) => Ok(Claim::Ours),
            Written::Occupied { .. } => Ok(Claim::Theirs),
            other => Err(Fault::transient(
                format!("claim the question at {}", claim.key),
                other.describe(),
            )),
        }
    }

    async fn create(&self, object: &Recreated) -> Written {
        self.ctx
            .create(self.ctx.bucket(), &object.key, &object.name, &object.bytes)
            .await
    }

    async fn ask(&self, explorer: &CostExplorer, region: &str) -> Result<Answer, Fault> {
        let input = self.ctx.input;
        let account = input.state_machine.account();
        let billing = match explorer.month_to_date(region, account, input.stamp).await? {
            Ok(billing) => Box::new(billing),
            Err(problem) => return Ok((SourceAnswer::Unusable { problem }, None)),
        };
        match self.create(&kept_answer(input, &billing)?).await {
            Written::Stored(_) => Ok((SourceAnswer::Answered { billing }, None)),
            Written::Occupied { .. } => match self.kept().await? {
                Some(theirs) => Ok((theirs, None)),
                None => Err(Fault::transient(
                    format!("adopt {}", self.key),
                    "it is not there any more",
                )),
            },
            other => Ok((SourceAnswer::Answered { billing }, Some(other.describe()))),
        }
    }
}

/// Where the answer of the day is kept.
fn answer_key(input: &StepInput) -> Result<S3Key, Fault> {
    run_control_key(
        &input.settings.environment,
        &format!("_cost/{}.json", input.stamp.compact_date()),
    )
}

/// The answer of the day, as it is kept.
pub(crate) fn kept_answer(input: &StepInput, billing: &BillingArtifact) -> Result<Recreated, Fault> {
    object("day_cost_answer", answer_key(input)?, billing)
}

/// All claims that this execution may have made.
pub(crate) fn claims(input: &StepInput) -> Result<Vec<Recreated>, Fault> {
    (1..=CLAIMS).map(|number| claim(input, number)).collect()
}

fn claim(input: &StepInput, number: u32) -> Result<Recreated, Fault> {
    let day = input.stamp.compact_date();
    let key = run_control_key(
        &input.settings.environment,
        &format!("_cost/{day}_claim_{number:02}.json"),
    )?;
    let claim = CostClaim::new(&input.execution, input.stamp.date(), number);
    object(COST_CLAIM, key, &claim)
}

fn object(name: &str, key: S3Key, body: &impl Serialize) -> Result<Recreated, Fault> {
    let bytes = canonical::document_of(body).map_err(|e| Fault::internal(format!("render {key}"), e.to_string()))?;
    Ok(Recreated {
        name: name.to_owned(),
        key,
        bytes,
    })
}
