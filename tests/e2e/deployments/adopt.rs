//! The way of docs/adopt.md: a role and a machine of the registry's names were there before P1.

use aws_sdk_sfn::types::StateMachineStatus;
use p1_local::Profile;
use p1_local::progress::Lines;
use p1_tests::stage::{Stage, on_stage_of_its_own};

const ROLE: &str = "acme-orchestrator";
const MACHINE: &str = "acme-platform-run-v0";
const OTHER_NAME: &str = "acme-platform-run-p1-v0";
const BEFORE: &str = r#"{"StartAt": "Old", "States": {"Old": {"Type": "Pass", "End": true}}}"#;

/// The stack that is adopted: it takes the role that exists, and gives its machine this name.
fn adopted(state_machine: &str) -> Profile {
    let parameters = [
        ("FunctionNamePrefix", "acme-p1"),
        ("OperatorRoleName", "acme-p1-operator"),
        ("ParameterPath", "/acme/p1"),
        (
            "StateMachineRoleArn",
            "arn:aws:iam::123456789012:role/acme-orchestrator",
        ),
    ];
    Profile {
        stack_name: "acme-p1".to_owned(),
        evidence_bucket: "acme-evidence".to_owned(),
        object_store_bucket: "acme-object-store".to_owned(),
        artifacts_bucket: "acme-artifacts".to_owned(),
        state_machine_name: state_machine.to_owned(),
        state_machine_role_name: ROLE.to_owned(),
        parameters: parameters.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        ..Profile::load(None).unwrap()
    }
}

/// The definition of the machine that was there before; `None` where no machine has its name.
async fn definition(stage: &Stage) -> Option<String> {
    let arn = format!("arn:aws:states:eu-west-2:123456789012:stateMachine:{MACHINE}");
    let answer = stage
        .sfn
        .describe_state_machine()
        .state_machine_arn(arn)
        .send()
        .await
        .ok()?;
    (answer.status() == Some(&StateMachineStatus::Active)).then(|| answer.definition().to_owned())
}

#[test]
fn a_platform_with_a_role_and_a_machine_of_its_own_is_adopted_and_goes_back() {
    on_stage_of_its_own(async |stage| {
        // `aws iam create-role` and `aws stepfunctions create-state-machine`, as the platform's Terraform would.
        let role = format!("arn:aws:iam::123456789012:role/{ROLE}");
        let trust = r#"{"Version": "2012-10-17", "Statement": []}"#;
        let created = stage.python().args(["-c", &format!(
            "import boto3; boto3.client('iam').create_role(RoleName='{ROLE}', AssumeRolePolicyDocument='{trust}')"
        )]).status().unwrap();
        assert!(created.success());
        let request = stage.sfn.create_state_machine().name(MACHINE).definition(BEFORE);
        request.role_arn(&role).send().await.unwrap();

        // Beside what is there, under another name.
        stage.platform.deploy_beside(adopted(OTHER_NAME), &Lines).await.unwrap();
        stage.seed().await;
        assert_eq!(stage.platform.deployment().state_machine_role_arn, role);
        let good = stage.registry();
        assert!(good.contains(OTHER_NAME) && good.contains(&role));
        // The registry still names the machine that was there before: it is another one than this.
        stage.put_registry(&good.replace(OTHER_NAME, MACHINE)).await;
        stage.run().await.expect_hold(&["M3A-B6"]);
        stage.put_registry(&good).await;
        stage.run().await.expect_advance();
        assert_eq!(definition(stage).await.as_deref(), Some(BEFORE));

        // The name is handed over: the machine of before goes, and the stack's takes its name.
        let arn = format!("arn:aws:states:eu-west-2:123456789012:stateMachine:{MACHINE}");
        stage
            .sfn
            .delete_state_machine()
            .state_machine_arn(&arn)
            .send()
            .await
            .unwrap();
        stage.platform.deploy_beside(adopted(MACHINE), &Lines).await.unwrap();
        stage.seed().await;
        assert_eq!(stage.platform.state_machine_arn(), arn);
        let pinned = stage.run().await.expect_advance();

        // And back: the name is free again, and the evidence stays.
        stage.platform.deploy_beside(adopted(OTHER_NAME), &Lines).await.unwrap();
        assert_eq!(definition(stage).await, None);
        let request = stage.sfn.create_state_machine().name(MACHINE).definition(BEFORE);
        request.role_arn(&role).send().await.unwrap();
        let run = pinned.outcome()["platform_run_id"].as_str().unwrap().to_owned();
        assert!(stage.exists(&format!("evidence/runs/{run}/run.json")).await);
        assert_eq!(definition(stage).await.as_deref(), Some(BEFORE));
    });
}
