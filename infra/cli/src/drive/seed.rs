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
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use jiff::civil::Date;
use p1_audit::text;
use p1_contract::ids::{BucketName, S3Uri};
use p1_contract::pattern;
use p1_contract::registry::{Reading, Registry};
use p1_local::sample;
use p1_runtime::aws::{Answer, Call};
use p1_runtime::patience::Patience;

use crate::drive::preflight::Inputs;
use crate::drive::target::Target;
use crate::exit::CliError;
use crate::named::shown;

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
        if inputs.input.is_none() {
            return Ok(Self::Sample);
        }
        let registry = &target.registry;
        let there = latest(&target.s3, registry, &format!("read {registry}")).await?;
        Ok(there.map_or(Self::Sample, |_| Self::Stay))
    }
}

/// Plans the uploads of everything that the command line names, and of the sample where that fills in the rest.
///
/// # Errors
/// Returns [`CliError::Usage`] if the deployment has no place for a file of the command line.
pub fn plan(target: &Target, inputs: &Inputs, unnamed: Unnamed, today: Date) -> Result<Plan, CliError> {
    let mut plan = Plan::default();
    let of_sample = |bytes: Vec<u8>| (unnamed == Unnamed::Sample).then_some(bytes);
    let registry = inputs.registry.clone();
    let registry = registry.or_else(|| of_sample(sample::registry(&target.names)));
    plan.fill("handles registry", "registry", &target.registry, registry.clone());
    plan_stack_outputs(&mut plan, target, inputs, unnamed)?;
    let filled_in = registry.filter(|_| unnamed == Unnamed::Sample);
    plan_oracle(&mut plan, target, inputs, filled_in)?;
    match &target.billing {
        Some(to) => {
            let bill = inputs.billing.clone().or_else(|| of_sample(sample::billing(today)));
            plan.fill("billing artifact", "billing artifact", to, bill);
        }
        None if inputs.billing.is_some() => {
            return Err(CliError::usage(
                "--billing: this stack reads its spend from Cost Explorer; leave the option out",
            ));
        }
        None => {}
    }
    if unnamed == Unnamed::Sample {
        plan.note_sample(inputs);
    }
    Ok(plan)
}

fn plan_stack_outputs(plan: &mut Plan, target: &Target, inputs: &Inputs, unnamed: Unnamed) -> Result<(), CliError> {
    let (named, places) = (&inputs.stack_outputs, &target.stack_outputs);
    if named.len() > places.len() {
        let remedy = if target.is_local {
            "run `cargo p1 down` first, so that the platform is deployed with a place for each"
        } else {
            "deploy the stack with a place for each"
        };
        return Err(CliError::usage(format!(
            "--stack-outputs: {} documents, but the deployed functions read {}; {remedy}",
            named.len(),
            places.len()
        )));
    }
    let (documents, number) = match (named.as_slice(), unnamed) {
        ([], Unnamed::Stay) => return Ok(()),
        ([], Unnamed::Sample) => (std::slice::from_ref(&target.own_outputs), places.len()),
        // Every place of the local platform is filled, so that a run never reads a document of an earlier run.
        (named, _) if target.is_local => (named, places.len()),
        (named, _) => (named, named.len()),
    };
    let documents = documents.iter().cloned().chain(std::iter::repeat(b"{}\n".to_vec()));
    for (place, bytes) in places.iter().zip(documents).take(number) {
        plan.uploads.push(Upload::bytes("stack outputs", place, bytes));
    }
    Ok(())
}

/// The named folder, or else the sample's manifests for a registry that is filled in.
fn plan_oracle(plan: &mut Plan, target: &Target, inputs: &Inputs, registry: Option<Vec<u8>>) -> Result<(), CliError> {
    let bucket = target.object_store_bucket.as_ref();
    if target.is_local && (inputs.oracle.is_some() || registry.is_some()) {
        plan.only_these_in = bucket.cloned();
    }
    if let Some(files) = &inputs.oracle {
        let Some(bucket) = bucket else {
            return Err(CliError::usage(
                "--oracle-dir: the stack's outputs name no object store bucket; upload the folder yourself",
            ));
        };
        plan.uploads.extend(files.iter().map(|file| Upload {
            what: "oracle object",
            to: S3Uri {
                bucket: bucket.clone(),
                key: file.key.clone(),
            },
            content: Content::File(file.path.clone()),
        }));
        return Ok(());
    }
    let (Some(registry), Some(bucket)) = (registry, bucket) else {
        return Ok(());
    };
    let registry = p1_contract::registry::parse(&registry).map_err(|error| error.to_string());
    match registry.and_then(|registry| manifests(&registry, bucket)) {
        Ok(manifests) => plan.uploads.extend(manifests),
        Err(reason) => {
            let note = format!("no sample oracle manifests: {}", text::clean(&reason));
            plan.notes.push(note);
        }
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
        let rest: Vec<&str> = named
            .iter()
            .filter(|(_, is_named)| !is_named)
            .map(|(what, _)| *what)
            .collect();
        if (1..named.len()).contains(&rest.len()) {
            self.notes.push(format!("of the sample: {}", rest.join(", ")));
        }
    }

    /// Uploads a document, or notes that the one that is there stays.
    fn fill(&mut self, what: &'static str, name: &str, to: &S3Uri, document: Option<Vec<u8>>) {
        match document {
            Some(bytes) => self.uploads.push(Upload::bytes(what, to, bytes)),
            None => self.notes.push(format!("the {name} stays as it is at {to}")),
        }
    }
}

impl Upload {
    fn bytes(what: &'static str, to: &S3Uri, bytes: Vec<u8>) -> Self {
        Self {
            what,
            to: to.clone(),
            content: Content::Bytes(bytes),
        }
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
            let bucket = bucket.clone();
            Ok(Upload::bytes("oracle manifest", &S3Uri { bucket, key }, bytes))
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
    let mut written = 0;
    for upload in &plan.uploads {
        written += usize::from(put_if_other(s3, upload).await?);
    }
    Ok(written)
}

/// Uploads one object if it differs from the latest version. Returns whether it did.
///
/// # Errors
/// Returns a fault that names the object.
pub async fn put(s3: &Client, what: &'static str, to: &S3Uri, bytes: Vec<u8>) -> Result<bool, CliError> {
    put_if_other(s3, &Upload::bytes(what, to, bytes)).await
}

/// Hides every object of the local object store that the plan does not upload. It is no evidence bucket: a profile of the local
/// platform names three different ones.
async fn remove_others(s3: &Client, bucket: &BucketName, plan: &Plan) -> Result<(), CliError> {
    let failed = |error: &(dyn Error + 'static)| CliError::failed(&format!("clear s3://{bucket}"), error);
    let wanted: BTreeSet<&str> = plan
        .uploads
        .iter()
        .filter(|upload| upload.to.bucket == *bucket)
        .map(|upload| upload.to.key.as_str())
        .collect();
    let mut pages = s3.list_objects_v2().bucket(bucket.as_str()).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| failed(&error))?;
        for key in page.contents().iter().filter_map(|object| object.key()) {
            if !wanted.contains(key) {
                let request = s3.delete_object().bucket(bucket.as_str()).key(key);
                request.send().await.map_err(|error| failed(&error))?;
            }
        }
    }
    Ok(())
}

async fn put_if_other(s3: &Client, upload: &Upload) -> Result<bool, CliError> {
    let Upload { what, to, content } = upload;
    let operation = format!("upload the {what} to {to}");
    let size = match content {
        Content::Bytes(bytes) => bytes.len() as u64,
        Content::File(path) => fs::metadata(path).map_err(|error| unreadable(path, &error))?.len(),
    };
    let body = match content {
        Content::File(path) if size > COMPARED_UP_TO => {
            let body = ByteStream::from_path(path).await;
            body.map_err(|error| unreadable(path, &error))?
        }
        content => {
            let bytes = match content {
                Content::Bytes(bytes) => bytes.clone(),
                Content::File(path) => fs::read(path).map_err(|error| unreadable(path, &error))?,
            };
            if is_latest(s3, to, &bytes, &operation).await? {
                return Ok(false);
            }
            ByteStream::from(bytes)
        }
    };
    let request = s3
        .put_object()
        .bucket(to.bucket.as_str())
        .key(to.key.as_str())
        // Terraform returns the body of an object only if its type says that it is text.
        .set_content_type(content_type(to.key.as_str()))
        .body(body);
    let time = aws_sdk_s3::config::Builder::new().timeout_config(Patience::TOOL.for_bytes(size).timeouts());
    let put = request.customize().config_override(time).send().await;
    put.map_err(|error| CliError::failed(&operation, &error))?;
    Ok(true)
}

fn unreadable(path: &Path, error: &(dyn Error + 'static)) -> CliError {
    CliError::failed(&format!("read {}", shown(path)), error)
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

/// Whether the latest version has these bytes.
async fn is_latest(s3: &Client, at: &S3Uri, bytes: &[u8], operation: &str) -> Result<bool, CliError> {
    let Some(object) = latest(s3, at, operation).await? else {
        return Ok(false);
    };
    let length = object.content_length.and_then(|length| usize::try_from(length).ok());
    if length != Some(bytes.len()) {
        return Ok(false);
    }
    let there = object.body.collect().await;
    let there = there.map_err(|error| CliError::failed(operation, &error))?;
    Ok(there.to_vec() == bytes)
}

/// The latest version. `None` if nothing is there. A fault names the `operation` that it is read for.
async fn latest(s3: &Client, at: &S3Uri, operation: &str) -> Result<Option<GetObjectOutput>, CliError> {
    let request = s3.get_object().bucket(at.bucket.as_str()).key(at.key.as_str());
    match request.send().await {
        Ok(object) => Ok(Some(object)),
        Err(error) if Answer::of(Call::ReadObject, &error) == Answer::NotThere => Ok(None),
        Err(error) => Err(CliError::failed(operation, &error)),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use serde_json::Value;

    use super::*;
    use crate::drive::target::tests::target;

    fn planned(inputs: &Inputs) -> Plan {
        on(true, inputs, Unnamed::Sample).unwrap()
    }

    fn on(is_local: bool, inputs: &Inputs, unnamed: Unnamed) -> Result<Plan, CliError> {
        plan(&target(is_local), inputs, unnamed, date(2026, 11, 22))
    }

    fn with_registry(registry: &str) -> Inputs {
        Inputs {
            registry: Some(registry.as_bytes().to_vec()),
            ..Inputs::default()
        }
    }

    /// The keys of the uploads of this description.
    fn keys<'a>(plan: &'a Plan, what: &str) -> Vec<&'a str> {
        let uploads = plan.uploads.iter().filter(|upload| upload.what == what);
        uploads.map(|upload| upload.to.key.as_str()).collect()
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
        for (what, number) in [
            ("handles registry", 1),
            ("stack outputs", 1),
            ("billing artifact", 1),
            ("oracle manifest", 4),
        ] {
            assert_eq!(keys(&plan, what).len(), number, "{what}");
        }
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
            let read = registry.get(&handle);
            assert!(matches!(read, Reading::Resolved(_)), "{handle}: {read:?}");
        }
        let machine = registry.get("SR_READY_COMMIT_STATE_MACHINE");
        assert_eq!(machine.value().and_then(|value| value.as_text()), Some("test-machine"));
        assert!((60..=80).contains(&registry.len()), "{}", registry.len());
    }

    #[test]
    fn manifests_follow_the_registry_under_test() {
        let registry = "* `S3_STREAM_VIEW_MANIFEST_KEY_PATTERN = \"o/{oracle_source_namespace}/{oracle_engine_run_id}/{output_id}.json\"`
* `ORACLE_SOURCE_NAMESPACE = \"ns\"`
* `ORACLE_ENGINE_RUN_ID = \"run\"`
* `ORACLE_REQUIRED_OUTPUT_IDS = [\"a\",\"b\"]`
";
        let plan = planned(&with_registry(registry));
        assert_eq!(keys(&plan, "oracle manifest"), ["o/ns/run/a.json", "o/ns/run/b.json"]);
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
            let plan = planned(&with_registry(registry));
            assert!(plan.notes.iter().any(|note| note.contains(reason)), "{:?}", plan.notes);
            assert!(keys(&plan, "oracle manifest").is_empty());
        }
    }

    #[test]
    fn on_aws_only_what_is_named_is_uploaded() {
        let empty = on(false, &Inputs::default(), Unnamed::Stay).unwrap();
        assert_eq!(empty.uploads, []);
        let named = on(false, &with_registry("* `A = 1`"), Unnamed::Stay).unwrap();
        assert_eq!(named.uploads.len(), 1);
    }

    #[test]
    fn with_an_execution_input_nothing_of_the_sample_is_mixed_in() {
        let inputs = Inputs {
            billing: Some(b"{}".to_vec()),
            ..Inputs::default()
        };
        let plan = on(true, &inputs, Unnamed::Stay).unwrap();
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
        let error = on(true, &inputs, Unnamed::Sample).unwrap_err();
        assert!(
            matches!(&error, CliError::Usage(message) if message.contains("cargo p1 down")),
            "{error}"
        );
    }
}
