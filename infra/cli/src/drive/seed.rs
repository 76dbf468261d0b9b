//! Uploads the inputs of the platform to where its functions read them: registry, stack outputs, oracle manifests, billing
//! artifact.
//!
//! These objects are inputs, not evidence, so ordinary PUTs write them. An object whose latest version already has the same bytes
//! is skipped.
//!
//! A run reads the same inputs on a platform that was just started as on one that earlier runs have used. Without `--input`, what
//! the command line does not name is the sample's. With `--input`, which goes on with what is there, it stays as it is. The local
//! object store holds the named folder or the sample's manifests, and nothing of an earlier run.

use std::collections::BTreeSet;
use std::path::PathBuf;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use jiff::civil::Date;
use p1_audit::text;
use p1_contract::cause::chain;
use p1_contract::ids::{BucketName, S3Uri};
use p1_contract::pattern;
use p1_contract::registry::{Reading, Registry};
use p1_local::sample;
use p1_runtime::aws::{Answer, Call};
use p1_runtime::patience::Patience;

use crate::drive::preflight::Inputs;
use crate::drive::target::Target;
use crate::exit::CliError;

/// Objects up to this size are compared with the latest version before they are uploaded.
const COMPARED_UP_TO: u64 = 16 << 20;

/// An object to upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The object's description in messages.
    pub what: &'static str,
    /// The destination.
    pub to: S3Uri,
    /// The content.
    pub content: Content,
}

/// The bytes of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The bytes themselves.
    Bytes(Vec<u8>),
    /// The bytes of this file.
    File(PathBuf),
}

/// The uploads, and notes about inputs that are left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The uploads.
    pub uploads: Vec<Upload>,
    /// The local object store, if it is to hold nothing but the uploads to it.
    pub only_these_in: Option<BucketName>,
    /// Notes for the user.
    pub notes: Vec<String>,
}

/// What becomes of the inputs that the command line does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unnamed {
    /// They are the sample's.
    Sample,
    /// They stay as they are.
    Stay,
}

impl Unnamed {
    /// The rule for this target. An execution input goes on with what is there, and so does every run on AWS. A local platform
    /// that has no registry yet gets the sample.
    ///
    /// # Errors
    /// Returns a fault if S3 does not say whether the registry is there.
    pub async fn of(target: &Target, inputs: &Inputs) -> Result<Self, CliError> {
        if !target.is_local {
            return Ok(Self::Stay);
        }
        if inputs.input.is_none() || !is_there(&target.s3, &target.registry).await? {
            return Ok(Self::Sample);
        }
        Ok(Self::Stay)
    }
}

async fn is_there(s3: &Client, at: &S3Uri) -> Result<bool, CliError> {
    let request = s3.get_object().bucket(at.bucket.as_str()).key(at.key.as_str());
    match request.send().await {
        Ok(_) => Ok(true),
        Err(error) if Answer::of(Call::ReadObject, &error) == Answer::NotThere => Ok(false),
        Err(error) => Err(CliError::fault(format!(
            "failed to read {at}: {}",
            text::brief(&chain(&error), 400)
        ))),
    }
}

/// Plans the uploads of everything that the command line names, and of the sample where that fills in the rest.
///
/// # Errors
/// Returns [`CliError::Usage`] if the deployment has no place for a file of the command line.
pub fn plan(target: &Target, inputs: &Inputs, unnamed: Unnamed, today: Date) -> Result<Plan, CliError> {
    let mut plan = Plan::default();
    plan_registry(&mut plan, target, inputs, unnamed);
    plan_stack_outputs(&mut plan, target, inputs, unnamed)?;
    plan_oracle(&mut plan, target, inputs, unnamed)?;
    match (&inputs.billing, &target.billing) {
        (Some(bytes), Some(to)) => plan.bytes("billing artifact", to, bytes.clone()),
        (Some(_), None) => {
            return Err(CliError::usage(
                "--billing: this stack reads its spend from Cost Explorer; leave the option out",
            ));
        }
        (None, Some(to)) if unnamed == Unnamed::Sample => plan.bytes("billing artifact", to, sample::billing(today)),
        (None, Some(to)) => plan.notes.push(format!("the billing artifact stays as it is at {to}")),
        (None, None) => {}
    }
    if unnamed == Unnamed::Sample {
        plan.note_sample(inputs);
    }
    Ok(plan)
}

fn plan_registry(plan: &mut Plan, target: &Target, inputs: &Inputs, unnamed: Unnamed) {
    match (&inputs.registry, unnamed) {
        (Some(bytes), _) => plan.bytes("handles registry", &target.registry, bytes.clone()),
        (None, Unnamed::Sample) => {
            plan.bytes("handles registry", &target.registry, sample::registry(&target.names));
        }
        (None, Unnamed::Stay) => plan
            .notes
            .push(format!("the registry stays as it is at {}", target.registry)),
    }
}

fn plan_stack_outputs(plan: &mut Plan, target: &Target, inputs: &Inputs, unnamed: Unnamed) -> Result<(), CliError> {
    let what = "stack outputs";
    let places = &target.stack_outputs;
    if inputs.stack_outputs.len() > places.len() {
        let remedy = if target.is_local {
            "run `cargo p1 down` first, so that the platform is deployed with a place for each"
        } else {
            "deploy the stack with a place for each"
        };
        return Err(CliError::usage(format!(
            "--stack-outputs: {} documents, but the deployed functions read {}; {remedy}",
            inputs.stack_outputs.len(),
            places.len()
        )));
    }
    if inputs.stack_outputs.is_empty() {
        if unnamed == Unnamed::Sample {
            let own = target.own_outputs.clone();
            for (place, bytes) in places
                .iter()
                .zip(std::iter::once(own).chain(std::iter::repeat(b"{}\n".to_vec())))
            {
                plan.bytes(what, place, bytes);
            }
        }
        return Ok(());
    }
    // Every place of the local platform is filled, so that a run never reads a document of an earlier run.
    let rest = if target.is_local {
        places.len()
    } else {
        inputs.stack_outputs.len()
    };
    let documents = inputs
        .stack_outputs
        .iter()
        .cloned()
        .chain(std::iter::repeat(b"{}\n".to_vec()));
    for (place, bytes) in places.iter().zip(documents).take(rest) {
        plan.bytes(what, place, bytes);
    }
    Ok(())
}

fn plan_oracle(plan: &mut Plan, target: &Target, inputs: &Inputs, unnamed: Unnamed) -> Result<(), CliError> {
    if target.is_local && (inputs.oracle.is_some() || unnamed == Unnamed::Sample) {
        plan.only_these_in.clone_from(&target.object_store_bucket);
    }
    if let Some(files) = &inputs.oracle {
        let Some(bucket) = &target.object_store_bucket else {
            return Err(CliError::usage(
                "--oracle-dir: the stack's outputs name no object store bucket; upload the folder yourself",
            ));
        };
        for file in files {
            let to = S3Uri {
                bucket: bucket.clone(),
                key: file.key.clone(),
            };
            plan.uploads.push(Upload {
                what: "oracle object",
                to,
                content: Content::File(file.path.clone()),
            });
        }
        return Ok(());
    }
    let fills_in = unnamed == Unnamed::Sample;
    let Some(bucket) = target.object_store_bucket.as_ref().filter(|_| fills_in) else {
        return Ok(());
    };
    let bytes = inputs
        .registry
        .clone()
        .unwrap_or_else(|| sample::registry(&target.names));
    let manifests = p1_contract::registry::parse(&bytes)
        .map_err(|error| error.to_string())
        .and_then(|registry| manifests(&registry, bucket));
    match manifests {
        Ok(manifests) => plan.uploads.extend(manifests),
        Err(reason) => plan
            .notes
            .push(format!("no sample oracle manifests: {}", text::clean(&reason))),
    }
    Ok(())
}

impl Plan {
    /// Says what the sample fills in beside files that the command line names.
    fn note_sample(&mut self, inputs: &Inputs) {
        let named = [
            ("registry", inputs.registry.is_some()),
            ("stack outputs", !inputs.stack_outputs.is_empty()),
            ("oracle manifests", inputs.oracle.is_some()),
            ("billing artifact", inputs.billing.is_some()),
        ];
        if named.iter().any(|(_, is_named)| *is_named) {
            let rest: Vec<&str> = named
                .iter()
                .filter(|(_, is_named)| !is_named)
                .map(|(what, _)| *what)
                .collect();
            if !rest.is_empty() {
                self.notes.push(format!("of the sample: {}", rest.join(", ")));
            }
        }
    }

    fn bytes(&mut self, what: &'static str, to: &S3Uri, bytes: Vec<u8>) {
        self.uploads.push(Upload {
            what,
            to: to.clone(),
            content: Content::Bytes(bytes),
        });
    }
}

/// A sample manifest at each key that the registry under test resolves to. Fails with the reason if the registry does not
/// determine the keys; the platform then holds the run.
fn manifests(registry: &Registry, bucket: &BucketName) -> Result<Vec<Upload>, String> {
    let value = |key: &str| match registry.get(key) {
        Reading::Resolved(value) => Ok(value),
        _ => Err(format!("the registry does not resolve {key}")),
    };
    let text = |key: &str| {
        value(key)?
            .as_text()
            .map(str::to_owned)
            .ok_or_else(|| format!("{key} is not a text"))
    };
    let manifest_key = text("S3_STREAM_VIEW_MANIFEST_KEY_PATTERN")?;
    let namespace = text("ORACLE_SOURCE_NAMESPACE")?;
    let engine_run_id = text("ORACLE_ENGINE_RUN_ID")?;
    let outputs: Vec<String> = serde_json::from_value(value("ORACLE_REQUIRED_OUTPUT_IDS")?.to_json())
        .map_err(|_| "ORACLE_REQUIRED_OUTPUT_IDS is not a list of texts")?;
    outputs
        .into_iter()
        .map(|output_id| {
            let tokens = [
                ("oracle_source_namespace", namespace.as_str()),
                ("oracle_engine_run_id", &engine_run_id),
                ("output_id", &output_id),
            ];
            let key = pattern::resolve(&manifest_key, &tokens)
                .map_err(|error| format!("S3_STREAM_VIEW_MANIFEST_KEY_PATTERN: {error}"))?;
            let bytes = sample::stream_view_manifest(&namespace, &engine_run_id, &output_id);
            let to = S3Uri {
                bucket: bucket.clone(),
                key,
            };
            Ok(Upload {
                what: "oracle manifest",
                to,
                content: Content::Bytes(bytes),
            })
        })
        .collect()
}

/// Uploads the objects that differ from the latest version, and removes what the local object store is not to hold. Returns how
/// many objects were uploaded.
///
/// # Errors
/// Returns a fault that names the object.
pub async fn upload(s3: &Client, plan: &Plan) -> Result<usize, CliError> {
    if let Some(bucket) = &plan.only_these_in {
        remove_others(s3, bucket, plan).await?;
    }
    let uploads = plan.uploads.iter().map(|upload| put_if_other(s3, upload));
    let mut written = 0;
    for upload in uploads {
        written += usize::from(upload.await?);
    }
    Ok(written)
}

/// Hides every object of the local object store that the plan does not upload. It is no evidence bucket: a profile of the local
/// platform names three different ones.
async fn remove_others(s3: &Client, bucket: &BucketName, plan: &Plan) -> Result<(), CliError> {
    let failed =
        |cause: String| CliError::fault(format!("failed to clear s3://{bucket}: {}", text::brief(&cause, 400)));
    let wanted: BTreeSet<&str> = plan
        .uploads
        .iter()
        .filter(|upload| upload.to.bucket == *bucket)
        .map(|upload| upload.to.key.as_str())
        .collect();
    let mut pages = s3.list_objects_v2().bucket(bucket.as_str()).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| failed(chain(&error)))?;
        for key in page.contents().iter().filter_map(|object| object.key()) {
            if !wanted.contains(key) {
                let request = s3.delete_object().bucket(bucket.as_str()).key(key);
                request.send().await.map_err(|error| failed(chain(&error)))?;
            }
        }
    }
    Ok(())
}

async fn put_if_other(s3: &Client, upload: &Upload) -> Result<bool, CliError> {
    let failed = |cause: String| {
        CliError::fault(format!(
            "failed to upload the {} to {}: {}",
            upload.what,
            upload.to,
            text::brief(&cause, 400)
        ))
    };
    let unreadable = |path: &PathBuf, cause: String| {
        CliError::fault(format!(
            "failed to read {}: {}",
            text::clean(&path.display().to_string()),
            text::brief(&cause, 400)
        ))
    };
    let (size, bytes) = match &upload.content {
        Content::Bytes(bytes) => (bytes.len() as u64, Some(bytes.clone())),
        Content::File(path) => {
            let size = std::fs::metadata(path)
                .map_err(|error| unreadable(path, error.to_string()))?
                .len();
            let small = size <= COMPARED_UP_TO;
            let bytes = if small {
                Some(std::fs::read(path).map_err(|error| unreadable(path, error.to_string()))?)
            } else {
                None
            };
            (size, bytes)
        }
    };
    if let Some(bytes) = &bytes
        && latest(s3, &upload.to, size)
            .await
            .map_err(failed)?
            .is_some_and(|there| there == *bytes)
    {
        return Ok(false);
    }
    let body = match (bytes, &upload.content) {
        (Some(bytes), _) => ByteStream::from(bytes),
        (None, Content::Bytes(bytes)) => ByteStream::from(bytes.clone()),
        (None, Content::File(path)) => ByteStream::from_path(path)
            .await
            .map_err(|error| unreadable(path, chain(&error)))?,
    };
    let request = s3
        .put_object()
        .bucket(upload.to.bucket.as_str())
        .key(upload.to.key.as_str())
        // Terraform returns the body of an object only if its type says that it is text.
        .set_content_type(content_type(upload.to.key.as_str()))
        .body(body);
    let time = aws_sdk_s3::config::Builder::new().timeout_config(Patience::TOOL.for_bytes(size).timeouts());
    request
        .customize()
        .config_override(time)
        .send()
        .await
        .map_err(|error| failed(chain(&error)))?;
    Ok(true)
}

/// The media type for the ending of a key. Returns `None` for unknown endings.
fn content_type(key: &str) -> Option<String> {
    let (_, ending) = key.rsplit_once('.')?;
    let known = match ending {
        "json" => "application/json",
        "md" => "text/markdown; charset=utf-8",
        _ => return None,
    };
    Some(known.to_owned())
}

/// The latest version's bytes. Returns `None` if it has another size.
async fn latest(s3: &Client, at: &S3Uri, size: u64) -> Result<Option<Vec<u8>>, String> {
    let object = match s3
        .get_object()
        .bucket(at.bucket.as_str())
        .key(at.key.as_str())
        .send()
        .await
    {
        Ok(object) => object,
        Err(error) if Answer::of(Call::ReadObject, &error) == Answer::NotThere => return Ok(None),
        Err(error) => return Err(chain(&error)),
    };
    if object.content_length.and_then(|length| u64::try_from(length).ok()) != Some(size) {
        return Ok(None);
    }
    Ok(Some(
        object.body.collect().await.map_err(|error| chain(&error))?.to_vec(),
    ))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use serde_json::Value;

    use super::*;
    use crate::drive::target::tests::target;

    fn planned(inputs: &Inputs) -> Plan {
        plan(&target(true), inputs, Unnamed::Sample, date(2026, 11, 22)).unwrap()
    }

    fn body<'a>(plan: &'a Plan, what: &str) -> &'a [u8] {
        match &plan.uploads.iter().find(|upload| upload.what == what).unwrap().content {
            Content::Bytes(bytes) => bytes,
            Content::File(_) => panic!("{what} is a file"),
        }
    }

    #[test]
    fn the_sample_platform_is_complete_and_the_same_each_time() {
        let plan = planned(&Inputs::default());
        let count = |what: &str| plan.uploads.iter().filter(|upload| upload.what == what).count();
        assert_eq!(
            (
                count("handles registry"),
                count("stack outputs"),
                count("billing artifact")
            ),
            (1, 1, 1)
        );
        assert_eq!(count("oracle manifest"), 4);
        assert_eq!(plan.notes, Vec::<String>::new());
        assert_eq!(plan, planned(&Inputs::default()));
        let outputs: Value = serde_json::from_slice(body(&plan, "stack outputs")).unwrap();
        let own = &outputs["s3_evidence_bucket"];
        assert_eq!((&own["sensitive"], &own["type"]), (&false.into(), &"string".into()));
        assert_eq!(own["value"], "test-evidence");
    }

    #[test]
    fn the_sample_registry_resolves_every_handle_that_a_step_reads() {
        let registry = p1_contract::registry::parse(body(&planned(&Inputs::default()), "handles registry")).unwrap();
        for key in registry.keys() {
            assert!(matches!(registry.get(key.as_str()), Reading::Resolved(_)), "{key}");
        }
        // These have a meaning where they are there: a Databricks bill, and a name for the header's time.
        let may_be_missing = |handle: &String| {
            handle.starts_with("M3H_DATABRICKS_") || handle == p1_contract::handles::FIELD_WRITTEN_AT_UTC.as_str()
        };
        let mut required = p1_contract::handles::names_read_by_any(&p1_contract::ids::Environment::default());
        required.retain(|handle| !may_be_missing(handle));
        for handle in required {
            assert!(
                matches!(registry.get(&handle), Reading::Resolved(_)),
                "{handle}: {:?}",
                registry.get(&handle)
            );
        }
        assert_eq!(
            registry
                .get("SR_READY_COMMIT_STATE_MACHINE")
                .value()
                .and_then(|value| value.as_text()),
            Some("test-machine")
        );
        assert!((60..=80).contains(&registry.len()), "{}", registry.len());
    }

    #[test]
    fn manifests_follow_the_registry_under_test() {
        let registry = b"* `S3_STREAM_VIEW_MANIFEST_KEY_PATTERN = \"o/{oracle_source_namespace}/{oracle_engine_run_id}/{output_id}.json\"`
* `ORACLE_SOURCE_NAMESPACE = \"ns\"`
* `ORACLE_ENGINE_RUN_ID = \"run\"`
* `ORACLE_REQUIRED_OUTPUT_IDS = [\"a\",\"b\"]`
";
        let plan = planned(&Inputs {
            registry: Some(registry.to_vec()),
            ..Inputs::default()
        });
        let keys: Vec<&str> = plan
            .uploads
            .iter()
            .filter(|upload| upload.what == "oracle manifest")
            .map(|upload| upload.to.key.as_str())
            .collect();
        assert_eq!(keys, ["o/ns/run/a.json", "o/ns/run/b.json"]);
    }

    #[test]
    fn a_registry_that_says_too_little_is_left_to_the_platform() {
        for (registry, reason) in [
            ("* `A = 1`", "does not resolve S3_STREAM_VIEW_MANIFEST_KEY_PATTERN"),
            (
                "* `S3_STREAM_VIEW_MANIFEST_KEY_PATTERN = \"../{output_id}\"`\n* `ORACLE_SOURCE_NAMESPACE = \"n\"`\n* `ORACLE_ENGINE_RUN_ID = \"r\"`\n* `ORACLE_REQUIRED_OUTPUT_IDS = [\"a\"]`",
                "not an object key",
            ),
        ] {
            let plan = planned(&Inputs {
                registry: Some(registry.as_bytes().to_vec()),
                ..Inputs::default()
            });
            assert!(plan.notes.iter().any(|note| note.contains(reason)), "{:?}", plan.notes);
            assert!(!plan.uploads.iter().any(|upload| upload.what == "oracle manifest"));
        }
    }

    #[test]
    fn on_aws_only_what_is_named_is_uploaded() {
        let empty = plan(&target(false), &Inputs::default(), Unnamed::Stay, date(2026, 11, 22)).unwrap();
        assert_eq!(empty.uploads, []);
        let inputs = Inputs {
            registry: Some(b"* `A = 1`".to_vec()),
            ..Inputs::default()
        };
        let named = plan(&target(false), &inputs, Unnamed::Stay, date(2026, 11, 22)).unwrap();
        assert_eq!(named.uploads.len(), 1);
    }

    #[test]
    fn with_an_execution_input_nothing_of_the_sample_is_mixed_in() {
        let inputs = Inputs {
            billing: Some(b"{}".to_vec()),
            ..Inputs::default()
        };
        let plan = plan(&target(true), &inputs, Unnamed::Stay, date(2026, 11, 22)).unwrap();
        let what: Vec<&str> = plan.uploads.iter().map(|upload| upload.what).collect();
        assert_eq!((what, plan.only_these_in), (vec!["billing artifact"], None));
        assert!(plan.notes[0].contains("registry stays as it is"), "{:?}", plan.notes);
    }

    #[test]
    fn what_the_sample_fills_in_beside_named_files_is_said() {
        let inputs = Inputs {
            billing: Some(b"{}".to_vec()),
            oracle: Some(Vec::new()),
            ..Inputs::default()
        };
        let plan = planned(&inputs);
        assert_eq!(plan.notes, ["of the sample: registry, stack outputs"]);
        assert_eq!(plan.only_these_in, target(true).object_store_bucket);
    }

    #[test]
    fn more_stack_outputs_than_places_are_refused() {
        let inputs = Inputs {
            stack_outputs: vec![b"{}".to_vec(), b"{}".to_vec()],
            ..Inputs::default()
        };
        let error = plan(&target(true), &inputs, Unnamed::Sample, date(2026, 11, 22)).unwrap_err();
        assert!(
            matches!(&error, CliError::Usage(message) if message.contains("cargo p1 down")),
            "{error}"
        );
    }
}
