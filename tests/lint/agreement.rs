//! Lint and the steps agree: what a run is held by, and what it is held by next.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use fastrand::Rng;
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
    let report = lint(&scene.inputs()).await;
    let end = scene.run().await;
    assert_eq!(
        said(&report),
        end,
        "{what}: lint and run do not agree\n{report:#?}\n{}",
        String::from_utf8_lossy(&scene.registry)
            .chars()
            .take(20_000)
            .collect::<String>()
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

/// The registry of this number: the sample with one to three things wrong.
fn mutated(number: usize) -> (String, Scene) {
    let mut rng = Rng::with_seed(SEED + number as u64);
    let mut scene = Scene::default();
    let mut what = format!("mutation {number}");
    for _ in 0..rng.usize(1..4) {
        let (kind, change) = KINDS[rng.usize(..KINDS.len())];
        change(&mut scene, &mut rng);
        what.push_str(": ");
        what.push_str(kind);
    }
    (what, scene)
}

#[test]
fn mutated_registries_end_as_lint_says() {
    let next = AtomicUsize::new(0);
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut ends = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= MUTATED {
                return ends;
            }
            let (what, scene) = mutated(number);
            let (end, _) = runtime.block_on(agreed(&what, &scene));
            ends.push((what, end));
        }
    };
    let ends: Vec<(String, End)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    for (kind, _) in KINDS {
        assert!(
            ends.iter().any(|(what, _)| what.contains(kind)),
            "{kind} was never drawn"
        );
    }
    let count = |is: fn(&End) -> bool| ends.iter().filter(|(_, end)| is(end)).count();
    let held = count(|end| matches!(end, End::Held(..)));
    let faulted = count(|end| matches!(end, End::Faults(..)));
    let mut codes = BTreeSet::new();
    for (_, end) in &ends {
        if let End::Held(_, held_by) = end {
            codes.extend(held_by.iter().map(|code| code.code()));
        }
    }
    let named: Vec<&str> = codes.iter().copied().collect();
    println!(
        "lint: {} registries, {held} held, {faulted} faulted, agree {}; by {}",
        ends.len(),
        ends.len(),
        named.join(" ")
    );
    assert!(
        held > 350 && faulted > 5 && ends.len() - held - faulted > 20,
        "{held} {faulted}"
    );
    assert!(codes.len() > 18, "{codes:?}");
}
