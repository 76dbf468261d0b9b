//! The outputs of a deployed stack in the form of `terraform output -json`, so that Terraform and M3.A can read them (contract
//! section 5).

use std::collections::BTreeMap;

use p1_audit::text;
use p1_contract::canonical::to_document;
use serde_json::{Map, Value, json};

use crate::exit::CliError;

/// The outputs of `infra/template.yaml` that are values of handles. Readers of the document compare an output with the handle of
/// its upper-cased name.
const HANDLES: [(&str, &[&str]); 6] = [
    ("ArtifactsBucket", &["S3_ARTIFACTS_BUCKET"]),
    ("EvidenceBucket", &["S3_EVIDENCE_BUCKET"]),
    ("ObjectStoreBucket", &["ORACLE_STORE_BUCKET", "S3_OBJECT_STORE_BUCKET"]),
    ("Region", &["AWS_REGION"]),
    ("StateMachineName", &["SFN_PLATFORM_RUN_ORCHESTRATOR_V0"]),
    ("StateMachineRoleArn", &["ROLE_STEP_FUNCTIONS_ORCHESTRATOR"]),
];

/// The template writes this word instead of an empty output, which CloudFormation does not accept.
const EMPTY: &str = "none";

/// The document as canonical JSON. An output that is the value of handles has their names; every other output has its own name in
/// snake case.
///
/// # Errors
/// Returns a fault if two outputs have the same name, or if a value cannot be written.
pub fn document(outputs: &BTreeMap<String, String>) -> Result<Vec<u8>, CliError> {
    let mut document = Map::new();
    for (key, value) in outputs {
        let value = if value == EMPTY { "" } else { value };
        for name in names(key) {
            let output = json!({"sensitive": false, "type": "string", "value": value});
            if document.insert(name.clone(), output).is_some() {
                return Err(CliError::fault(format!(
                    "two outputs of the stack have the name {}; rename one of them in infra/template.yaml",
                    text::clean(&name)
                )));
            }
        }
    }
    to_document(&Value::Object(document)).map_err(|error| CliError::failed("write the stack's outputs as JSON", &error))
}

fn names(key: &str) -> Vec<String> {
    match HANDLES.iter().find(|(output, _)| *output == key) {
        Some((_, handles)) => handles.iter().map(|handle| handle.to_ascii_lowercase()).collect(),
        None => vec![snake_case(key)],
    }
}

/// `HandoffDeadLettersUrl` → `handoff_dead_letters_url`, `KMSKeyArn` → `kms_key_arn`.
fn snake_case(key: &str) -> String {
    let letters: Vec<char> = key.chars().collect();
    let mut name = String::with_capacity(key.len() + 4);
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| letters.get(at));
        let after = letters.get(at + 1);
        let begins_word = before.is_some_and(|before| {
            !before.is_ascii_uppercase() || after.is_some_and(|after| after.is_ascii_lowercase())
        });
        if letter.is_ascii_uppercase() && begins_word {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use p1_contract::registry;

    use super::*;
    use crate::drive::target::tests::target;
    use p1_local::sample;

    fn outputs(given: &[(&str, &str)]) -> BTreeMap<String, String> {
        given
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn the_document_is_what_terraform_would_write_in_canonical_bytes() {
        let given = [
            ("StateMachineArn", "arn:a"),
            ("EvidenceBucket", "b"),
            ("BillingArtifactUri", "none"),
        ];
        let bytes = document(&outputs(&given)).unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            concat!(
                r#"{"billing_artifact_uri":{"sensitive":false,"type":"string","value":""},"#,
                r#""s3_evidence_bucket":{"sensitive":false,"type":"string","value":"b"},"#,
                r#""state_machine_arn":{"sensitive":false,"type":"string","value":"arn:a"}}"#,
                "\n"
            )
        );
    }

    #[test]
    fn names_are_snake_case() {
        for (key, name) in [
            ("HandoffDeadLettersUrl", "handoff_dead_letters_url"),
            ("KMSKeyArn", "kms_key_arn"),
            ("M3aFunctionArn", "m3a_function_arn"),
            ("StartArn", "start_arn"),
            ("ArnOfKMS", "arn_of_kms"),
        ] {
            assert_eq!(snake_case(key), name);
        }
    }

    #[test]
    fn two_outputs_of_one_name_are_refused() {
        let error = document(&outputs(&[("EvidenceBucket", "b"), ("S3EvidenceBucket", "c")])).unwrap_err();
        assert!(error.to_string().contains("s3_evidence_bucket"), "{error}");
    }

    /// Without this test, a renamed output would silently no longer be compared with its handle.
    #[test]
    fn the_template_has_every_output_that_is_a_handles_value() {
        let template = include_str!("../../../template.yaml");
        let (_, declared) = template.split_once("\nOutputs:\n").unwrap();
        for (output, _) in HANDLES {
            assert!(
                declared.contains(&format!("\n  {output}:\n")) || declared.starts_with(&format!("  {output}:\n")),
                "{output}"
            );
        }
    }

    #[test]
    fn the_sample_registry_has_the_values_of_the_sample_stack() {
        let target = target(true);
        let registry = registry::parse(&sample::registry(&target.names)).unwrap();
        let own: Value = serde_json::from_slice(&target.own_outputs).unwrap();
        for handle in HANDLES.iter().flat_map(|(_, handles)| *handles) {
            let value = registry.get(handle).value().unwrap().to_json();
            assert_eq!(own[handle.to_ascii_lowercase()]["value"], value, "{handle}");
        }
    }
}
