//! Step Functions where there is none: it answers `DescribeStateMachine`, which is all that a run without a rerun asks.

use hyper::header::{CONTENT_TYPE, HeaderValue};
use p1_local::Profile;
use serde_json::json;

use crate::error::BenchError;
use crate::http::{Server, answer};

/// A server that knows the profile's state machine. It ends when it is dropped.
///
/// # Errors
/// When there is no free port.
pub async fn serve(profile: &Profile) -> Result<Server, BenchError> {
    let description = json!({
        "stateMachineArn": profile.state_machine_arn(),
        "name": profile.state_machine_name,
        "status": "ACTIVE",
        "definition": "{}",
        "roleArn": format!("arn:aws:iam::{}:role/{}", profile.account, profile.state_machine_role_name),
        "type": "STANDARD",
        "creationDate": 0,
    })
    .to_string();
    Server::start(move |request| {
        let asks = request.headers().get("x-amz-target").cloned();
        let description = description.clone();
        async move {
            if asks.is_none_or(|target| target != "AWSStepFunctions.DescribeStateMachine") {
                return Ok(answer(400, r#"{"__type":"UnknownOperationException"}"#));
            }
            let mut answer = answer(200, description);
            let kind = HeaderValue::from_static("application/x-amz-json-1.0");
            answer.headers_mut().insert(CONTENT_TYPE, kind);
            Ok(answer)
        }
    })
    .await
}
