//! The bucket's policy beside the one of the template, statement by statement.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::facts::Facts;
use super::report::{Rule, StackReport};

/// The policy of `infra/template.yaml` for the owner of a bucket that exists. A test of the template compares the two.
const TEMPLATE: &str = include_str!("../../../../../docs/evidence-bucket-policy.json");
/// The statement that the template has only with a deployment role.
const WITH_DEPLOYMENT_ROLE: &str = "KeepSafeguards";
/// The statement that lets nobody but the upstream phase's role write receipts.
const OF_UPSTREAM: &str = "ReceiptsOfUpstream";
/// The statement that lets the roles of later phases write.
const OF_LATER_PHASES: &str = "Runs";

pub(super) fn judge(facts: &Facts, report: &mut StackReport) {
    let bucket = facts.evidence_bucket.as_str();
    const QUESTION: &str = "whether the bucket's policy denies what the template's does";
    let Some(found) = report.learned(&facts.bucket.policy, QUESTION, bucket) else {
        return;
    };
    let Some(parameters) = report.learned(&facts.parameters, QUESTION, bucket) else {
        return;
    };
    let expected = match expected(facts, parameters) {
        Ok(expected) => expected,
        Err(why) => return report.not_learned(QUESTION, bucket, &why),
    };
    let put = |statement: &str| {
        format!(
            "put the statement into the policy that `aws s3api get-bucket-policy --bucket {bucket} --query Policy --output text` prints, \
             then `aws s3api put-bucket-policy --bucket {bucket} --policy file://policy.json`: {statement}"
        )
    };
    let found: Vec<Value> = match found.as_deref().map(serde_json::from_str::<Value>) {
        None => {
            return report.wrong(
                Rule::Policy,
                bucket,
                "it has no policy: whoever IAM allows to may overwrite and delete evidence",
                format!(
                    "fill in docs/evidence-bucket-policy.json (docs/deploy.md says how), then `aws s3api put-bucket-policy --bucket \
                     {bucket} --policy file://policy.json`"
                ),
            );
        }
        Some(Err(error)) => return report.not_learned(QUESTION, bucket, &format!("the policy is no JSON: {error}")),
        Some(Ok(document)) => match &document["Statement"] {
            Value::Array(statements) => statements.clone(),
            Value::Null => Vec::new(),
            one => vec![one.clone()],
        },
    };
    if parameters.get("UpstreamRoleArn").is_some_and(String::is_empty) {
        report.not_judged.push(format!(
            "who may write M2 receipts into {bucket}: the parameter UpstreamRoleArn is empty, so the statement {OF_UPSTREAM} is not compared"
        ));
    }
    for statement in &expected {
        let wanted = Statement::of(statement);
        if found.iter().any(|found| Statement::of(found) == wanted) {
            continue;
        }
        let sid = statement["Sid"].as_str().unwrap_or_default();
        let detail = match found.iter().find(|found| found["Sid"] == statement["Sid"]) {
            None => format!("its policy has no statement {sid}"),
            Some(found) => format!(
                "the statement {sid} of its policy is another: {}",
                wanted.beside(&Statement::of(found)).join("; ")
            ),
        };
        report.wrong(Rule::Policy, bucket, detail, put(&statement.to_string()));
    }
}

/// The statements that the stack's parameters make of the template.
fn expected(facts: &Facts, parameters: &BTreeMap<String, String>) -> Result<Vec<Value>, String> {
    let parameter = |name: &str| {
        let value = parameters.get(name).map(String::as_str);
        value.ok_or_else(|| {
            format!("the stack has no parameter {name}: it was not deployed from infra/template.yaml of this version")
        })
    };
    let (machine, bucket) = (&facts.state_machine, facts.evidence_bucket.as_str());
    let root = format!("arn:{}:iam::{}:root", machine.partition(), machine.account());
    let break_glass = match parameter("BreakGlassRoleArn")? {
        "" => root.as_str(),
        role => role,
    };
    let deployer = parameter("DeploymentRoleArn")?;
    let places = [
        ("BREAK_GLASS_ROLE_ARN", break_glass),
        ("DEPLOYMENT_ROLE_ARN", deployer),
        ("UPSTREAM_ROLE_ARN", parameter("UpstreamRoleArn")?),
        (
            "arn:aws:iam::ACCOUNT:",
            &format!("arn:{}:iam::{}:", machine.partition(), machine.account()),
        ),
        (
            "arn:aws:s3:::BUCKET",
            &format!("arn:{}:s3:::{bucket}", machine.partition()),
        ),
        ("/ENVIRONMENT/", &format!("/{}/", facts.environment)),
        ("role/PREFIX-", &format!("role/{}-", parameter("FunctionNamePrefix")?)),
        ("evidence/runs/*/run.json", &any_run(parameter("RunJsonKeyPattern")?)),
        (
            "evidence/runs/*/run_pin/*",
            &format!("{}*", any_run(parameter("RunHeaderFolderPattern")?)),
        ),
    ];
    let mut document: Value = serde_json::from_str(TEMPLATE)
        .map_err(|error| format!("docs/evidence-bucket-policy.json is no JSON: {error}"))?;
    fill(&mut document, &places);
    let Value::Array(mut statements) = document["Statement"].take() else {
        return Err("docs/evidence-bucket-policy.json has no statements".to_owned());
    };
    if deployer.is_empty() {
        statements.retain(|statement| statement["Sid"] != WITH_DEPLOYMENT_ROLE);
    }
    if parameter("UpstreamRoleArn")?.is_empty() {
        statements.retain(|statement| statement["Sid"] != OF_UPSTREAM);
    }
    let later = parameter("LaterPhaseRoleArns")?
        .split(',')
        .map(str::trim)
        .filter(|role| !role.is_empty());
    let runs = statements
        .iter_mut()
        .find(|statement| statement["Sid"] == OF_LATER_PHASES);
    if let Some(Value::Array(roles)) =
        runs.and_then(|runs| runs.pointer_mut("/Condition/ArnNotEquals/aws:PrincipalArn"))
    {
        roles.extend(later.map(Value::from));
    }
    Ok(statements)
}

/// A key of the registry for any run.
fn any_run(pattern: &str) -> String {
    pattern.replace("{platform_run_id}", "*")
}

/// Fills in every text of a document.
fn fill(value: &mut Value, places: &[(&str, &str)]) {
    match value {
        Value::String(text) => {
            for (place, filled) in places {
                *text = text.replace(place, filled);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| fill(value, places)),
        Value::Object(fields) => fields.values_mut().for_each(|value| fill(value, places)),
        _ => {}
    }
}

/// What a statement means, whatever the order of its lists, the case of its actions and the form of its values.
#[derive(Debug, PartialEq, Eq)]
struct Statement(BTreeMap<String, BTreeSet<String>>);

impl Statement {
    fn of(statement: &Value) -> Self {
        let mut parts = BTreeMap::new();
        for (name, value) in statement.as_object().into_iter().flatten() {
            match name.as_str() {
                "Sid" => {}
                "Condition" => {
                    for (operator, keys) in value.as_object().into_iter().flatten() {
                        for (key, values) in keys.as_object().into_iter().flatten() {
                            // Both names are without case; the values are not.
                            let name = format!("Condition {} {}", operator.to_lowercase(), key.to_lowercase());
                            parts.insert(name, texts(values));
                        }
                    }
                }
                "Action" | "NotAction" => {
                    let actions = texts(value).into_iter().map(|action| action.to_lowercase());
                    parts.insert(name.clone(), actions.collect());
                }
                "Principal" if *value == serde_json::json!({"AWS": "*"}) => {
                    parts.insert(name.clone(), BTreeSet::from(["*".to_owned()]));
                }
                _ => {
                    parts.insert(name.clone(), texts(value));
                }
            }
        }
        Statement(parts)
    }

    /// How another statement differs from this one, part by part.
    fn beside(&self, found: &Statement) -> Vec<String> {
        let names: BTreeSet<&String> = self.0.keys().chain(found.0.keys()).collect();
        let none = BTreeSet::new();
        let mut said = Vec::new();
        for name in names {
            let (wanted, there) = (self.0.get(name).unwrap_or(&none), found.0.get(name).unwrap_or(&none));
            let list = |values: Vec<&String>| values.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            let missing = list(wanted.difference(there).collect());
            let more = list(there.difference(wanted).collect());
            match (missing.is_empty(), more.is_empty()) {
                (true, true) => {}
                (false, true) => said.push(format!("{name} lacks {missing}")),
                (true, false) => said.push(format!("{name} has {more} besides")),
                (false, false) => said.push(format!("{name} has {more} instead of {missing}")),
            }
        }
        said
    }
}

/// One value, or several, as texts. AWS keeps `true` and `"true"` alike.
fn texts(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::String(text) => BTreeSet::from([text.clone()]),
        other => BTreeSet::from([other.to_string()]),
    }
}
