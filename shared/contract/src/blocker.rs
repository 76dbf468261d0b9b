//! The blocker taxonomy: one variant a wire code, its doc line the rule (contract section 7).
//!
//! A blocker is a verdict: a rule that did not hold. Faults (no verdict could be reached) are errors and live
//! in the shell.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::step::Step;

/// How far a blocker reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Severity {
    /// No-go: the run cannot be resumed, only a new one started.
    S1,
    /// Remediate: mend the cause, then resume the run.
    S2,
}

macro_rules! taxonomy {
    ($($(#[doc = $doc:literal])+ $variant:ident $code:literal $step:ident $severity:ident $phase:literal $internal:literal $remedy:literal;)+) => {
        /// Every blocker that P1 can raise. Wire codes stand in evidence, so they never change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Blocker {
            $($(#[doc = $doc])+ #[serde(rename = $code)] $variant,)+
        }

        impl Blocker {
            /// Every code, in the order of the contract.
            pub const ALL: &'static [Blocker] = &[$(Blocker::$variant,)+];

            /// The wire code, such as `M3E-B3`.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Blocker::$variant => $code,)+ }
            }

            /// The step that raises it.
            #[must_use]
            pub const fn step(self) -> Step {
                match self { $(Blocker::$variant => Step::$step,)+ }
            }

            /// No-go or remediate.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Blocker::$variant => Severity::$severity,)+ }
            }

            /// The code of the phase plan (`M3-B0` … `M3-B9`) that it counts under.
            #[must_use]
            pub const fn phase_code(self) -> &'static str {
                match self { $(Blocker::$variant => $phase,)+ }
            }

            /// Whether only a defect of our own can raise it (° in the contract): defence in depth.
            #[must_use]
            pub const fn is_internal(self) -> bool {
                match self { $(Blocker::$variant => $internal,)+ }
            }

            /// The rule, as one line.
            #[must_use]
            pub fn rule(self) -> &'static str {
                match self { $(Blocker::$variant => concat!($($doc),+).trim(),)+ }
            }

            /// What a person does about it.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self { $(Blocker::$variant => $remedy,)+ }
            }
        }
    };
}

taxonomy! {
    /// A required handle is not declared in the registry.
    HandleMissing "M3A-B1" HandleClosure S2 "M3-B1" false "declare the handle in the registry, then start a new execution";
    /// A required handle has no value, or its value is or contains a placeholder such as TO_PIN.
    HandleUnresolved "M3A-B2" HandleClosure S2 "M3-B0.1" false "pin the handle's value in the registry, then start a new execution";
    /// The M2 receipt is missing or unreadable, or it does not say that M2 passed.
    M2HandoffNotGreen "M3A-B3" HandleClosure S2 "M3-B1" false "close M2 and let it publish a green receipt, then start from that receipt";
    /// The orchestrator that the registry names cannot be found, cannot be queried or is not ACTIVE.
    OrchestratorUnavailable "M3A-B4" HandleClosure S2 "M3-B0" false "bring the runtime stack up so that the named state machine is ACTIVE, then start a new execution";
    /// The evidence bucket that the registry names is not versioned or cannot be reached.
    EvidenceBucketUnfit "M3A-B5" HandleClosure S2 "M3-B5" false "enable versioning on the evidence bucket or repin S3_EVIDENCE_BUCKET, then start a new execution";
    /// A value of the registry contradicts the registry itself, a stack output, a field name of the evidence or the deployment; or no stack output could be compared with any handle.
    HandleContradiction "M3A-B6" HandleClosure S2 "M3-B1" false "make registry and stack agree on the value, then start a new execution";
    /// An artifact of the step could not be published, or is missing when the step reads its artifacts back.
    HandleClosureNotPublished "M3A-B7" HandleClosure S2 "M3-B9" false "find what occupies or refuses the evidence key, then start a new execution";
    /// A document that the step read contains secret material.
    HandleClosureSecret "M3A-B8" HandleClosure S1 "M3-B1" false "remove the secret from the named place, rotate it, then start a new execution";

    /// The run id does not have the required format.
    RunIdFormatInvalid "M3B-B1" RunIdentity S1 "M3-B2" false "report it with the evidence: run ids are minted by P1 alone";
    /// All run ids of this second are taken: the one without a suffix, and those with the suffixes _01 to _20.
    RunIdExhausted "M3B-B2" RunIdentity S2 "M3-B2" false "start a new execution: another second gives other run ids";
    /// A handle that says how to derive the scenario run id is missing, unknown or incomplete; or a manifest is unreadable or has another hash.
    DerivationContractInvalid "M3B-B3" RunIdentity S2 "M3-B3" false "mend the named handle or publish the named manifest, then start a new execution";
    /// The identity seed has other bytes after it was serialised, parsed and serialised again.
    SeedUnstable "M3B-B4" RunIdentity S1 "M3-B3" true "report it with the evidence: a defect of P1";
    /// An identity artifact could not be published.
    RunIdentityNotPublished "M3B-B5" RunIdentity S2 "M3-B5" false "find what occupies or refuses the evidence key, then start a new execution";
    /// A second derivation gives another scenario run id.
    DerivationNotReproducible "M3B-B6" RunIdentity S1 "M3-B3" true "report it with the evidence: a defect of P1";
    /// An identity artifact is missing when the step reads its artifacts back.
    RunIdentityIncomplete "M3B-B7" RunIdentity S2 "M3-B9" false "find who removed the object, then start a new execution";
    /// An identity artifact contains secret material.
    RunIdentitySecret "M3B-B8" RunIdentity S1 "M3-B3" false "remove the secret from the named place, rotate it, then start a new execution";

    /// A field of the config payload is missing.
    PayloadFieldMissing "M3C-B1" ConfigDigest S1 "M3-B3" true "report it with the evidence: a defect of P1";
    /// The canonicalisation mode is unknown.
    CanonicalizationUnknown "M3C-B2" ConfigDigest S2 "M3-B3" false "set SCENARIO_EQUIVALENCE_KEY_CANONICALIZATION_MODE to json_sorted_keys_v1, then start a new execution: M3.A has closed the old value";
    /// The algorithm or the field name of the digest is not the required one.
    DigestContractInvalid "M3C-B3" ConfigDigest S2 "M3-B3" false "set CONFIG_DIGEST_ALGO to sha256 and both CONFIG_DIGEST_FIELD and FIELD_CONFIG_DIGEST to config_digest, then start a new execution: M3.A has closed the old values";
    /// The two computations of the digest and the digest of M3.B do not agree.
    DigestMismatch "M3C-B4" ConfigDigest S1 "M3-B3" true "report it with the evidence: a defect of P1";
    /// The config payload contains secret material.
    PayloadSecret "M3C-B5" ConfigDigest S1 "M3-B3" false "remove the secret from the named place, rotate it, then start a new execution";
    /// A digest artifact could not be published.
    ConfigDigestNotPublished "M3C-B6" ConfigDigest S2 "M3-B5" false "find what occupies or refuses the evidence key, then resume";
    /// A digest artifact is missing when the step reads its artifacts back.
    ConfigDigestIncomplete "M3C-B7" ConfigDigest S2 "M3-B9" false "find who removed the object, then resume";

    /// A handle that this step reads is missing or has a value that is not allowed.
    OrchestratorHandleInvalid "M3D-B1" OrchestratorReadiness S2 "M3-B4" false "mend the named handle in the registry; ROLE_STEP_FUNCTIONS_ORCHESTRATOR can be resumed with, M3.A has closed the others: start a new execution";
    /// The state machine cannot be found, cannot be queried or is not ACTIVE.
    StateMachineUnavailable "M3D-B2" OrchestratorReadiness S2 "M3-B4" false "bring the named state machine to ACTIVE, then resume";
    /// The state machine's role is not the one that the registry names.
    RoleMismatch "M3D-B3" OrchestratorReadiness S2 "M3-B4" false "align the machine's role and ROLE_STEP_FUNCTIONS_ORCHESTRATOR, then resume";
    /// The last record of the run's ledger does not give the run to this execution.
    RunLockNotOurs "M3D-B4" OrchestratorReadiness S2 "M3-B4" false "wait until the named holder has ended, then resume the run once";
    /// REQUIRED_PLATFORM_RUN_ID_ENV_KEY is not the name of an environment variable.
    RunScopeKeyInvalid "M3D-B5" OrchestratorReadiness S2 "M3-B4" false "set REQUIRED_PLATFORM_RUN_ID_ENV_KEY to an environment variable name, then start a new execution: M3.A has closed the old value";
    /// A readiness artifact could not be published.
    ReadinessNotPublished "M3D-B6" OrchestratorReadiness S2 "M3-B5" false "find what occupies or refuses the evidence key, then resume";
    /// A readiness artifact is missing when the step reads its artifacts back.
    ReadinessIncomplete "M3D-B7" OrchestratorReadiness S2 "M3-B9" false "find who removed the object, then resume";
    /// This execution belongs to another state machine than the registry names.
    ForeignStateMachine "M3D-B8" OrchestratorReadiness S1 "M3-B4" false "start a new execution on the orchestrator that the registry names";

    /// A closure that the publication needs is missing, was changed or is not a pass.
    PublicationPrerequisite "M3E-B1" RunPublication S2 "M3-B5" false "resume at the step whose closure is named";
    /// The key of run.json or of the run header cannot be resolved.
    RunKeyUnresolvable "M3E-B2" RunPublication S2 "M3-B5" false "mend the named path pattern in the registry, then start a new execution: M3.A has closed the old value";
    /// The key of run.json or of the run header already has an object with other bytes.
    RunEvidenceAlreadyExists "M3E-B3" RunPublication S1 "M3-B5" false "leave the object alone, find who wrote it, and start a new execution";
    /// A write failed, or it is not known whether it succeeded.
    RunEvidenceWriteFailed "M3E-B4" RunPublication S2 "M3-B5" false "see that S3 accepts writes to the named key, then resume: a write that did happen is recognised";
    /// The bytes that were read back are not those that were written.
    RunEvidenceReadback "M3E-B5" RunPublication S1 "M3-B5" false "treat the bucket as compromised, keep the evidence, and start a new execution elsewhere";
    /// run.json and the run header carry different triplets.
    RunEvidenceDisagrees "M3E-B6" RunPublication S1 "M3-B5" true "report it with the evidence: a defect of P1";
    /// Run evidence contains secret material.
    RunEvidenceSecret "M3E-B7" RunPublication S1 "M3-B5" false "remove the secret from the named place, rotate it, then start a new execution";
    /// A publication artifact is missing when the step reads its artifacts back.
    RunPublicationIncomplete "M3E-B8" RunPublication S2 "M3-B9" false "find what occupies, refuses or removed the named key, then resume";
    /// The last record of the run's ledger is no longer this execution's.
    PublicationLedgerLost "M3E-B9" RunPublication S2 "M3-B4" false "let the execution that holds the ledger finish, then resume the run once";

    /// A closure that the handoff needs is missing, was changed or is not a pass.
    HandoffPrerequisite "M3F-B1" M4Handoff S2 "M3-B6" false "resume at the step whose closure is named";
    /// REQUIRED_PLATFORM_RUN_ID_ENV_KEY is missing or is not the name of an environment variable.
    EnvBindingInvalid "M3F-B2" M4Handoff S2 "M3-B6" false "set REQUIRED_PLATFORM_RUN_ID_ENV_KEY to an environment variable name, then start a new execution: M3.A has closed the old value";
    /// CORRELATION_REQUIRED_FIELDS is not the required list of fields.
    CorrelationFieldsInvalid "M3F-B3" M4Handoff S2 "M3-B6" false "set CORRELATION_REQUIRED_FIELDS to the contract's list, then resume";
    /// An object that the handoff pack refers to is unreadable or has another hash.
    HandoffReferenceInvalid "M3F-B4" M4Handoff S1 "M3-B6" false "keep the evidence, find who changed the object, and start a new execution";
    /// The handoff pack or one of its receipts could not be published.
    HandoffNotPublished "M3F-B5" M4Handoff S2 "M3-B5" false "find what occupies or refuses the evidence key, then resume";
    /// The bytes of the handoff pack that were read back are not those that were written.
    HandoffReadback "M3F-B6" M4Handoff S1 "M3-B6" false "treat the bucket as compromised, keep the evidence, and start a new execution elsewhere";
    /// The handoff pack contains secret material.
    HandoffSecret "M3F-B7" M4Handoff S1 "M3-B6" false "remove the secret from the named place, rotate it, then start a new execution";
    /// A handoff artifact is missing when the step reads its artifacts back.
    HandoffIncomplete "M3F-B8" M4Handoff S2 "M3-B9" false "find who removed the object, then resume";
    /// The last record of the run's ledger is no longer this execution's.
    HandoffLedgerLost "M3F-B9" M4Handoff S2 "M3-B4" false "let the execution that holds the ledger finish, then resume the run once";

    /// The rerun contradicts the policy, its reset receipt or the evidence that it names.
    RerunPolicyInconsistent "M3G-B1" RerunDiscipline S2 "M3-B7" false "take the rerun input from next_action of the last held summary, unchanged";
    /// The run's evidence or today's registry does not confirm the run's ids and digest.
    IdentityDrift "M3G-B2" RerunDiscipline S1 "M3-B7" false "start a new execution: another configuration is another run";
    /// An object of the run was overwritten or deleted: its key has a second version or a delete marker.
    DestructiveMutation "M3G-B3" RerunDiscipline S1 "M3-B7" false "keep the evidence, find who changed it, and start a new execution";
    /// The reset class does not match `^[a-z][a-z0-9_]{2,63}$`, so nobody can approve it.
    ResetClassNotPermitted "M3G-B4" RerunDiscipline S2 "M3-B7" false "use service_runtime_reset, checkpoint_reset or data_replay_reset";
    /// The reset receipt lacks a field.
    ResetReceiptIncomplete "M3G-B5" RerunDiscipline S2 "M3-B7" false "give actor, reason, class, scope and at_utc, none of them empty or a placeholder, at_utc as 2026-11-22T12:17:01Z";
    /// The reset class is not a permitted one, and the reset receipt has no approval with a name and a blocker code.
    ResetNotApproved "M3G-B6" RerunDiscipline S2 "M3-B7" false "have the reset approved: approval names who approved and for which blocker";
    /// A policy artifact could not be published.
    PolicyNotPublished "M3G-B7" RerunDiscipline S2 "M3-B5" false "find what occupies or refuses the evidence key, then resume";
    /// A policy artifact is missing when the step reads its artifacts back.
    PolicyIncomplete "M3G-B8" RerunDiscipline S2 "M3-B9" false "find who removed the object, then resume";

    /// A cost handle is missing or malformed.
    CostHandleInvalid "M3H-B1" CostEnvelope S2 "M3-B8" false "mend the named handle in the registry, then resume";
    /// A closure of M3.A … M3.G is missing, was changed or is not a pass.
    CostUpstreamNotGreen "M3H-B2" CostEnvelope S2 "M3-B8" false "resume at the step whose closure is named";
    /// The source of AWS costs is missing, unreadable or not usable.
    BillingSourceUnusable "M3H-B3" CostEnvelope S2 "M3-B8" false "publish the billing artifact or grant Cost Explorer, then resume";
    /// The Databricks cost source is enabled and its bill is not pinned, not readable or does not fit AWS's, or it is deferred without a reason and a gate.
    DatabricksSourceInvalid "M3H-B4" CostEnvelope S2 "M3-B8" false "pin the Databricks bill of the month to date in the artifacts bucket by the three M3H_DATABRICKS_COST_SOURCE handles, or set DATABRICKS_COST_CAPTURE_ENABLED to false with defer reason and re-enable gate, then resume";
    /// The limit and the alerts of the budget are invalid, or the month's spend has reached the third alert.
    EnvelopeBreached "M3H-B5" CostEnvelope S2 "M3-B8" false "mend the envelope, or have the budget raised by its owner, then resume";
    /// The outcome receipt is invalid, or COST_OUTCOME_RECEIPT_REQUIRED_FIELDS is not the required list of fields.
    OutcomeReceiptInvalid "M3H-B6" CostEnvelope S2 "M3-B8" false "set COST_OUTCOME_RECEIPT_REQUIRED_FIELDS to the contract's list, then resume";
    /// The budget or the spend is not in USD.
    CurrencyMismatch "M3H-B7" CostEnvelope S2 "M3-B8" false "bring budget and billing to the same currency, then resume";
    /// A cost artifact could not be published, or is missing when the step reads its artifacts back.
    CostNotPublished "M3H-B8" CostEnvelope S2 "M3-B8" false "find what occupies, refuses or removed the evidence key, then resume";
    /// Money was spent, and an artifact that must prove what it was spent on is missing.
    SpendWithoutProof "M3H-B9" CostEnvelope S1 "M3-B8" false "keep the evidence, find who removed the artifact, and start a new execution";

    /// An artifact that a closure lists is missing, unreadable or has another hash.
    RollupArtifactInvalid "M3I-B1" GateRollup S1 "M3-B9" false "keep the evidence, find who changed the object, and start a new execution";
    /// The state machine went on after a step that did not pass.
    GateContradicted "M3I-B2" GateRollup S1 "M3-B9" false "keep the evidence, and start a new execution on the deployed state machine";
    /// A blocker has no known severity.
    SeverityUnknown "M3I-B3" GateRollup S1 "M3-B9" true "report it with the evidence: a defect of P1";
    /// The rollup matrix lacks a row, a check or a lane.
    MatrixIncomplete "M3I-B4" GateRollup S1 "M3-B9" true "report it with the evidence: a defect of P1";
    /// The count, the list and the codes of the unresolved blockers do not agree.
    UnresolvedSetImplicit "M3I-B5" GateRollup S1 "M3-B9" true "report it with the evidence: a defect of P1";
    /// Two computations of the verdict give different bytes.
    VerdictNotReproducible "M3I-B6" GateRollup S1 "M3-B9" true "report it with the evidence: a defect of P1";
    /// A rollup artifact could not be published, or is missing when the step reads its artifacts back.
    RollupNotPublished "M3I-B7" GateRollup S2 "M3-B9" false "find what occupies, refuses or removed the evidence key, then resume";
    /// The rollup advances although there are blockers.
    RollupAdvanceDespiteBlockers "M3I-B8" GateRollup S1 "M3-B9" true "report it with the evidence: a defect of P1";

    /// M3.I's verdict is missing or is not a known one.
    VerdictVocabulary "M3J-B1" PhaseVerdict S1 "M3-B9" true "report it with the evidence: a defect of P1";
    /// A closure that the verdict needs is missing or was changed, or an object that it lists was overwritten or deleted.
    ChainIncomplete "M3J-B2" PhaseVerdict S1 "M3-B9" false "keep the evidence, find which closure is gone, and start a new execution";
    /// M3.I advances although blockers are unresolved.
    UnresolvedAtAdvance "M3J-B3" PhaseVerdict S1 "M3-B9" true "report it with the evidence: a defect of P1";
    /// The handoff pack is missing or was changed.
    HandoffPackDrifted "M3J-B4" PhaseVerdict S1 "M3-B6" false "keep the evidence, find who changed the pack, and start a new execution";
    /// The phase summary contradicts itself.
    SummaryInconsistent "M3J-B5" PhaseVerdict S1 "M3-B9" true "report it with the evidence: a defect of P1";
    /// The M4 receipt refers to something other than what was committed.
    ReceiptReferencesInvalid "M3J-B6" PhaseVerdict S1 "M3-B6" true "report it with the evidence: a defect of P1";
    /// A verdict artifact could not be published, or is missing when the step reads its artifacts back.
    VerdictNotPublished "M3J-B7" PhaseVerdict S2 "M3-B9" false "find what occupies, refuses or removed the evidence key, then resume";
    /// The verdict advances although there are blockers.
    VerdictAdvanceDespiteBlockers "M3J-B8" PhaseVerdict S1 "M3-B9" true "report it with the evidence: a defect of P1";
    /// The last record of the run's ledger was no longer this execution's when the verdict was to be committed.
    CommitLedgerLost "M3J-B9" PhaseVerdict S2 "M3-B4" false "let the execution that holds the ledger finish: its verdict counts, this one is void";
}

impl Blocker {
    /// The blocker whose wire code is `code`, if there is one.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Blocker> {
        Blocker::ALL.iter().copied().find(|blocker| blocker.code() == code)
    }

    /// One blocker with what it is about and what was seen. `detail` never holds a secret: place and rule only.
    #[must_use]
    pub fn on(self, subject: impl Into<String>, detail: impl Into<String>) -> Finding {
        Finding {
            code: self,
            subject: bounded(subject.into()),
            detail: bounded(detail.into()),
        }
    }

    /// The finding that stands for those of this code that were left out; none where none was.
    #[must_use]
    pub fn left_out(self, number: u64) -> Option<Finding> {
        (number > 0).then(|| self.on(LEFT_OUT, format!("{number} more findings of this code")))
    }

    /// What `step` raises when an artifact could not be stored.
    #[must_use]
    pub const fn publish_failed(step: Step) -> Blocker {
        match step {
            Step::HandleClosure => Blocker::HandleClosureNotPublished,
            Step::RunIdentity => Blocker::RunIdentityNotPublished,
            Step::ConfigDigest => Blocker::ConfigDigestNotPublished,
            Step::OrchestratorReadiness => Blocker::ReadinessNotPublished,
            Step::RunPublication => Blocker::RunEvidenceWriteFailed,
            Step::M4Handoff => Blocker::HandoffNotPublished,
            Step::RerunDiscipline => Blocker::PolicyNotPublished,
            Step::CostEnvelope => Blocker::CostNotPublished,
            Step::GateRollup => Blocker::RollupNotPublished,
            Step::PhaseVerdict => Blocker::VerdictNotPublished,
        }
    }

    /// What `step` raises when the set read back at the end lacks an object.
    #[must_use]
    pub const fn set_incomplete(step: Step) -> Blocker {
        match step {
            Step::RunIdentity => Blocker::RunIdentityIncomplete,
            Step::ConfigDigest => Blocker::ConfigDigestIncomplete,
            Step::OrchestratorReadiness => Blocker::ReadinessIncomplete,
            Step::RunPublication => Blocker::RunPublicationIncomplete,
            Step::M4Handoff => Blocker::HandoffIncomplete,
            Step::RerunDiscipline => Blocker::PolicyIncomplete,
            Step::HandleClosure | Step::CostEnvelope | Step::GateRollup | Step::PhaseVerdict => {
                Blocker::publish_failed(step)
            }
        }
    }

    /// What `step` raises when something it read or would publish holds secret material. Steps for which the
    /// contract names no secret code withhold publication: their publish code.
    #[must_use]
    pub const fn secret(step: Step) -> Blocker {
        match step {
            Step::HandleClosure => Blocker::HandleClosureSecret,
            Step::RunIdentity => Blocker::RunIdentitySecret,
            Step::ConfigDigest => Blocker::PayloadSecret,
            Step::RunPublication => Blocker::RunEvidenceSecret,
            Step::M4Handoff => Blocker::HandoffSecret,
            Step::CostEnvelope => Blocker::BillingSourceUnusable,
            Step::OrchestratorReadiness | Step::RerunDiscipline | Step::GateRollup | Step::PhaseVerdict => {
                Blocker::publish_failed(step)
            }
        }
    }

    /// Whether the code says nothing but that secret material was found.
    #[must_use]
    pub const fn is_secret(self) -> bool {
        matches!(
            self,
            Blocker::HandleClosureSecret
                | Blocker::RunIdentitySecret
                | Blocker::PayloadSecret
                | Blocker::RunEvidenceSecret
                | Blocker::HandoffSecret
        )
    }
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A blocker as it stands in evidence: which rule, about what, and what was seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The rule that did not hold.
    pub code: Blocker,
    /// What it is about: a handle, a key, a step.
    pub subject: String,
    /// What was seen, in words.
    pub detail: String,
}

/// The most characters of hostile text that a finding keeps.
const MAX_TEXT: usize = 400;

/// Keeps hostile text text: no control characters, bounded length.
fn bounded(text: String) -> String {
    if text.len() <= MAX_TEXT && !text.chars().any(char::is_control) {
        return text;
    }
    let mut kept: String = text
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .take(MAX_TEXT)
        .collect();
    if text.chars().count() > MAX_TEXT {
        kept.push('…');
    }
    kept
}

/// The most findings of one code that evidence keeps.
const MOST_OF_A_CODE: usize = 100;
/// The most bytes of text that the findings of one code have together.
const MOST_TEXT_OF_A_CODE: usize = 16 << 10;

/// Findings in the order of their codes, each once, and of each code no more than a document can hold: the first hundred, or as
/// many as have 16 KiB of text. Where more were found, one finding in their place says how many were left out.
#[must_use]
pub fn settle(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort();
    findings.dedup();
    let mut kept = Vec::with_capacity(findings.len());
    for of_code in findings.chunk_by(|a, b| a.code == b.code) {
        let mut text = 0;
        let fits = |finding: &&Finding| {
            text += finding.subject.len() + finding.detail.len();
            text <= MOST_TEXT_OF_A_CODE
        };
        let most = of_code.iter().take(MOST_OF_A_CODE + 1).take_while(fits).count().max(1);
        // What was cut before is not cut again: a hundred, and the one that says so.
        let keep = if most == of_code.len() {
            most
        } else {
            most.min(MOST_OF_A_CODE)
        };
        kept.extend_from_slice(&of_code[..keep]);
        let left_out = (of_code.len() - keep) as u64;
        kept.extend(of_code.first().and_then(|first| first.code.left_out(left_out)));
    }
    kept.sort();
    kept
}

/// The subject of the finding that stands for those that were cut. It sorts behind every handle and key.
const LEFT_OUT: &str = "~ left out";

/// The distinct codes of `findings`, in order.
#[must_use]
pub fn codes(findings: &[Finding]) -> Vec<Blocker> {
    let mut codes: Vec<Blocker> = findings.iter().map(|finding| finding.code).collect();
    codes.sort();
    codes.dedup();
    codes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_findings_the_first_are_kept_and_the_rest_is_counted() {
        let many = |count: usize, length: usize| -> Vec<Finding> {
            let detail = "x".repeat(length);
            (0..count)
                .map(|number| Blocker::HandleContradiction.on(format!("K{number:05}"), detail.as_str()))
                .chain([Blocker::HandleMissing.on("K", "is not declared")])
                .collect()
        };
        for (count, length, kept, left_out) in [
            (100, 10, 100, None),
            (101, 10, 101, None),
            (102, 10, 100, Some(2)),
            (8_000, 10, 100, Some(7_900)),
            (200, 394, 40, Some(160)),
        ] {
            let settled = settle(many(count, length));
            let expected = kept + 1 + usize::from(left_out.is_some());
            assert_eq!(settled.len(), expected, "{count} of {length}");
            let said = settled.iter().find(|finding| finding.subject == LEFT_OUT);
            let words = left_out.map(|number| format!("{number} more findings of this code"));
            assert_eq!(said.map(|finding| finding.detail.clone()), words);
            assert_eq!(settle(settled.clone()), settled, "settled twice");
            assert_eq!(codes(&settled), [Blocker::HandleMissing, Blocker::HandleContradiction]);
        }
        // One that is longer than all of them may be is kept all the same.
        assert_eq!(settle(many(1, 400)).len(), 2);
    }

    #[test]
    fn codes_are_unique_and_belong_to_their_step() {
        let mut seen = std::collections::BTreeSet::new();
        for blocker in Blocker::ALL {
            assert!(seen.insert(blocker.code()), "{blocker} stands twice");
            let letter = blocker.step().prefix().chars().last().unwrap().to_ascii_uppercase();
            assert!(blocker.code().starts_with(&format!("M3{letter}-B")), "{blocker}");
            assert_eq!(serde_json::to_value(blocker).unwrap(), blocker.code());
            assert_eq!(Blocker::from_code(blocker.code()), Some(*blocker));
            assert!(!blocker.rule().trim().is_empty() && !blocker.remedy().is_empty());
        }
    }

    /// The counts of the contract's section 7, step by step.
    #[test]
    fn every_code_of_the_contract_is_there() {
        let count = |step| Blocker::ALL.iter().filter(|b| b.step() == step).count();
        assert_eq!(Step::ALL.map(count), [8, 8, 7, 8, 9, 9, 8, 9, 8, 9]);
        assert_eq!(Blocker::ALL.iter().filter(|b| b.is_internal()).count(), 15);
    }

    #[test]
    fn hostile_text_stays_text() {
        let finding = Blocker::HandleMissing.on("a\u{1b}[31m\nb", "x".repeat(5000));
        assert!(!finding.subject.chars().any(char::is_control));
        assert_eq!(finding.detail.chars().count(), MAX_TEXT + 1);
    }
}
