//! What a step is to the harness: its observations, and a pure evaluation of them.

use p1_contract::blocker::Finding;
use p1_contract::evidence::{Body, Document, ExecutionSummary, Header, RunIds};
use p1_contract::ids::{PhaseExecutionId, S3Key};
use p1_contract::owner::Owner;
use p1_contract::reference::ClosureRef;
use p1_contract::request::{Conclusion, StepInput, StepResult};
use p1_contract::step::Step;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::{StepContext, key_in};
use crate::fault::Fault;

/// A step: what it asks outside, and what follows from the answers.
pub trait StepLogic: Send + Sync {
    /// The step.
    const STEP: Step;

    /// Whose its closures are.
    const OWNER: Owner = Owner::Step(Self::STEP);

    /// What the step learns from outside. It is stored before anything is concluded from it, and a retry adopts it.
    type Observed: Serialize + DeserializeOwned + Send;

    /// Whether the step has anything to do at all; a result here ends the invocation, and nothing is published.
    ///
    /// # Errors
    /// When that cannot be learned.
    fn preempt(&self, _ctx: &StepContext<'_>) -> impl Future<Output = Result<Option<StepResult>, Fault>> + Send {
        async { Ok(None) }
    }

    /// Asks outside, and makes the run-scoped writes whose end state the verdict depends on. Every write here is
    /// create-only and the same on every attempt.
    ///
    /// # Errors
    /// When an answer cannot be had.
    fn observe(&self, ctx: &StepContext<'_>) -> impl Future<Output = Result<Self::Observed, Fault>> + Send;

    /// What [`observe`](Self::observe) created beside the observations, made again from them: a pure function, for whoever
    /// recomputes the step offline. What was not stored in the end may be among it; the observations say what was.
    ///
    /// # Errors
    /// When the observations contradict themselves: a defect.
    fn recreate(&self, _input: &StepInput, _observed: &Self::Observed) -> Result<Vec<Recreated>, Fault> {
        Ok(Vec::new())
    }

    /// The verdict and the artifacts: a pure function of input and observations.
    ///
    /// # Errors
    /// When the observations contradict themselves: a defect.
    fn evaluate(&self, input: &StepInput, observed: &Self::Observed) -> Result<Evaluation, Fault>;

    /// What is done once the step has closed, beside its evidence: nothing of it changes the verdict, and no closure names
    /// what is written here. M3.J signs.
    ///
    /// # Errors
    /// When it is not done; the step has closed all the same, and a redrive does it.
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
    /// What it observed.
    pub observed: &'a O,
    /// Its summary.
    pub summary: &'a ExecutionSummary,
    /// Where the summary lies.
    pub closure: &'a ClosureRef,
}

/// What follows from the observations.
#[derive(Debug, Clone, Default)]
pub struct Evaluation {
    /// All blockers of the step.
    pub findings: Vec<Finding>,
    /// The artifacts to publish, in waves: those of a wave are written together, the waves one after the other.
    pub waves: Vec<Vec<Artifact>>,
    /// The ids known after this step.
    pub run: RunIds,
    /// How the Task ends; an admission that could not be published is refused all the same.
    pub conclusion: Conclusion,
}

/// An artifact, ready to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Its name.
    pub name: String,
    /// Where it goes in the evidence bucket.
    pub key: S3Key,
    /// What it says.
    pub content: Content,
}

/// An object that a step created while it observed, made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recreated {
    /// Its name.
    pub name: String,
    /// Where it lies in the evidence bucket.
    pub key: S3Key,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The content of an artifact before the secret scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// To be rendered as canonical JSON.
    Json(serde_json::Value),
    /// Markdown.
    Markdown(String),
}

/// Makes the artifacts of one phase execution.
#[derive(Debug, Clone)]
pub struct Author {
    /// The step.
    pub step: Step,
    /// The phase execution.
    pub phase_execution_id: PhaseExecutionId,
    /// The ids known by now.
    pub run: RunIds,
}

impl Author {
    /// The author for `step` in this execution.
    #[must_use]
    pub fn new(input: &StepInput, step: Step, run: RunIds) -> Self {
        Author {
            step,
            phase_execution_id: input.phase_execution_id(step),
            run,
        }
    }

    /// The document of kind `B`.
    pub fn document<B: Body>(&self, body: B) -> Document<B> {
        let id = (!B::RUN_EVIDENCE).then(|| self.phase_execution_id.clone());
        Document {
            header: Header::new(B::NAME, self.step, id, &self.run),
            body,
        }
    }

    /// The artifact of kind `B`, in the folder of the phase execution.
    ///
    /// # Errors
    /// When the body cannot be rendered.
    pub fn artifact<B: Body>(&self, body: B) -> Result<Artifact, Fault> {
        let key = key_in(&self.phase_execution_id, &format!("{}.json", B::NAME))?;
        self.artifact_at(key, body)
    }

    /// The artifact of kind `B`, at a key that the registry names.
    ///
    /// # Errors
    /// When the body cannot be rendered.
    pub fn artifact_at<B: Body>(&self, key: S3Key, body: B) -> Result<Artifact, Fault> {
        let document = self.document(body);
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
    /// When the name makes no key.
    pub fn note(&self, name: &str, text: String) -> Result<Artifact, Fault> {
        let key = key_in(&self.phase_execution_id, &format!("{name}.md"))?;
        Ok(Artifact {
            name: name.to_owned(),
            key,
            content: Content::Markdown(text),
        })
    }
}
