//! The platform's name for a copy of itself, and where that copy's steps keep their evidence (contract sections 1 and 6).

use std::collections::BTreeSet;

use super::{PhaseExecutionId, ScenarioRunId};
use crate::parse_error::text_newtype;

text_newtype! {
    /// The platform's name for this copy of itself, such as `dev_full`.
    ///
    /// Evidence lies below it, and some handles carry it in their name:
    ///
    /// ```
    /// use p1_contract::ids::Environment;
    ///
    /// let environment = Environment::parse("prod_eu").unwrap();
    /// assert_eq!(environment.run_control_root(), "evidence/prod_eu/run_control/");
    /// assert_eq!(Environment::of_key("evidence/prod_eu/run_control/a/b.json"), Some((environment, "a/b.json")));
    /// ```
    Environment,
    what = "an environment",
    pattern = "^[a-z][a-z0-9_]{1,31}$",
    expected = "a small letter, then 1 to 31 small letters, digits and underscores; not `runs`, below which runs lie",
    check = is_environment
}

fn is_environment(text: &str) -> bool {
    let mut bytes = text.bytes();
    (2..=32).contains(&text.len())
        && bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        && text != "runs"
}

impl Default for Environment {
    fn default() -> Self {
        Environment("dev_full".to_owned())
    }
}

impl Environment {
    /// The environment whose run control `key` lies in, and the rest of the key. `None` if it lies in none.
    #[must_use]
    pub fn of_key(key: &str) -> Option<(Self, &str)> {
        let (environment, rest) = key.strip_prefix("evidence/")?.split_once('/')?;
        Some((Self::parse(environment).ok()?, rest.strip_prefix("run_control/")?))
    }

    /// Where the folders of all phase executions lie in the evidence bucket, with a `/` at its end.
    #[must_use]
    pub fn run_control_root(&self) -> String {
        format!("evidence/{self}/run_control/")
    }

    /// The rest of a key of this environment's run control. `None` for every other key.
    #[must_use]
    pub fn below<'k>(&self, key: &'k str) -> Option<&'k str> {
        Self::of_key(key)
            .filter(|(environment, _)| environment == self)
            .map(|(_, rest)| rest)
    }

    /// Where the index of all scenarios lies, with a `/` at its end.
    #[must_use]
    pub fn scenario_index_root(&self) -> String {
        format!("evidence/{self}/index/scenario/")
    }

    /// Where the index lists the pinned runs of one scenario, with a `/` at its end.
    #[must_use]
    pub fn scenario_index(&self, scenario: &ScenarioRunId) -> String {
        format!("{}{scenario}/", self.scenario_index_root())
    }

    /// The folder of one phase execution, with a `/` at its end.
    #[must_use]
    pub fn phase_folder(&self, id: &PhaseExecutionId) -> String {
        format!("evidence/{self}/run_control/{id}/")
    }
}

/// The environments whose run control `keys` lie in. Evidence is of one; what is of another is never read as its own.
#[must_use]
pub fn environments_of<'k>(keys: impl IntoIterator<Item = &'k str>) -> BTreeSet<Environment> {
    let all = keys.into_iter().filter_map(Environment::of_key);
    all.map(|(environment, _)| environment).collect()
}

/// What lies below the run control of whichever environment the key is of.
#[must_use]
pub fn below_run_control(key: &str) -> Option<&str> {
    Environment::of_key(key).map(|(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environments() {
        for good in ["dev_full", "ab", "p9", &format!("a{}", "b".repeat(31))] {
            assert!(Environment::parse(good).is_ok(), "{good}");
        }
        let long = "b".repeat(33);
        for bad in [
            "", "a", "9a", "_a", "Dev", "dev-full", "a/b", "a.b", "runs", "é1", &long,
        ] {
            assert!(Environment::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Environment::default().to_string(), "dev_full");
    }

    #[test]
    fn a_key_is_of_one_environment_alone() {
        let prod = Environment::parse("prod").unwrap();
        assert_eq!(prod.below("evidence/prod/run_control/x/y.json"), Some("x/y.json"));
        for other in [
            "evidence/prod2/run_control/x",
            "evidence/dev_full/run_control/x",
            "evidence/prod/run_control",
            "evidence/prod/elsewhere/x",
            "evidence//run_control/x",
            "evidence/runs/run_control/x",
            "x/evidence/prod/run_control/x",
        ] {
            assert_eq!(prod.below(other), None, "{other}");
        }
    }
}
