//! What the tests of the tool as a process share.
#![allow(dead_code, reason = "each test program uses some of it")]

pub(crate) mod evidence;
pub(crate) mod object;

/// The commands whose success needs a local platform: platform.rs tries each with `--json`.
pub(crate) const ON_PLATFORM: [&str; 8] = ["run", "resume", "gate", "fetch", "runs", "up", "env", "outputs"];
