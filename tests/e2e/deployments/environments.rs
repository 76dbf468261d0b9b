//! Two environments from one template, side by side in one account: they share nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sfn::types::ExecutionStatus;
use p1_contract::ids::Environment;
use p1_local::Profile;
use p1_local::progress::Lines;
use p1_tests::stage::{Stage, on_stage_of_its_own};
use serde_json::json;

/// The profile of a second platform in the same account, where no name may be used twice.
fn second() -> Profile {
    let parameters = [
        ("FunctionNamePrefix", "second-platform-p1"),
        ("OperatorRoleName", "second-platform-p1-operator"),
        ("ParameterPath", "/second-platform/p1"),
    ];
    Profile {
        parameters: parameters.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        environment: Environment::parse("prod_eu").unwrap(),
        stack_name: "second-platform-p1".to_owned(),
        evidence_bucket: "second-platform-evidence".to_owned(),
        object_store_bucket: "second-platform-object-store".to_owned(),
        artifacts_bucket: "second-platform-artifacts".to_owned(),
        state_machine_name: "second-platform-run-v0".to_owned(),
        state_machine_role_name: "second-platform-stepfunctions".to_owned(),
        ..Profile::load(None).unwrap()
    }
}

/// Every object of the platform's evidence bucket, with its versions.
async fn everything(stage: &Stage) -> BTreeMap<String, Vec<String>> {
    stage.versions("").await
}

/// The first parts of all keys below `evidence/`: the environments, and `runs`.
fn roots(objects: &BTreeMap<String, Vec<String>>) -> BTreeSet<&str> {
    objects.keys().map(|key| key.split('/').nth(1).unwrap()).collect()
}

/// Puts a receipt into the platform's evidence bucket, at the key of an M2 execution of `environment`.
async fn put_receipt(stage: &Stage, environment: &Environment) -> String {
    let key = Stage::new_receipt_key_of(environment);
    let put = stage.s3.put_object().bucket(stage.platform.evidence_bucket()).key(&key);
    let receipt = ByteStream::from(Stage::receipt_at(&key));
    put.if_none_match("*").body(receipt).send().await.unwrap();
    key
}

#[test]
fn two_environments_of_one_account_share_nothing() {
    on_stage_of_its_own(async |stage| {
        let (dev_full, prod_eu) = (Environment::default(), second().environment);
        stage.run().await.expect_advance();
        let (of_first, started_first) = (everything(stage).await, stage.executions().await);
        assert_eq!(roots(&of_first), BTreeSet::from(["dev_full", "runs"]));

        let first = stage.platform.deploy_beside(second(), &Lines).await.unwrap();
        stage.seed().await;
        let second_run = stage.run().await.expect_advance();
        let of_second = everything(stage).await;
        assert_eq!(roots(&of_second), BTreeSet::from(["prod_eu", "runs"]));
        let snapshot = stage.folders(&second_run).await["M3.A"].clone() + "m3a_handle_closure_snapshot.json";
        let required = stage.json(&snapshot).await["required_handles"].take();
        let required: BTreeSet<&str> = required
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|key| key.as_str())
            .collect();
        assert!(
            required.contains("ROLE_TERRAFORM_APPLY_PROD_EU") && !required.contains("ROLE_TERRAFORM_APPLY_DEV_FULL")
        );

        // No object and no id of the one is named in the other.
        for key in of_second.keys() {
            let text = String::from_utf8(stage.get(key).await).unwrap();
            for foreign in ["dev_full", "DEV_FULL", "fraud-platform-dev-full-evidence"] {
                assert!(!text.contains(foreign), "{key} names {foreign}");
            }
        }

        // A receipt of the first environment starts nothing, in whichever bucket it lies.
        let started_second = stage.executions().await;
        let foreign = put_receipt(stage, &dev_full).await;
        // Not even by hand: the key is not of this environment.
        let of_first_key = of_first
            .keys()
            .find(|key| key.ends_with("m3f_execution_summary.json"))
            .unwrap();
        let held = json!({"key": of_first_key, "version_id": "v", "sha256": "a".repeat(64)});
        let reset = json!({"actor": "a", "reason": "r", "class": "checkpoint_reset", "scope": "s"});
        for (input, field) in [
            (json!({"m2_handoff": {"key": foreign}}), "m2_handoff.key"),
            (json!({"resume": {"held": held, "reset": reset}}), "resume.held.key"),
        ] {
            let refused = stage.start(&input).await;
            assert_eq!(
                (&refused.status, refused.error.as_str()),
                (&ExecutionStatus::Failed, "InvalidInput")
            );
            let expected = format!("`{field}` is not the key of");
            assert!(
                refused.cause.contains(&expected) && refused.cause.contains("prod_eu"),
                "{refused:?}"
            );
        }
        // What the rule was to start, it would have started before this one.
        stage.run().await.expect_advance();
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(stage.executions().await.len(), started_second.len() + 3);
        for execution in stage.executions().await {
            let by_rule = stage.input(&execution).await.contains("Object Created");
            assert!(!by_rule || !stage.input(&execution).await.contains(&foreign));
        }

        // Nothing of this came to the first environment, which goes on as before.
        let second = stage.platform.be(first);
        assert_eq!(
            (everything(stage).await, stage.executions().await),
            (of_first, started_first)
        );
        put_receipt(stage, &prod_eu).await;
        stage.run().await.expect_advance();
        stage.platform.be(second);
    });
}
