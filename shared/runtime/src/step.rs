//! The harness's view of a step: its observations, and a pure evaluation of them.

use p1_contract::blocker::Finding;
use p1_contract::evidence::{Body, Document, DocumentOf, ExecutionSummary, Head, RunIds};
use p1_contract::ids::{Environment, PhaseExecutionId, S3Key};
use p1_contract::owner::Owner;
use p1_contract::reference::ClosureRef;
use p1_contract::request::{Conclusion, StepInput, StepResult};
use p1_contract::step::Step;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::{StepContext, key_in};
use crate::fault::Fault;
use crate::store::Recreated;

/// A step: what it asks other services, and what follows from the answers.
pub trait StepLogic: Send + Sync {
    /// The step.
    const STEP: Step;

    /// The owner of its closures.
    const OWNER: Owner = Owner::Step(Self::STEP);

    /// The step's observations. They are stored before anything is concluded from them, and a retry adopts them.
    type Observed: Serialize + DeserializeOwned + Send;

    /// Whether the step has anything to do. If this returns a result, the invocation ends and nothing is published.
    ///
    /// # Errors
    /// Fails if that is unknown.
    fn preempt(&self, _ctx: &StepContext<'_>) -> impl Future<Output = Result<Option<StepResult>, Fault>> + Send {
        async { Ok(None) }
    }

    /// Asks other services, and makes the run-scoped writes whose end state the verdict depends on. Every write here is
    /// create-only and the same on every attempt.
    ///
    /// # Errors
    /// Fails if an answer is not available.
    fn observe(&self, ctx: &StepContext<'_>) -> impl Future<Output = Result<Self::Observed, Fault>> + Send;

    /// Recreates from the observations what [`observe`](Self::observe) created beside them. This is a pure function, for
    /// recomputing the step offline. The result may include objects that were not stored in the end; the observations say which
    /// were.
    ///
    /// # Errors
    /// Fails if the observations contradict themselves, which is a defect.
    fn recreate(&self, _input: &StepInput, _observed: &Self::Observed) -> Result<Vec<Recreated>, Fault> {
        Ok(Vec::new())
    }

    /// Returns the verdict and the artifacts. This is a pure function of input and observations.
    ///
    /// # Errors
    /// Fails if the observations contradict themselves, which is a defect.
    fn evaluate(&self, input: &StepInput, observed: &Self::Observed) -> Result<Evaluation, Fault>;

    /// What stands besides the step's own findings, for whoever is told of a hold: M3.J answers for the whole phase. This is a
    /// pure function of input and observations.
    ///
    /// # Errors
    /// Fails if the observations contradict themselves, which is a defect.
    fn standing(&self, _input: &StepInput, _observed: &Self::Observed) -> Result<Vec<Finding>, Fault> {
        Ok(Vec::new())
    }

    /// The input to give again where it was refused: that of an admission or an entry.
    fn asked(&self, _input: &StepInput) -> Option<serde_json::Value> {
        None
    }

    /// Work after the step has closed, beside its evidence. It does not change the verdict, and no closure names its objects, so
    /// that a replay leaves it out. M3.J signs and indexes here.
    ///
    /// # Errors
    /// Fails if the work is not done. The step has closed all the same, and a redrive does the work.
    fn seal(
        &self,
        _ctx: &StepContext<'_>,
        _closed: Closed<'_, Self::Observed>,
    ) -> impl Future<Output = Result<(), Fault>> + Send {
        async { Ok(()) }
    }
}

/// A step that has closed.
#[derive(Debug)]
pub struct Closed<'a, O> {
    /// Its observations.
    pub observed: &'a O,
    /// Its summary.
    pub summary: &'a ExecutionSummary,
    /// The reference to the summary.
    pub closure: &'a ClosureRef,
}

/// The conclusions from the observations.
#[derive(Debug, Clone, Default)]
pub struct Evaluation {
    /// All blockers of the step.
    pub findings: Vec<Finding>,
    /// The artifacts to publish, in waves. The artifacts of one wave are written together, and the waves one after the other.
    pub waves: Vec<Vec<Artifact>>,
    /// The ids known after this step.
    pub run: RunIds,
    /// How the Task ends. An admission that could not be published is refused, whatever this says.
    pub conclusion: Conclusion,
}

/// An artifact, ready to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Its name.
    pub name: String,
    /// Its key in the evidence bucket.
    pub key: S3Key,
    /// Its content.
    pub content: Content,
}

/// The content of an artifact before the secret scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// JSON that will be rendered canonically.
    Json(serde_json::Value),
    /// Markdown.
    Markdown(String),
}

/// Makes the artifacts of one phase execution.
#[derive(Debug, Clone)]
pub struct Author {
    /// The step.
    pub step: Step,
    /// The environment.
    pub environment: Environment,
    /// The phase execution.
    pub phase_execution_id: PhaseExecutionId,
    /// The ids that are known so far.
    pub run: RunIds,
}

impl Author {
    /// The author for `step` in this execution.
    #[must_use]
    pub fn new(input: &StepInput, step: Step, run: RunIds) -> Self {
        Author {
            step,
            environment: input.settings.environment.clone(),
            phase_execution_id: input.phase_execution_id(step),
            run,
        }
    }

    fn key(&self, file: &str) -> Result<S3Key, Fault> {
        key_in(&self.environment, &self.phase_execution_id, file)
    }

    /// A document of kind `B`.
    ///
    /// # Errors
    /// Fails for run evidence of a run that has not all its ids.
    pub fn document<B: Body>(&self, body: B) -> Result<DocumentOf<B>, Fault> {
        let header = Head::of(B::NAME, self.step, self.phase_execution_id.clone(), &self.run).ok_or_else(|| {
            let problem = "it is evidence of a run that has not all its ids";
            Fault::internal(format!("write {}", B::NAME), problem)
        })?;
        Ok(Document { header, body })
    }

    /// An artifact of kind `B` in the folder of the phase execution.
    ///
    /// # Errors
    /// Fails if the body cannot be rendered.
    pub fn artifact<B: Body>(&self, body: B) -> Result<Artifact, Fault> {
        self.artifact_at(self.key(&format!("{}.json", B::NAME))?, body)
    }

    /// An artifact of kind `B` at a key that the registry names.
    ///
    /// # Errors
    /// Fails if the body cannot be rendered.
    pub fn artifact_at<B: Body>(&self, key: S3Key, body: B) -> Result<Artifact, Fault> {
        let document = self.document(body)?;
        let value = p1_contract::evidence::merge(&document.header, &document.body)?;
        Ok(Artifact {
            name: B::NAME.to_owned(),
            key,
            content: Content::Json(value),
        })
    }

    /// A Markdown artifact.
    ///
    /// # Errors
    /// Fails if the name makes no valid key.
    pub fn note(&self, name: &str, text: String) -> Result<Artifact, Fault> {
        Ok(Artifact {
            name: name.to_owned(),
            key: self.key(&format!("{name}.md"))?,
            content: Content::Markdown(text),
        })
    }
}
