//! A change of a parameter on a platform that runs reaches the next execution: settings travel with the state machine's
//! definition, and every step says in its observations by which it went.

use std::collections::BTreeMap;

use p1_contract::evidence::observations_name;
use p1_contract::ids::{Environment, PhaseExecutionId, S3Uri, Stamp};
use p1_contract::step::Step;
use p1_local::progress::Lines;
use p1_local::sample;
use p1_tests::stage::{Ended, Stage, on_stage_of_its_own};
use serde_json::{Value, json};

/// Changes parameters on the running platform, and runs once.
async fn run_with(stage: &mut Stage, parameters: &[(&str, &str)]) -> Ended {
    let parameters: BTreeMap<String, String> = parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    stage.platform.redeploy(1, parameters, &Lines).await.unwrap();
    stage.run().await
}

/// The key of a file of a step, in the folder of its phase execution.
async fn key(stage: &Stage, ended: &Ended, step: Step, file: &str) -> String {
    let stamp = Stamp::from_rfc3339_floor(&stage.start_time(&ended.arn).await).unwrap();
    let id = PhaseExecutionId::derive(step, stamp, &ended.arn);
    format!("{}{file}", Environment::default().phase_folder(&id))
}

/// The settings by which a step says it went.
async fn settings(stage: &Stage, ended: &Ended, step: Step) -> Value {
    let file = format!("{}.json", observations_name(step));
    stage.json(&key(stage, ended, step, &file).await).await["settings"].take()
}

/// The public key that lies beside M3.J's verdict, if it was signed.
async fn signing_key(stage: &Stage, ended: &Ended) -> Option<String> {
    let key = key(stage, ended, Step::PhaseVerdict, "m3j_signing_key.pem").await;
    let is_there = stage.keys(&key).await.contains(&key);
    if !is_there {
        return None;
    }
    Some(String::from_utf8(stage.get(&key).await).unwrap())
}

#[test]
fn the_next_run_obeys_each_setting() {
    on_stage_of_its_own(async |stage| {
        let artifacts = stage.platform.artifacts_bucket().to_owned();
        let uri = |key: &str| format!("s3://{artifacts}/{key}");
        let place = |key: &str| -> S3Uri { uri(key).parse().unwrap() };

        // As the platform came up.
        let first = stage.run().await.expect_advance();
        let before = settings(stage, &first, Step::HandleClosure).await;
        assert_eq!(before["registry_uri"], stage.platform.registry_uri());
        for step in Step::ALL {
            assert_eq!(settings(stage, &first, step).await, before, "{step}");
        }
        let own_key = signing_key(stage, &first).await.expect("the platform signs");

        // A second document that contradicts the registry.
        let contradiction =
            json!({"s3_evidence_bucket": {"sensitive": false, "type": "string", "value": "another-bucket"}});
        stage
            .put(&place("other/outputs.json"), contradiction.to_string().into_bytes())
            .await;
        let both = format!(
            "{},{}",
            stage.platform.stack_outputs_uris()[0],
            uri("other/outputs.json")
        );
        run_with(stage, &[("StackOutputsUris", &both)])
            .await
            .expect_hold(&["M3A-B6"]);

        // Another registry, with a handle that is not pinned.
        let unpinned = stage.registry().replace(
            &format!(
                "ROLE_TERRAFORM_APPLY_DEV_FULL = \"arn:aws:iam::{}:role/sample-apply\"",
                stage.platform.account()
            ),
            "ROLE_TERRAFORM_APPLY_DEV_FULL = \"TO_PIN\"",
        );
        assert_ne!(unpinned, stage.registry());
        stage.put(&place("other/registry.md"), unpinned.into_bytes()).await;
        let held = run_with(stage, &[("RegistryUri", &uri("other/registry.md"))])
            .await
            .expect_hold(&["M3A-B2"]);
        assert_eq!(
            settings(stage, &held, Step::GateRollup).await["registry_uri"],
            uri("other/registry.md")
        );

        // A billing artifact of another amount.
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let mut billing: Value = serde_json::from_slice(&sample::billing(today)).unwrap();
        billing["spend_amount"] = json!("0.01");
        stage
            .put(&place("other/billing.json"), billing.to_string().into_bytes())
            .await;
        let ended = run_with(stage, &[("BillingArtifactUri", &uri("other/billing.json"))])
            .await
            .expect_advance();
        let observed = stage
            .json(&key(stage, &ended, Step::CostEnvelope, "m3h_observations.json").await)
            .await;
        assert!(observed.to_string().contains("\"0.01\""), "{observed}");

        // The engine has no Cost Explorer, and says so: that M3.H asks is seen by the refusal.
        let ended = run_with(stage, &[("CostSource", "cost_explorer")]).await;
        let words = format!("{} {}", ended.error, ended.cause);
        assert!(words.contains("M3H-B3") || words.contains("Cost Explorer"), "{ended:?}");

        // Nothing is signed, then by another key, then by the first again.
        let unsigned = run_with(stage, &[("Signing", "off"), ("SigningKeyFile", "")])
            .await
            .expect_advance();
        assert_eq!(signing_key(stage, &unsigned).await, None);
        let by_kms = run_with(stage, &[("Signing", "kms"), ("SigningKeyFile", "")])
            .await
            .expect_advance();
        let another = signing_key(stage, &by_kms).await.expect("KMS signs");
        assert_ne!(another, own_key);
        let again = run_with(stage, &[]).await.expect_advance();
        assert_eq!(signing_key(stage, &again).await.as_deref(), Some(own_key.as_str()));
        assert_eq!(settings(stage, &again, Step::HandleClosure).await, before);
    });
}
