//! Cost Explorer's answers, in the shapes that the API has.

use p1_runtime::Fault;
use serde_json::{Value, json};

use super::fixture::{stamp, step};

const ACCOUNT: &str = "123456789012";

pub(crate) fn month(amount: &str) -> Value {
    json!({
        "DimensionValueAttributes": [],
        "ResultsByTime": [{
            "Estimated": true,
            "Groups": [],
            "TimePeriod": {"Start": "2026-11-01", "End": "2026-11-23"},
            "Total": {"UnblendedCost": {"Amount": amount, "Unit": "USD"}},
        }],
    })
}

fn error(code: &str) -> Value {
    json!({"__type": code, "Message": "User is not authorized to perform: ce:GetCostAndUsage"})
}

async fn ask(status: u16, body: Value) -> Result<Result<p1_contract::artifacts::BillingArtifact, String>, Fault> {
    step(&[(status, body)])
        .0
        .explorer
        .month_to_date("us-east-1", ACCOUNT, stamp())
        .await
}

#[tokio::test]
async fn asks_for_the_month_to_date_of_one_account_in_the_billing_region() {
    let (step, replay) = step(&[(200, month("12.3456789012"))]);
    let billing = step
        .explorer
        .month_to_date("us-east-1", ACCOUNT, stamp())
        .await
        .unwrap()
        .unwrap();
    let document = json!({
        "schema_version": 1, "artifact": "p1_billing_artifact", "source": "aws_cost_explorer",
        "billing_region": "us-east-1", "metric": "UnblendedCost", "window_start_utc": "2026-11-01",
        "window_end_utc": "2026-11-22", "spend_amount": "12.3456789012", "spend_currency": "USD", "estimated": true,
    });
    assert_eq!(serde_json::to_value(billing).unwrap(), document);
    let asked = replay.asked();
    let [request] = asked.as_slice() else {
        panic!("asked {} times", asked.len())
    };
    assert_eq!(request.uri(), "https://ce.us-east-1.amazonaws.com/");
    assert_eq!(
        request.headers().get("x-amz-target"),
        Some("AWSInsightsIndexService.GetCostAndUsage")
    );
    let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
    let expected = json!({
        "TimePeriod": {"Start": "2026-11-01", "End": "2026-11-23"}, "Granularity": "MONTHLY", "Metrics": ["UnblendedCost"],
        "Filter": {"Dimensions": {"Key": "LINKED_ACCOUNT", "Values": [ACCOUNT]}},
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn an_answer_that_is_not_one_month_is_unusable() {
    let mut two = month("1");
    let first = two["ResultsByTime"][0].clone();
    two["ResultsByTime"].as_array_mut().unwrap().push(first);
    let mut paged = month("1");
    paged["NextPageToken"] = json!("more");
    let mut untotalled = month("1");
    untotalled["ResultsByTime"][0]["Total"] = json!({});
    let mut other = month("1");
    other["ResultsByTime"][0]["TimePeriod"]["Start"] = json!("2026-10-01");
    let mut bare = month("1");
    bare["ResultsByTime"][0]["Total"]["UnblendedCost"] = json!({"Amount": "1"});
    let none = json!({"ResultsByTime": []});
    for body in [two, paged, untotalled, other, bare, none, month("a lot")] {
        let answer = ask(200, body.clone()).await.unwrap();
        assert!(answer.is_err(), "{body}");
    }
}

#[tokio::test]
async fn refusals_are_verdicts_and_outages_are_faults() {
    for code in [
        "AccessDeniedException",
        "DataUnavailableException",
        "BillExpirationException",
        "ValidationException",
    ] {
        let why = ask(400, error(code)).await.unwrap().unwrap_err();
        assert!(why.contains(code), "{why}");
    }
    for (status, code) in [
        (400, "LimitExceededException"),
        (400, "ThrottlingException"),
        (429, "SomethingNew"),
        (400, "ExpiredTokenException"),
        (400, "UnrecognizedClientException"),
        (400, "SomethingNew"),
        (500, "InternalFailure"),
        (503, "ServiceUnavailable"),
    ] {
        let fault = ask(status, error(code)).await.unwrap_err();
        assert_eq!(fault.name(), "Transient", "{code}: {fault}");
    }
    let (step, _) = step(&[]);
    let fault = step
        .explorer
        .month_to_date("us-east-1", ACCOUNT, stamp())
        .await
        .unwrap_err();
    assert_eq!(fault.name(), "Transient", "no answer at all: {fault}");
}
