//! How much is measured: enough for a median, or, quick, just enough to know that it can be measured.

use serde::Serialize;

/// Sizes and counts of all parts.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// Pairs of a comparison, after a warm-up.
    pub pairs: usize,
    /// Pairs with the procedure by hand, each of which takes half a minute of CPU.
    pub pairs_by_hand: usize,
    /// Whether another such pair goes before them to warm up.
    pub warm_up_by_hand: bool,
    /// How many of its uploads are made at once. A person makes one after the other.
    pub uploads_at_once: usize,
    /// Spawns of each function.
    pub spawns: usize,
    /// Documents to digest: about how many bytes, and how often in one pair.
    pub documents: Vec<(usize, u32)>,
    /// Added to each answer of S3, in milliseconds.
    pub delay_ms: u64,
    /// Runs at once.
    pub at_once: Vec<usize>,
    /// Processes of each function, at most, that the runs share.
    pub processes: usize,
    /// Handles in the registry.
    pub handles: Vec<usize>,
    /// Required outputs.
    pub outputs: Vec<usize>,
    /// Other runs in the bucket.
    pub other_runs: Vec<usize>,
    /// Foreign objects below the run's root.
    pub foreign_objects: Vec<usize>,
    /// Runs at each size.
    pub runs_of_a_size: usize,
    /// Pinned runs in the bucket that `cargo p1 runs` lists.
    pub listed_runs: Vec<usize>,
}

impl Plan {
    /// The plan for figures.
    #[must_use]
    pub fn full() -> Self {
        Plan {
            pairs: 7,
            pairs_by_hand: 6,
            warm_up_by_hand: true,
            uploads_at_once: 1,
            spawns: 20,
            documents: vec![(2 << 10, 20_000), (100 << 10, 1_000), (10 << 20, 20)],
            delay_ms: 30,
            at_once: vec![1, 8, 32, 64],
            processes: 8,
            handles: vec![500, 1_500, 5_000, 15_000, 50_000],
            outputs: vec![10, 32, 100, 320, 1_000],
            other_runs: vec![1, 10, 100, 1_000],
            foreign_objects: vec![10, 100, 1_000, 10_000],
            runs_of_a_size: 3,
            listed_runs: vec![10, 1_000, 10_000],
        }
    }

    /// The plan for a test of the benchmark itself.
    #[must_use]
    pub fn quick() -> Self {
        Plan {
            pairs: 1,
            pairs_by_hand: 1,
            warm_up_by_hand: false,
            uploads_at_once: 4,
            spawns: 1,
            documents: vec![(2 << 10, 20), (20 << 10, 2)],
            delay_ms: 5,
            at_once: vec![1, 4],
            processes: 2,
            handles: vec![200, 800],
            outputs: vec![2, 8],
            other_runs: vec![1, 8],
            foreign_objects: vec![4, 32],
            runs_of_a_size: 1,
            listed_runs: vec![2, 30],
        }
    }
}
