//! Key patterns of the registry: `{token}` texts that resolve to S3 keys (contract section 3).

use thiserror::Error;

use crate::ids::{Environment, PhaseExecutionId, PlatformRunId, S3Key};

/// Why a pattern gives no usable key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PatternError {
    /// A brace without its partner, or a token that is not known here.
    #[error("the pattern holds the unknown token `{{{0}}}`")]
    UnknownToken(String),
    /// A brace without its partner.
    #[error("the pattern holds a brace without its partner")]
    UnbalancedBrace,
    /// A token that must stand exactly once does not.
    #[error("the pattern must hold `{{{token}}}` exactly once, not {count} times")]
    TokenCount {
        /// The token.
        token: &'static str,
        /// How often it stands there.
        count: usize,
    },
    /// The key leaves the folder that it must lie in.
    #[error("the pattern must resolve below `{0}`")]
    OutsideRoot(String),
    /// Not an S3 key: empty, absolute, dotted, too long.
    #[error("the pattern resolves to no usable key: {0}")]
    Key(String),
}

/// Replaces every `{token}` of `pattern` by its value.
///
/// # Errors
/// On a token that is not among `tokens`, and on unbalanced braces.
pub fn fill(pattern: &str, tokens: &[(&str, &str)]) -> Result<String, PatternError> {
    let mut filled = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(at) = rest.find(['{', '}']) {
        filled.push_str(&rest[..at]);
        let token = rest[at..].strip_prefix('{').ok_or(PatternError::UnbalancedBrace)?;
        let end = token.find(['{', '}']).filter(|end| token[*end..].starts_with('}'));
        let end = end.ok_or(PatternError::UnbalancedBrace)?;
        let name = &token[..end];
        let value = tokens.iter().find(|(known, _)| *known == name);
        let (_, value) = value.ok_or_else(|| PatternError::UnknownToken(name.chars().take(64).collect()))?;
        filled.push_str(value);
        rest = &token[end + 1..];
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Resolves a pattern to a key.
///
/// # Errors
/// As [`fill`], and when the result is no S3 key.
pub fn resolve(pattern: &str, tokens: &[(&str, &str)]) -> Result<S3Key, PatternError> {
    S3Key::parse(&fill(pattern, tokens)?).map_err(|e| PatternError::Key(e.to_string()))
}

/// Resolves a run-scoped pattern: `{platform_run_id}` exactly once, below the run's root.
///
/// # Errors
/// When the pattern breaks one of the rules of the contract's section 3.
pub fn resolve_run_scoped(pattern: &str, run: &PlatformRunId) -> Result<S3Key, PatternError> {
    once(pattern, "platform_run_id")?;
    let key = resolve(pattern, &[("platform_run_id", run.as_ref())])?;
    below(key, &run.run_root())
}

/// Resolves a pattern of a phase execution's folder: `{phase_execution_id}` exactly once, below that folder.
///
/// # Errors
/// When the pattern breaks one of the rules.
pub fn resolve_phase_scoped(
    pattern: &str,
    environment: &Environment,
    phase: &PhaseExecutionId,
) -> Result<S3Key, PatternError> {
    once(pattern, "phase_execution_id")?;
    let key = resolve(pattern, &[("phase_execution_id", phase.as_ref())])?;
    below(key, &environment.phase_folder(phase))
}

/// Holds the run-root pattern, which ends in a slash, against the one root that P1 writes to.
///
/// # Errors
/// When it resolves to another folder.
pub fn check_run_root(pattern: &str, run: &PlatformRunId) -> Result<(), PatternError> {
    once(pattern, "platform_run_id")?;
    let root = run.run_root();
    let filled = fill(pattern, &[("platform_run_id", run.as_ref())])?;
    if filled.trim_end_matches('/') == root.trim_end_matches('/') {
        Ok(())
    } else {
        Err(PatternError::OutsideRoot(root))
    }
}

fn once(pattern: &str, token: &'static str) -> Result<(), PatternError> {
    let count = pattern.matches(&format!("{{{token}}}")).count();
    if count == 1 {
        Ok(())
    } else {
        Err(PatternError::TokenCount { token, count })
    }
}

fn below(key: S3Key, root: &str) -> Result<S3Key, PatternError> {
    if key.as_str().strip_prefix(root).is_some_and(|rest| !rest.is_empty()) {
        Ok(key)
    } else {
        Err(PatternError::OutsideRoot(root.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> PlatformRunId {
        PlatformRunId::parse("platform_20260223T174307Z").unwrap()
    }

    #[test]
    fn run_scoped_patterns_resolve_below_the_run_root() {
        let key = resolve_run_scoped("evidence/runs/{platform_run_id}/run.json", &run()).unwrap();
        assert_eq!(key.as_str(), "evidence/runs/platform_20260223T174307Z/run.json");
        for (pattern, why) in [
            ("evidence/runs/run.json", "exactly once"),
            ("evidence/runs/{platform_run_id}/{platform_run_id}.json", "exactly once"),
            ("evidence/runs/{platform_run_id}/{secret}.json", "unknown token"),
            ("evidence/runs/{platform_run_id}/../x.json", "no usable key"),
            ("evidence/runs//{platform_run_id}/x.json", "no usable key"),
            ("/evidence/runs/{platform_run_id}/x.json", "no usable key"),
            ("other/{platform_run_id}/run.json", "below"),
            ("evidence/runs/{platform_run_id}/x{.json", "partner"),
            ("evidence/runs/{platform_run_id}/x}.json", "partner"),
        ] {
            let error = resolve_run_scoped(pattern, &run()).unwrap_err().to_string();
            assert!(error.contains(why), "{pattern}: {error}");
        }
    }

    #[test]
    fn the_run_root_is_the_one_that_p1_writes_to() {
        check_run_root("evidence/runs/{platform_run_id}/", &run()).unwrap();
        check_run_root("evidence/elsewhere/{platform_run_id}/", &run()).unwrap_err();
    }
}
