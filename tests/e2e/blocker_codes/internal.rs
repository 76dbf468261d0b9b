//! The codes that only a defect of our own can raise: each names the test of its step that raises it from doctored
//! observations or documents.

use std::path::PathBuf;

use p1_contract::blocker::Blocker;

/// Code, file below `functions/`, test.
const TESTS: &[(Blocker, &str, &str)] = &[
    (
        Blocker::SeedUnstable,
        "m3b-run-identity/src/tests.rs",
        "a_seed_that_does_not_survive_parsing_is_b4",
    ),
    (
        Blocker::DerivationNotReproducible,
        "m3b-run-identity/src/tests.rs",
        "another_scenario_is_b6",
    ),
    (
        Blocker::PayloadFieldMissing,
        "m3c-config-digest/src/tests.rs",
        "a_payload_without_an_id_is_b1",
    ),
    (
        Blocker::DigestMismatch,
        "m3c-config-digest/src/tests.rs",
        "another_digest_of_the_seed_is_b4",
    ),
    (
        Blocker::RunEvidenceDisagrees,
        "m3e-run-publication/src/tests.rs",
        "two_triplets_are_b6",
    ),
    (
        Blocker::SeverityUnknown,
        "m3i-gate-rollup/src/tests.rs",
        "an_unknown_severity_is_b3",
    ),
    (
        Blocker::MatrixIncomplete,
        "m3i-gate-rollup/src/tests.rs",
        "an_incomplete_matrix_is_b4",
    ),
    (
        Blocker::UnresolvedSetImplicit,
        "m3i-gate-rollup/src/tests.rs",
        "an_implicit_unresolved_set_is_b5",
    ),
    (
        Blocker::VerdictNotReproducible,
        "m3i-gate-rollup/src/tests.rs",
        "a_verdict_that_is_not_reproducible_is_b6",
    ),
    (
        Blocker::RollupAdvanceDespiteBlockers,
        "m3i-gate-rollup/src/tests.rs",
        "an_advance_despite_blockers_is_b8",
    ),
    (
        Blocker::VerdictVocabulary,
        "m3j-phase-verdict/src/tests/defects.rs",
        "a_missing_verdict_is_b1",
    ),
    (
        Blocker::UnresolvedAtAdvance,
        "m3j-phase-verdict/src/tests/defects.rs",
        "an_unresolved_blocker_at_an_advance_is_b3",
    ),
    (
        Blocker::SummaryInconsistent,
        "m3j-phase-verdict/src/tests/defects.rs",
        "a_summary_that_contradicts_itself_is_b5",
    ),
    (
        Blocker::ReceiptReferencesInvalid,
        "m3j-phase-verdict/src/tests/defects.rs",
        "a_receipt_that_refers_to_something_else_is_b6",
    ),
    (
        Blocker::VerdictAdvanceDespiteBlockers,
        "m3j-phase-verdict/src/tests/defects.rs",
        "an_advance_through_a_closed_gate_is_b8",
    ),
];

/// Each internal code has a test, which is there and speaks of the code.
pub(crate) fn expect_a_test_for_each() {
    let functions = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../functions");
    let listed: Vec<Blocker> = TESTS.iter().map(|(code, ..)| *code).collect();
    let internal: Vec<Blocker> = Blocker::ALL.iter().copied().filter(|code| code.is_internal()).collect();
    assert_eq!(listed, internal, "each internal code names one test");
    for (code, file, test) in TESTS {
        let text = std::fs::read_to_string(functions.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        let (_, body) = text
            .split_once(&format!("fn {test}()"))
            .unwrap_or_else(|| panic!("{file} has no test {test}"));
        let body = body.split_once("\n}\n").map_or(body, |(body, _)| body);
        assert!(
            body.contains(&format!("Blocker::{code:?}")),
            "{test} of {file} does not raise {code}"
        );
    }
}
