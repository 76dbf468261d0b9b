//! What M3.J learns from outside, and what became of its writes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AuditProblem, ClosureAudit};
use crate::artifacts::{CommitPosture, P1Verdict};
use crate::blocker::Finding;
use crate::evidence::RunIds;
use crate::hash::Sha256Hex;
use crate::ids::PlatformRunId;
use crate::owner::Owner;
use crate::reference::{ArtifactRef, ClosureRef, ObjectRef};
use crate::secrets::SecretHit;

/// What the step learned, and the end states of what it wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// What was there before.
    pub facts: Facts,
    /// What became of the phase summary.
    pub summary: SummaryWrite,
    /// What became of the commit.
    pub commit: CommitOutcome,
}

/// The end state of the phase summary's write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SummaryWrite {
    /// It is there.
    Stored(ArtifactRef),
    /// Its key holds other bytes: those of an attempt that saw other facts, or somebody else's.
    Occupied {
        /// Their hash.
        found: Sha256Hex,
    },
    /// It is not there, or whether it is could not be learned: in words.
    NotStored(String),
    /// It was not written, because it holds secret material.
    Withheld(Vec<SecretHit>),
}

/// The end state of the commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CommitOutcome {
    /// The ledger holds the verdict, in this record.
    Done(ArtifactRef),
    /// The ledger went to another execution since it was read: in words.
    Lost(String),
    /// Whether the record was written could not be learned: in words.
    Inconclusive(String),
    /// There was no ledger of ours, or no summary, to commit.
    NotTried,
}

/// Everything that the phase summary is a function of, besides the input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The closures of M3.A … M3.I, as far as there are any, then the admission's; each summary was read again.
    pub chain: Vec<ClosureAudit>,
    /// What M3.I published.
    pub rollup: RollupFacts,
    /// The handoff pack.
    pub pack: PackFacts,
    /// `run.json`, the run header and the handoff pack as the closures of M3.E and M3.F list them, in the order of the keys:
    /// what a signature is about, beside the closures.
    pub run_evidence: Vec<ObjectRef>,
    /// The run's ledger.
    pub ledger: LedgerFacts,
    /// Objects that the chain names, and whose key was overwritten or deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rewritten: Vec<AuditProblem>,
}

impl Facts {
    /// The link of `owner` in the chain.
    #[must_use]
    pub fn link(&self, owner: impl Into<Owner>) -> Option<&ClosureAudit> {
        let owner = owner.into();
        self.chain.iter().find(|link| link.closure.step == owner)
    }

    /// What is known of the run: each id from the latest summary that carries it.
    #[must_use]
    pub fn run(&self) -> RunIds {
        ClosureAudit::run_of(&self.chain)
    }
}

/// What M3.I published.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RollupFacts {
    /// The closures that M3.I rolled up.
    pub upstream: Vec<ClosureRef>,
    /// Its verdict's object; none where it is not as the closure lists it.
    pub verdict_object: Option<ObjectRef>,
    /// Its verdict; none where the object is no verdict.
    pub verdict: Option<P1Verdict>,
    /// What stands in its blocker register.
    pub unresolved: Vec<Finding>,
    /// Why an object of its is not the document that it should be.
    pub unreadable: Vec<AuditProblem>,
}

/// The handoff pack, as it stands in S3 now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PackFacts {
    /// M3.F's closure lists none, or there is no such closure.
    NotListed,
    /// It is the pack that M3.F's closure lists.
    Intact {
        /// Where it lies.
        object: ObjectRef,
        /// The ids that it carries.
        run: RunIds,
        /// The run that it scopes a runtime to.
        scoped_to: PlatformRunId,
    },
    /// It is listed, and missing, changed or no pack.
    Unusable(AuditProblem),
}

/// Whether the ledger can hold a verdict of this execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LedgerFacts {
    /// Whether it can.
    pub posture: CommitPosture,
    /// What was seen.
    pub detail: String,
}
