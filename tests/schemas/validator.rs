//! `tests/schemas/validate.py` as a child process, and directories to hand to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use p1_local::progress::Lines;
use p1_local::{Checkout, Tools};
use tokio::sync::OnceCell;

use crate::{checked_in, project_root};

/// The validator's verdict and output.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) valid: bool,
    pub(crate) text: String,
}

/// Runs the validator, by the checked-in schemas unless the arguments name others; anything but valid or invalid is a failure of the test.
pub(crate) async fn validate(arguments: &[&Path]) -> Said {
    let schemas = checked_in();
    let output = Command::new(python().await)
        .arg(project_root().join("tests/schemas/validate.py"))
        .args(["--schemas".as_ref(), schemas.as_path()])
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let valid = match output.status.code() {
        Some(0) => true,
        // An uncaught exception exits with 1 too, and says nothing on standard output.
        Some(1) if text.ends_with(" problems\n") => false,
        _ => panic!(
            "the validator ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ),
    };
    Said { valid, text }
}

/// The Python of the environment that holds the validator's library, which is made when it is missing.
async fn python() -> PathBuf {
    static PYTHON: OnceCell<PathBuf> = OnceCell::const_new();
    let prepare = async || {
        let tools = Tools::prepare(&Checkout::default(), &Lines).await;
        tools
            .unwrap_or_else(|error| panic!("cannot set up the tools: {error}"))
            .bin()
            .join("python")
    };
    PYTHON.get_or_init(prepare).await.clone()
}

/// A directory that ends with the test.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("schemas-{}-{number}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Scratch(folder)
    }

    /// A directory that holds these objects at their keys, as the mirror of a run does.
    pub(crate) fn mirror(name: &str, objects: &BTreeMap<String, Vec<u8>>) -> Self {
        let scratch = Scratch::new(name);
        for (key, bytes) in objects {
            let path = scratch.0.join(key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        scratch
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
