//! What is written beside the evidence once M3.J has closed: two signed envelopes and the public key, and the entry of the
//! scenario index.
//!
//! The envelopes hold the hash of M3.J's own summary. One that is there already is adopted when it is what this attempt would
//! sign, by the same key; anything else at its key is a fault, and is kept. The index entry follows from the evidence alone, so that
//! every attempt finds its own bytes; other bytes at its key are a fault in the same way. No fault here changes the verdict.

use futures_util::future::{join, try_join};
use p1_contract::artifacts::{PhaseSummary, SCENARIO_INDEX_ENTRY};
use p1_contract::attestation::{
    AttestationError, Conclusion, Envelope, KEY_SIDECAR, PAYLOAD_TYPE, PublicKey, VERDICT_SIDECAR, VSA_SIDECAR,
    normal_form, pae,
};
use p1_contract::canonical;
use p1_contract::evidence::Document;
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::S3Key;
use p1_contract::observations::Written;
use p1_contract::observations::phase_verdict::{CommitOutcome, Observed, SummaryWrite};
use p1_runtime::store::{DOCUMENT_LIMIT, Read};
use p1_runtime::{Closed, Fault, StepContext};

use crate::phase_summary;
use crate::signer::Signer;

/// Signs the conclusion of a step that has closed, unless nothing is to be signed, and indexes the run if its advance is committed.
///
/// # Errors
/// When something of it is not there: the verdict stands, and a redrive does the rest.
pub(crate) async fn seal(ctx: &StepContext<'_>, signer: &Signer, closed: Closed<'_, Observed>) -> Result<(), Fault> {
    let (phase, _) = phase_summary(ctx.input, &closed.observed.facts)?;
    let conclusion = conclusion(ctx, &phase, &closed);
    // Each is done whatever becomes of the other, and what a retry may mend is told first.
    let (signed, indexed) = join(sign(ctx, signer, &conclusion), index(ctx, &conclusion)).await;
    match indexed {
        Err(Fault::Transient { .. }) => indexed,
        _ => signed.and(indexed),
    }
}

/// What was concluded: a pure function of input, observations and the own closure.
fn conclusion<'a>(
    ctx: &StepContext<'a>,
    phase: &'a Document<PhaseSummary>,
    closed: &Closed<'a, Observed>,
) -> Conclusion<'a> {
    let Observed { facts, summary, commit } = closed.observed;
    Conclusion {
        execution: &ctx.input.execution,
        phase,
        phase_object: match summary {
            SummaryWrite::Stored(stored) => Some((&stored.key, &stored.sha256)),
            SummaryWrite::Occupied { .. } | SummaryWrite::NotStored(_) | SummaryWrite::Withheld(_) => None,
        },
        commit: match commit {
            CommitOutcome::Done(record) => Some((&record.key, &record.sha256)),
            CommitOutcome::Lost(_) | CommitOutcome::Inconclusive(_) | CommitOutcome::NotTried => None,
        },
        run_evidence: &facts.run_evidence,
        closure: closed.closure,
        blockers: &closed.summary.blockers,
    }
}

/// Lists the run below its scenario, so that a list request tells whether the scenario was pinned.
async fn index(ctx: &StepContext<'_>, conclusion: &Conclusion<'_>) -> Result<(), Fault> {
    let Some(entry) = conclusion.index_entry() else {
        return Ok(());
    };
    let defect = |error: String| Fault::internal("render the entry of the scenario index", error);
    let place = S3Key::parse(&entry.key(&ctx.settings().environment)).map_err(|error| defect(error.to_string()))?;
    let bytes = canonical::document_of(&entry).map_err(|error| defect(error.to_string()))?;
    create(ctx, &place, SCENARIO_INDEX_ENTRY, &bytes).await
}

async fn create(ctx: &StepContext<'_>, place: &S3Key, name: &str, bytes: &[u8]) -> Result<(), Fault> {
    let written = ctx.store.create(ctx.bucket(), place, name, bytes).await;
    stored(place, &written)
}

async fn sign(ctx: &StepContext<'_>, signer: &Signer, conclusion: &Conclusion<'_>) -> Result<(), Fault> {
    let Some(key) = signer.public_key().await? else {
        return Ok(());
    };
    let verdict = conclusion.verdict_payload().map_err(|error| defect(&error))?;
    let vsa = conclusion.vsa_payload().map_err(|error| defect(&error))?;
    // The key comes first: an envelope that is there has its key beside it.
    let pem = key.to_pem().map_err(|error| defect(&error))?;
    create(ctx, &ctx.own_key(KEY_SIDECAR)?, KEY_SIDECAR, pem.as_bytes()).await?;
    try_join(
        sidecar(ctx, signer, &key, VERDICT_SIDECAR, &verdict),
        sidecar(ctx, signer, &key, VSA_SIDECAR, &vsa),
    )
    .await?;
    Ok(())
}

/// One envelope: adopted where it is there, else signed, verified and created.
async fn sidecar(
    ctx: &StepContext<'_>,
    signer: &Signer,
    key: &PublicKey,
    name: &str,
    payload: &[u8],
) -> Result<(), Fault> {
    let place = ctx.own_key(name)?;
    if adopted(ctx, key, &place, payload).await? {
        return Ok(());
    }
    let digest = Sha256Hex::of(&pae(PAYLOAD_TYPE, payload)).to_bytes();
    let Some(signature) = signer.sign(digest).await? else {
        return Ok(());
    };
    let signed = || -> Result<Vec<u8>, AttestationError> {
        let envelope = Envelope::new(payload, key, &normal_form(&signature)?);
        envelope.verify(key)?;
        envelope.render()
    };
    let bytes =
        signed().map_err(|error| Fault::internal(format!("sign {place}"), format!("{error}; nothing was stored")))?;
    match ctx.store.create(ctx.bucket(), &place, name, &bytes).await {
        // Another attempt of this very invocation was faster, and its signature is another one.
        Written::Occupied { .. } if adopted(ctx, key, &place, payload).await? => Ok(()),
        written => stored(&place, &written),
    }
}

/// Whether the key holds the very statement, signed by the very key; `false` when it holds nothing.
async fn adopted(ctx: &StepContext<'_>, key: &PublicKey, place: &S3Key, payload: &[u8]) -> Result<bool, Fault> {
    let refused = |why: String| Fault::internal(format!("adopt the signature at {place}"), format!("{why}; {KEEP}"));
    let found = match ctx.store.read(ctx.bucket(), place, None, DOCUMENT_LIMIT).await? {
        Read::NotFound => return Ok(false),
        Read::Found(object) => object.bytes,
        Read::Denied => return Err(refused("it may not be read".to_owned())),
        Read::TooLarge(bytes) => return Err(refused(format!("it has {bytes} bytes"))),
    };
    let signed = Envelope::parse(&found).and_then(|envelope| envelope.verify(key));
    match signed {
        Ok(theirs) if theirs == payload => Ok(true),
        Ok(_) => Err(refused("it is of another statement".to_owned())),
        Err(error) => Err(refused(error.to_string())),
    }
}

/// What a person does about an object that somebody else wrote.
const KEEP: &str = "the verdict stands: keep the object, and find who wrote it";

fn stored(place: &S3Key, written: &Written) -> Result<(), Fault> {
    let operation = format!("store {place}");
    match written {
        Written::Stored(_) => Ok(()),
        Written::Occupied { .. } | Written::Altered { .. } => {
            let problem = format!("{}; {KEEP}", written.describe());
            Err(Fault::internal(operation, problem))
        }
        other => {
            let problem = format!("{}; the verdict stands", other.describe());
            Err(Fault::transient(operation, problem))
        }
    }
}

fn defect(error: &AttestationError) -> Fault {
    Fault::internal("render the statement", error.to_string())
}
