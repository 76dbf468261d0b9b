//! What `cargo p1 outputs` puts to S3 is what M3.A reads there.

use p1::commands::outputs::deliver;
use p1::drive::target::Target;
use p1_tests::stage::{Stage, on_stage};
use serde_json::{Value, json};

/// The claims that M3.A observed in the one document of stack outputs: handle → value.
async fn claims(stage: &Stage, execution: &str) -> Value {
    let (answers, _) = stage.answers(execution).await;
    let id = answers[0]["phase_execution_id"].as_str().unwrap();
    let key = format!("evidence/dev_full/run_control/{id}/m3a_observations.json");
    let observations = stage.json(&key).await;
    let [document] = observations["observed"]["stack_outputs"].as_array().unwrap().as_slice() else {
        panic!("{observations}")
    };
    assert_eq!(document["unreadable"], Value::Null);
    let claims = document["claims"].as_array().unwrap().iter();
    claims
        .map(|claim| (claim["handle"].as_str().unwrap().to_owned(), claim["value"].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[test]
fn m3a_reads_the_outputs_that_the_tool_uploads() {
    on_stage(async |stage| {
        let target = Target::new(stage.platform.deployment(), &stage.platform.sdk_config(), true).unwrap();
        let [place] = target.stack_outputs.as_slice() else {
            panic!("{:?}", target.stack_outputs)
        };
        deliver(&target, None, Some(place), false).await.unwrap();
        // The Terraform provider gives the body of an object to nobody unless its type says that it is text.
        let head = target.s3.head_object().bucket(place.bucket.as_str());
        let head = head.key(place.key.as_str()).send().await.unwrap();
        assert_eq!(head.content_type(), Some("application/json"));
        let ended = stage.run().await.expect_advance();
        let claims = claims(stage, &ended.arn).await;
        for (handle, value) in [
            ("S3_EVIDENCE_BUCKET", stage.platform.evidence_bucket()),
            ("ORACLE_STORE_BUCKET", stage.platform.object_store_bucket()),
            ("S3_ARTIFACTS_BUCKET", stage.platform.artifacts_bucket()),
            ("AWS_REGION", stage.platform.region()),
            (
                "SFN_PLATFORM_RUN_ORCHESTRATOR_V0",
                &stage.platform.deployment().state_machine_name,
            ),
            ("ROLE_STEP_FUNCTIONS_ORCHESTRATOR", &target.role_arn),
        ] {
            assert_eq!(claims[handle], value, "{handle}");
        }
        assert_eq!(claims["STATE_MACHINE_ARN"], stage.platform.state_machine_arn());

        // The comparison is real: one value that is another is a contradiction.
        let mut other: Value = serde_json::from_slice(&target.own_outputs).unwrap();
        other["oracle_store_bucket"]["value"] = json!("another-bucket");
        stage.put_stack_outputs(Some(&other)).await;
        stage.run().await.expect_hold(&["M3A-B6"]);
    });
}
