//! Evidence of revision 1, as an earlier release wrote it: whole mirrors, kept in `tests/verify/revision_1`.

use std::collections::BTreeMap;
use std::path::Path;

use crate::runs::Mirrored;

/// The kept runs, each with the exit status of `verify`.
pub const RUNS: [(&str, u8); 5] = [
    ("advanced", 0),
    ("advanced_unsigned", 0),
    ("held", 1),
    ("held_at_once", 1),
    ("resumed", 0),
];

/// The mirror of a kept run, with the whole history.
pub fn run(name: &str) -> Mirrored {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("verify/revision_1/{name}.json"));
    let texts: BTreeMap<String, String> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let files: BTreeMap<_, _> = texts
        .into_iter()
        .map(|(path, text)| (path, text.into_bytes()))
        .collect();
    Mirrored {
        history: files["execution_history.json"].clone(),
        files,
    }
}
