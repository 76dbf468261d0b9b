//! M3.A: the claim of an event, which EventBridge delivers at least once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::PHASE_ID;
use crate::ids::{ExecutionArn, S3Key};
use crate::revision::SCHEMA_VERSION;

/// Which execution an event started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventClaim {
    /// The shape's version.
    pub schema_version: u64,
    /// `p1_event_claim`.
    pub artifact: String,
    /// `P1`.
    pub phase_id: String,
    /// The P1 execution that the event started.
    pub owner: ExecutionArn,
    /// The key of the object that the event is about.
    pub key: S3Key,
    /// S3's sequencer of the event.
    pub sequencer: String,
}

/// The `artifact` of an [`EventClaim`].
pub const EVENT_CLAIM: &str = "p1_event_claim";

impl EventClaim {
    /// The claim of `owner` on the event about `key` with this sequencer.
    #[must_use]
    pub fn new(owner: &ExecutionArn, key: &S3Key, sequencer: &str) -> Self {
        EventClaim {
            schema_version: SCHEMA_VERSION,
            artifact: EVENT_CLAIM.to_owned(),
            phase_id: PHASE_ID.to_owned(),
            owner: owner.clone(),
            key: key.clone(),
            sequencer: sequencer.to_owned(),
        }
    }
}
