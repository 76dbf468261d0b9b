//! Lint and the steps agree: what a run is held by, and what it is held by next.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fastrand::Rng;
use p1_contract::blocker::Blocker;
use p1_lint::{Report, lint};

use crate::mutations::KINDS;
use crate::scene::{End, Scene};

/// How many mutated registries there are.
const MUTATED: usize = 500;
/// Another seed draws other registries, which must agree too.
const SEED: u64 = 15;

/// What lint says a run comes to.
fn said(report: &Report) -> End {
    match (report.holds.first(), &report.no_verdict) {
        (Some(hold), _) => End::Held(hold.step, hold.codes.clone()),
        (None, Some(none)) => End::Faults(none.step, none.fault),
        (None, None) => End::Advances,
    }
}

/// Lints and runs a scene, and gives how the run ends.
async fn agreed(what: &str, scene: &Scene) -> (End, Report) {
    let t0 = std::time::Instant::now();
    let report = lint(&scene.inputs()).await;
    let t1 = t0.elapsed();
    let end = scene.run().await;
    println!("TIME {:?} {:?} {} {}", t1, t0.elapsed(), report.holds.len(), what);
    assert_eq!(
        said(&report),
        end,
        "{what}: lint and run do not agree\n{report:#?}\n{}",
        String::from_utf8_lossy(&scene.registry).chars().take(20_000).collect::<String>()
    );
    (end, report)
}

#[tokio::test]
async fn the_sample_is_clean() {
    let (end, report) = agreed("the sample", &Scene::default()).await;
    assert_eq!((end, report.count()), (End::Advances, 0));
}

#[tokio::test]
async fn the_registries_of_the_tests_end_as_lint_says() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![tests.join("registry/full_platform.registry.md")];
    let seeds = std::fs::read_dir(tests.join("fuzz/seeds/registry")).unwrap();
    files.extend(seeds.map(|entry| entry.unwrap().path()));
    files.sort();
    assert!(files.len() > 3, "{files:?}");
    for file in files {
        agreed(&file.display().to_string(), &Scene::of(std::fs::read(&file).unwrap())).await;
    }
}

#[tokio::test]
async fn mutated_registries_end_as_lint_says() {
    let mut rng = Rng::with_seed(SEED);
    let mut ends: BTreeMap<End, usize> = BTreeMap::new();
    let mut kinds = BTreeSet::new();
    for number in 0..MUTATED {
        let mut scene = Scene::default();
        let mut what = format!("mutation {number}");
        for _ in 0..rng.usize(1..4) {
            let (kind, change) = KINDS[rng.usize(..KINDS.len())];
            change(&mut scene, &mut rng);
            kinds.insert(kind);
            what.push_str(": ");
            what.push_str(kind);
        }
        let (end, _) = agreed(&what, &scene).await;
        *ends.entry(end).or_default() += 1;
    }
    assert_eq!(kinds.len(), KINDS.len(), "not every kind was drawn");
    let of = |is: fn(&End) -> bool| ends.iter().filter(|(end, _)| is(end)).map(|(_, count)| count).sum::<usize>();
    let held = of(|end| matches!(end, End::Held(..)));
    let faulted = of(|end| matches!(end, End::Faults(..)));
    let codes: BTreeSet<Blocker> = ends
        .keys()
        .filter_map(|end| match end {
            End::Held(_, codes) => Some(codes.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    let codes: Vec<&str> = codes.iter().map(|code| code.code()).collect();
    println!("lint: {MUTATED} registries, {held} held, {faulted} faulted, agree {MUTATED}; codes {}", codes.join(" "));
    assert!(held > 300 && faulted > 5 && MUTATED - held - faulted > 20, "{ends:?}");
    assert!(codes.len() > 15, "{codes:?}");
}
