//! What lint says of the registries on which the engine has just held runs.

use p1_contract::ids::{Environment, Stamp};
use p1_lint::{Deployed, Document, Inputs, lint};
use p1_tests::stage::Ended;
use serde_json::{Value, json};

use super::{How, Row, Scene, replaced};

/// Lints the registry of every row that departs by a registry or by stack outputs, and expects the codes of its run. Gives how many
/// these are.
pub(crate) async fn expect_agreement<'r>(scene: &Scene<'_>, runs: impl Iterator<Item = (&'r Row, &'r Ended)>) -> usize {
    let mut compared = 0;
    for (row, ended) in runs {
        let (registry, outputs) = match row.how {
            How::Registry(from, to) => (replaced(&scene.inputs.registry, from, to), None),
            How::Outputs(outputs, from, to) => (replaced(&scene.inputs.registry, from, to), Some(outputs())),
            _ => continue,
        };
        let report = lint(&inputs(scene, registry, outputs)).await;
        let first = report
            .holds
            .first()
            .unwrap_or_else(|| panic!("{}: lint finds nothing", row.code));
        assert_eq!(
            json!(first.codes),
            ended.outcome()["blockers"],
            "{}: {report:#?}",
            row.code
        );
        compared += 1;
    }
    assert!(compared > 8, "only {compared} rows are of a registry");
    compared
}

fn inputs(scene: &Scene<'_>, registry: String, outputs: Option<Value>) -> Inputs {
    let platform = &scene.stage.platform;
    let own = json!({"p1_handle_materialization": {"value": {"S3_EVIDENCE_BUCKET": platform.evidence_bucket()}}});
    let document = |name: &str, bytes: Vec<u8>| Document {
        name: name.to_owned(),
        bytes,
    };
    Inputs {
        registry: document("registry", registry.into_bytes()),
        stack_outputs: vec![document("outputs", outputs.unwrap_or(own).to_string().into_bytes())],
        m2_receipt: None,
        billing: None,
        environment: Environment::default(),
        deployed: Deployed {
            evidence_bucket: Some(platform.evidence_bucket().parse().unwrap()),
            state_machine: Some(platform.state_machine_arn().parse().unwrap()),
            role: Some(platform.deployment().state_machine_role_arn.clone()),
        },
        at: Stamp::parse("2026-02-23T17:43:07Z").unwrap(),
    }
}
