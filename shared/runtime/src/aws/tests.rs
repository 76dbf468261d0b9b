//! Every known answer of AWS must be judged as its row says, both by its code and as the SDK reads it from the wire.

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use p1_contract::ids::BucketName;
use p1_contract::observations::Written;

use super::recorded::{Fact, facts};
use super::{Answer, Call, Cause, words};
use crate::fault::Fault;
use crate::orchestrator::{Orchestrator, StepFunctions};
use crate::store::{S3Store, Store};

const CALLS: [Call; 14] = [
    Call::ReadObject,
    Call::ReadVersion,
    Call::CreateObject,
    Call::AskBucket,
    Call::AskObjectLock,
    Call::AskPolicy,
    Call::AskEncryption,
    Call::AskPublicAccess,
    Call::DescribeMachine,
    Call::DescribeAlias,
    Call::DescribeExecution,
    Call::AskCost,
    Call::UseKey,
    Call::DescribeStack,
];

/// Answers every request with this status, content type and body. The status 0 means a lost connection.
#[derive(Debug, Clone)]
struct Wire(u16, &'static str, String);

impl HttpConnector for Wire {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let Wire(status, content, body) = self.clone();
        HttpConnectorFuture::ready(if status == 0 {
            Err(ConnectorError::io("connection lost".into()))
        } else {
            let mut answer = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
            answer.headers_mut().insert("content-type", content);
            Ok(answer)
        })
    }
}

fn config(wire: Wire) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-2"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "id", "key", None, None, "test",
        )))
        .retry_config(RetryConfig::disabled())
        .http_client(http_client_fn(move |_, _| SharedHttpConnector::new(wire.clone())))
        .build()
}

fn s3(status: u16, code: Option<&str>) -> SdkConfig {
    let body = code.map(|code| format!("<Error><Code>{code}</Code><Message>m</Message></Error>"));
    config(Wire(status, "application/xml", body.unwrap_or_default()))
}

fn json(status: u16, code: Option<&str>) -> SdkConfig {
    let body = code.map(|code| format!(r#"{{"__type": "com.amazonaws#{code}", "message": "m"}}"#));
    config(Wire(status, "application/x-amz-json-1.0", body.unwrap_or_default()))
}

impl Fact {
    /// The calls that can get this answer.
    fn calls(&self) -> Vec<Call> {
        let named = |call: &Call| self.call == "any" || format!("{call:?}") == self.call;
        let calls: Vec<Call> = CALLS.into_iter().filter(named).collect();
        assert!(!calls.is_empty(), "no such call: {self:?}");
        calls
    }

    fn is_judged(&self, answer: Answer) -> bool {
        format!("{answer:?}") == self.judged
    }
}

/// How the SDK reads the answer. `None` for operations of services whose SDKs are not used here.
async fn from_the_wire(fact: &Fact, call: Call) -> Option<(Answer, String)> {
    macro_rules! sent {
        ($request:expr) => {{
            let error = $request.send().await.err().unwrap();
            (Answer::of(call, &error), words(&error))
        }};
    }
    let s3 = aws_sdk_s3::Client::new(&s3(fact.status, fact.code));
    let sfn = aws_sdk_sfn::Client::new(&json(fact.status, fact.code));
    Some(match fact.operation {
        "GetObject" => sent!(s3.get_object().bucket("b").key("k")),
        "HeadObject" => sent!(s3.head_object().bucket("b").key("k")),
        "PutObject" => sent!(s3.put_object().bucket("b").key("k")),
        "ListObjectsV2" => sent!(s3.list_objects_v2().bucket("b")),
        "ListObjectVersions" => sent!(s3.list_object_versions().bucket("b")),
        "GetBucketVersioning" => sent!(s3.get_bucket_versioning().bucket("b")),
        "HeadBucket" => sent!(s3.head_bucket().bucket("b")),
        "GetObjectLockConfiguration" => sent!(s3.get_object_lock_configuration().bucket("b")),
        "GetBucketNotificationConfiguration" => sent!(s3.get_bucket_notification_configuration().bucket("b")),
        "GetBucketPolicy" => sent!(s3.get_bucket_policy().bucket("b")),
        "GetBucketEncryption" => sent!(s3.get_bucket_encryption().bucket("b")),
        "GetPublicAccessBlock" => sent!(s3.get_public_access_block().bucket("b")),
        "DescribeStateMachineAlias" => sent!(sfn.describe_state_machine_alias().state_machine_alias_arn("a")),
        "DescribeStateMachine" => sent!(sfn.describe_state_machine().state_machine_arn("a")),
        "DescribeExecution" => sent!(sfn.describe_execution().execution_arn("a")),
        "GetCostAndUsage" | "Sign" | "DescribeStacks" | "-" => return None,
        other => panic!("no such operation: {other}"),
    })
}

#[tokio::test]
async fn every_known_answer_is_judged_as_its_fact_says() {
    let (mut known, mut recorded, mut sent, mut others) = (0, 0, 0, 0);
    for fact in facts() {
        // The SDK uses this name for an empty 404 of S3.
        let code = fact.code.or((fact.status == 404).then_some("NotFound"));
        for call in fact.calls() {
            assert!(fact.is_judged(Answer::to(call, code)), "{call:?}: {fact:?}");
            let Some((answer, words)) = from_the_wire(&fact, call).await else {
                continue;
            };
            assert!(fact.is_judged(answer), "from the wire: {answer:?}: {fact:?}");
            let status = fact.status.to_string();
            assert!(
                words.contains(&status) && words.contains(code.unwrap_or("status")),
                "{words}: {fact:?}"
            );
            sent += 1;
        }
        known += 1;
        recorded += usize::from(fact.source.contains("/test_"));
        others += usize::from(fact.call == "any");
        // A row needs a reason if its code does not explain the judgement.
        let speaks = fact.status >= 500 || fact.code.is_some_and(|code| code.contains("Throttling"));
        assert!(
            speaks || fact.why.is_some() || !fact.judged.starts_with("Transient"),
            "{fact:?}"
        );
    }
    println!(
        "{known} answers of AWS held, {recorded} of them recorded, {sent} of them sent over the wire; {others} are of calls that are \
         not made, and each of these was judged as the answer to {} calls",
        CALLS.len()
    );
    assert!(known > 180 && recorded > 100 && sent > 90, "the table is not whole");
}

#[test]
fn a_code_that_is_not_listed_says_nothing_of_what_was_named() {
    for code in ["SomethingNew", "", "404", "403", "accessdenied", "AccessDenied "] {
        for call in CALLS {
            assert_eq!(
                Answer::to(call, Some(code)),
                Answer::Transient(Cause::Service),
                "{code:?} to {call:?}"
            );
        }
    }
    for call in CALLS {
        assert_eq!(Answer::to(call, None), Answer::Transient(Cause::NoCode));
    }
}

/// A list that is right for one call can be wrong for another. Each verdict of the table belongs only to its own call.
#[test]
fn a_verdict_belongs_to_its_call() {
    for (code, calls) in [
        ("NoSuchKey", &[Call::ReadObject, Call::ReadVersion][..]),
        ("NoSuchVersion", &[Call::ReadVersion]),
        ("MethodNotAllowed", &[Call::ReadVersion]),
        ("InvalidArgument", &[Call::ReadVersion]),
        ("PreconditionFailed", &[Call::CreateObject]),
        ("ConditionalRequestConflict", &[Call::CreateObject]),
        ("StateMachineDoesNotExist", &[Call::DescribeMachine]),
        ("InvalidArn", &[Call::DescribeMachine]),
        ("ExecutionDoesNotExist", &[Call::DescribeExecution]),
        ("DataUnavailableException", &[Call::AskCost]),
        ("DisabledException", &[Call::UseKey]),
        ("ValidationError", &[Call::DescribeStack]),
        ("NoSuchBucketPolicy", &[Call::AskPolicy]),
        ("ServerSideEncryptionConfigurationNotFoundError", &[Call::AskEncryption]),
        ("NoSuchPublicAccessBlockConfiguration", &[Call::AskPublicAccess]),
        ("ObjectLockConfigurationNotFoundError", &[Call::AskObjectLock]),
        ("ResourceNotFound", &[Call::DescribeAlias]),
    ] {
        let judged = |call: &Call| !matches!(Answer::to(*call, Some(code)), Answer::Transient(_));
        let found: Vec<Call> = CALLS.into_iter().filter(judged).collect();
        assert_eq!(found, calls, "{code}");
    }
}

#[tokio::test]
async fn no_answer_and_a_page_of_something_between_are_transient() {
    let lost = aws_sdk_s3::Client::new(&config(Wire(0, "", String::new())));
    let error = lost.get_object().bucket("b").key("k").send().await.err().unwrap();
    assert_eq!(Answer::of(Call::ReadObject, &error), Answer::Transient(Cause::NoCode));
    assert_eq!(words(&error), "the connection failed");
    for status in [301, 400, 403, 404, 405, 409, 412, 502] {
        let page = Wire(status, "text/html", "<html><body>no</body></html>".to_owned());
        let between = aws_sdk_s3::Client::new(&config(page));
        let error = between.get_object().bucket("b").key("k").send().await.err().unwrap();
        assert_eq!(
            Answer::of(Call::ReadVersion, &error),
            Answer::Transient(Cause::NoCode),
            "{status}"
        );
        assert_eq!(words(&error), format!("status {status}"));
    }
}

/// What a step gets from the store and the orchestrator.
#[tokio::test]
async fn only_a_listed_code_becomes_a_verdict_of_a_step() {
    let bucket = BucketName::parse("evidence-bucket").unwrap();
    let key = "evidence/a.json".parse().unwrap();
    let machine = "arn:aws:states:eu-west-2:123456789012:stateMachine:m".parse().unwrap();
    let execution = "arn:aws:states:eu-west-2:123456789012:execution:m:e".parse().unwrap();
    let mut held = 0;
    for fact in facts() {
        let store = Store::S3(S3Store::new(aws_sdk_s3::Client::new(&s3(fact.status, fact.code))));
        let steps = Orchestrator::StepFunctions(StepFunctions::new(json(fact.status, fact.code)));
        let version = (fact.call == "ReadVersion").then_some("v1");
        let told = match fact.operation {
            "GetObject" => debug(store.read(&bucket, &key, version, 10).await),
            "PutObject" => match store.create(&bucket, &key, "a", b"{}").await {
                Written::Refused(why) => format!("Denied {why}"),
                // The read that follows gets the same answer as the write, so it adds nothing.
                Written::Inconclusive(_) => "a fault".to_owned(),
                other => panic!("{fact:?}: {other:?}"),
            },
            "GetBucketVersioning" => debug(store.posture(&bucket).await),
            "ListObjectsV2" => debug(store.list(&bucket, "evidence/", 1).await),
            "DescribeStateMachine" => debug(steps.machine(&machine).await),
            "DescribeExecution" => debug(steps.execution(&execution).await),
            _ => continue,
        };
        let expected = match (fact.operation, fact.judged) {
            ("ListObjectsV2", _) => "a fault",
            ("PutObject", "NoBucket" | "Denied") | (_, "Denied") | ("GetBucketVersioning", "Transient(Region)") => {
                "Denied"
            }
            (operation, "NotThere" | "NoBucket") if operation != "PutObject" => "NotFound",
            _ => "a fault",
        };
        assert!(told.starts_with(expected), "{told}: {fact:?}");
        held += 1;
    }
    assert!(held > 80, "{held}");
}

fn debug<T: std::fmt::Debug>(answer: Result<T, Fault>) -> String {
    match answer {
        Ok(answer) => format!("{answer:?}"),
        Err(fault) => {
            assert_eq!(fault.name(), "Transient", "{fault}");
            "a fault".to_owned()
        }
    }
}
