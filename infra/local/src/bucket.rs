//! Sets up buckets as the template describes them, where the engine's CloudFormation does not.

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, DefaultRetention,
    EventBridgeConfiguration, NotificationConfiguration, ObjectLockConfiguration, ObjectLockEnabled,
    ObjectLockRetentionMode, ObjectLockRule, VersioningConfiguration,
};
use p1_runtime::aws::{Answer, Call};

use crate::deployment::Deployment;
use crate::error::PlatformError;
use crate::profile::Profile;

/// Creates the three buckets before the deployment: versioned, without a policy. The evidence bucket sends its events.
///
/// An engine that enforces the policies of roles also evaluates the policies of buckets, but not as AWS does. It does not know
/// `s3:if-none-match`, uses a session's ARN as `aws:PrincipalArn`, and is not reached by TLS. The template attaches no policy to
/// buckets that exist already.
pub(super) async fn make(config: &SdkConfig, profile: &Profile) -> Result<(), PlatformError> {
    let s3 = Client::new(config);
    let buckets = [
        &profile.evidence_bucket,
        &profile.object_store_bucket,
        &profile.artifacts_bucket,
    ];
    for bucket in buckets {
        let place = CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::from(profile.region.as_str()))
            .build();
        // S3 does not accept the name of this region here.
        let place = (profile.region != "us-east-1").then_some(place);
        s3.create_bucket()
            .bucket(bucket)
            .set_create_bucket_configuration(place)
            .object_lock_enabled_for_bucket(bucket == &profile.evidence_bucket)
            .send()
            .await
            .map_err(|error| PlatformError::api(format!("create the bucket {bucket}"), &error))?;
        let enabled = VersioningConfiguration::builder()
            .status(BucketVersioningStatus::Enabled)
            .build();
        s3.put_bucket_versioning()
            .bucket(bucket)
            .versioning_configuration(enabled)
            .send()
            .await
            .map_err(|error| PlatformError::api(format!("enable the versioning of {bucket}"), &error))?;
    }
    let events = NotificationConfiguration::builder()
        .event_bridge_configuration(EventBridgeConfiguration::builder().build())
        .build();
    let bucket = &profile.evidence_bucket;
    s3.put_bucket_notification_configuration()
        .bucket(bucket)
        .notification_configuration(events)
        .send()
        .await
        .map_err(|error| PlatformError::api(format!("let {bucket} send its events"), &error))?;
    Ok(())
}

/// The engine's CloudFormation drops the Object Lock of a bucket. This function sets it through the S3 API, with the retention
/// that the stack declares, and asserts it. It also asserts the versioning.
pub(super) async fn settle_evidence(config: &SdkConfig, deployment: &Deployment) -> Result<(), PlatformError> {
    let s3 = Client::new(config);
    let bucket = &deployment.evidence_bucket;
    let versioning = s3
        .get_bucket_versioning()
        .bucket(bucket)
        .send()
        .await
        .map_err(|error| PlatformError::api(format!("read the versioning of {bucket}"), &error))?;
    if versioning.status() != Some(&BucketVersioningStatus::Enabled) {
        return Err(PlatformError::Deployment(format!(
            "versioning is not enabled on the evidence bucket {bucket}; infra/template.yaml must enable it"
        )));
    }
    if locked(&s3, bucket).await? {
        return Ok(());
    }
    let lock = lock_of(deployment)?;
    s3.put_object_lock_configuration()
        .bucket(bucket)
        .object_lock_configuration(lock)
        .send()
        .await
        .map_err(|error| PlatformError::api(format!("set the Object Lock of {bucket}"), &error))?;
    if locked(&s3, bucket).await? {
        return Ok(());
    }
    Err(PlatformError::Deployment(format!(
        "the evidence bucket {bucket} does not keep its Object Lock"
    )))
}

fn lock_of(deployment: &Deployment) -> Result<ObjectLockConfiguration, PlatformError> {
    let mode = deployment
        .outputs
        .get("EvidenceRetentionMode")
        .map_or("GOVERNANCE", String::as_str);
    let days = deployment
        .outputs
        .get("EvidenceRetentionDays")
        .map_or("1", String::as_str);
    let days: i32 = days.parse().map_err(|_| {
        PlatformError::Deployment(format!(
            "the stack's output EvidenceRetentionDays is not a number: {days:?}"
        ))
    })?;
    let retention = DefaultRetention::builder()
        .mode(ObjectLockRetentionMode::from(mode))
        .days(days)
        .build();
    let rule = ObjectLockRule::builder().default_retention(retention).build();
    Ok(ObjectLockConfiguration::builder()
        .object_lock_enabled(ObjectLockEnabled::Enabled)
        .rule(rule)
        .build())
}

/// Whether the bucket has Object Lock with a default retention.
async fn locked(s3: &Client, bucket: &str) -> Result<bool, PlatformError> {
    match s3.get_object_lock_configuration().bucket(bucket).send().await {
        Ok(answer) => Ok(answer.object_lock_configuration().is_some_and(|lock| {
            lock.object_lock_enabled() == Some(&ObjectLockEnabled::Enabled)
                && lock.rule().and_then(ObjectLockRule::default_retention).is_some()
        })),
        Err(error) if Answer::of(Call::AskObjectLock, &error) == Answer::NotThere => Ok(false),
        Err(error) => Err(PlatformError::api(format!("read the Object Lock of {bucket}"), &error)),
    }
}
