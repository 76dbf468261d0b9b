//! What M3.J learns from outside before it writes: the chain, M3.I's documents, the handoff pack, the ledger.

use futures_util::future::{try_join_all, try_join4};
use p1_contract::artifacts::{CommitPosture, M4HandoffPack, P1Verdict, RegisteredBlocker, RollupBlockerRegister};
use p1_contract::attestation::run_evidence;
use p1_contract::evidence::{Body, Document, DocumentOf};
use p1_contract::ids::PlatformRunId;
use p1_contract::ledger::LedgerKind;
use p1_contract::observations::phase_verdict::{Facts, LedgerFacts, PackFacts, RollupFacts};
use p1_contract::observations::{AuditProblem, ClosureAudit, SummaryFacts};
use p1_contract::reference::ClosureRef;
use p1_contract::step::Step;
use p1_runtime::{ClosureRead, Exact, Fault, StepContext, Summary, rewritten, run_ledger};

/// Asks S3 for all of it: first the summaries, then what they lead to.
///
/// # Errors
/// When the store gives no answer.
pub(crate) async fn gather(ctx: &StepContext<'_>) -> Result<Facts, Fault> {
    let steps = Step::PhaseVerdict.before().filter_map(|step| ctx.input.closure(step));
    let closures: Vec<&ClosureRef> = steps.chain(ctx.input.admission()).collect();
    let reads = try_join_all(closures.iter().map(|closure| ctx.closure(closure))).await?;
    let mut chain: Vec<ClosureAudit> = closures
        .into_iter()
        .zip(&reads)
        .map(|(closure, read)| link(closure, read))
        .collect();

    let summary = |step: Step| {
        reads.iter().find_map(|read| match read {
            ClosureRead::Found(summary) if summary.owner == step => Some(summary.as_ref()),
            _ => None,
        })
    };
    let run = ClosureAudit::run_of(&chain);
    let found = reads.iter().filter_map(|read| match read {
        ClosureRead::Found(summary) => Some(&summary.body.artifacts),
        ClosureRead::Unusable(_) => None,
    });
    let named = found.flatten().map(|artifact| (&artifact.bucket, &artifact.key));
    let links = chain.iter().map(|link| (&link.closure.bucket, &link.closure.key));
    let named: Vec<_> = named.chain(links).collect();
    let ((rollup, problems), pack, ledger, rewritten) = try_join4(
        read_rollup(ctx, summary(Step::GateRollup)),
        read_pack(ctx, summary(Step::M4Handoff)),
        read_ledger(ctx, run.platform_run_id.as_ref()),
        rewritten(ctx, named),
    )
    .await?;
    let published = [Step::RunPublication, Step::M4Handoff].map(|step| summary(step).map(|summary| &summary.body));
    let run_evidence = run_evidence(published.into_iter().flatten());
    if let Some(link) = chain.iter_mut().find(|link| link.closure.step == Step::GateRollup) {
        link.problems.extend(problems);
    }
    Ok(Facts {
        chain,
        rollup,
        pack,
        run_evidence,
        ledger,
        rewritten,
    })
}

fn link(closure: &ClosureRef, read: &ClosureRead) -> ClosureAudit {
    let (summary, problems) = match read {
        ClosureRead::Found(summary) => (Some(SummaryFacts::of(&summary.header, &summary.body)), Vec::new()),
        ClosureRead::Unusable(why) => (None, vec![problem(closure.key.as_str(), why.clone())]),
    };
    ClosureAudit {
        closure: closure.clone(),
        summary,
        problems,
    }
}

fn problem(subject: &str, detail: String) -> AuditProblem {
    AuditProblem {
        subject: subject.to_owned(),
        detail,
    }
}

/// Reads every artifact of M3.I again; what is not as its closure lists it, apart.
async fn read_rollup(
    ctx: &StepContext<'_>,
    summary: Option<&Summary>,
) -> Result<(RollupFacts, Vec<AuditProblem>), Fault> {
    let mut facts = RollupFacts::default();
    let mut problems = Vec::new();
    let Some(summary) = summary else {
        return Ok((facts, problems));
    };
    facts.upstream.clone_from(&summary.body.upstream);
    let artifacts = &summary.body.artifacts;
    let reads = try_join_all(artifacts.iter().map(|artifact| ctx.read_listed(artifact))).await?;
    for (artifact, read) in artifacts.iter().zip(reads) {
        let Exact::Found(bytes) = read else {
            problems.push(problem(artifact.key.as_str(), read.describe()));
            continue;
        };
        let parsed = if artifact.name == P1Verdict::NAME {
            facts.verdict_object = Some(artifact.object());
            Document::<P1Verdict>::parse(&bytes).map(|document| facts.verdict = Some(document.body))
        } else if artifact.name == RollupBlockerRegister::NAME {
            Document::<RollupBlockerRegister>::parse(&bytes).map(|document| {
                let registered = document.body.unresolved_blockers.into_iter();
                let finding = |blocker: RegisteredBlocker| blocker.code.on(blocker.subject, blocker.detail);
                facts.unresolved = registered.map(finding).collect();
            })
        } else {
            Ok(())
        };
        if let Err(error) = parsed {
            facts.unreadable.push(problem(artifact.key.as_str(), error.to_string()));
        }
    }
    Ok((facts, problems))
}

async fn read_pack(ctx: &StepContext<'_>, summary: Option<&Summary>) -> Result<PackFacts, Fault> {
    let Some(artifact) = summary.and_then(|summary| summary.body.artifact(M4HandoffPack::NAME)) else {
        return Ok(PackFacts::NotListed);
    };
    let read = ctx.read_listed(artifact).await?;
    let unusable = |why: String| PackFacts::Unusable(problem(artifact.key.as_str(), why));
    Ok(match read {
        Exact::Found(bytes) => match DocumentOf::<M4HandoffPack>::parse(&bytes) {
            Ok(pack) => PackFacts::Intact {
                object: artifact.object(),
                run: pack.header.triplet().into(),
                scoped_to: pack.body.required_platform_run_id_env_value,
            },
            Err(e) => unusable(e.to_string()),
        },
        other => unusable(other.describe()),
    })
}

/// Whether a verdict of this execution can be committed. A commit of its own that is there already, written by an
/// attempt that died after it, counts as not yet made: making it again finds it.
async fn read_ledger(ctx: &StepContext<'_>, run: Option<&PlatformRunId>) -> Result<LedgerFacts, Fault> {
    let facts = |posture, detail: String| Ok(LedgerFacts { posture, detail });
    let Some(run) = run else {
        return facts(CommitPosture::NoLedger, "the run has no id".to_owned());
    };
    let ledger = match run_ledger::read(ctx, run).await? {
        Ok(ledger) => ledger,
        Err(why) => return facts(CommitPosture::LedgerLost, why),
    };
    let us = &ctx.input.execution;
    match ledger.head() {
        None => facts(CommitPosture::NoLedger, format!("{run} has no ledger")),
        Some(head) if &head.holder == us => facts(
            CommitPosture::ToBeCommitted,
            format!("the ledger of {run} is held by this execution"),
        ),
        Some(head) => {
            let does = match head.kind {
                LedgerKind::Acquired => "is held by",
                LedgerKind::Committed => "was committed to by",
            };
            facts(
                CommitPosture::LedgerLost,
                format!("the ledger of {run} {does} {}", head.holder),
            )
        }
    }
}
