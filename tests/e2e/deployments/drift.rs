//! `cargo p1 lint --stack`: a stack as it was deployed is clean, and what somebody changed is named, until it is put back.

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    BucketVersioningStatus, EventBridgeConfiguration, NotificationConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    VersioningConfiguration,
};
use p1::commands::lint::{ask, print};
use p1::drive::screen::Screen;
use p1::drive::target::Target;
use p1::{ExitStatus, LintArgs};
use p1_lint::stack::{Rule, StackReport, StackStanding};
use p1_local::progress::Lines;
use p1_tests::stage::{Stage, on_stage_of_its_own};

/// Lets another service use a role, or only Step Functions again: `boto3` of the platform's own tools.
const TRUST: &str = "import boto3,json,sys\n\
    iam,role,service=boto3.client('iam'),sys.argv[1].split('|')[0],sys.argv[1].split('|')[1]\n\
    document=iam.get_role(RoleName=role)['Role']['AssumeRolePolicyDocument']\n\
    document['Statement'][0]['Principal']={'Service':service}\n\
    iam.update_assume_role_policy(RoleName=role,PolicyDocument=json.dumps(document))\n";

async fn lint(stage: &Stage) -> StackReport {
    let config = stage.platform.sdk_config();
    let target = Target::new(stage.platform.deployment(), &config, true).unwrap();
    let cloudformation = aws_sdk_cloudformation::Client::new(&config);
    let asked = ask(stage.platform.deployment(), &target, &cloudformation, &Screen::new()).await;
    asked.unwrap().report
}

/// What is wrong: rules, with what was seen.
async fn wrong(stage: &Stage) -> Vec<(Rule, String)> {
    let report = lint(stage).await;
    // The engine's drift detection does not know these two types.
    let open: Vec<&str> = report
        .not_learned
        .iter()
        .map(|open| open.resource.split(' ').next().unwrap())
        .collect();
    assert_eq!(open, ["EvidenceKey", "StepPolicy"], "{report:?}");
    let expected = if report.findings.is_empty() {
        (StackStanding::NotLearned, ExitStatus::Fault)
    } else {
        (StackStanding::Wrong, ExitStatus::Hold)
    };
    let status = print(&LintArgs::default(), None, Some(&report)).unwrap();
    assert_eq!((report.standing, status), expected);
    report
        .findings
        .into_iter()
        .map(|finding| (finding.rule, finding.detail))
        .collect()
}

async fn set_versioning(s3: &Client, bucket: &str, status: BucketVersioningStatus) {
    let configuration = VersioningConfiguration::builder().status(status).build();
    let request = s3
        .put_bucket_versioning()
        .bucket(bucket)
        .versioning_configuration(configuration);
    request.send().await.unwrap();
}

async fn set_events(s3: &Client, bucket: &str, events: Option<EventBridgeConfiguration>) {
    let configuration = NotificationConfiguration::builder()
        .set_event_bridge_configuration(events)
        .build();
    let request = s3.put_bucket_notification_configuration().bucket(bucket);
    request.notification_configuration(configuration).send().await.unwrap();
}

/// The engine's CloudFormation leaves out how a bucket encrypts. Lint says so, and this is what it says to do.
async fn set_encryption(s3: &Client, bucket: &str, key: &str) {
    let default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(ServerSideEncryption::AwsKms)
        .kms_master_key_id(key);
    let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(default.build().unwrap());
    let rules = ServerSideEncryptionConfiguration::builder()
        .rules(rule.build())
        .build()
        .unwrap();
    let request = s3.put_bucket_encryption().bucket(bucket);
    request
        .server_side_encryption_configuration(rules)
        .send()
        .await
        .unwrap();
}

#[test]
fn a_deployed_stack_is_clean_and_what_is_changed_is_named() {
    on_stage_of_its_own(async |stage| {
        let (s3, bucket) = (stage.s3.clone(), stage.platform.evidence_bucket().to_owned());
        let key = stage.platform.deployment().outputs["EvidenceKeyArn"].clone();
        let found = wrong(stage).await;
        assert!(
            matches!(found.as_slice(), [(Rule::Encryption, why)] if why.contains(&key)),
            "{found:?}"
        );
        set_encryption(&s3, &bucket, &key).await;
        assert_eq!(wrong(stage).await, []);

        set_versioning(&s3, &bucket, BucketVersioningStatus::Suspended).await;
        assert_eq!(
            wrong(stage).await,
            [(Rule::Versioning, "its versioning is Suspended".to_owned())]
        );
        set_versioning(&s3, &bucket, BucketVersioningStatus::Enabled).await;

        set_events(&s3, &bucket, None).await;
        let found = wrong(stage).await;
        assert!(matches!(found.as_slice(), [(Rule::Events, _)]), "{found:?}");
        set_events(&s3, &bucket, Some(EventBridgeConfiguration::builder().build())).await;

        // A policy without one statement, then none, then the template's again.
        let policy = s3
            .get_bucket_policy()
            .bucket(&bucket)
            .send()
            .await
            .unwrap()
            .policy
            .unwrap();
        let put = async |policy: &str| {
            s3.put_bucket_policy()
                .bucket(&bucket)
                .policy(policy)
                .send()
                .await
                .unwrap();
        };
        put(&policy
            .replace("\"KeepVersions\"", "\"Renamed\"")
            .replace("s3:PutBucketVersioning", "s3:PutBucketTagging"))
        .await;
        let found = wrong(stage).await;
        assert!(
            matches!(found.as_slice(), [(Rule::Policy, why)] if why.contains("no statement KeepVersions")),
            "{found:?}"
        );
        s3.delete_bucket_policy().bucket(&bucket).send().await.unwrap();
        let found = wrong(stage).await;
        assert!(
            matches!(found.as_slice(), [(Rule::Policy, why)] if why.contains("no policy")),
            "{found:?}"
        );
        put(&policy).await;

        s3.delete_public_access_block().bucket(&bucket).send().await.unwrap();
        let found = wrong(stage).await;
        assert!(matches!(found.as_slice(), [(Rule::PublicAccess, _)]), "{found:?}");
        let block = aws_sdk_s3::types::PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .block_public_policy(true)
            .ignore_public_acls(true)
            .restrict_public_buckets(true);
        let request = s3.put_public_access_block().bucket(&bucket);
        request
            .public_access_block_configuration(block.build())
            .send()
            .await
            .unwrap();

        // Somebody else may use the machine's role.
        let role = stage
            .platform
            .deployment()
            .state_machine_role_arn
            .rsplit('/')
            .next()
            .unwrap()
            .to_owned();
        let trust = |service: &str| {
            let ended = stage
                .python()
                .args(["-c", TRUST, &format!("{role}|{service}")])
                .output()
                .unwrap();
            assert!(ended.status.success(), "{ended:?}");
        };
        trust("ec2.amazonaws.com");
        let found = wrong(stage).await;
        assert!(
            matches!(found.as_slice(), [(Rule::ResourceDiffers, why)] if why.contains("ec2.amazonaws.com")),
            "{found:?}"
        );
        trust("states.amazonaws.com");
        assert_eq!(wrong(stage).await, []);

        // A parameter may have what the path of a checkout may have.
        let place = format!(
            "s3://{}/it's here/the \u{fc}ber registry.md",
            stage.platform.artifacts_bucket()
        );
        let parameters = BTreeMap::from([("RegistryUri".to_owned(), place.clone())]);
        stage.platform.redeploy(1, parameters, &Lines).await.unwrap();
        assert_eq!(stage.platform.registry_uri(), place);
    });
}
