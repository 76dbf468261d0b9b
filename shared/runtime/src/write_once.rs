//! Checks that the objects that evidence names were written once and never deleted (contract section 2).
//!
//! A reference names a version, and that version keeps its bytes. Only the key's history shows whether the key still has that
//! version alone. This check finds an object that was overwritten or deleted when no bucket policy prevented it.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use p1_contract::ids::{BucketName, Environment, S3Key};
use p1_contract::observations::AuditProblem;

use crate::context::StepContext;
use crate::fault::Fault;
use crate::store::VersionCount;

/// The largest number of keys in a phase execution's folder that are listed at once. P1 writes about ten.
const FOLDER_LIMIT: usize = 200;
/// The number of listings at the same time.
const LISTINGS_AT_ONCE: usize = 16;

/// The objects (bucket and key) among `objects` in the evidence bucket whose key has more than one version or a delete marker, in
/// the order of their keys.
///
/// # Errors
/// Fails if the store gives no answer.
pub async fn rewritten<'o>(
    ctx: &StepContext<'_>,
    objects: impl IntoIterator<Item = (&'o BucketName, &'o S3Key)>,
) -> Result<Vec<AuditProblem>, Fault> {
    let ours = objects.into_iter().filter(|(bucket, _)| *bucket == ctx.bucket());
    let keys: BTreeSet<&S3Key> = ours.map(|(_, key)| key).collect();
    let mut groups: BTreeMap<String, Vec<&S3Key>> = BTreeMap::new();
    for key in keys {
        groups.entry(group(key)).or_default().push(key);
    }
    let groups: Vec<(String, Vec<&S3Key>)> = groups.into_iter().collect();
    let mut counts = Vec::new();
    for some in groups.chunks(LISTINGS_AT_ONCE) {
        let listings = some.iter().map(|(prefix, keys)| histories(ctx, prefix, keys));
        counts.extend(try_join_all(listings).await?.into_iter().flatten());
    }
    let problem = |count: VersionCount| {
        let why = count.rewritten()?;
        Some(AuditProblem {
            subject: count.key,
            detail: format!("{why}: it was overwritten or deleted"),
        })
    };
    Ok(counts.into_iter().filter_map(problem).collect())
}

/// The prefix to list for a key. Objects in the folder of a phase execution are listed together. Other writers use all other
/// places too, so a key there is listed alone.
fn group(key: &S3Key) -> String {
    let place = Environment::of_key(key.as_str());
    let folder = place.filter(|(_, rest)| rest.starts_with("m3") && rest.contains('/'));
    match (folder, key.as_str().rsplit_once('/')) {
        (Some(_), Some((folder, _))) => format!("{folder}/"),
        _ => key.to_string(),
    }
}

async fn histories(ctx: &StepContext<'_>, prefix: &str, keys: &[&S3Key]) -> Result<Vec<VersionCount>, Fault> {
    if prefix.ends_with('/') {
        let listed = ctx.store.list_versions(ctx.bucket(), prefix, FOLDER_LIMIT).await?;
        if listed.complete {
            let named = |count: &VersionCount| keys.iter().any(|key| key.as_str() == count.key);
            return Ok(listed.counts.into_iter().filter(named).collect());
        }
    }
    let mut counts = Vec::with_capacity(keys.len());
    for some in keys.chunks(LISTINGS_AT_ONCE) {
        let alone = some.iter().map(|key| ctx.store.versions_of(ctx.bucket(), key));
        counts.extend(try_join_all(alone).await?);
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use p1_contract::step::Step;

    use super::*;
    use crate::testing::{BUCKET, TestExecution};

    async fn found(execution: &TestExecution, keys: &[&str]) -> Vec<String> {
        let (harness, request) = (execution.harness(), execution.request(Step::PhaseVerdict));
        let ctx = harness.context(&request.input, Step::PhaseVerdict);
        let keys: Vec<S3Key> = keys.iter().map(|key| key.parse().unwrap()).collect();
        let problems = rewritten(&ctx, keys.iter().map(|key| (ctx.bucket(), key)))
            .await
            .unwrap();
        problems.into_iter().map(|problem| problem.subject).collect()
    }

    #[tokio::test]
    async fn an_overwritten_and_a_deleted_key_are_found_among_any_number_of_others() {
        let execution = TestExecution::default();
        let folder = "evidence/dev_full/run_control/m3a_20261122T121701Z_0123456789ab/";
        let run_json = "evidence/runs/platform_20261122T121701Z/run.json";
        let keys: Vec<String> = ["a.json", "b.json", "c.json"]
            .map(|name| format!("{folder}{name}"))
            .into();
        let keys: Vec<&str> = keys.iter().map(String::as_str).chain([run_json]).collect();
        for key in &keys {
            execution.store.seed(BUCKET, key, "{}");
        }
        assert!(found(&execution, &keys).await.is_empty());
        execution.store.seed(BUCKET, keys[0], "{}");
        execution.store.delete(BUCKET, keys[2]);
        execution.store.delete(BUCKET, run_json);
        let expected = [keys[0], keys[2], run_json];
        assert_eq!(found(&execution, &keys).await, expected);
        // There are so many foreign keys that the folder is not listed to its end, and unusual ones beside the run's own.
        for number in 0..FOLDER_LIMIT {
            execution.store.seed(BUCKET, &format!("{folder}a{number}"), "");
        }
        for odd in ["run.json/", "run.json//x", "a/../b", "a\u{1}"] {
            execution
                .store
                .seed(BUCKET, &format!("evidence/runs/platform_20261122T121701Z/{odd}"), "");
        }
        assert_eq!(found(&execution, &keys).await, expected);
    }
}
