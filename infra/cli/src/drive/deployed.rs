//! Asks AWS about a deployed stack. What the answers mean, `p1_lint::stack` judges.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::Client as CloudFormation;
use aws_sdk_cloudformation::config::http::HttpResponse as Response;
use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudformation::types::StackResourceDriftStatus;
use aws_sdk_s3::types::{PublicAccessBlockConfiguration, ServerSideEncryptionRule};
use futures_util::stream::{self, StreamExt};
use p1_audit::text;
use p1_lint::stack::{
    Alias, Asked, Bucket, COMPARED, Comparison, Difference, Encryption, Facts, Lock, Machine, Resource,
};
use p1_local::Deployment;
use p1_local::progress::Progress;
use p1_runtime::aws::{Answer, Call, words};

use crate::drive::screen::Screen;
use crate::drive::target::Target;

/// How many resources CloudFormation compares at once. It reads each from its service.
const AT_ONCE: usize = 4;
/// The longest sentence of AWS that is repeated.
const LONGEST: usize = 300;

/// Asks everything that is judged. A question that is not answered is a fact too.
pub async fn facts(
    deployment: &Deployment,
    target: &Target,
    cloudformation: &CloudFormation,
    screen: &Screen,
) -> Facts {
    let stack = deployment.stack.as_str();
    screen.begin(&format!("asking AWS about the stack {}", text::clean(stack)));
    let bucket = bucket(target).await;
    let (machine, alias) = (machine(target).await, alias(deployment, target).await);
    let parameters = parameters(cloudformation, stack).await;
    screen.begin("asking CloudFormation to compare roles, rules and keys with what was deployed");
    let resources = resources(cloudformation, stack).await;
    screen.finish();
    Facts {
        stack: stack.to_owned(),
        environment: target.environment.clone(),
        evidence_bucket: target.evidence_bucket.clone(),
        state_machine: target.state_machine.clone(),
        role: target.role_arn.clone(),
        outputs: deployment.outputs.clone(),
        parameters,
        bucket,
        machine,
        alias,
        resources,
    }
}

/// An error, as the reason why something was not learned.
fn open<T, E: ProvideErrorMetadata>(operation: &str, error: &SdkError<E, Response>) -> Asked<T> {
    let message = error
        .message()
        .map(|message| format!(", {}", text::brief(message, LONGEST)));
    Asked::NotLearned(format!("{operation}: {}{}", words(error), message.unwrap_or_default()))
}

/// An answer, or `None` where AWS says that there is no such thing.
fn settled<O, T, E: ProvideErrorMetadata>(
    operation: &str,
    call: Call,
    answer: Result<O, SdkError<E, Response>>,
    read: impl FnOnce(O) -> Option<T>,
) -> Asked<Option<T>> {
    match answer {
        Ok(answer) => Asked::Answered(read(answer)),
        Err(error) if Answer::of(call, &error) == Answer::NotThere => Asked::Answered(None),
        Err(error) => open(operation, &error),
    }
}

async fn bucket(target: &Target) -> Bucket {
    let (s3, bucket) = (&target.s3, target.evidence_bucket.as_str());
    let (versioning, notifications, policy, lock, encryption, public_access) = tokio::join!(
        s3.get_bucket_versioning().bucket(bucket).send(),
        s3.get_bucket_notification_configuration().bucket(bucket).send(),
        s3.get_bucket_policy().bucket(bucket).send(),
        s3.get_object_lock_configuration().bucket(bucket).send(),
        s3.get_bucket_encryption().bucket(bucket).send(),
        s3.get_public_access_block().bucket(bucket).send(),
    );
    let is_there = !matches!(&versioning, Err(error) if Answer::of(Call::AskBucket, error) == Answer::NoBucket);
    Bucket {
        is_there,
        versioning: settled("s3:GetBucketVersioning", Call::AskBucket, versioning, |answer| {
            answer.status().map(|status| status.as_str().to_owned())
        }),
        sends_events: match notifications {
            Ok(answer) => Asked::Answered(answer.event_bridge_configuration().is_some()),
            Err(error) => open("s3:GetBucketNotification", &error),
        },
        policy: settled("s3:GetBucketPolicy", Call::AskPolicy, policy, |answer| answer.policy),
        lock: settled(
            "s3:GetBucketObjectLockConfiguration",
            Call::AskObjectLock,
            lock,
            |answer| {
                let lock = answer.object_lock_configuration?;
                lock.object_lock_enabled.as_ref()?;
                let retention = lock.rule.and_then(|rule| rule.default_retention);
                let days = |retention: &aws_sdk_s3::types::DefaultRetention| {
                    let years = retention.years().map(|years| i64::from(years) * 365);
                    retention.days().map(i64::from).or(years)
                };
                Some(Lock {
                    days: retention
                        .as_ref()
                        .and_then(days)
                        .and_then(|days| days.try_into().ok())
                        .unwrap_or(0),
                    mode: retention
                        .and_then(|retention| retention.mode)
                        .map(|mode| mode.as_str().to_owned()),
                })
            },
        ),
        encryption: settled(
            "s3:GetEncryptionConfiguration",
            Call::AskEncryption,
            encryption,
            |answer| {
                let configuration = answer.server_side_encryption_configuration?;
                let default = configuration
                    .rules()
                    .first()
                    .and_then(ServerSideEncryptionRule::apply_server_side_encryption_by_default)?;
                Some(Encryption {
                    algorithm: default.sse_algorithm().as_str().to_owned(),
                    key: default.kms_master_key_id().map(str::to_owned),
                })
            },
        ),
        public_access: settled(
            "s3:GetBucketPublicAccessBlock",
            Call::AskPublicAccess,
            public_access,
            |answer| answer.public_access_block_configuration.as_ref().map(public_access_of),
        ),
    }
}

fn public_access_of(settings: &PublicAccessBlockConfiguration) -> BTreeMap<&'static str, bool> {
    BTreeMap::from([
        ("BlockPublicAcls", settings.block_public_acls() == Some(true)),
        ("BlockPublicPolicy", settings.block_public_policy() == Some(true)),
        ("IgnorePublicAcls", settings.ignore_public_acls() == Some(true)),
        (
            "RestrictPublicBuckets",
            settings.restrict_public_buckets() == Some(true),
        ),
    ])
}

async fn machine(target: &Target) -> Asked<Option<Machine>> {
    let request = target.sfn.describe_state_machine();
    let answer = request.state_machine_arn(target.state_machine.to_string()).send().await;
    settled("states:DescribeStateMachine", Call::DescribeMachine, answer, |answer| {
        Some(Machine {
            status: answer
                .status()
                .map(|status| status.as_str().to_owned())
                .unwrap_or_default(),
            role: answer.role_arn,
        })
    })
}

/// The alias, where the stack starts its machine by one.
async fn alias(deployment: &Deployment, target: &Target) -> Option<Alias> {
    let arn = deployment
        .outputs
        .get("StartArn")
        .filter(|arn| **arn != target.state_machine.to_string())?;
    let answer = target
        .sfn
        .describe_state_machine_alias()
        .state_machine_alias_arn(arn)
        .send()
        .await;
    let routes = settled(
        "states:DescribeStateMachineAlias",
        Call::DescribeAlias,
        answer,
        |answer| {
            let routes = answer.routing_configuration().iter();
            Some(
                routes
                    .map(|route| (route.state_machine_version_arn().to_owned(), route.weight()))
                    .collect(),
            )
        },
    );
    Some(Alias {
        arn: arn.clone(),
        routes,
    })
}

async fn parameters(cloudformation: &CloudFormation, stack: &str) -> Asked<BTreeMap<String, String>> {
    match cloudformation.describe_stacks().stack_name(stack).send().await {
        Err(error) => open("cloudformation:DescribeStacks", &error),
        Ok(answer) => Asked::Answered(
            answer
                .stacks()
                .iter()
                .flat_map(|stack| stack.parameters())
                .filter_map(|parameter| {
                    Some((
                        parameter.parameter_key()?.to_owned(),
                        parameter.parameter_value()?.to_owned(),
                    ))
                })
                .collect(),
        ),
    }
}

/// The stack's resources, those of the compared types with their comparison.
async fn resources(cloudformation: &CloudFormation, stack: &str) -> Asked<Vec<Resource>> {
    let mut pages = cloudformation
        .list_stack_resources()
        .stack_name(stack)
        .into_paginator()
        .send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => found.extend(page.stack_resource_summaries.unwrap_or_default()),
            Err(error) => return open("cloudformation:ListStackResources", &error),
        }
    }
    let resources = found.into_iter().map(|resource| async move {
        let (name, kind) = (
            resource.logical_resource_id.unwrap_or_default(),
            resource.resource_type.unwrap_or_default(),
        );
        let comparison = if COMPARED.contains(&kind.as_str()) {
            Some(compare(cloudformation, stack, &name).await)
        } else {
            None
        };
        Resource {
            name,
            kind,
            physical: resource.physical_resource_id.unwrap_or_default(),
            comparison,
        }
    });
    Asked::Answered(stream::iter(resources).buffered(AT_ONCE).collect().await)
}

async fn compare(cloudformation: &CloudFormation, stack: &str, name: &str) -> Asked<Comparison> {
    const OPERATION: &str = "cloudformation:DetectStackResourceDrift";
    let request = cloudformation
        .detect_stack_resource_drift()
        .stack_name(stack)
        .logical_resource_id(name);
    let drift = match request.send().await {
        Ok(answer) => answer.stack_resource_drift,
        Err(error) => return open(OPERATION, &error),
    };
    let Some(drift) = drift else {
        return Asked::NotLearned(format!("{OPERATION}: the answer says nothing"));
    };
    match drift.stack_resource_drift_status() {
        Some(StackResourceDriftStatus::InSync) => Asked::Answered(Comparison::Same),
        Some(StackResourceDriftStatus::Deleted) => Asked::Answered(Comparison::Gone),
        Some(StackResourceDriftStatus::Modified) => {
            let differences = drift.property_differences().iter().map(|difference| Difference {
                path: difference.property_path().unwrap_or_default().to_owned(),
                expected: difference.expected_value().unwrap_or_default().to_owned(),
                found: difference.actual_value().unwrap_or_default().to_owned(),
            });
            Asked::Answered(Comparison::Differs(differences.collect()))
        }
        // NOT_CHECKED, UNKNOWN, UNSUPPORTED, and what this version does not know.
        other => Asked::NotLearned(format!(
            "{OPERATION}: {}",
            other.map_or("no status", |status| status.as_str())
        )),
    }
}
