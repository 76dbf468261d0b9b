//! The profile of a local platform: its account, region and names. They never come from the registry under test, so a broken
//! registry still finds a working platform.

use std::collections::BTreeMap;
use std::path::Path;

use p1_contract::ids::Environment;
use serde::Deserialize;

use crate::checkout::Checkout;
use crate::error::PlatformError;

/// Names and place of a local platform.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Account id, twelve digits.
    pub account: String,
    /// Region, for example `eu-west-2`.
    pub region: String,
    /// The environment: the platform's name for this copy of itself.
    #[serde(default)]
    pub environment: Environment,
    /// CloudFormation stack.
    pub stack_name: String,
    /// Bucket of the evidence.
    pub evidence_bucket: String,
    /// Bucket of the oracle store.
    pub object_store_bucket: String,
    /// Bucket of registry, stack outputs and billing artifact.
    pub artifacts_bucket: String,
    /// Step Functions state machine.
    pub state_machine_name: String,
    /// The role of the state machine.
    pub state_machine_role_name: String,
    /// Further parameters of the template, such as `FunctionNamePrefix` of a second stack. They replace those that follow from the
    /// names above.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
}

impl Profile {
    /// Reads a profile. Without a path, reads the default profile of the checkout.
    ///
    /// # Errors
    /// Fails with [`PlatformError::Profile`] if the file cannot be read, or if a field is missing, unknown or malformed.
    pub fn load(path: Option<&Path>) -> Result<Self, PlatformError> {
        match path {
            Some(path) => Self::read(path),
            None => Self::read(&Checkout::default().default_profile()),
        }
    }

    fn read(path: &Path) -> Result<Self, PlatformError> {
        let refuse = |detail: String| PlatformError::Profile {
            path: path.to_path_buf(),
            detail,
        };
        let text = std::fs::read_to_string(path).map_err(|error| refuse(format!("it cannot be read ({error})")))?;
        let profile: Self =
            serde_json::from_str(&text).map_err(|error| refuse(format!("it is not a profile ({error})")))?;
        profile.check().map_err(refuse)?;
        Ok(profile)
    }

    /// Checks every name.
    ///
    /// # Errors
    /// Fails with the field that is malformed, and what it must be.
    pub fn check(&self) -> Result<(), String> {
        const BUCKET: &str =
            "a bucket name (3 to 63 of a-z, 0-9, `.` and `-`, beginning and ending with a letter or digit)";
        const STACK: &str = "at most 128 letters, digits and hyphens, beginning with a letter";
        const MACHINE: &str = "1 to 80 letters, digits, `-` and `_`";
        const ROLE: &str = "1 to 64 letters, digits and `-_+=,.@`";
        let (account, region) = (&self.account, &self.region);
        let [evidence, objects, artifacts] = [&self.evidence_bucket, &self.object_store_bucket, &self.artifacts_bucket];
        let (stack, machine, role) = (
            &self.stack_name,
            &self.state_machine_name,
            &self.state_machine_role_name,
        );
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        let is_stack = is_name(stack, 128, "-") && stack.starts_with(|first: char| first.is_ascii_alphabetic());
        let (is_machine, is_role) = (is_name(machine, 80, "-_"), is_name(role, 64, "-_+=,.@"));
        for (field, value, fits, wanted) in [
            ("account", account, is_account, "twelve digits"),
            ("region", region, is_region(region), "a region name such as eu-west-2"),
            ("evidence_bucket", evidence, is_bucket(evidence), BUCKET),
            ("object_store_bucket", objects, is_bucket(objects), BUCKET),
            ("artifacts_bucket", artifacts, is_bucket(artifacts), BUCKET),
            ("stack_name", stack, is_stack, STACK),
            ("state_machine_name", machine, is_machine, MACHINE),
            ("state_machine_role_name", role, is_role, ROLE),
        ] {
            if !fits {
                return Err(format!("`{field}` must be {wanted}, not {value:?}"));
            }
        }
        let buckets = [
            ("evidence_bucket", evidence),
            ("object_store_bucket", objects),
            ("artifacts_bucket", artifacts),
        ];
        for (index, (field, name)) in buckets.iter().enumerate() {
            if let Some((other, _)) = buckets[..index].iter().find(|(_, earlier)| earlier == name) {
                return Err(format!(
                    "`{field}` and `{other}` must be different buckets, both are {name:?}"
                ));
            }
        }
        Ok(())
    }

    /// The ARN of the state machine on this platform.
    #[must_use]
    pub fn state_machine_arn(&self) -> String {
        format!(
            "arn:aws:states:{}:{}:stateMachine:{}",
            self.region, self.account, self.state_machine_name
        )
    }
}

fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() >= 3
        && parts.iter().all(|part| !part.is_empty())
        && parts[..parts.len() - 1]
            .iter()
            .all(|part| part.bytes().all(|byte| byte.is_ascii_lowercase()))
        && parts[parts.len() - 1].bytes().all(|byte| byte.is_ascii_digit())
}

fn is_bucket(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = text.as_bytes();
    (3..=63).contains(&bytes.len())
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(byte))
        && !text.contains("..")
        && text.parse::<std::net::Ipv4Addr>().is_err()
}

fn is_name(text: &str, longest: usize, also: &str) -> bool {
    (1..=longest).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn default() -> serde_json::Value {
        let text = std::fs::read_to_string(Checkout::default().default_profile()).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn detail_with(field: &str, value: &str) -> String {
        let mut profile = default();
        profile[field] = value.into();
        let profile: Profile = serde_json::from_value(profile).unwrap();
        profile.check().unwrap_err()
    }

    #[test]
    fn the_default_profile_is_valid() {
        let profile = Profile::load(None).unwrap();
        assert_eq!(
            profile.state_machine_arn(),
            "arn:aws:states:eu-west-2:123456789012:stateMachine:fraud-platform-dev-full-platform-run-v0"
        );
    }

    #[test]
    fn a_malformed_field_is_named() {
        for (field, value) in [
            ("account", "12345"),
            ("account", "12345678901x"),
            ("region", "eu_west_2"),
            ("region", "eu-west-"),
            ("evidence_bucket", "Upper"),
            ("artifacts_bucket", "a..b"),
            ("object_store_bucket", "10.0.0.1"),
            ("stack_name", "1st"),
            ("state_machine_name", "with space"),
            ("state_machine_role_name", ""),
        ] {
            let detail = detail_with(field, value);
            assert!(detail.contains(&format!("`{field}`")), "{field} = {value:?}: {detail}");
        }
    }

    #[test]
    fn one_bucket_in_two_roles_is_refused() {
        let detail = detail_with("artifacts_bucket", "fraud-platform-dev-full-evidence");
        assert!(detail.contains("must be different buckets"), "{detail}");
    }

    #[test]
    fn unknown_and_missing_fields_are_refused() {
        let mut malformed = default();
        malformed["environment"] = "Prod".into();
        let error = serde_json::from_value::<Profile>(malformed).unwrap_err();
        assert!(error.to_string().contains("`Prod` is not an environment"), "{error}");
        let mut extra = default();
        extra["bucket"] = "x".into();
        assert!(
            serde_json::from_value::<Profile>(extra)
                .unwrap_err()
                .to_string()
                .contains("unknown field `bucket`")
        );
        let mut short = default();
        short.as_object_mut().unwrap().remove("region");
        assert!(
            serde_json::from_value::<Profile>(short)
                .unwrap_err()
                .to_string()
                .contains("missing field `region`")
        );
    }
}
