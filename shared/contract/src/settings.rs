//! The deployment's settings. They stand in the state machine's definition, which hands them to every Task (contract,
//! section 5), so that the version of the machine that an execution runs on is its configuration: a redrive keeps it, and a
//! change of a parameter reaches the next execution.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{BucketName, DeploymentName, Environment, S3Uri};
use crate::input::InputError;
use crate::parse_error::ParseError;

/// Where the deployment keeps what the steps read and write, and what they decide by.
///
/// On the wire every field is a string, as [`SettingsFields`] has them: CloudFormation substitutes nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "SettingsFields", into = "SettingsFields")]
#[schemars(with = "SettingsFields")]
pub struct Settings {
    /// The deployment's name, by which metrics tell deployments apart.
    pub deployment: DeploymentName,
    /// The platform's name for this copy of itself, below which the steps' evidence lies.
    pub environment: Environment,
    /// Where all evidence goes, whatever the registry says.
    pub evidence_bucket: BucketName,
    /// The handles registry.
    pub registry: S3Uri,
    /// The stack outputs documents; may be empty.
    pub stack_outputs: Vec<S3Uri>,
    /// Where M3.H learns what was spent.
    pub cost_source: CostSource,
    /// What M3.J signs its verdict with.
    pub signing: Signing,
}

/// Where M3.H learns what was spent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CostSource {
    /// A pinned billing artifact.
    BillingArtifact(S3Uri),
    /// Cost Explorer, at most once a day for a deployment.
    CostExplorer,
}

/// What M3.J signs its verdict with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signing {
    /// Nothing: the verdict is not signed.
    Off,
    /// The asymmetric KMS key (ECC_NIST_P256, SIGN_VERIFY) of this ARN.
    Kms(String),
    /// A private key in the file of this path, PKCS #8 in PEM: on the local platform.
    LocalKey(String),
}

/// The settings as they travel: `settings` in a Task's payload, and in the observations of the step that used them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingsFields {
    /// The deployment's name.
    pub deployment: String,
    /// The environment. Evidence of revision 1 has none, and is of `dev_full`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The evidence bucket.
    pub evidence_bucket: String,
    /// `s3://` URI of the handles registry.
    pub registry_uri: String,
    /// `s3://` URIs of the stack outputs documents, comma-separated; may be empty.
    pub stack_outputs_uris: String,
    /// `cost_explorer` or `billing_artifact`.
    pub cost_source: String,
    /// `s3://` URI of the billing artifact; may be empty unless it is the cost source.
    pub billing_artifact_uri: String,
    /// `off`, `kms` or `local_key`.
    pub signing: String,
    /// The ARN of the KMS key, or the path of the key's file; empty where nothing is signed.
    pub signing_key: String,
}

const REMEDY: &str = "mend the parameter of the deployment (infra/template.yaml) and deploy it again";

fn error(field: &str, problem: impl Into<String>) -> InputError {
    InputError {
        field: format!("settings.{field}"),
        problem: problem.into(),
        remedy: REMEDY,
    }
}

fn parsed<T: FromStr<Err = ParseError>>(field: &str, text: &str, what: &str) -> Result<T, InputError> {
    text.parse().map_err(|e| error(field, format!("is not {what} ({e})")))
}

fn uri(field: &str, text: &str) -> Result<S3Uri, InputError> {
    parsed(field, text, "an S3 URI")
}

impl TryFrom<SettingsFields> for Settings {
    type Error = InputError;

    fn try_from(fields: SettingsFields) -> Result<Self, InputError> {
        let deployment = parsed("deployment", &fields.deployment, "a deployment's name")?;
        let environment = match &fields.environment {
            Some(text) => parsed("environment", text, "an environment")?,
            None => Environment::default(),
        };
        let evidence_bucket = parsed("evidence_bucket", &fields.evidence_bucket, "a bucket name")?;
        let stack_outputs = fields
            .stack_outputs_uris
            .split(',')
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(|text| uri("stack_outputs_uris", text))
            .collect::<Result<_, _>>()?;
        let cost_source = match fields.cost_source.as_str() {
            "cost_explorer" => CostSource::CostExplorer,
            "billing_artifact" => {
                CostSource::BillingArtifact(uri("billing_artifact_uri", &fields.billing_artifact_uri)?)
            }
            _ => return Err(error("cost_source", "is neither billing_artifact nor cost_explorer")),
        };
        let signing = match (fields.signing.as_str(), fields.signing_key) {
            ("off", _) => Signing::Off,
            ("kms" | "local_key", key) if key.is_empty() => return Err(error("signing_key", "is empty")),
            ("kms", arn) => Signing::Kms(arn),
            ("local_key", path) => Signing::LocalKey(path),
            _ => return Err(error("signing", "is neither off, kms nor local_key")),
        };
        Ok(Settings {
            deployment,
            environment,
            evidence_bucket,
            registry: uri("registry_uri", &fields.registry_uri)?,
            stack_outputs,
            cost_source,
            signing,
        })
    }
}

impl From<Settings> for SettingsFields {
    fn from(settings: Settings) -> Self {
        let (cost_source, billing_artifact_uri) = match settings.cost_source {
            CostSource::CostExplorer => ("cost_explorer", String::new()),
            CostSource::BillingArtifact(uri) => ("billing_artifact", uri.to_string()),
        };
        let (signing, signing_key) = match settings.signing {
            Signing::Off => ("off", String::new()),
            Signing::Kms(arn) => ("kms", arn),
            Signing::LocalKey(path) => ("local_key", path),
        };
        let uris: Vec<String> = settings.stack_outputs.iter().map(S3Uri::to_string).collect();
        SettingsFields {
            deployment: settings.deployment.to_string(),
            environment: Some(settings.environment.to_string()),
            evidence_bucket: settings.evidence_bucket.to_string(),
            registry_uri: settings.registry.to_string(),
            stack_outputs_uris: uris.join(","),
            cost_source: cost_source.to_owned(),
            billing_artifact_uri,
            signing: signing.to_owned(),
            signing_key,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn fields() -> Value {
        json!({
            "deployment": "dev-p1", "environment": "prod", "evidence_bucket": "evidence-bucket",
            "registry_uri": "s3://artifacts/registry.md", "stack_outputs_uris": "s3://artifacts/a.json,s3://artifacts/b.json",
            "cost_source": "cost_explorer", "billing_artifact_uri": "", "signing": "off", "signing_key": "",
        })
    }

    fn read(changes: &[(&str, &str)]) -> Result<Settings, InputError> {
        let mut fields = fields();
        for (name, value) in changes {
            fields[name] = json!(value);
        }
        serde_json::from_value::<SettingsFields>(fields).unwrap().try_into()
    }

    #[test]
    fn what_is_read_is_written_again() {
        let key = "arn:aws:kms:eu-west-2:123456789012:key/1";
        for changes in [
            &[][..],
            &[("stack_outputs_uris", "")],
            &[
                ("cost_source", "billing_artifact"),
                ("billing_artifact_uri", "s3://artifacts/billing.json"),
            ],
            &[("signing", "kms"), ("signing_key", key)],
            &[("signing", "local_key"), ("signing_key", "/keys/key.pem")],
        ] {
            let mut expected = fields();
            for (name, value) in changes {
                expected[name] = json!(value);
            }
            assert_eq!(serde_json::to_value(read(changes).unwrap()).unwrap(), expected);
        }
        let settings = read(&[]).unwrap();
        assert_eq!(settings.stack_outputs.len(), 2);
        assert_eq!(
            (settings.cost_source, settings.signing),
            (CostSource::CostExplorer, Signing::Off)
        );
    }

    #[test]
    fn evidence_of_revision_1_is_of_dev_full() {
        let mut earlier = fields();
        earlier.as_object_mut().unwrap().remove("environment");
        let settings: Settings = serde_json::from_value(earlier).unwrap();
        assert_eq!(settings.environment, Environment::default());
        assert_eq!(read(&[]).unwrap().environment.as_str(), "prod");
    }

    #[test]
    fn a_setting_that_does_not_fit_is_named() {
        for (changes, field) in [
            (&[("deployment", "")][..], "deployment"),
            (&[("deployment", "a b")], "deployment"),
            (&[("environment", "Prod")], "environment"),
            (&[("environment", "")], "environment"),
            (&[("evidence_bucket", "A")], "evidence_bucket"),
            (&[("registry_uri", "")], "registry_uri"),
            (&[("registry_uri", "${RegistryUri}")], "registry_uri"),
            (&[("stack_outputs_uris", "s3://a-bucket/b,c")], "stack_outputs_uris"),
            (&[("cost_source", "")], "cost_source"),
            (&[("cost_source", "billing_artifact")], "billing_artifact_uri"),
            (&[("signing", "")], "signing"),
            (&[("signing", "on"), ("signing_key", "k")], "signing"),
            (&[("signing", "kms")], "signing_key"),
            (&[("signing", "local_key")], "signing_key"),
        ] {
            assert_eq!(
                read(changes).unwrap_err().field,
                format!("settings.{field}"),
                "{changes:?}"
            );
        }
    }

    #[test]
    fn a_field_too_many_or_too_few_is_refused() {
        let mut more = fields();
        more["region"] = json!("eu-west-2");
        assert!(serde_json::from_value::<Settings>(more).is_err());
        let mut fewer = fields();
        fewer.as_object_mut().unwrap().remove("signing");
        assert!(serde_json::from_value::<Settings>(fewer).is_err());
    }
}
