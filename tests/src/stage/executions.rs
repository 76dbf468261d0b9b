//! Starting executions, and following them.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::{Value, json};

use super::{Ended, PATIENCE, POLL, Stage};
use crate::filled_in;

impl Stage {
    /// Publishes a green receipt as M2 would, and follows the execution that the rule starts.
    pub async fn run(&self) -> Ended {
        let execution = self.deliver().await;
        self.ended(&execution).await
    }

    /// An operator's start from a receipt that has come in already.
    pub async fn operator_start(&self) -> Value {
        let execution = self.run().await.expect_advance();
        let event: Value = serde_json::from_str(&self.input(&execution.arn).await).unwrap();
        json!({"m2_handoff": {"key": event["detail"]["object"]["key"]}})
    }

    /// A run that M3.F held; the registry is the valid one again.
    pub async fn held_run(&self) -> Ended {
        self.put_broken_registry().await;
        let held = self.run().await.expect_hold(&["M3F-B3"]);
        self.put_registry(&self.registry()).await;
        held
    }

    /// The input with which a held run goes on, as its phase summary gives it.
    pub async fn rerun_input(&self, held: &Ended) -> Value {
        let next = self.phase_summary(held).await["next_action"].take();
        assert_eq!(next["action"], "RESUME", "{next}");
        filled_in(&next["rerun_input"])
    }

    /// Publishes a green receipt as M2 would; the execution that the rule starts.
    pub async fn deliver(&self) -> String {
        self.deliver_receipt(|_| ()).await
    }

    /// Publishes M2's receipt as `change` leaves it; the execution that the rule starts.
    pub async fn deliver_receipt(&self, change: impl FnOnce(&mut Value)) -> String {
        let key = Self::new_receipt_key_of(&self.platform.profile().environment);
        let mut receipt: Value = serde_json::from_slice(&Self::receipt_at(&key)).unwrap();
        change(&mut receipt);
        let receipt = receipt.to_string().into_bytes();
        self.deliver_bytes(&key, receipt).await
    }

    /// Publishes these bytes as M2's receipt; the execution that the rule starts.
    pub async fn deliver_bytes(&self, key: &str, receipt: Vec<u8>) -> String {
        let request = self
            .s3
            .put_object()
            .bucket(self.platform.evidence_bucket())
            .key(key)
            .if_none_match("*");
        request.body(ByteStream::from(receipt)).send().await.unwrap();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            for execution in self.executions().await {
                let is_new = self.known.lock().unwrap().insert(execution.clone());
                if is_new && self.input(&execution).await.contains(key) {
                    return execution;
                }
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "the rule started no execution for {key}"
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// The newest executions.
    pub async fn executions(&self) -> Vec<String> {
        let request = self
            .sfn
            .list_executions()
            .state_machine_arn(self.platform.state_machine_arn());
        let answer = request.max_results(10).send().await.unwrap();
        answer
            .executions()
            .iter()
            .map(|execution| execution.execution_arn().to_owned())
            .collect()
    }

    /// The input of an execution.
    pub async fn input(&self, arn: &str) -> String {
        let answer = self.sfn.describe_execution().execution_arn(arn).send().await.unwrap();
        answer.input().unwrap_or_default().to_owned()
    }

    /// When an execution started, in RFC 3339.
    pub async fn start_time(&self, arn: &str) -> String {
        let answer = self.sfn.describe_execution().execution_arn(arn).send().await.unwrap();
        let seconds = answer.start_date().secs();
        jiff::Timestamp::new(seconds, 0).unwrap().to_string()
    }

    /// The ARN of an execution of this name.
    pub fn execution_arn(&self, name: &str) -> String {
        let machine = self.platform.state_machine_arn();
        format!("{}:{name}", machine.replace(":stateMachine:", ":execution:"))
    }

    /// Starts an execution of this name, and gives its ARN.
    pub async fn begin(&self, name: &str, input: &Value) -> String {
        let request = self
            .sfn
            .start_execution()
            .state_machine_arn(self.platform.state_machine_arn());
        let answer = request.name(name).input(input.to_string()).send().await.unwrap();
        answer.execution_arn().to_owned()
    }

    /// Waits until the first function of an execution has answered, or the execution has ended.
    pub async fn first_answer(&self, arn: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let answer = self.sfn.describe_execution().execution_arn(arn).send().await.unwrap();
            if *answer.status() != ExecutionStatus::Running || !self.answers(arn).await.0.is_empty() {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "no function of {arn} answers");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Starts an execution with this text as its input and follows it; the engine's answer when it refuses the input.
    pub async fn try_start(&self, input: &str) -> Result<Ended, String> {
        let request = self
            .sfn
            .start_execution()
            .state_machine_arn(self.platform.state_machine_arn());
        match request.input(input).send().await {
            Ok(answer) => Ok(self.ended(answer.execution_arn()).await),
            Err(error) => Err(format!("{:?}", error.into_service_error())),
        }
    }

    /// Starts an execution with this input and follows it.
    pub async fn start(&self, input: &Value) -> Ended {
        let request = self
            .sfn
            .start_execution()
            .state_machine_arn(self.platform.state_machine_arn());
        let answer = request.input(input.to_string()).send().await.unwrap();
        self.ended(answer.execution_arn()).await
    }

    /// Follows an execution to its end.
    pub async fn ended(&self, arn: &str) -> Ended {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let answer = self.sfn.describe_execution().execution_arn(arn).send().await.unwrap();
            if *answer.status() != ExecutionStatus::Running {
                return Ended {
                    arn: arn.to_owned(),
                    status: answer.status().clone(),
                    output: serde_json::from_str(answer.output().unwrap_or("null")).unwrap(),
                    error: answer.error().unwrap_or_default().to_owned(),
                    cause: answer.cause().unwrap_or_default().to_owned(),
                };
            }
            assert!(tokio::time::Instant::now() < deadline, "{arn} does not end");
            tokio::time::sleep(POLL).await;
        }
    }

    /// What the functions answered, in order, and how often the engine asked.
    pub async fn answers(&self, arn: &str) -> (Vec<Value>, usize) {
        let request = self.sfn.get_execution_history().execution_arn(arn);
        let mut pages = request.into_paginator().send();
        let (mut results, mut scheduled) = (Vec::new(), 0);
        while let Some(page) = pages.next().await {
            for event in page.unwrap().events() {
                scheduled += usize::from(event.task_scheduled_event_details().is_some());
                let Some(output) = event
                    .task_succeeded_event_details()
                    .and_then(|details| details.output())
                else {
                    continue;
                };
                let mut answer: Value = serde_json::from_str(output).unwrap();
                results.push(answer["Payload"].take());
            }
        }
        (results, scheduled)
    }
}
