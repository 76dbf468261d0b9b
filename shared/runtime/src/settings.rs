//! The deployment's settings, from the environment of the functions. Only the harness reads them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use p1_contract::ids::{BucketName, S3Uri};
use thiserror::Error;

use crate::metrics::DeploymentName;

/// Where the deployment keeps what the steps read and write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `P1_EVIDENCE_BUCKET`: where all evidence goes, whatever the registry says.
    pub evidence_bucket: BucketName,
    /// `P1_REGISTRY_URI`: the handles registry.
    pub registry: S3Uri,
    /// `P1_STACK_OUTPUTS_URIS`: comma-separated, may be empty.
    pub stack_outputs: Vec<S3Uri>,
    /// `P1_COST_SOURCE` and, for a pinned artifact, `P1_BILLING_ARTIFACT_URI`.
    pub cost_source: CostSource,
    /// `AWS_REGION`.
    pub region: String,
    /// `P1_SIGNING` and, unless that is `off` or not set, `P1_SIGNING_KEY`. M3.J alone is given them.
    pub signing: Signing,
    /// `P1_DEPLOYMENT`: the name by which metrics tell deployments apart; without it there are none.
    pub deployment: Option<DeploymentName>,
}

/// What M3.J signs its verdict with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signing {
    /// Nothing: the verdict is not signed.
    Off,
    /// The asymmetric KMS key (ECC_NIST_P256, SIGN_VERIFY) of this ARN.
    Kms(String),
    /// A private key in a file, PKCS #8 in PEM: on the local platform.
    LocalKey(PathBuf),
}

/// Where M3.H learns what was spent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CostSource {
    /// A pinned billing artifact.
    BillingArtifact(S3Uri),
    /// Cost Explorer, at most once a day for a deployment.
    CostExplorer,
}

/// A setting that is missing or malformed: the deployment is to be mended.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("environment variable {name} {problem}; set it in the function's environment (infra/template.yaml)")]
pub struct SettingsError {
    /// The variable.
    pub name: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

/// The environment of this process.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(crate) fn environment() -> BTreeMap<String, String> {
    std::env::vars().collect()
}

impl Settings {
    /// Reads the settings from `vars`, an environment.
    ///
    /// # Errors
    /// When a variable is missing or malformed.
    pub fn from_map(vars: &BTreeMap<String, String>) -> Result<Self, SettingsError> {
        let uri = |name: &'static str, text: &str| -> Result<S3Uri, SettingsError> {
            text.parse().map_err(|e| SettingsError {
                name,
                problem: format!("is not an S3 URI ({e})"),
            })
        };
        let bucket = required(vars, "P1_EVIDENCE_BUCKET")?;
        let evidence_bucket = BucketName::parse(bucket).map_err(|e| SettingsError {
            name: "P1_EVIDENCE_BUCKET",
            problem: format!("is not a bucket name ({e})"),
        })?;
        let stack_outputs = vars
            .get("P1_STACK_OUTPUTS_URIS")
            .map_or("", String::as_str)
            .split(',')
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(|text| uri("P1_STACK_OUTPUTS_URIS", text))
            .collect::<Result<_, _>>()?;
        let cost_source = match required(vars, "P1_COST_SOURCE")? {
            "cost_explorer" => CostSource::CostExplorer,
            "billing_artifact" => {
                let name = "P1_BILLING_ARTIFACT_URI";
                CostSource::BillingArtifact(uri(name, required(vars, name)?)?)
            }
            _ => {
                let problem = "is neither billing_artifact nor cost_explorer".to_owned();
                return Err(SettingsError {
                    name: "P1_COST_SOURCE",
                    problem,
                });
            }
        };
        let signing = match vars.get("P1_SIGNING").map_or("off", String::as_str) {
            "off" | "" => Signing::Off,
            "kms" => Signing::Kms(required(vars, "P1_SIGNING_KEY")?.to_owned()),
            "local_key" => Signing::LocalKey(required(vars, "P1_SIGNING_KEY")?.into()),
            _ => {
                let problem = "is neither off, kms nor local_key".to_owned();
                return Err(SettingsError {
                    name: "P1_SIGNING",
                    problem,
                });
            }
        };
        let deployment = match vars.get("P1_DEPLOYMENT").map(String::as_str) {
            None | Some("") => None,
            Some(name) => Some(name.parse().map_err(|e| SettingsError {
                name: "P1_DEPLOYMENT",
                problem: format!("is not a deployment's name (it {e})"),
            })?),
        };
        Ok(Settings {
            evidence_bucket,
            registry: uri("P1_REGISTRY_URI", required(vars, "P1_REGISTRY_URI")?)?,
            stack_outputs,
            cost_source,
            region: required(vars, "AWS_REGION")?.to_owned(),
            signing,
            deployment,
        })
    }
}

fn required<'v>(vars: &'v BTreeMap<String, String>, name: &'static str) -> Result<&'v str, SettingsError> {
    match vars.get(name).map(String::as_str) {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(SettingsError {
            name,
            problem: "is not set".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(extra: &[(&str, &str)]) -> BTreeMap<String, String> {
        let base = [
            ("P1_EVIDENCE_BUCKET", "evidence-bucket"),
            ("P1_REGISTRY_URI", "s3://artifacts-bucket/registry.md"),
            ("P1_COST_SOURCE", "cost_explorer"),
            ("AWS_REGION", "eu-west-2"),
        ];
        let all = base.iter().chain(extra);
        all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn read(signing: &[(&str, &str)]) -> Result<Signing, SettingsError> {
        Settings::from_map(&vars(signing)).map(|settings| settings.signing)
    }

    #[test]
    fn signing_is_off_unless_it_is_asked_for() {
        assert_eq!(read(&[]), Ok(Signing::Off));
        assert_eq!(read(&[("P1_SIGNING", "off")]), Ok(Signing::Off));
        let arn = "arn:aws:kms:eu-west-2:123456789012:key/1";
        assert_eq!(
            read(&[("P1_SIGNING", "kms"), ("P1_SIGNING_KEY", arn)]),
            Ok(Signing::Kms(arn.to_owned()))
        );
        assert_eq!(
            read(&[("P1_SIGNING", "local_key"), ("P1_SIGNING_KEY", "/key.pem")]),
            Ok(Signing::LocalKey("/key.pem".into()))
        );
    }

    #[test]
    fn signing_without_a_key_or_with_an_unknown_word_is_refused() {
        for (vars, name) in [
            (&[("P1_SIGNING", "kms")][..], "P1_SIGNING_KEY"),
            (&[("P1_SIGNING", "local_key"), ("P1_SIGNING_KEY", "")], "P1_SIGNING_KEY"),
            (&[("P1_SIGNING", "on"), ("P1_SIGNING_KEY", "k")], "P1_SIGNING"),
        ] {
            assert_eq!(read(vars).unwrap_err().name, name);
        }
    }

    #[test]
    fn the_name_of_the_deployment_is_optional_and_checked() {
        let of = |extra: &[(&str, &str)]| Settings::from_map(&vars(extra)).map(|settings| settings.deployment);
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&[("P1_DEPLOYMENT", "")]), Ok(None));
        assert_eq!(of(&[("P1_DEPLOYMENT", "dev-p1")]), Ok(Some("dev-p1".parse().unwrap())));
        let error = of(&[("P1_DEPLOYMENT", "a b")]).unwrap_err();
        assert_eq!(error.name, "P1_DEPLOYMENT");
    }
}
