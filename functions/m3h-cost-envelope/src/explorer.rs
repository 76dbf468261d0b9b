//! Cost Explorer: one `GetCostAndUsage` for the month to date. Each call costs money, so the caller keeps the answer.

use aws_config::retry::RetryConfig;
use aws_config::{Region, SdkConfig};
use aws_sdk_costexplorer::Client;
use aws_sdk_costexplorer::operation::get_cost_and_usage::GetCostAndUsageOutput;
use aws_sdk_costexplorer::types::{DateInterval, Dimension, DimensionValues, Expression, Granularity};
use p1_contract::artifacts::{BILLING_ARTIFACT, BillingArtifact};
use p1_contract::ids::Stamp;
use p1_contract::revision;
use p1_runtime::Fault;
use p1_runtime::aws::{Answer, Call, words};

use crate::amount;

/// The one metric that P1 counts.
pub(crate) const METRIC: &str = "UnblendedCost";

/// The `source` of an answer of Cost Explorer.
pub(crate) const SOURCE: &str = "aws_cost_explorer";

/// Cost Explorer, as the deployment's credentials reach it. The client is made when it is asked: at most once a day.
#[derive(Debug, Clone)]
pub struct CostExplorer {
    config: SdkConfig,
}

impl CostExplorer {
    /// Cost Explorer by this configuration, whose region gives way to the billing region.
    #[must_use]
    pub fn new(config: SdkConfig) -> Self {
        CostExplorer { config }
    }

    /// The spend of `account` in the month of `stamp`, up to and with its day; in words why not, where Cost Explorer refuses,
    /// has no data, or answers something else.
    ///
    /// # Errors
    /// When Cost Explorer gives no answer.
    pub(crate) async fn month_to_date(
        &self,
        region: &str,
        account: &str,
        stamp: Stamp,
    ) -> Result<Result<BillingArtifact, String>, Fault> {
        let operation = || {
            format!(
                "ask Cost Explorer for the cost of {} to {}",
                stamp.month_start(),
                stamp.date()
            )
        };
        let refused = |problem: String| Fault::internal(operation(), problem);
        let end = stamp
            .next_date()
            .ok_or_else(|| refused("the calendar ends here".to_owned()))?;
        let window = DateInterval::builder().start(stamp.month_start()).end(end).build();
        let window = window.map_err(|e| refused(e.to_string()))?;
        // One request: a call that brings no answer may be charged all the same. Trying again is the state machine's.
        let config = aws_sdk_costexplorer::config::Builder::from(&self.config)
            .region(Region::new(region.to_owned()))
            .retry_config(RetryConfig::disabled())
            .build();
        let client = Client::from_conf(config);
        let request = client
            .get_cost_and_usage()
            .time_period(window)
            .granularity(Granularity::Monthly)
            .filter(of_account(account))
            .metrics(METRIC);
        match request.send().await {
            Ok(answer) => Ok(read(&answer, region, stamp)),
            Err(error) => match Answer::of(Call::AskCost, &error) {
                Answer::Transient(_) => Err(Fault::transient(operation(), words(&error))),
                _ => Ok(Err(format!("Cost Explorer refuses GetCostAndUsage: {}", words(&error)))),
            },
        }
    }
}

/// The costs of one account. Without it the management account of an organization is answered with the costs of all members.
fn of_account(account: &str) -> Expression {
    let linked = DimensionValues::builder()
        .key(Dimension::LinkedAccount)
        .values(account)
        .build();
    Expression::builder().dimensions(linked).build()
}

/// The one month of an answer. The API's window ends with the day after; evidence names the last day in it.
fn read(answer: &GetCostAndUsageOutput, region: &str, stamp: Stamp) -> Result<BillingArtifact, String> {
    let [month] = answer.results_by_time() else {
        return Err(format!(
            "Cost Explorer answers with {} months instead of one",
            answer.results_by_time().len()
        ));
    };
    if answer.next_page_token().is_some() {
        return Err("Cost Explorer answers with a part of the month only".to_owned());
    }
    let start = month.time_period().map(DateInterval::start).unwrap_or_default();
    if start != stamp.month_start() {
        return Err(format!(
            "Cost Explorer answers for a window from {start:?} on, not {}",
            stamp.month_start()
        ));
    }
    let total = month.total().and_then(|total| total.get(METRIC));
    let total = total.ok_or_else(|| format!("Cost Explorer answers without a total of {METRIC}"))?;
    let text = total.amount().unwrap_or_default();
    let spend_amount =
        amount::from_cost_explorer(text).ok_or_else(|| format!("Cost Explorer answers with the amount {text:?}"))?;
    let spend_currency = total
        .unit()
        .ok_or("Cost Explorer answers without a currency")?
        .to_owned();
    Ok(BillingArtifact {
        schema_version: revision::version_of(BILLING_ARTIFACT),
        artifact: BILLING_ARTIFACT.to_owned(),
        source: SOURCE.to_owned(),
        billing_region: region.to_owned(),
        metric: METRIC.to_owned(),
        window_start_utc: stamp.month_start(),
        window_end_utc: stamp.date(),
        spend_amount,
        spend_currency,
        estimated: month.estimated(),
    })
}
