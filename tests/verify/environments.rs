//! Evidence is of the environment that its own keys name, and of one alone.

use std::fs;
use std::path::Path;

use p1_contract::ids::Environment;
use p1_tests::directories::{compare, replay};
use p1_tests::runs::{Mirrored, advanced_on};
use p1_tests::world::World;

use crate::damage::relist;
use crate::second_verifier::SecondVerifier;
use crate::{START, both};

async fn in_prod() -> Mirrored {
    let world = |world: &mut World| {
        let start_time = std::mem::take(&mut world.start_time);
        *world = World {
            start_time,
            ..World::of(Environment::parse("prod_eu").unwrap())
        };
    };
    advanced_on(START, world).await.whole()
}

/// What both say of a directory: the exit status, and the subjects and details of the findings of the tool.
fn said(dir: &Path) -> (u8, Vec<(String, String)>) {
    let (status, report, answer) = both(&mut SecondVerifier::start(), dir);
    assert_eq!(answer["exit_status"], status, "{answer}");
    let findings = report.findings.into_iter();
    (
        status,
        findings.map(|finding| (finding.subject, finding.detail)).collect(),
    )
}

#[tokio::test]
async fn a_run_of_another_environment_is_pinned_and_replayed() {
    let run = in_prod().await;
    let keys = run.files.keys().filter(|key| key.starts_with("evidence/"));
    let of_prod = |key: &&String| key.starts_with("evidence/prod_eu/run_control/") || key.starts_with("evidence/runs/");
    assert!(keys.clone().count() > 50 && keys.clone().all(|key| of_prod(&key)));
    let dir = run.write("environment");
    assert_eq!(said(&dir), (0, Vec::new()));
    let replayed = replay(&dir).await;
    assert_eq!(replayed.standing, p1_replay::Standing::Equal, "{replayed:?}");
    let same = compare(&dir, &dir);
    assert!(same.handles.is_empty(), "{same:?}");
    let _ = fs::remove_dir_all(dir);
}

#[tokio::test]
async fn keys_of_two_environments_are_never_merged() {
    let mut run = in_prod().await;
    let (key, bytes) = run.files.iter().find(|(key, _)| key.contains("/m2j_")).unwrap();
    let (foreign, bytes) = (key.replace("prod_eu", "dev_full"), bytes.clone());
    let list = relist(&run.files, &foreign, Some(&bytes));
    run.files.insert(foreign.clone(), bytes);
    run.files.insert("objects.json".to_owned(), list);
    let dir = run.write("environments");
    let (status, findings) = said(&dir);
    assert_eq!(status, 2);
    let mixed = (
        "evidence/",
        "holds keys of more than one environment: dev_full, prod_eu",
    );
    assert!(
        findings
            .iter()
            .any(|(subject, detail)| (subject.as_str(), detail.as_str()) == mixed),
        "{findings:?}"
    );
    let replayed = replay(&dir).await;
    assert_ne!(replayed.standing, p1_replay::Standing::Equal);
    let _ = fs::remove_dir_all(dir);
}

/// Whoever moved a whole run into another environment would have to change what the steps recorded of theirs.
#[tokio::test]
async fn settings_of_another_environment_than_the_key_s_are_found() {
    let mut run = in_prod().await;
    run.files = std::mem::take(&mut run.files)
        .into_iter()
        .map(|(key, bytes)| (key.replace("evidence/prod_eu/", "evidence/dev_full/"), bytes))
        .collect();
    let list = String::from_utf8(run.files["objects.json"].clone()).unwrap();
    let list = list.replace("evidence/prod_eu/", "evidence/dev_full/");
    run.files.insert("objects.json".to_owned(), list.into_bytes());
    let dir = run.write("moved");
    let (status, findings) = said(&dir);
    assert_eq!(status, 2);
    let why = "lies in the run control of another environment than its settings name";
    assert_eq!(
        findings.iter().filter(|(_, detail)| detail == why).count(),
        10,
        "{findings:?}"
    );
    let _ = fs::remove_dir_all(dir);
}
