//! What protects the evidence, and what tells of a receipt.

use std::collections::BTreeMap;

use p1_contract::blocker::Blocker;
use serde_json::{Value, json};

use super::facts::{Asked, Facts, Lock};
use super::policy;
use super::report::{Rule, StackReport};

/// The settings that `infra/template.yaml` makes, whatever its parameters are. A test compares them with the template.
pub(super) const VERSIONING: &str = "Enabled";
pub(super) const PUBLIC_ACCESS: [&str; 4] = [
    "BlockPublicAcls",
    "BlockPublicPolicy",
    "IgnorePublicAcls",
    "RestrictPublicBuckets",
];
pub(super) const WITH_KEY: &str = "aws:kms";
pub(super) const WITHOUT_KEY: &str = "AES256";

pub(super) fn judge(facts: &Facts, report: &mut StackReport) {
    let bucket = facts.evidence_bucket.as_str();
    if !facts.bucket.is_there {
        return report.blocking(
            Rule::Bucket,
            Some(Blocker::EvidenceBucketUnfit),
            bucket,
            "there is no such bucket",
            "find who removed it, and deploy the stack again (docs/deploy.md)",
        );
    }
    let versioning = report.learned(&facts.bucket.versioning, "whether every version is kept", bucket);
    if let Some(status) = versioning.filter(|status| status.as_deref() != Some(VERSIONING)) {
        report.blocking(
            Rule::Versioning,
            Some(Blocker::EvidenceBucketUnfit),
            bucket,
            format!("its versioning is {}", status.as_deref().unwrap_or("not enabled")),
            format!(
                "`aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status={VERSIONING}`, as the \
                 break-glass role"
            ),
        );
    }
    let question = "whether the bucket's events go to EventBridge";
    if report.learned(&facts.bucket.sends_events, question, bucket) == Some(&false) {
        report.wrong(
            Rule::Events,
            bucket,
            "its notifications have no EventBridgeConfiguration, so that no M2 receipt starts a run",
            format!(
                "add \"EventBridgeConfiguration\": {{}} to what `aws s3api get-bucket-notification-configuration --bucket {bucket}` \
                 prints, and put all of it back: `aws s3api put-bucket-notification-configuration --bucket {bucket} \
                 --notification-configuration file://notifications.json`"
            ),
        );
    }
    policy::judge(facts, report);
    lock(facts, report);
    encryption(facts, report);
    if let Some(settings) = report.learned(&facts.bucket.public_access, "whether public access is blocked", bucket) {
        public_access(settings.as_ref(), bucket, report);
    }
}

fn public_access(settings: Option<&BTreeMap<&'static str, bool>>, bucket: &str, report: &mut StackReport) {
    let is_on = |name: &str| settings.is_some_and(|settings| settings.get(name) == Some(&true));
    let off: Vec<&str> = PUBLIC_ACCESS.into_iter().filter(|name| !is_on(name)).collect();
    if off.is_empty() {
        return;
    }
    let all = PUBLIC_ACCESS.map(|name| format!("{name}=true")).join(",");
    report.wrong(
        Rule::PublicAccess,
        bucket,
        format!(
            "{} {} not on",
            off.join(", "),
            if off.len() == 1 { "is" } else { "are" }
        ),
        format!("`aws s3api put-public-access-block --bucket {bucket} --public-access-block-configuration {all}`"),
    );
}

/// The retention of a bucket that the stack made is its parameters'. That of another bucket is its owner's: it must only have one.
fn lock(facts: &Facts, report: &mut StackReport) {
    let bucket = facts.evidence_bucket.as_str();
    let Some(lock) = report.learned(&facts.bucket.lock, "how long evidence is locked", bucket) else {
        return;
    };
    let output = |key: &str| facts.outputs.get(key).map(String::as_str);
    let mode = output("EvidenceRetentionMode").unwrap_or("GOVERNANCE");
    let days: u64 = output("EvidenceRetentionDays")
        .and_then(|days| days.parse().ok())
        .unwrap_or(365);
    let wrong = match lock {
        None => "it has no Object Lock".to_owned(),
        Some(Lock { mode: None, .. }) => "its Object Lock has no default retention".to_owned(),
        Some(_) if !creates_bucket(facts) => return,
        Some(Lock {
            mode: Some(found),
            days: found_days,
        }) => {
            let is_weaker = mode == "COMPLIANCE" && found != mode;
            if !is_weaker && *found_days >= days {
                return;
            }
            format!("its default retention is {found}, {found_days} days, and the stack says {mode}, {days} days")
        }
    };
    let configuration = json!({
        "ObjectLockEnabled": "Enabled",
        "Rule": {"DefaultRetention": {"Mode": mode, "Days": days}},
    });
    report.wrong(
        Rule::ObjectLock,
        bucket,
        wrong,
        format!(
            "`aws s3api put-object-lock-configuration --bucket {bucket} --object-lock-configuration '{configuration}'`; what was \
             written before keeps the retention that it has"
        ),
    );
}

/// Whether the stack made the evidence bucket. Where that is not known, it is held to all that the stack would make.
pub(super) fn creates_bucket(facts: &Facts) -> bool {
    match &facts.parameters {
        Asked::Answered(parameters) => parameters
            .get("CreateEvidenceBucket")
            .is_none_or(|value| value == "true"),
        Asked::NotLearned(_) => true,
    }
}

/// The steps may use one key, or none: with another one, they could write nothing.
fn encryption(facts: &Facts, report: &mut StackReport) {
    let bucket = facts.evidence_bucket.as_str();
    let Some(found) = report.learned(&facts.bucket.encryption, "how the bucket encrypts", bucket) else {
        return;
    };
    let expected = facts.outputs.get("EvidenceKeyArn").map(String::as_str);
    let key = found.as_ref().and_then(|found| found.key.as_deref());
    // S3 encrypts with its own key where nothing is set.
    let algorithm = found.as_ref().map_or(WITHOUT_KEY, |found| found.algorithm.as_str());
    let is_right = match (expected, key) {
        (Some(expected), Some(key)) => algorithm.starts_with(WITH_KEY) && is_key(expected, key),
        (None, None) => algorithm == WITHOUT_KEY,
        _ => false,
    };
    if is_right {
        return;
    }
    let with = match key {
        Some(key) => key,
        None if algorithm == WITHOUT_KEY => "a key of S3",
        None => "AWS's own key",
    };
    let (wanted, default): (String, Value) = match expected {
        Some(key) => (
            format!("{WITH_KEY} with {key}"),
            json!({"SSEAlgorithm": WITH_KEY, "KMSMasterKeyID": key}),
        ),
        None => (
            format!("{WITHOUT_KEY} with a key of S3"),
            json!({"SSEAlgorithm": WITHOUT_KEY}),
        ),
    };
    let rules =
        json!({"Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": expected.is_some()}]});
    report.wrong(
        Rule::Encryption,
        bucket,
        format!("it encrypts by {algorithm} with {with}, and the stack says {wanted}"),
        format!(
            "`aws s3api put-bucket-encryption --bucket {bucket} --server-side-encryption-configuration '{rules}'`, or deploy with the \
             parameter EvidenceKeyArn of the key that it uses"
        ),
    );
}

/// Whether a bucket's key, which may be an ARN or an id, is this one.
fn is_key(arn: &str, found: &str) -> bool {
    found == arn || arn.rsplit_once('/').is_some_and(|(_, id)| id == found)
}
