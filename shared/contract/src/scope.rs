//! The run scope that a runtime is started with: its environment variable and the correlation fields.

/// The correlation fields that every event of a run carries, in the contract's order.
pub const CORRELATION_FIELDS: [&str; 6] = [
    "platform_run_id",
    "scenario_run_id",
    "phase_id",
    "event_id",
    "runtime_lane",
    "trace_id",
];

/// Whether `name` can be the name of an environment variable everywhere: upper-case letters, digits and underscores,
/// not beginning with a digit, at most 128 of them.
#[must_use]
pub fn is_env_key(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    (1..=128).contains(&name.len()) && name.chars().all(legal) && !name.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn env_keys() {
        assert!(is_env_key("REQUIRED_PLATFORM_RUN_ID"));
        for bad in ["", "1A", "A-B", "a", "A B", "A=B"] {
            assert!(!is_env_key(bad), "{bad}");
        }
    }
}
