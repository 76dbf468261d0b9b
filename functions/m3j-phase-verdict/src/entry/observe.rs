//! What the entry learns: the run's ledger, every object that its head leads to, and the signature of the verdict.

use futures_util::future::try_join_all;
use p1_audit::EvidenceSet;
use p1_audit::entry::{Named, named};
use p1_contract::attestation::{Envelope, PublicKey, VERDICT_SIDECAR};
use p1_contract::canonical;
use p1_contract::ids::{PhaseExecutionId, PlatformRunId, S3Key};
use p1_contract::ledger::LedgerRecord;
use p1_contract::observations::phase_entry::{Observed, ReadDocument, SignatureFacts};
use p1_contract::observations::{AuditProblem, Learned};
use p1_contract::reference::ObjectRef;
use p1_contract::step::Step;
use p1_contract::strict::{Limits, parse_strict};
use p1_contract::verdict::PhaseVerdict;
use p1_runtime::store::{Read, object_ref};
use p1_runtime::{Exact, Fault, StepContext, key_in, rewritten, run_ledger};
use serde_json::Value;

use crate::signer::Signer;

/// The most bytes of a document that is read. The observations hold all of them and must stay below 1 MiB; a phase summary of an
/// advance has about 15 KiB.
const MOST_BYTES: u64 = 96 << 10;

/// Asks for all of it.
///
/// # Errors
/// Fails if S3, or KMS for the public key, gives no answer.
pub(super) async fn observe(ctx: &StepContext<'_>, signer: &Signer, run: &PlatformRunId) -> Result<Observed, Fault> {
    let mut reading = Reading::default();
    let ledger = match run_ledger::read(ctx, run).await? {
        Ok(ledger) => ledger,
        Err(why) => return Ok(reading.into_observed(Learned::Problem(why), SignatureFacts::NoVerdict)),
    };
    let records = Learned::Found(u32::try_from(ledger.records().len()).unwrap_or(u32::MAX));
    let Some(head) = ledger.head() else {
        return Ok(reading.into_observed(records, SignatureFacts::NoVerdict));
    };
    reading.head(ctx, head)?;
    if head.verdict != Some(PhaseVerdict::AdvanceToM4) {
        return Ok(reading.into_observed(records, SignatureFacts::NoVerdict));
    }
    reading.follow(ctx).await?;
    let id = PhaseExecutionId::derive(Step::PhaseVerdict, head.holder_stamp_utc, head.holder.as_str());
    let envelope = key_in(ctx.environment(), &id, VERDICT_SIDECAR)?;
    let signature = match signer.public_key().await? {
        None => SignatureFacts::NotAsked,
        Some(key) => signature(ctx, &key, &envelope).await?,
    };
    let unusable = reading.set.unread.iter().map(|key| S3Key::parse(key));
    let unusable: Vec<S3Key> = unusable.filter_map(Result::ok).collect();
    let read = reading.documents.iter().map(|document| &document.object.key);
    let mut keys: Vec<&S3Key> = read.chain(&unusable).collect();
    if signature != SignatureFacts::NotAsked {
        keys.push(&envelope);
    }
    reading.rewritten = rewritten(ctx, keys.into_iter().map(|key| (ctx.bucket(), key))).await?;
    Ok(reading.into_observed(records, signature))
}

/// The documents so far.
#[derive(Default)]
struct Reading {
    set: EvidenceSet,
    documents: Vec<ReadDocument>,
    unusable: Vec<AuditProblem>,
    rewritten: Vec<AuditProblem>,
}

impl Reading {
    fn head(&mut self, ctx: &StepContext<'_>, head: &LedgerRecord) -> Result<(), Fault> {
        let key = head.platform_run_id.ledger_key(head.sequence);
        let object = ctx.reads().into_iter().find(|read| read.key.as_str() == key);
        let object = object.ok_or_else(|| Fault::internal(format!("find {key}"), "it is not among the reads"))?;
        let content =
            serde_json::to_value(head).map_err(|error| Fault::internal(format!("render {key}"), error.to_string()))?;
        self.take(ReadDocument { object, content })
    }

    fn take(&mut self, document: ReadDocument) -> Result<(), Fault> {
        let key = &document.object.key;
        let added = self.set.put(&document);
        added.map_err(|error| Fault::internal(format!("render {key}"), error.to_string()))?;
        self.documents.push(document);
        Ok(())
    }

    /// Reads what the documents so far name, until nothing is left: the references lead over four stages.
    async fn follow(&mut self, ctx: &StepContext<'_>) -> Result<(), Fault> {
        loop {
            let mut open: Vec<Named> = Vec::new();
            for named in named(&self.set) {
                let key = named.key.as_str();
                let is_known = self.set.files.contains_key(key) || self.set.unread.contains(key);
                if !is_known && open.iter().all(|other| other.key != named.key) {
                    open.push(named);
                }
            }
            if open.is_empty() {
                return Ok(());
            }
            let reads = try_join_all(open.iter().map(|named| read(ctx, named))).await?;
            for (named, read) in open.iter().zip(reads) {
                match read {
                    Ok(document) => self.take(document)?,
                    Err(detail) => {
                        let subject = named.key.to_string();
                        self.set.unread.insert(subject.clone());
                        self.unusable.push(AuditProblem { subject, detail });
                    }
                }
            }
        }
    }

    fn into_observed(mut self, ledger: Learned<u32>, signature: SignatureFacts) -> Observed {
        self.documents.sort_by(|a, b| a.object.cmp(&b.object));
        self.unusable.sort_by(|a, b| a.subject.cmp(&b.subject));
        Observed {
            ledger,
            documents: self.documents,
            unusable: self.unusable,
            rewritten: self.rewritten,
            signature,
        }
    }
}

/// Reads one object; the inner error says why it cannot be used.
async fn read(ctx: &StepContext<'_>, named: &Named) -> Result<Result<ReadDocument, String>, Fault> {
    if named.bucket != *ctx.bucket() {
        return Ok(Err("is not in the deployment's evidence bucket".to_owned()));
    }
    let version = named.version_id.as_deref();
    let (object, bytes) = match &named.sha256 {
        Some(sha256) => match ctx
            .read_exact(&named.bucket, &named.key, version, sha256, MOST_BYTES)
            .await?
        {
            Exact::Found(bytes) => {
                let object = ObjectRef {
                    bucket: named.bucket.clone(),
                    key: named.key.clone(),
                    version_id: named.version_id.clone(),
                    sha256: sha256.clone(),
                    bytes: bytes.len() as u64,
                };
                (object, bytes)
            }
            other => return Ok(Err(other.describe())),
        },
        None => match ctx.read(&named.bucket, &named.key, version, MOST_BYTES).await? {
            Read::Found(object) => (object_ref(&named.bucket, &named.key, &object), object.bytes),
            Read::NotFound => return Ok(Err("missing".to_owned())),
            Read::Denied => return Ok(Err("may not be read".to_owned())),
            Read::TooLarge(bytes) => return Ok(Err(format!("has {bytes} bytes, too many to read"))),
        },
    };
    Ok(canonical_value(&bytes).map(|content| ReadDocument { object, content }))
}

fn canonical_value(bytes: &[u8]) -> Result<Value, String> {
    let value = parse_strict(bytes, Limits::DOCUMENT).map_err(|error| format!("is not strict JSON: {error}"))?;
    match canonical::to_document(&value) {
        Ok(again) if again == bytes => Ok(value),
        _ => Err("is not canonical JSON".to_owned()),
    }
}

/// The envelope of the verdict, verified under the deployment's own key. The key beside it says nothing: whoever forges the
/// envelope puts a key of its own there.
async fn signature(ctx: &StepContext<'_>, key: &PublicKey, place: &S3Key) -> Result<SignatureFacts, Fault> {
    let invalid = |detail: String| {
        Ok(SignatureFacts::Invalid(AuditProblem {
            subject: place.to_string(),
            detail,
        }))
    };
    let bytes = match ctx.read(ctx.bucket(), place, None, MOST_BYTES).await? {
        Read::Found(object) => object.bytes,
        Read::NotFound => return invalid("is not there: the verdict is not signed".to_owned()),
        Read::Denied => return invalid("may not be read".to_owned()),
        Read::TooLarge(bytes) => return invalid(format!("has {bytes} bytes, too many to read")),
    };
    let payload = match Envelope::parse(&bytes).and_then(|envelope| envelope.verify(key)) {
        Ok(payload) => payload,
        Err(error) => return invalid(error.to_string()),
    };
    match parse_strict(&payload, Limits::DOCUMENT) {
        Ok(statement) if canonical::to_canonical(&statement).is_ok_and(|again| again == payload) => {
            Ok(SignatureFacts::Verified {
                key_sha256: key.id(),
                statement,
            })
        }
        _ => invalid("its payload is no statement in canonical JSON".to_owned()),
    }
}
