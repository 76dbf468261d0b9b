//! Every call that the steps make to AWS stands in `tests/template/calls.json`, which the checks of the template hold the
//! roles against: what is not listed there, a role need not be allowed.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use hyper::{Method, Request, body::Incoming};
use p1_bench::http::Server;
use p1_bench::proxy::Upstream;
use p1_contract::step::Step;
use p1_runtime::{Orchestrator, StepFunctions};
use p1_tests::stage::{Stage, on_stage};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::aws_failures::step_bench::{Bench, Patience};

/// A row of the table, or a call that was made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    owner: String,
    service: String,
    operation: String,
    place: String,
    #[serde(default)]
    key: String,
    #[serde(default)]
    version: Option<bool>,
}

impl Call {
    /// Whether a row, whose key may hold `*`, is of this call.
    fn is_of(&self, call: &Call) -> bool {
        let bare = |call: &Call| Call {
            key: String::new(),
            ..call.clone()
        };
        // A row without a key is of any: the place alone says which objects there are.
        bare(self) == bare(call) && (self.key.is_empty() || fits(&self.key, &call.key))
    }
}

/// Whether `text` fits a pattern in which `*` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text
            .strip_prefix(before)
            .is_some_and(|rest| (0..=rest.len()).any(|at| rest.is_char_boundary(at) && fits(after, &rest[at..]))),
    }
}

fn table() -> Vec<Call> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("template/calls.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A proxy before the engine that notes every call, under the name of the step that makes it.
struct Recorder {
    seen: Arc<Mutex<BTreeSet<Call>>>,
    owner: Arc<Mutex<String>>,
    server: Server,
}

impl Recorder {
    async fn before(stage: &Stage, evidence: String) -> Self {
        let seen: Arc<Mutex<BTreeSet<Call>>> = Arc::default();
        let owner: Arc<Mutex<String>> = Arc::default();
        let upstream = Upstream::new(stage.platform.endpoint());
        let places = Places {
            evidence,
            object_store: stage.platform.object_store_bucket().to_owned(),
        };
        let (noted, whose) = (Arc::clone(&seen), Arc::clone(&owner));
        let server = Server::start(move |request| {
            let call = places.call(&whose.lock().unwrap(), &request);
            noted.lock().unwrap().insert(call);
            let upstream = upstream.clone();
            async move { upstream.pass(request).await }
        });
        let server = server.await.unwrap();
        Recorder { seen, owner, server }
    }
}

#[derive(Clone)]
struct Places {
    evidence: String,
    object_store: String,
}

impl Places {
    fn call(&self, owner: &str, request: &Request<Incoming>) -> Call {
        let call = |service: &str, operation: &str, place: &str, key: &str, version: Option<bool>| Call {
            owner: owner.to_owned(),
            service: service.to_owned(),
            operation: operation.to_owned(),
            place: place.to_owned(),
            key: key.to_owned(),
            version,
        };
        if let Some(target) = request.headers().get("x-amz-target") {
            let (service, operation) = target.to_str().unwrap().split_once('.').unwrap();
            return match (service, operation) {
                ("AWSStepFunctions", "DescribeStateMachine") => call("states", operation, "machine", "", None),
                ("AWSStepFunctions", _) => call("states", operation, "execution", "", None),
                ("TrentService", _) => call("kms", operation, "signing_key", "", None),
                _ => panic!("{target:?}"),
            };
        }
        let query = request.uri().query().unwrap_or_default();
        let query = |name: &str| {
            query.split('&').find_map(|part| match part.split_once('=') {
                Some((key, value)) => (key == name).then(|| value.replace("%2F", "/")),
                None => (part == name).then(String::new),
            })
        };
        let path = request.uri().path().trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let key = key.replace("%3D", "=");
        let place = if bucket == self.evidence {
            "evidence"
        } else if bucket == self.object_store {
            "object_store"
        } else if key.ends_with("registry.md") {
            "registry"
        } else if key.ends_with("stack.json") {
            "stack_outputs"
        } else {
            "billing_artifact"
        };
        // Their rows name the object by the place.
        let key = if ["evidence", "object_store"].contains(&place) {
            key
        } else {
            String::new()
        };
        match (request.method(), key.as_str(), query("prefix")) {
            (&Method::PUT, _, _) => call("s3", "PutObject", place, &key, None),
            (&Method::GET, "", Some(prefix)) if query("versions").is_some() => {
                call("s3", "ListObjectVersions", place, &prefix, None)
            }
            (&Method::GET, "", Some(prefix)) => call("s3", "ListObjectsV2", place, &prefix, None),
            (&Method::GET, "", None) if query("versioning").is_some() => {
                call("s3", "GetBucketVersioning", place, "", None)
            }
            (&Method::GET, _, _) => call("s3", "GetObject", place, &key, Some(query("versionId").is_some())),
            (method, _, _) => panic!("{method} {}", request.uri()),
        }
    }
}

/// Runs one step twice through the recorder, the second time as a retry does; its closure is kept.
async fn step(bench: &mut Bench<'_>, stage: &Stage, recorder: &Recorder, owner: &str) -> bool {
    recorder.owner.lock().unwrap().clone_from(&owner.to_owned());
    let mut harness = bench.harness(&recorder.server.endpoint(), Patience::AsDeployed);
    let config = stage.platform.sdk_config().into_builder();
    let config = config.endpoint_url(recorder.server.endpoint()).build();
    harness.orchestrator = Orchestrator::StepFunctions(StepFunctions::new(config));
    let first = bench
        .invoke(&harness, owner)
        .await
        .unwrap_or_else(|e| panic!("{owner}: {e}"));
    let again = bench
        .invoke(&harness, owner)
        .await
        .unwrap_or_else(|e| panic!("{owner}: {e}"));
    assert_eq!(first, again);
    if let Some(run) = &first.run.triplet() {
        bench.question = json!({"platform_run_id": run.platform_run_id, "scenario_run_id": run.scenario_run_id});
    }
    match first.admitted() {
        Some(admitted) => bench.closures = admitted.closures.clone(),
        None => drop(bench.closures.insert(first.step, first.closure.unwrap())),
    }
    first.overall_pass
}

/// The input that goes on after the closure of `owner`.
fn resumption(bench: &Bench<'_>, owner: &str) -> Value {
    let held = &bench.closures[owner];
    json!({"resume": {
        "held": {"key": held.key, "version_id": held.version_id, "sha256": held.sha256},
        "reset": {"actor": "ops", "reason": "the list is whole", "class": "service_runtime_reset", "scope": owner, "at_utc": "2026-11-22T12:17:01Z"},
    }})
}

/// Why a row may not be seen here.
fn excused(row: &Call) -> Option<&'static str> {
    match row.operation.as_str() {
        "HeadObject" => Some("the init phase warms its connection up over TLS alone, and the engine has none"),
        "GetCostAndUsage" => Some("the engine has no Cost Explorer"),
        "Sign" | "GetPublicKey" => {
            Some("the steps of this test sign nothing; `roles` has M3.J sign with the engine's KMS")
        }
        _ if row.place == "artifacts" => Some("the sample platform defers the Databricks source"),
        _ if row.key.contains("/_cost/") => Some("a day's cost is kept where Cost Explorer is the source"),
        "GetObject" if row.version == Some(false) => {
            Some("read after a lost answer or a refused write, to learn what is there")
        }
        _ => None,
    }
}

#[test]
fn the_table_of_calls_is_complete() {
    on_stage(async |stage| {
        let bucket = "p1-calls-evidence";
        let mut bench = Bench::new(stage, bucket).await;
        let recorder = Recorder::before(stage, bucket.to_owned()).await;
        // From M3.A on, held at M3.H and concluded as a hold; mended, resumed at M3.H, and concluded as an advance.
        bench
            .put_registry(|text| text.replace("BUDGET_CURRENCY = \"USD\"", "BUDGET_CURRENCY = \"EUR\""))
            .await;
        for step_of_run in Step::ALL {
            let passes = step(&mut bench, stage, &recorder, step_of_run.id()).await;
            assert_eq!(passes, step_of_run != Step::CostEnvelope, "{step_of_run}");
        }
        bench.put_registry(|text| text).await;
        let start = json!({"m2_handoff": {"key": bench.input["detail"]["object"]["key"]}});
        let resume = resumption(&bench, "M3.H");
        bench.begin("resumed", resume);
        for owner in ["ADMISSION", "M3.H", "M3.I", "M3.J"] {
            assert!(step(&mut bench, stage, &recorder, owner).await, "{owner}");
        }
        // An execution that ended after M3.B, by the name of one that the engine knows to have ended.
        let ended = stage.run().await.expect_advance();
        bench.begin(ended.arn.rsplit(':').next().unwrap(), start);
        bench
            .put_registry(|text| text.replace("platform_run_id,scenario_run_id,phase_id", "platform_run_id,phase_id"))
            .await;
        for owner in ["M3.A", "M3.B"] {
            assert!(step(&mut bench, stage, &recorder, owner).await, "{owner}");
        }
        // Resumed at M3.C, held at M3.F and concluded as a hold; mended, resumed at M3.F, and concluded as an advance.
        let resume = resumption(&bench, "M3.B");
        bench.begin("second", resume);
        for owner in ["ADMISSION", "M3.C", "M3.D", "M3.E", "M3.F", "M3.I", "M3.J"] {
            assert_eq!(
                step(&mut bench, stage, &recorder, owner).await,
                owner != "M3.F",
                "{owner}"
            );
        }
        bench.put_registry(|text| text).await;
        let resume = resumption(&bench, "M3.F");
        bench.begin("third", resume);
        for owner in ["ADMISSION", "M3.F", "M3.G", "M3.H", "M3.I", "M3.J"] {
            assert!(step(&mut bench, stage, &recorder, owner).await, "{owner}");
        }
        // A later phase asks about the run that was pinned last.
        let question = bench.question.clone();
        bench.begin("phase", question);
        assert!(step(&mut bench, stage, &recorder, "ENTRY").await);

        let (table, seen) = (table(), recorder.seen.lock().unwrap().clone());
        let unlisted: Vec<&Call> = seen
            .iter()
            .filter(|call| !table.iter().any(|row| row.is_of(call)))
            .collect();
        assert!(
            unlisted.is_empty(),
            "made, and not in tests/template/calls.json: {unlisted:#?}"
        );
        let is_unseen = |row: &&Call| !seen.iter().any(|call| row.is_of(call));
        let unseen: Vec<&Call> = table.iter().filter(is_unseen).collect();
        println!(
            "calls: {} kinds made, all of them in the table; {} of its {} rows seen, {} excused",
            seen.len(),
            table.len() - unseen.len(),
            table.len(),
            unseen.len(),
        );
        let unexplained: Vec<&&Call> = unseen.iter().filter(|row| excused(row).is_none()).collect();
        assert!(
            unexplained.is_empty(),
            "in tests/template/calls.json, and never made: {unexplained:#?}"
        );
        let makes_calls = |step: Step| seen.iter().any(|call| call.owner == step.id());
        assert!(Step::ALL.into_iter().all(makes_calls));
    });
}
