//! Conclusions of M3.J that an execution adopts: facts changed, and the phase summary that follows from them.

use p1_contract::canonical;
use p1_contract::evidence::Body;
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::Environment;
use p1_contract::request::{Mode, StepInput, TaskCall};
use p1_contract::step::Step;
use serde_json::{Value, json};

use super::gate::{Example, Planned, create};

/// Plants M3.J's observations, changed, with the summary that M3.J would have written after observing them.
pub(crate) async fn conclude(planned: &Planned<'_>, base: &Example, change: fn(&mut Value)) {
    let bucket = planned.stage.platform.evidence_bucket();
    for stamp in &planned.stamps {
        let mut document = base.observations(Step::PhaseVerdict, planned, *stamp);
        change(&mut document["observed"]);
        let facts = serde_json::from_value(document["observed"]["facts"].clone()).unwrap();
        let call = TaskCall {
            mode: Mode::Step,
            settings: &planned.stage.platform.deployment().settings().unwrap(),
            execution: &planned.arn,
            start_time: &stamp.rfc3339(),
            state_machine: planned.stage.platform.state_machine_arn(),
            state: &Step::PhaseVerdict.state_name(),
            closures: &json!({}),
            input: &planned.input,
        };
        let (input, _) = StepInput::parse(call.payload()).unwrap();
        let (summary, _) = m3j_phase_verdict::phase_summary(&input, &facts).unwrap();
        let bytes = summary.render().unwrap();
        let name = p1_contract::artifacts::PhaseSummary::NAME;
        let key = format!(
            "{}{name}.json",
            Environment::default().phase_folder(&planned.id(Step::PhaseVerdict, *stamp))
        );
        let (version, tag) = create(planned.stage, &key, bytes.clone()).await;
        document["observed"]["summary"] = json!({"stored": {
            "name": name, "bucket": bucket, "key": key, "version_id": version, "etag": tag,
            "sha256": Sha256Hex::of(&bytes), "bytes": bytes.len(),
        }});
        assert!(canonical::to_document(&document).is_ok());
        planned.plant(Step::PhaseVerdict, *stamp, &document).await;
    }
}
