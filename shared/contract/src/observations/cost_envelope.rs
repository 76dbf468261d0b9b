//! What M3.H learns from outside.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ClosureAudit;
use crate::artifacts::{BillingArtifact, ProofArtifact};
use crate::handles::HandleFacts;
use crate::ids::PhaseExecutionId;
use crate::secrets::SecretHit;
use crate::step::Step;

/// What the step learned from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// The closures of M3.A … M3.G that the chain has, in the order of the steps.
    pub upstream: Vec<ClosureAudit>,
    /// What became of each proof that the phase's spend is for.
    pub proofs: Vec<ProofFact>,
    /// The registry.
    pub registry: RegistryFact,
    /// The AWS cost source.
    pub source: SourceFact,
    /// The Databricks cost source. Evidence of revision 1 has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub databricks: Option<SourceFact>,
}

/// What the pinned registry said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RegistryFact {
    /// The cost handles.
    Read {
        /// By key.
        handles: HandleFacts,
    },
    /// Nothing pins it: the closure of M3.A is missing or changed, which has its own blocker.
    Unpinned,
    /// It is not what was pinned, or no registry.
    Unusable {
        /// In words.
        problem: String,
    },
}

impl RegistryFact {
    /// The cost handles, where they could be read.
    #[must_use]
    pub fn handles(&self) -> Option<&HandleFacts> {
        match self {
            RegistryFact::Read { handles } => Some(handles),
            RegistryFact::Unpinned | RegistryFact::Unusable { .. } => None,
        }
    }
}

/// What became of one proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofFact {
    /// The step that publishes it.
    pub step: Step,
    /// The phase execution whose closure names it; none where the chain has no closure of the step.
    pub phase_execution_id: Option<PhaseExecutionId>,
    /// The artifact.
    pub name: String,
    /// What was seen.
    pub state: ProofState,
}

impl ProofFact {
    /// The proof as evidence has it.
    #[must_use]
    pub fn artifact(&self) -> ProofArtifact {
        ProofArtifact {
            step: self.step,
            phase_execution_id: self.phase_execution_id.clone(),
            name: self.name.clone(),
            present: self.state == ProofState::Present,
        }
    }
}

/// What was seen of a proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ProofState {
    /// The closure lists it, and it has the bytes that the closure names.
    Present,
    /// The closure is intact and does not list it.
    Unlisted,
    /// The closure lists it, and it is missing, unreadable or changed.
    Gone {
        /// Its key.
        key: String,
        /// In words.
        detail: String,
    },
    /// There is no intact closure to say.
    Unknown,
}

/// What a cost source said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceFact {
    /// Which source it is: of AWS, the deployment names it.
    pub kind: SourceKind,
    /// The object that holds its answer.
    pub object: String,
    /// The answer.
    pub answer: SourceAnswer,
    /// Why the day's answer could not be kept; it is known all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_kept: Option<String>,
}

/// The kinds of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// A pinned billing artifact.
    BillingArtifact,
    /// Cost Explorer.
    CostExplorer,
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            SourceKind::BillingArtifact => "billing_artifact",
            SourceKind::CostExplorer => "cost_explorer",
        })
    }
}

/// An answer about the spend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SourceAnswer {
    /// It has the shape of a billing artifact.
    Answered {
        /// What it says.
        billing: Box<BillingArtifact>,
    },
    /// It is missing, unreadable, refused or of another shape.
    Unusable {
        /// In words.
        problem: String,
    },
    /// It holds secret material: where and by which rule, never what. Nothing else of it is kept.
    Secret {
        /// The hits.
        hits: Vec<SecretHit>,
    },
    /// It was not asked, because a handle that says whether or where to ask has no usable value or says no.
    NotAsked,
}
