//! Objects that S3 says it has created and that are not there, or not as they were, when they are read back: a proxy
//! between the functions and S3 does that to the keys it is told.
//!
//! The functions get the proxy as their S3 endpoint: new versions of them, to which the state machine is turned for the
//! length of the test.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, Uri};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use p1_contract::blocker::Blocker;
use p1_contract::ids::PlatformRunId;
use tokio::net::TcpListener;

use super::gate::Reserved;
use super::rows::{How, Row};
use super::{Scene, expect};
use crate::stage::{Stage, on_stage};

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
        let definition = turn(stage, &format!("http://{}", store.address));
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

#[derive(Debug, Clone)]
struct LossyStore {
    address: SocketAddr,
    fates: Arc<Mutex<HashMap<String, Fate>>>,
    client: Client<HttpConnector, Full<Bytes>>,
    authority: String,
}

impl LossyStore {
    /// A proxy in front of the engine, on a free port, for as long as the test process lives.
    async fn before(endpoint: &str) -> LossyStore {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let store = LossyStore {
            address: listener.local_addr().unwrap(),
            fates: Arc::default(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            authority: endpoint.trim_start_matches("http://").to_owned(),
        };
        let shared = store.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let store = shared.clone();
                tokio::spawn(async move {
                    let service = hyper::service::service_fn(move |request| {
                        let store = store.clone();
                        async move { store.answer(request).await }
                    });
                    // A function that ends closes its connection.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        store
    }

    fn fate(&self, uri: &Uri) -> Option<Fate> {
        let path = uri.path();
        let fates = self.fates.lock().unwrap();
        fates
            .iter()
            .find(|(key, _)| path.ends_with(key.as_str()))
            .map(|(_, fate)| *fate)
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, hyper_util::client::legacy::Error> {
        match (self.fate(request.uri()), request.method()) {
            (Some(Fate::Lost), &Method::PUT) => Ok(Response::builder()
                .header("etag", "\"00000000000000000000000000000000\"")
                .header("x-amz-version-id", "00000000-0000-4000-8000-000000000000")
                .body(Full::default())
                .unwrap()),
            (Some(Fate::Altered), &Method::GET) => {
                let mut answer = self.pass(request).await?;
                let bytes = std::mem::take(answer.body_mut()).collect().await.unwrap().to_bytes();
                // As many bytes, without the checksum that would give them away before the function looks.
                for name in [
                    "x-amz-checksum-sha256",
                    "x-amz-checksum-crc32",
                    "x-amz-checksum-crc64nvme",
                ] {
                    answer.headers_mut().remove(name);
                }
                *answer.body_mut() = Full::new(Bytes::from(vec![b' '; bytes.len()]));
                Ok(answer)
            }
            _ => self.pass(request).await,
        }
    }

    async fn pass(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, hyper_util::client::legacy::Error> {
        let (mut head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri = Uri::builder().scheme("http").authority(self.authority.as_str());
        head.uri = uri.path_and_query(path).build().unwrap();
        head.headers.remove("host");
        let body = body.collect().await.unwrap().to_bytes();
        let answer = self.client.request(Request::from_parts(head, Full::new(body))).await?;
        let (head, body) = answer.into_parts();
        Ok(Response::from_parts(
            head,
            Full::new(body.collect().await.unwrap().to_bytes()),
        ))
    }
}
