//! Starts executions one a second, so that the ids of their steps are known before they run.
//!
//! An artifact's key follows from the execution's ARN and the second of its start. The test names the execution, and
//! puts things in its way for each of the next few seconds: create-only, objects of its own, under keys that nobody has
//! used. No evidence is overwritten or deleted.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use p1_contract::canonical;
use p1_contract::evidence::observations_name;
use p1_contract::ids::{Environment, PhaseExecutionId, PlatformRunId, Stamp};
use p1_contract::step::Step;
use p1_tests::stage::{Ended, Stage};
use serde_json::{Value, json};
use tokio::sync::Mutex;

/// How many seconds after it was planned an execution may start.
const WINDOW: i64 = 6;

/// An execution that is about to start.
pub(crate) struct Planned<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) arn: String,
    pub(crate) input: Value,
    pub(crate) stamps: Vec<Stamp>,
}

impl Planned<'_> {
    pub(crate) fn id(&self, step: Step, stamp: Stamp) -> PhaseExecutionId {
        PhaseExecutionId::derive(step, stamp, &self.arn)
    }

    /// The key of a file of a step, for each second in which the execution may start.
    pub(crate) fn keys<'k>(&'k self, step: Step, file: &'k str) -> impl Iterator<Item = (Stamp, String)> + 'k {
        let key = move |stamp: &Stamp| {
            (
                *stamp,
                format!("{}{file}", Environment::default().phase_folder(&self.id(step, *stamp))),
            )
        };
        self.stamps.iter().map(key)
    }

    /// Something that stands where a step will want to write.
    pub(crate) async fn squat(&self, step: Step, file: &str) {
        for (_, key) in self.keys(step, file) {
            create(self.stage, &key, b"squatter".to_vec()).await;
        }
    }

    /// Every run id that the execution could mint belongs to somebody else.
    pub(crate) async fn take_every_run_id(&self) {
        let ids = self
            .stamps
            .iter()
            .flat_map(|stamp| (0..=20).filter_map(|n| PlatformRunId::mint(*stamp, n)));
        let writes = ids.map(|run| async move {
            create(self.stage, &format!("{}squatter", run.run_root()), b"squatter".to_vec()).await;
        });
        futures_util::future::join_all(writes).await;
    }

    /// Observations of a step that the execution will adopt, as if an earlier attempt at it had made them.
    pub(crate) async fn observe(&self, step: Step, base: &Example, change: impl Fn(&mut Value)) {
        for stamp in &self.stamps {
            let mut document = base.observations(step, self, *stamp);
            change(&mut document["observed"]);
            self.plant(step, *stamp, &document).await;
        }
    }

    pub(crate) async fn plant(&self, step: Step, stamp: Stamp, document: &Value) {
        let key = format!(
            "{}{}.json",
            Environment::default().phase_folder(&self.id(step, stamp)),
            observations_name(step)
        );
        create(self.stage, &key, canonical::to_document(document).unwrap()).await;
    }
}

/// Creates an object of the test's own under a key that nobody has used, and gives its version and tag.
pub(crate) async fn create(stage: &Stage, key: &str, bytes: Vec<u8>) -> (Option<String>, String) {
    let request = stage.s3.put_object().bucket(stage.platform.evidence_bucket()).key(key);
    let answer = request
        .if_none_match("*")
        .body(ByteStream::from(bytes))
        .send()
        .await
        .unwrap();
    let tag = answer.e_tag().unwrap().trim_matches('"').to_owned();
    (answer.version_id().map(str::to_owned), tag)
}

/// A finished execution, of whose observations others are made by one change.
pub(crate) struct Example {
    arn: String,
    run: String,
    observations: BTreeMap<Step, String>,
}

impl Example {
    pub(crate) async fn of(stage: &Stage, ended: &Ended) -> Example {
        let mut observations = BTreeMap::new();
        for (owner, folder) in stage.folders(ended).await {
            let Some(step) = Step::from_id(&owner) else { continue };
            let bytes = stage.get(&format!("{folder}{}.json", observations_name(step))).await;
            observations.insert(step, String::from_utf8(bytes).unwrap());
        }
        Example {
            arn: ended.arn.clone(),
            run: ended.outcome()["platform_run_id"].as_str().unwrap().to_owned(),
            observations,
        }
    }

    /// The observations of a step as another execution would have made them.
    pub(crate) fn observations(&self, step: Step, planned: &Planned<'_>, stamp: Stamp) -> Value {
        let text = &self.observations[&step];
        // A rerun keeps the run that it goes on with.
        let text = if planned.input.get("resume").is_some() {
            text.clone()
        } else {
            let run = PlatformRunId::mint(stamp, 0).unwrap().to_string();
            text.replace(&self.run, &run).replace(&self.arn, &planned.arn)
        };
        let mut document: Value = serde_json::from_str(&text).unwrap();
        document["phase_execution_id"] = json!(planned.id(step, stamp));
        document["created"] = json!([]);
        document
    }
}

/// The deployment's inputs that a row may change.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Inputs {
    pub(crate) registry: String,
    pub(crate) outputs: Option<Value>,
}

/// What was put in the way of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reserved {
    /// Things that are in the way of nobody else.
    Own,
    /// The run ids of these seconds: nobody else may start in them.
    Seconds,
}

/// Lets one execution start at a time, each in a second of its own.
pub(crate) struct Gate<'a> {
    stage: &'a Stage,
    state: Mutex<(i64, u32, Option<Inputs>)>,
    series: &'static str,
}

impl<'a> Gate<'a> {
    pub(crate) fn new(stage: &'a Stage, series: &'static str) -> Self {
        Gate {
            stage,
            state: Mutex::new((0, 0, None)),
            series,
        }
    }

    /// Starts an execution on these inputs once `prepare` has put everything in its way, and gives its ARN when its
    /// first function has answered: from then on the inputs may change.
    pub(crate) async fn start(
        &self,
        input: &Value,
        inputs: &Inputs,
        prepare: impl AsyncFnOnce(&Planned<'_>) -> Reserved,
    ) -> String {
        let mut state = self.state.lock().await;
        let (last, count, current) = &mut *state;
        if current.as_ref() != Some(inputs) {
            self.stage.put_registry(&inputs.registry).await;
            self.stage.put_stack_outputs(inputs.outputs.as_ref()).await;
            *current = Some(inputs.clone());
        }
        while jiff::Timestamp::now().as_second() <= *last {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let now = jiff::Timestamp::now().as_second();
        let stamp =
            |second: i64| Stamp::from_rfc3339_floor(&jiff::Timestamp::new(second, 0).unwrap().to_string()).unwrap();
        *count += 1;
        let name = format!("{}-{now}-{count}", self.series);
        let planned = Planned {
            stage: self.stage,
            arn: self.stage.execution_arn(&name),
            input: input.clone(),
            stamps: (now..now + WINDOW).map(stamp).collect(),
        };
        let reserved = prepare(&planned).await;
        let arn = self.stage.begin(&name, input).await;
        assert_eq!(arn, planned.arn);
        let started: jiff::Timestamp = self.stage.start_time(&arn).await.parse().unwrap();
        *last = started.as_second();
        assert!(
            (now..now + WINDOW).contains(last),
            "the engine took longer than {WINDOW} s to start {name}: run it again"
        );
        self.stage.first_answer(&arn).await;
        if reserved == Reserved::Seconds {
            *last = now + WINDOW;
        }
        arn
    }
}
