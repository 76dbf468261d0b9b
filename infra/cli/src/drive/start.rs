//! Starts an execution, either by an M2 receipt in the evidence bucket, as M2 does, or with an input of the operator.

use std::time::{Duration, Instant};

use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sfn::types::{ExecutionListItem, ExecutionStatus};
use jiff::{SignedDuration, Timestamp};
use p1_contract::ids::{Environment, PhaseExecutionId, S3Key};
use p1_contract::input::M2_RECEIPT_FILE;
use p1_contract::strict::{Limits, parse_foreign};
use p1_local::sample;
use p1_runtime::aws::{Answer, Call};
use serde_json::Value;

use crate::drive::executions::not_described;
use crate::drive::target::Target;
use crate::exit::CliError;

/// How many seconds in a row are tried as the key of a receipt.
const STAMP_ATTEMPTS: i64 = 10;
/// How long the rule of the local platform may take to start an execution. It usually takes some milliseconds.
const LOCAL_RULE_LIMIT: Duration = Duration::from_secs(30);
/// The same limit on AWS, where delivery takes seconds and listing is eventually consistent.
const AWS_RULE_LIMIT: Duration = Duration::from_secs(180);
/// The largest difference between the clocks of this machine and of the engine.
pub(super) const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// The receipt that started an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutReceipt {
    /// Its key in the evidence bucket.
    pub key: S3Key,
    /// When it was put.
    pub at: Timestamp,
    /// Whether the receipt is new. Only a new receipt leads to an event, which starts an execution.
    pub is_new: bool,
}

/// Puts an M2 receipt into the folder of the M2 execution that it names. A receipt that names none goes to the key of the current
/// second, or of the next second with a free key. Evidence is created and never replaced.
///
/// # Errors
/// Returns [`CliError::Usage`] if its folder holds another receipt, and a fault if no key is free or S3 refuses.
pub async fn put_receipt(target: &Target, receipt: Option<&[u8]>) -> Result<PutReceipt, CliError> {
    let at = Timestamp::now();
    if let Some((key, bytes)) = receipt.and_then(|bytes| Some((own_key(&target.environment, bytes)?, bytes))) {
        let is_new = create(target, &key, bytes.to_vec()).await?;
        if !is_new {
            put_receipt_at(target, &key, bytes).await?;
        }
        return Ok(PutReceipt { key, at, is_new });
    }
    for second in 0..STAMP_ATTEMPTS {
        let stamp = compact(at + SignedDuration::from_secs(second));
        let key = receipt_key(&target.environment, &stamp)?;
        let bytes = receipt.map_or_else(|| sample::m2_receipt(&stamp), <[u8]>::to_vec);
        if create(target, &key, bytes).await? {
            return Ok(PutReceipt { key, at, is_new: true });
        }
    }
    Err(CliError::fault(format!(
        "every M2 receipt key of the last {STAMP_ATTEMPTS} seconds is taken in {}; try again",
        target.evidence_bucket
    )))
}

/// The key in the folder of the M2 execution that a receipt names. Returns `None` if the receipt names no M2 execution.
fn own_key(environment: &Environment, receipt: &[u8]) -> Option<S3Key> {
    let receipt = parse_foreign(receipt, Limits::DOCUMENT).ok()?;
    let id = PhaseExecutionId::parse(receipt.get("phase_execution_id")?.as_str()?).ok()?;
    receipt_key(environment, id.as_str().strip_prefix("m2j_")?).ok()
}

/// Puts the receipt that an execution input names. An equal receipt that exists already stays.
///
/// # Errors
/// Returns [`CliError::Usage`] if the key holds another receipt, and a fault if S3 refuses.
pub async fn put_receipt_at(target: &Target, key: &S3Key, receipt: &[u8]) -> Result<(), CliError> {
    if create(target, key, receipt.to_vec()).await? {
        return Ok(());
    }
    let there = target.evidence().get(key.as_str(), None).await?;
    if there.is_some_and(|there| there.bytes == receipt) {
        return Ok(());
    }
    Err(CliError::usage(format!(
        "--m2-receipt: {key} holds another receipt already, and evidence is never replaced; leave --m2-receipt out to start from the one that is there, or give a receipt of another M2 execution"
    )))
}

/// Creates an evidence object. Returns `false` if the key is taken.
pub(super) async fn create(target: &Target, key: &S3Key, bytes: Vec<u8>) -> Result<bool, CliError> {
    let bucket = target.evidence_bucket.as_str();
    let request = target.s3.put_object().bucket(bucket).key(key.as_str());
    let request = request.if_none_match("*").content_type("application/json");
    let Err(error) = request.body(ByteStream::from(bytes)).send().await else {
        return Ok(true);
    };
    match Answer::of(Call::CreateObject, &error) {
        Answer::Exists | Answer::Conflict => Ok(false),
        _ => Err(CliError::failed(
            &format!("put the M2 receipt to s3://{bucket}/{key}"),
            &error,
        )),
    }
}

/// Waits for the execution that EventBridge starts for the receipt. `but_not` lists executions that turned out to be the wrong
/// ones.
///
/// # Errors
/// Returns a fault that says where to look if no execution starts in time.
pub async fn await_execution(target: &Target, receipt: &PutReceipt, but_not: &[String]) -> Result<String, CliError> {
    let (limit, pause) = if target.is_local {
        (LOCAL_RULE_LIMIT, Duration::from_millis(50))
    } else {
        (AWS_RULE_LIMIT, Duration::from_secs(2))
    };
    let began = Instant::now();
    let mut others: Vec<String> = but_not.to_vec();
    loop {
        if let Some(arn) = find_execution(target, receipt, &mut others).await? {
            return Ok(arn);
        }
        if began.elapsed() > limit {
            return Err(CliError::fault(format!(
                "no execution of {} started within {} s of the M2 receipt s3://{}/{}; check that the bucket sends events to \
                 EventBridge and that the stack's rule is enabled and may start the state machine",
                target.state_machine.name(),
                limit.as_secs(),
                target.evidence_bucket,
                receipt.key
            )));
        }
        tokio::time::sleep(pause).await;
    }
}

/// The execution whose input is the event of this receipt, among those that started after the receipt was put.
async fn find_execution(
    target: &Target,
    receipt: &PutReceipt,
    others: &mut Vec<String>,
) -> Result<Option<String>, CliError> {
    let is_of_receipt = |input: &str| is_event_of(input, target.evidence_bucket.as_str(), &receipt.key);
    let look = async |execution: &ExecutionListItem| {
        let arn = execution.execution_arn();
        if others.iter().any(|other| other == arn) {
            return Ok(None);
        }
        let described = target.describe(arn).await.map_err(|error| not_described(arn, &error))?;
        if described.input().is_some_and(is_of_receipt) {
            return Ok(Some(arn.to_owned()));
        }
        others.push(arn.to_owned());
        Ok(None)
    };
    target.find_listed(receipt.at - CLOCK_SKEW, look).await
}

/// Refuses to pin a receipt a second time by an operator's start, unless that is wanted (`again`). An event's delivery never comes
/// here: the orchestrator itself tells two deliveries of one event apart.
///
/// # Errors
/// Returns [`CliError::Usage`] if an execution from this receipt runs or has advanced, and a fault if that cannot be learned.
pub async fn refuse_second(target: &Target, key: &S3Key, again: bool) -> Result<(), CliError> {
    let Some(arn) = (if again { None } else { pinned_by(target, key).await? }) else {
        return Ok(());
    };
    Err(CliError::usage(format!(
        "the M2 receipt s3://{}/{key} is pinned already, or is being pinned, by {arn}; `cargo p1 fetch` copies its evidence, and \
         --again pins another run from the same receipt",
        target.evidence_bucket
    )))
}

/// The execution that pins this receipt: it runs, or it has advanced.
async fn pinned_by(target: &Target, key: &S3Key) -> Result<Option<String>, CliError> {
    let bucket = target.evidence_bucket.as_str();
    let request = target.s3.head_object().bucket(bucket).key(key.as_str());
    let put = match request.send().await {
        Ok(receipt) => receipt.last_modified.map_or(0, |at| at.secs()),
        // The orchestrator names a receipt that is not there.
        Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => return Ok(None),
        Err(error) => return Err(CliError::failed(&format!("look at s3://{bucket}/{key}"), &error)),
    };
    let earliest = Timestamp::from_second(put).unwrap_or(Timestamp::UNIX_EPOCH) - CLOCK_SKEW;
    let look = async |execution: &ExecutionListItem| {
        let is_running = *execution.status() == ExecutionStatus::Running;
        if !is_running && *execution.status() != ExecutionStatus::Succeeded {
            return Ok(None);
        }
        let arn = execution.execution_arn();
        let described = target.describe(arn).await.map_err(|error| not_described(arn, &error))?;
        let is_of = described.input().is_some_and(|input| is_start_from(input, bucket, key));
        let output: Value = serde_json::from_str(described.output().unwrap_or("null")).unwrap_or(Value::Null);
        let pins = is_of && (is_running || output["verdict"] == "ADVANCE_TO_M4");
        Ok(pins.then(|| arn.to_owned()))
    };
    target.find_listed(earliest, look).await
}

/// Starts an execution with this input.
///
/// # Errors
/// Returns a fault if Step Functions refuses.
pub async fn start_execution(target: &Target, input: &Value) -> Result<String, CliError> {
    let name = format!("p1-{}-{:08x}", compact(Timestamp::now()), fastrand::u32(..));
    let request = target
        .sfn
        .start_execution()
        .state_machine_arn(target.state_machine.as_str())
        .name(&name)
        .input(input.to_string());
    let failed = |error| CliError::failed(&format!("start an execution of {}", target.state_machine), &error);
    Ok(request.send().await.map_err(failed)?.execution_arn)
}

/// Whether an execution input is S3's event for this object.
fn is_event_of(input: &str, bucket: &str, key: &S3Key) -> bool {
    let event: Value = serde_json::from_str(input).unwrap_or(Value::Null);
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
    text("/detail/bucket/name") == Some(bucket) && text("/detail/object/key") == Some(key.as_str())
}

/// Whether an execution input is a start from this receipt, by its event or by an operator.
fn is_start_from(input: &str, bucket: &str, key: &S3Key) -> bool {
    let start: Value = serde_json::from_str(input).unwrap_or(Value::Null);
    start.pointer("/m2_handoff/key").and_then(Value::as_str) == Some(key.as_str()) || is_event_of(input, bucket, key)
}

pub(super) fn receipt_key(environment: &Environment, stamp: &str) -> Result<S3Key, CliError> {
    S3Key::parse(&format!(
        "{}m2j_{stamp}/{M2_RECEIPT_FILE}",
        environment.run_control_root()
    ))
    .map_err(|error| CliError::fault(error.to_string()))
}

/// `YYYYMMDDTHHMMSSZ`, UTC.
fn compact(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_receipts_key_is_the_contracts() {
        let at: Timestamp = "2026-11-22T01:02:03.9Z".parse().unwrap();
        let key = receipt_key(&Environment::default(), &compact(at)).unwrap();
        assert_eq!(
            key.as_str(),
            "evidence/dev_full/run_control/m2j_20261122T010203Z/m2j_m3_entry_readiness_receipt.json"
        );
        let input = json!({"m2_handoff": {"key": key.as_str()}});
        let bucket = p1_contract::ids::BucketName::parse("test-evidence").unwrap();
        assert!(p1_contract::input::ExecutionInput::parse(&input, &Environment::default(), &bucket).is_ok());
    }

    #[test]
    fn a_receipt_lies_in_the_folder_that_it_names() {
        let own = |receipt: &[u8]| own_key(&Environment::default(), receipt);
        let named = |id: Value| own(json!({"phase_execution_id": id}).to_string().as_bytes());
        let key = receipt_key(&Environment::default(), "20261122T010203Z").unwrap();
        assert_eq!(named(json!("m2j_20261122T010203Z")), Some(key.clone()));
        let marked = b"\xef\xbb\xbf{\"phase_execution_id\":\"m2j_20261122T010203Z\"}";
        assert_eq!(own(marked), Some(key));
        for id in [
            json!("m3a_20261122T010203Z"),
            json!("m2j_yesterday"),
            json!("m2j_../x"),
            json!(1),
            json!(null),
        ] {
            assert_eq!(named(id.clone()), None, "{id}");
        }
        assert_eq!(own(b"{}"), None);
    }

    #[test]
    fn only_our_receipts_event_is_ours() {
        let key = receipt_key(&Environment::default(), "20261122T010203Z").unwrap();
        let event = |bucket: &str, key: &str| {
            json!({"detail": {"bucket": {"name": bucket}, "object": {"key": key}}}).to_string()
        };
        assert!(is_event_of(&event("b", key.as_str()), "b", &key));
        assert!(!is_event_of(&event("c", key.as_str()), "b", &key));
        assert!(!is_event_of(&event("b", "evidence/x"), "b", &key));
        assert!(!is_event_of("nonsense", "b", &key));
        assert!(is_start_from(&event("b", key.as_str()), "b", &key));
        let start = |key: &str| json!({"m2_handoff": {"key": key}}).to_string();
        assert!(is_start_from(&start(key.as_str()), "b", &key));
        assert!(!is_start_from(&start("evidence/x"), "b", &key));
    }
}
