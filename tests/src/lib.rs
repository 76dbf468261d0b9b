//! What the tests share: a platform in memory ([`world`]), runs on it as mirrored directories ([`runs`]), and the local
//! platform on the real engine ([`stage`]). Each test target is a folder beside `src`, named for its subject.
#![expect(clippy::unwrap_used, reason = "a failed assumption of a test is a failed test")]

pub mod directories;
pub mod drawn;
pub mod revision_1;
pub mod runs;
pub mod signature_readers;
pub mod stage;
pub mod world;

use std::path::PathBuf;

use serde_json::{Value, json};

/// A rerun input that a held run offers, with what its operator has to fill in.
#[must_use]
pub fn filled_in(offered: &Value) -> Value {
    let mut input = offered.clone();
    let reset = &mut input["resume"]["reset"];
    reset["actor"] = json!("operator");
    reset["at_utc"] = json!("2026-11-22T12:17:01Z");
    input
}

/// A folder below the build folder that this test process has to itself.
pub(crate) fn scratch() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let target = program.ancestors().nth(3).unwrap();
    target.join("tmp").join(program.file_stem().unwrap())
}
