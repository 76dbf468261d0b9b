//! Evidence for the tests of the tool as a process.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The evidence of a run as an earlier release wrote it, with this many files of others.
pub(crate) fn evidence(scratch: &TempDir, others: usize) -> PathBuf {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/verify/revision_1/advanced.json");
    let files: BTreeMap<String, String> = serde_json::from_slice(&fs::read(kept).unwrap()).unwrap();
    let dir = scratch.path().join("run");
    for (path, text) in files {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::create_dir_all(dir.join("evidence/others")).unwrap();
    for number in 0..others {
        fs::write(dir.join(format!("evidence/others/{number}.json")), "{}\n").unwrap();
    }
    dir
}
