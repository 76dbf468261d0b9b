//! The closures that a step rests on, for steps with a blocker for a closure that is missing, changed or not a pass.

use futures_util::future::try_join_all;
use p1_contract::evidence::Body;
use p1_contract::observations::Prerequisite;
use p1_contract::step::Step;

use crate::context::{ClosureRead, StepContext, Summary};
use crate::fault::Fault;

/// Prerequisites, each with its summary if that could be read.
#[derive(Debug, Default)]
pub struct Prerequisites(Vec<(Prerequisite, Option<Summary>)>);

impl Prerequisites {
    /// Reads the closures of `steps` concurrently.
    ///
    /// # Errors
    /// Fails if the store gives no answer.
    pub async fn read(ctx: &StepContext<'_>, steps: &[Step]) -> Result<Self, Fault> {
        try_join_all(steps.iter().map(|step| read_one(ctx, *step)))
            .await
            .map(Prerequisites)
    }

    /// Whether all prerequisites are met.
    #[must_use]
    pub fn hold(&self) -> bool {
        self.0.iter().all(|(prerequisite, _)| prerequisite.problem.is_none())
    }

    /// The summary of `step`. Returns `None` if it could not be read.
    #[must_use]
    pub fn summary(&self, step: Step) -> Option<&Summary> {
        let (_, summary) = self.0.iter().find(|(prerequisite, _)| prerequisite.step == step)?;
        summary.as_ref()
    }

    /// The document of kind `B` that the closure of `step` lists. The inner error says why it cannot be read.
    ///
    /// # Errors
    /// Fails if the store gives no answer.
    pub async fn artifact<B: Body>(&self, ctx: &StepContext<'_>, step: Step) -> Result<Result<B, String>, Fault> {
        let Some(summary) = self.summary(step) else {
            return Ok(Err("the closure cannot be read".to_owned()));
        };
        let document = ctx.artifact_if_intact::<B>(summary).await?;
        Ok(document.map(|document| document.body))
    }

    /// The prerequisites, with the further problems that were found in the closures.
    #[must_use]
    pub fn into_facts(self, problems: &[(Step, Option<&String>)]) -> Vec<Prerequisite> {
        let mut facts: Vec<Prerequisite> = self.0.into_iter().map(|(prerequisite, _)| prerequisite).collect();
        for (step, problem) in problems {
            if let (Some(problem), Some(fact)) = (problem, facts.iter_mut().find(|fact| fact.step == *step)) {
                fact.problem.get_or_insert_with(|| (*problem).clone());
            }
        }
        facts
    }
}

async fn read_one(ctx: &StepContext<'_>, step: Step) -> Result<(Prerequisite, Option<Summary>), Fault> {
    let closure = ctx.input.closure(step);
    let (summary, problem) = match closure {
        None => (None, Some("the chain has no such closure".to_owned())),
        Some(closure) => match ctx.closure(closure).await? {
            ClosureRead::Found(summary) => {
                let problem = summary.not_a_pass(closure).map(str::to_owned);
                (Some(*summary), problem)
            }
            ClosureRead::Unusable(why) => (None, Some(why)),
        },
    };
    let closure = closure.cloned();
    Ok((Prerequisite { step, closure, problem }, summary))
}

#[cfg(test)]
mod tests {
    use p1_contract::blocker::Blocker;

    use super::*;
    use crate::testing::TestExecution;

    /// The problem of the closure of M3.A, and whether the same closure can be read as an upstream summary.
    async fn judged(is_pass: bool, chain_says_pass: bool) -> (Option<String>, bool) {
        let mut execution = TestExecution::default();
        let blockers = vec![Blocker::HandleMissing.on("handle", "is missing")];
        execution.close(Step::HandleClosure, &[], if is_pass { Vec::new() } else { blockers });
        let closure = execution.closures.get_mut("M3.A").unwrap();
        closure.overall_pass = chain_says_pass;
        let (harness, request) = (execution.harness(), execution.request(Step::RunIdentity));
        let ctx = harness.context(&request.input, Step::RunIdentity);
        let read = Prerequisites::read(&ctx, &[Step::HandleClosure]).await.unwrap();
        let problem = read.into_facts(&[]).remove(0).problem;
        (problem, ctx.upstream(Step::HandleClosure).await.is_ok())
    }

    #[tokio::test]
    async fn a_closure_is_a_pass_only_where_chain_and_summary_both_say_so() {
        assert_eq!(judged(true, true).await, (None, true));
        for (is_pass, chain_says_pass, expected) in [
            (false, false, "it is not a pass"),
            (false, true, "it is not a pass"),
            (true, false, "the chain names a hold, and its summary a pass"),
        ] {
            let expected = (Some(expected.to_owned()), false);
            let judged = judged(is_pass, chain_says_pass).await;
            assert_eq!(judged, expected, "{is_pass} {chain_says_pass}");
        }
    }
}
