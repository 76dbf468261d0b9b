//! What protects the evidence, and what tells of a receipt.

use std::collections::BTreeMap;

use p1_contract::blocker::Blocker;
use serde_json::{Value, json};

use super::facts::{Asked, Encryption, Facts, Lock};
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
    match &facts.bucket.versioning {
        Asked::NotLearned(why) => report.not_learned("whether every version is kept", bucket, why),
        Asked::Answered(status) if status.as_deref() != Some(VERSIONING) => report.blocking(
            Rule::Versioning,
            Some(Blocker::EvidenceBucketUnfit),
            bucket,
            format!("its versioning is {}", status.as_deref().unwrap_or("not enabled")),
            format!(
                "`aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status={VERSIONING}`, as the \
                 break-glass role"
            ),
        ),
        Asked::Answered(_) => {}
    }
    match &facts.bucket.sends_events {
        Asked::NotLearned(why) => report.not_learned("whether the bucket's events go to EventBridge", bucket, why),
        Asked::Answered(false) => report.wrong(
            Rule::Events,
            bucket,
            "its notifications have no EventBridgeConfiguration, so that no M2 receipt starts a run",
            format!(
                "add \"EventBridgeConfiguration\": {{}} to what `aws s3api get-bucket-notification-configuration --bucket {bucket}` \
                 prints, and put all of it back: `aws s3api put-bucket-notification-configuration --bucket {bucket} \
                 --notification-configuration file://notifications.json`"
            ),
        ),
        Asked::Answered(true) => {}
    }
    policy::judge(facts, report);
    lock(facts, report);
    encryption(facts, report);
    match &facts.bucket.public_access {
        Asked::NotLearned(why) => report.not_learned("whether public access is blocked", bucket, why),
        Asked::Answered(settings) => public_access(settings.as_ref(), bucket, report),
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
    let lock = match &facts.bucket.lock {
        Asked::NotLearned(why) => return report.not_learned("how long evidence is locked", bucket, why),
        Asked::Answered(lock) => lock,
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
    let found = match &facts.bucket.encryption {
        Asked::NotLearned(why) => return report.not_learned("how the bucket encrypts", bucket, why),
        Asked::Answered(found) => found.as_ref(),
    };
    let expected = facts.outputs.get("EvidenceKeyArn").map(String::as_str);
    let is_right = match (expected, found) {
        (
            Some(key),
            Some(Encryption {
                algorithm,
                key: Some(found),
            }),
        ) => algorithm.starts_with(WITH_KEY) && is_key(key, found),
        (None, Some(Encryption { algorithm, key: None })) => algorithm == WITHOUT_KEY,
        // S3 encrypts with its own key where nothing is set.
        (None, None) => true,
        _ => false,
    };
    if is_right {
        return;
    }
    let found_words = match found {
        None => format!("{WITHOUT_KEY} with a key of S3"),
        Some(Encryption { algorithm, key: None }) if algorithm == WITHOUT_KEY => {
            format!("{algorithm} with a key of S3")
        }
        Some(Encryption { algorithm, key: None }) => format!("{algorithm} with AWS's own key"),
        Some(Encryption {
            algorithm,
            key: Some(key),
        }) => format!("{algorithm} with {key}"),
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
        format!("it encrypts by {found_words}, and the stack says {wanted}"),
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
