//! What a step uses while it observes: its input, the store, and a record of everything that it read and created.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use p1_contract::evidence::{Body, Document, DocumentOf, ExecutionSummary, Header, split};
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{BucketName, Environment, PhaseExecutionId, S3Key};
use p1_contract::observations::Written;
use p1_contract::owner::Owner;
use p1_contract::reference::{ArtifactRef, ClosureRef, ObjectRef};
use p1_contract::registry::{self, Registry};
use p1_contract::request::StepInput;
use p1_contract::settings::Settings;
use p1_contract::step::Step;
use p1_contract::strict::{Limits, parse_strict};
use tokio::sync::OnceCell;

use crate::fault::Fault;
use crate::lock::locked;
use crate::orchestrator::Orchestrator;
use crate::store::{DOCUMENT_LIMIT, Object, REGISTRY_LIMIT, Read, Store, object_ref};

/// The shell's side of one invocation.
#[derive(Debug)]
pub struct StepContext<'a> {
    /// The step's input.
    pub input: &'a StepInput,
    /// The evidence store.
    pub store: &'a Store,
    /// Step Functions.
    pub orchestrator: &'a Orchestrator,
    /// The phase execution.
    pub phase_execution_id: PhaseExecutionId,
    reads: Mutex<BTreeSet<ObjectRef>>,
    created: Mutex<Vec<ArtifactRef>>,
    closures: Mutex<Vec<(ClosureRef, Arc<OnceCell<ClosureRead>>)>>,
}

/// The result of reading an object whose hash is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exact {
    /// The bytes with that hash.
    Found(Vec<u8>),
    /// The object or its version does not exist.
    Missing,
    /// We may not read it.
    Denied,
    /// It has other bytes, with this hash.
    Changed(Sha256Hex),
    /// It has more bytes than any such object. They were not read.
    TooLarge(u64),
}

impl Exact {
    /// The bytes.
    ///
    /// # Errors
    /// Says in words why there are none.
    pub fn bytes(self) -> Result<Vec<u8>, String> {
        match self {
            Exact::Found(bytes) => Ok(bytes),
            other => Err(other.describe()),
        }
    }

    /// The result in words, for a blocker's detail.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Exact::Found(_) => "unchanged".to_owned(),
            Exact::Missing => "missing".to_owned(),
            Exact::Denied => "may not be read".to_owned(),
            Exact::Changed(found) => format!("has other bytes (sha256 {found})"),
            Exact::TooLarge(bytes) => format!("has other bytes ({bytes} of them, too many to read)"),
        }
    }
}

impl<'a> StepContext<'a> {
    /// The context of one invocation.
    pub(crate) fn new(
        input: &'a StepInput,
        store: &'a Store,
        orchestrator: &'a Orchestrator,
        phase_execution_id: PhaseExecutionId,
    ) -> Self {
        StepContext {
            input,
            store,
            orchestrator,
            phase_execution_id,
            reads: Mutex::default(),
            created: Mutex::default(),
            closures: Mutex::default(),
        }
    }

    /// Reads an object and records it among the step's inputs.
    ///
    /// # Errors
    /// Fails if the store gives no answer.
    pub async fn read(
        &self,
        bucket: &BucketName,
        key: &S3Key,
        version: Option<&str>,
        limit: u64,
    ) -> Result<Read, Fault> {
        let read = self.store.read(bucket, key, version, limit).await?;
        if let Read::Found(object) = &read {
            self.note_read(object_ref(bucket, key, object));
        }
        Ok(read)
    }

    /// Reads an object whose hash is known. The object counts as an input only if it has that hash.
    ///
    /// # Errors
    /// Fails if the store gives no answer.
    pub async fn read_exact(
        &self,
        bucket: &BucketName,
        key: &S3Key,
        version: Option<&str>,
        sha256: &Sha256Hex,
        limit: u64,
    ) -> Result<Exact, Fault> {
        Ok(match self.store.read(bucket, key, version, limit).await? {
            Read::Found(object) => self.exact(bucket, key, object, sha256),
            Read::NotFound => Exact::Missing,
            Read::Denied => Exact::Denied,
            Read::TooLarge(bytes) => Exact::TooLarge(bytes),
        })
    }

    /// Reads an artifact that a closure lists.
    ///
    /// # Errors
    /// Fails if the store gives no answer.
    pub async fn read_listed(&self, artifact: &ArtifactRef) -> Result<Exact, Fault> {
        let version = artifact.version_id.as_deref();
        let (bucket, key) = (&artifact.bucket, &artifact.key);
        self.read_exact(bucket, key, version, &artifact.sha256, DOCUMENT_LIMIT)
            .await
    }

    fn exact(&self, bucket: &BucketName, key: &S3Key, object: Object, sha256: &Sha256Hex) -> Exact {
        let reference = object_ref(bucket, key, &object);
        if &reference.sha256 != sha256 {
            return Exact::Changed(reference.sha256);
        }
        self.note_read(reference);
        Exact::Found(object.bytes)
    }

    /// Creates an object outside the step's own folder, or before its observations. Records it among the objects that the step
    /// created.
    pub async fn create(&self, bucket: &BucketName, key: &S3Key, name: &str, bytes: &[u8]) -> Written {
        let written = self.store.create(bucket, key, name, bytes).await;
        if let Written::Stored(artifact) = &written {
            locked(&self.created).push(artifact.clone());
        }
        written
    }

    fn note_read(&self, reference: ObjectRef) {
        locked(&self.reads).insert(reference);
    }

    /// Everything that was read so far, in order. Objects that the step itself created are no inputs. A later attempt reads them
    /// after an earlier attempt died, and must list the same inputs.
    #[must_use]
    pub fn reads(&self) -> Vec<ObjectRef> {
        let created: Vec<ObjectRef> = self.created().iter().map(ArtifactRef::object).collect();
        let reads = locked(&self.reads);
        reads.iter().filter(|read| !created.contains(read)).cloned().collect()
    }

    /// Everything that was created so far, in the order of the keys.
    #[must_use]
    pub fn created(&self) -> Vec<ArtifactRef> {
        let mut created = locked(&self.created).clone();
        created.sort_by(|a, b| (&a.bucket, &a.key).cmp(&(&b.bucket, &b.key)));
        created
    }

    /// The deployment's evidence bucket.
    #[must_use]
    pub fn bucket(&self) -> &'a BucketName {
        &self.settings().evidence_bucket
    }

    /// The environment, below whose run control all phase executions keep their evidence.
    #[must_use]
    pub fn environment(&self) -> &'a Environment {
        &self.settings().environment
    }

    /// The deployment's settings for this execution.
    #[must_use]
    pub fn settings(&self) -> &'a Settings {
        &self.input.settings
    }

    /// The key of `file` in the folder of the step's phase execution.
    ///
    /// # Errors
    /// Fails if `file` makes no valid key. This never happens for the names that steps use.
    pub fn own_key(&self, file: &str) -> Result<S3Key, Fault> {
        key_in(self.environment(), &self.phase_execution_id, file)
    }

    /// Reads a closure's summary, which must have the hash that the chain names.
    ///
    /// A closure is read only once in an invocation, even if several parts of the step need it. Two answers about one closure
    /// could contradict each other, and parts of the step would rest on different answers.
    ///
    /// # Errors
    /// Fails if the store gives no answer. The next caller then asks again.
    pub async fn closure(&self, closure: &ClosureRef) -> Result<ClosureRead, Fault> {
        let cell = {
            let mut closures = locked(&self.closures);
            match closures.iter().find(|(known, _)| known == closure) {
                Some((_, cell)) => Arc::clone(cell),
                None => {
                    let cell = Arc::default();
                    closures.push((closure.clone(), Arc::clone(&cell)));
                    cell
                }
            }
        };
        cell.get_or_try_init(|| self.read_closure(closure)).await.cloned()
    }

    async fn read_closure(&self, closure: &ClosureRef) -> Result<ClosureRead, Fault> {
        let version = closure.version_id.as_deref();
        let exact = self
            .read_exact(&closure.bucket, &closure.key, version, &closure.sha256, DOCUMENT_LIMIT)
            .await?;
        let summary = exact.bytes().and_then(|bytes| Summary::parse(&bytes, closure.step));
        Ok(match summary {
            Ok(summary) => ClosureRead::Found(Box::new(summary)),
            Err(why) => ClosureRead::Unusable(why),
        })
    }

    /// Reads the summary of an earlier step, which must be a pass. Without it, no verdict can be reached.
    ///
    /// # Errors
    /// Fails if the chain has no such closure, if the object is not the evidence that the chain names, or if the chain or the
    /// summary says that the step holds: no gate lets a step run after that.
    pub async fn upstream(&self, step: Step) -> Result<Summary, Fault> {
        let closure = self.input.closure(step).ok_or_else(|| {
            Fault::InvalidInput(format!(
                "payload: `closures.{step}` is missing; pass the closures on as the steps return them"
            ))
        })?;
        let why = match self.closure(closure).await? {
            ClosureRead::Found(summary) => match summary.not_a_pass(closure) {
                None => return Ok(*summary),
                Some(why) => format!(": {why}"),
            },
            ClosureRead::Unusable(why) => format!(" {why}"),
        };
        let problem = format!("s3://{}/{}{why}; start a new execution", closure.bucket, closure.key);
        Err(Fault::internal(format!("read the closure of {step}"), problem))
    }

    /// Reads the document of kind `B` that a closure lists.
    ///
    /// # Errors
    /// Fails if the closure lists no such document, or if the object is not the one it lists.
    pub async fn artifact<B: Body>(&self, summary: &Summary) -> Result<DocumentOf<B>, Fault> {
        let document = self.artifact_if_intact(summary).await?;
        document.map_err(|why| Fault::internal(format!("read {}", B::NAME), format!("{why}; start a new execution")))
    }

    /// Reads the document of kind `B` that a closure lists. The inner error says why the document is not intact.
    ///
    /// # Errors
    /// Fails if the store gives no answer.
    pub async fn artifact_if_intact<B: Body>(&self, summary: &Summary) -> Result<Result<DocumentOf<B>, String>, Fault> {
        let Some(artifact) = summary.body.artifact(B::NAME) else {
            return Ok(Err(format!("the closure of {} lists no {}", summary.owner, B::NAME)));
        };
        Ok(match self.read_listed(artifact).await?.bytes() {
            Ok(bytes) => Document::parse(&bytes).map_err(|e| e.to_string()),
            Err(why) => Err(format!("s3://{}/{} {why}", artifact.bucket, artifact.key)),
        })
    }

    /// Reads the registry that is pinned for this step. The admission of a rerun pins it, or M3.A if there was no admission. The
    /// bytes must be the pinned ones; the inner error says why they are not.
    ///
    /// # Errors
    /// Fails if no closure pins it, or if the store gives no answer.
    pub async fn pinned_registry(&self) -> Result<Result<Registry, String>, Fault> {
        let pin = match self.input.admission() {
            Some(admission) => match self.closure(admission).await? {
                ClosureRead::Found(summary) => *summary,
                ClosureRead::Unusable(why) => return Err(Fault::internal("read the admission's closure", why)),
            },
            None => self.upstream(Step::HandleClosure).await?,
        };
        let uri = &self.settings().registry;
        let mut inputs = pin.body.inputs.iter();
        let pinned = inputs.find(|input| input.bucket == uri.bucket && input.key == uri.key);
        let Some(pinned) = pinned else {
            return Ok(Err(format!("the closure of {} pins no registry at {uri}", pin.owner)));
        };
        let version = pinned.version_id.as_deref();
        let exact = self
            .read_exact(&pinned.bucket, &pinned.key, version, &pinned.sha256, REGISTRY_LIMIT)
            .await?;
        Ok(match exact.bytes() {
            Ok(bytes) => registry::parse(&bytes).map_err(|e| e.to_string()),
            Err(why) => Err(format!("the pinned registry {uri} {why}")),
        })
    }
}

/// The key of `file` in the folder of phase execution `id` of `environment`.
///
/// # Errors
/// Fails if the name makes no valid key.
pub fn key_in(environment: &Environment, id: &PhaseExecutionId, file: &str) -> Result<S3Key, Fault> {
    S3Key::parse(&format!("{}{file}", environment.phase_folder(id)))
        .map_err(|e| Fault::internal("name an artifact", e.to_string()))
}

/// The key of `file` below the run-control root of `environment`.
///
/// # Errors
/// Fails if the name makes no valid key.
pub fn run_control_key(environment: &Environment, file: &str) -> Result<S3Key, Fault> {
    S3Key::parse(&format!("{}{file}", environment.run_control_root()))
        .map_err(|e| Fault::internal("name an object", e.to_string()))
}

/// The result of reading a closure.
#[derive(Debug, Clone)]
pub enum ClosureRead {
    /// The summary that the chain names.
    Found(Box<Summary>),
    /// The summary is missing, changed or of another shape. The text says which.
    Unusable(String),
}

/// A closing summary of a step, or of an admission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The step or admission that wrote it.
    pub owner: Owner,
    /// Its header.
    pub header: Header,
    /// Its content.
    pub body: ExecutionSummary,
}

impl Summary {
    /// Why this summary, which `closure` names, cannot be rested on as a pass. Returns `None` if both say that it is one.
    #[must_use]
    pub fn not_a_pass(&self, closure: &ClosureRef) -> Option<&'static str> {
        match (self.body.overall_pass, closure.overall_pass) {
            (true, true) => None,
            (true, false) => Some("the chain names a hold, and its summary a pass"),
            (false, _) => Some("it is not a pass"),
        }
    }

    /// Parses a closing summary of `owner` strictly.
    ///
    /// # Errors
    /// Fails if the bytes are no such summary. The error says why.
    pub fn parse(bytes: &[u8], owner: Owner) -> Result<Self, String> {
        let name = owner.summary_name();
        let value = parse_strict(bytes, Limits::DOCUMENT).map_err(|e| format!("is not strict JSON: {e}"))?;
        let Document { header, body } = split::<ExecutionSummary>(value, &name).map_err(|e| e.to_string())?;
        if header.artifact != name {
            return Err(format!("calls itself `{}`, not {name}", header.artifact.escape_debug()));
        }
        if !body.is_consistent() {
            return Err("contradicts itself: verdict, gate and blockers differ".to_owned());
        }
        Ok(Summary { owner, header, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{BUCKET, TestExecution};

    /// Two answers about one closure could contradict each other, so an invocation uses only one.
    #[tokio::test]
    async fn a_closure_is_read_once_in_an_invocation() {
        let mut execution = TestExecution::default();
        let closure = execution.close(Step::HandleClosure, &[], Vec::new());
        let (harness, request) = (execution.harness(), execution.request(Step::RunIdentity));
        let context = || harness.context(&request.input, Step::RunIdentity);
        let ctx = context();
        let first = ctx.closure(&closure).await.unwrap();
        assert!(matches!(first, ClosureRead::Found(_)), "{first:?}");
        execution.store.deny(BUCKET, closure.key.as_str());
        let again = ctx.closure(&closure).await.unwrap();
        assert!(matches!(again, ClosureRead::Found(_)), "{again:?}");
        assert_eq!(ctx.reads().len(), 1);
        // Another invocation reads the closure again.
        let other = context().closure(&closure).await.unwrap();
        assert!(matches!(other, ClosureRead::Unusable(_)), "{other:?}");
    }
}
