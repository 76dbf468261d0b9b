//! `verify` and a replay together: what the evidence says must be true, and what the steps make of their observations must be what
//! is there.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use p1_audit::EvidenceSet;
use p1_audit::object_versions::MOST_NAMED;
use p1_audit::text;
use p1_audit::verify::{self, Standing as Judged};
use p1_contract::attestation::PublicKey;
use serde::Serialize;

use crate::{Counts, Difference, Missing, Report, Standing, replay_without};

/// How far the evidence was computed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Recomputed {
    /// Every step gives the bytes that are there.
    Equal,
    /// A step gives other bytes. The findings say which.
    Differs,
    /// Not everything could be computed again. What was, has the bytes that are there.
    Missing,
    /// Nothing was computed again.
    LeftOut,
}

/// The replay's part of the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Replay {
    /// How far the evidence was computed again.
    pub standing: Recomputed,
    /// Why it was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How much was computed again.
    pub counts: Counts,
    /// The first hundred things that could not be computed again. `counts` has their number.
    pub missing: Vec<Missing>,
}

impl Replay {
    fn left_out(reason: impl Into<String>) -> Self {
        Replay {
            standing: Recomputed::LeftOut,
            reason: Some(reason.into()),
            counts: Counts::default(),
            missing: Vec::new(),
        }
    }
}

/// The result of `cargo p1 verify`.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// What the evidence proves. An object that a step does not make is among the findings.
    #[serde(flatten)]
    pub report: verify::Report,
    /// How far it was computed again.
    pub replay: Replay,
}

/// Judges the evidence, and computes it again unless that is left out (`replays`) or cannot change the result. Only a difference
/// is a finding. Something that cannot be computed again is named in [`Replay`].
pub async fn verify(set: &EvidenceSet, keys: &[PublicKey], replays: bool) -> Verified {
    let mut report = verify::verify(set, keys);
    let replay = if !replays {
        Replay::left_out("--no-replay was given")
    } else if report.standing == Judged::Tampered {
        Replay::left_out("the evidence is tampered with in any case")
    } else {
        // The steps' own code works on whatever was found here, and must not be able to end the tool.
        let replayed = AssertUnwindSafe(replay_without(set, &report.foreign_keys));
        match replayed.catch_unwind().await {
            Ok(replayed) => take(&mut report, &replayed),
            Err(_) => {
                let why = "the code of a step broke off, which is a defect of this tool: please report it";
                report.could_not_replay(why);
                Replay::left_out(why)
            }
        }
    };
    Verified { report, replay }
}

/// Adds the differences to the findings.
fn take(report: &mut verify::Report, replayed: &Report) -> Replay {
    let steps = || replayed.executions.iter().flat_map(|execution| &execution.steps);
    for step in steps() {
        for difference in &step.differences {
            report.contradict(&difference.key, words(difference, step.step.id()));
        }
    }
    let of_steps = steps().flat_map(|step| &step.missing);
    let missing = replayed.missing.iter().chain(of_steps).take(MOST_NAMED);
    Replay {
        standing: match replayed.standing {
            Standing::Equal => Recomputed::Equal,
            Standing::Differs => Recomputed::Differs,
            Standing::Missing => Recomputed::Missing,
        },
        reason: None,
        counts: replayed.counts,
        missing: missing.cloned().collect(),
    }
}

fn words(difference: &Difference, step: &str) -> String {
    let at = match difference.pointer.as_str() {
        "" => String::new(),
        pointer => format!(" at {}", text::brief(pointer, 200)),
    };
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
    format!(
        "{} is not what {step} makes of its observations: {} is there{at}, and {} comes out",
        difference.artifact,
        value(&difference.recorded),
        value(&difference.recomputed)
    )
}
