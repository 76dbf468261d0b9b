//! What Step Functions says of the executions of a deployment.

use aws_sdk_sfn::error::SdkError;
use aws_sdk_sfn::operation::describe_execution::{DescribeExecutionError, DescribeExecutionOutput};
use aws_sdk_sfn::types::ExecutionListItem;
use jiff::Timestamp;

use crate::drive::target::Target;
use crate::exit::CliError;

impl Target {
    /// Asks for one execution.
    ///
    /// # Errors
    /// Fails as Step Functions answers: some of its answers are no faults.
    pub(crate) async fn describe(
        &self,
        arn: &str,
    ) -> Result<DescribeExecutionOutput, SdkError<DescribeExecutionError>> {
        self.sfn.describe_execution().execution_arn(arn).send().await
    }

    /// Looks at the executions that started at `earliest` or later, the latest first, until `look` has found what it looks for.
    ///
    /// # Errors
    /// Returns a fault if they cannot be listed, or as `look` does.
    pub(super) async fn find_listed<T>(
        &self,
        earliest: Timestamp,
        mut look: impl AsyncFnMut(&ExecutionListItem) -> Result<Option<T>, CliError>,
    ) -> Result<Option<T>, CliError> {
        let machine = &self.state_machine;
        let request = self.sfn.list_executions().state_machine_arn(machine.as_str());
        let mut pages = request.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| CliError::failed(&format!("list the executions of {machine}"), &error))?;
            for execution in page.executions() {
                let started = Timestamp::from_second(execution.start_date().secs()).unwrap_or(Timestamp::MAX);
                if started < earliest {
                    // The list begins with the latest execution, so all further ones are older.
                    return Ok(None);
                }
                if let Some(found) = look(execution).await? {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }
}

/// A fault, because an execution could not be described.
pub(super) fn not_described(arn: &str, error: &SdkError<DescribeExecutionError>) -> CliError {
    CliError::failed(&format!("describe the execution {arn}"), error)
}
