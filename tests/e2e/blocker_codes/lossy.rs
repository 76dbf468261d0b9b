//! Objects that S3 says it has created and that are not there, or not as they were, when they are read back: a proxy
//! between the functions and S3 does that to the keys that it is given.
//!
//! The functions get the proxy as their S3 endpoint: new versions of them, to which the state machine is turned for the
//! length of the test.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, Uri};
use p1_bench::http::{Body, Broken, Server, full};
use p1_bench::proxy::Upstream;
use p1_contract::blocker::Blocker;
use p1_contract::ids::PlatformRunId;
use p1_tests::stage::{Stage, on_stage};

use super::gate::Reserved;
use super::rows::{How, Row};
use super::{Scene, expect};

/// What becomes of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Created, says S3; and nothing is there.
    Lost,
    /// Created; and read back with other bytes.
    Altered,
}

/// It stands below the run's root, not in the folder of a step.
const RUN_JSON: &str = "run.json";

const ROWS: &[(Blocker, &str, Fate)] = &[
    (
        Blocker::RunIdentityIncomplete,
        "m3b_collision_probe_receipts.json",
        Fate::Lost,
    ),
    (
        Blocker::ConfigDigestIncomplete,
        "m3c_digest_recompute_receipts.json",
        Fate::Lost,
    ),
    (
        Blocker::ReadinessIncomplete,
        "m3d_run_lock_posture_snapshot.json",
        Fate::Lost,
    ),
    (Blocker::RunEvidenceReadback, RUN_JSON, Fate::Altered),
    (Blocker::RunPublicationIncomplete, RUN_JSON, Fate::Lost),
    (Blocker::HandoffReadback, "m4_handoff_pack.json", Fate::Altered),
    (
        Blocker::HandoffIncomplete,
        "m3f_handoff_reference_receipts.json",
        Fate::Lost,
    ),
    (
        Blocker::PolicyIncomplete,
        "m3g_prohibited_mutation_guard_receipts.json",
        Fate::Lost,
    ),
];

/// The codes that are raised here.
pub(crate) fn codes() -> impl Iterator<Item = Blocker> {
    ROWS.iter().map(|(code, ..)| *code)
}

/// Gives every function a new version with this S3 endpoint, and the state machine those versions; prints the machine's
/// definition as it was.
const TURN: &str = "import boto3,json,sys\n\
    arn,endpoint=sys.argv[1:]\n\
    sfn=boto3.client('stepfunctions'); fns=boto3.client('lambda')\n\
    old=sfn.describe_state_machine(stateMachineArn=arn)['definition']\n\
    new=old\n\
    for state in json.loads(old)['States'].values():\n\
    \x20   version=state.get('Arguments',state.get('Parameters',{})).get('FunctionName')\n\
    \x20   if not version or version not in new: continue\n\
    \x20   name=version.rsplit(':',1)[0]\n\
    \x20   variables=fns.get_function_configuration(FunctionName=version)['Environment']['Variables']\n\
    \x20   variables['AWS_ENDPOINT_URL_S3']=endpoint\n\
    \x20   fns.update_function_configuration(FunctionName=name,Environment={'Variables':variables})\n\
    \x20   new=new.replace(version,fns.publish_version(FunctionName=name)['FunctionArn'])\n\
    assert new!=old\n\
    sfn.update_state_machine(stateMachineArn=arn,definition=new)\n\
    print(old)\n";

/// Turns the functions to an S3 endpoint, and gives the state machine's definition as it was.
fn turn(stage: &Stage, endpoint: &str) -> String {
    let mut python = stage.python();
    let output = python
        .args(["-c", TURN, stage.platform.state_machine_arn(), endpoint])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_object_that_s3_loses_or_alters_holds_the_run() {
    on_stage(async |stage| {
        let scene = Scene::set(stage, "lossy").await;
        let store = LossyStore::before(stage.platform.endpoint()).await;
        let definition = turn(stage, &store.server.endpoint());
        let runs = ROWS.iter().map(|(code, file, fate)| {
            let (scene, store) = (&scene, &store);
            async move {
                let prepare = async |planned: &super::gate::Planned<'_>| {
                    let mut fates = store.fates.lock().unwrap();
                    if *file == RUN_JSON {
                        let runs = planned.stamps.iter().filter_map(|stamp| PlatformRunId::mint(*stamp, 0));
                        fates.extend(runs.map(|run| (format!("{}{file}", run.run_root()), *fate)));
                    } else {
                        fates.extend(planned.keys(code.step(), file).map(|(_, key)| (key, *fate)));
                    }
                    if *file == RUN_JSON {
                        Reserved::Seconds
                    } else {
                        Reserved::Own
                    }
                };
                let arn = scene.gate.start(&scene.input, &scene.inputs, prepare).await;
                scene.stage.ended(&arn).await
            }
        });
        let ended = join_all(runs).await;
        let request = stage.sfn.update_state_machine().definition(definition.trim());
        let request = request.state_machine_arn(stage.platform.state_machine_arn());
        request.send().await.unwrap();
        for ((code, file, _), ended) in ROWS.iter().zip(&ended) {
            println!("{code} {file}: {} {}", ended.error, ended.outcome()["blockers"]);
            let row = Row {
                code: *code,
                what: file,
                how: How::Squatter(file),
            };
            expect::held(stage, &row, ended).await;
        }
        println!(
            "codes raised through the state machine by objects that S3 loses or alters: {}",
            ROWS.len()
        );
    });
}

struct LossyStore {
    server: Server,
    fates: Fates,
}

/// By the end of an object's path.
type Fates = Arc<Mutex<HashMap<String, Fate>>>;

impl LossyStore {
    /// A proxy in front of the engine, on a free port.
    async fn before(endpoint: &str) -> LossyStore {
        let fates = Fates::default();
        let (upstream, kept) = (Upstream::new(endpoint), Arc::clone(&fates));
        let server = Server::start(move |request| {
            let (upstream, fates) = (upstream.clone(), Arc::clone(&kept));
            async move {
                let fate = fate(&fates, request.uri());
                answer(&upstream, fate, request).await
            }
        });
        let server = server.await.unwrap();
        LossyStore { server, fates }
    }
}

fn fate(fates: &Fates, uri: &Uri) -> Option<Fate> {
    let path = uri.path();
    let fates = fates.lock().unwrap();
    fates
        .iter()
        .find(|(key, _)| path.ends_with(key.as_str()))
        .map(|(_, fate)| *fate)
}

async fn answer(upstream: &Upstream, fate: Option<Fate>, request: Request<Incoming>) -> Result<Response<Body>, Broken> {
    match (fate, request.method()) {
        (Some(Fate::Lost), &Method::PUT) => Ok(Response::builder()
            .header("etag", "\"00000000000000000000000000000000\"")
            .header("x-amz-version-id", "00000000-0000-4000-8000-000000000000")
            .body(full(Bytes::new()))
            .unwrap()),
        (Some(Fate::Altered), &Method::GET) => {
            let (mut head, body) = upstream.pass(request).await?.into_parts();
            let bytes = body.collect().await?.to_bytes();
            // As many bytes, without the checksum that would give them away before the function looks.
            for name in [
                "x-amz-checksum-sha256",
                "x-amz-checksum-crc32",
                "x-amz-checksum-crc64nvme",
            ] {
                head.headers.remove(name);
            }
            Ok(Response::from_parts(head, full(vec![b' '; bytes.len()])))
        }
        _ => upstream.pass(request).await,
    }
}
