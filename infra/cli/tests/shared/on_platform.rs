//! What json.rs and platform.rs share.

/// The commands whose success needs a local platform: platform.rs tries each with `--json`.
pub(crate) const ON_PLATFORM: [&str; 7] = ["run", "resume", "gate", "fetch", "up", "env", "outputs"];
