//! The deployment's settings, from the environment of the functions. Only the harness reads them.

use std::collections::BTreeMap;

use p1_contract::ids::{BucketName, S3Uri};
use thiserror::Error;

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

impl Settings {
    /// Reads the settings from the environment.
    ///
    /// # Errors
    /// When a variable is missing or malformed.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn from_env() -> Result<Self, SettingsError> {
        Settings::from_map(&std::env::vars().collect())
    }

    /// Reads the settings from `vars`.
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
        Ok(Settings {
            evidence_bucket,
            registry: uri("P1_REGISTRY_URI", required(vars, "P1_REGISTRY_URI")?)?,
            stack_outputs,
            cost_source,
            region: required(vars, "AWS_REGION")?.to_owned(),
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
