//! The report as SARIF 2.1.0, the format in which code hosts show findings in place.

use std::collections::BTreeMap;

use p1_contract::blocker::{Blocker, Severity};
use serde::Serialize;

use crate::report::{Found, Report};
use crate::stack::{self, StackFinding, StackReport};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Log<'r> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'r>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'r> {
    tool: Tool,
    invocations: [Invocation; 1],
    column_kind: &'static str,
    results: Vec<Outcome<'r>>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    name: String,
    short_description: Text<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<Text<&'static str>>,
    default_configuration: Configuration,
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<RuleProperties>,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RuleProperties {
    step: &'static str,
    severity: Severity,
    phase_code: &'static str,
}

#[derive(Serialize)]
struct Text<T> {
    text: T,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_execution_notifications: Vec<Notification>,
}

#[derive(Serialize)]
struct Notification {
    level: &'static str,
    message: Text<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'r> {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Text<String>,
    locations: [Location; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location>,
    partial_fingerprints: BTreeMap<&'static str, String>,
    properties: OutcomeProperties<'r>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutcomeProperties<'r> {
    subject: &'r str,
    /// Whether a run would be held by it today, and not only once the earlier findings are mended. Of a stack's findings, no step
    /// need see any.
    #[serde(skip_serializing_if = "Option::is_none")]
    holds_first: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    physical_location: Option<PhysicalLocation>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logical_locations: Vec<LogicalLocation>,
}

/// A resource: it stands in no document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    fully_qualified_name: String,
    kind: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Serialize)]
struct ArtifactLocation {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
}

/// The reports as one SARIF log: of the documents, and of a deployed stack. Names of documents become relative URIs; one that is
/// absolute becomes a `file:` URI.
///
/// # Errors
/// Fails if the log cannot be written as JSON: a defect of P1.
pub fn sarif(report: Option<&Report>, stack: Option<&StackReport>) -> Result<String, serde_json::Error> {
    let holds = report.map(|report| report.holds.as_slice()).unwrap_or_default();
    let mut used: Vec<Blocker> = holds.iter().flat_map(|hold| hold.codes.iter().copied()).collect();
    used.sort();
    used.dedup();
    let wrong = stack.map(|stack| stack.findings.as_slice()).unwrap_or_default();
    let mut broken: Vec<stack::Rule> = wrong.iter().map(|finding| finding.rule).collect();
    broken.sort();
    broken.dedup();
    let registry = report.map(|report| report.registry.as_str()).unwrap_or_default();
    let of_documents = holds.iter().enumerate().flat_map(|(round, hold)| {
        let result = |found| outcome(found, round == 0, registry, &used);
        hold.findings.iter().map(result).collect::<Vec<_>>()
    });
    let of_stack = wrong.iter().map(|finding| {
        let at = broken.iter().position(|rule| *rule == finding.rule);
        of_resource(finding, used.len() + at.unwrap_or_default())
    });
    let not_learned = stack.into_iter().flat_map(|stack| &stack.not_learned);
    let notifications: Vec<Notification> = report
        .and_then(|report| report.no_verdict.as_ref())
        .map(|none| none.error.clone())
        .into_iter()
        .chain(not_learned.map(|open| format!("{}: not learned {}: {}", open.resource, open.question, open.why)))
        .map(|text| Notification {
            level: "error",
            message: Text { text },
        })
        .collect();
    let log = Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "p1-lint",
                    semantic_version: env!("CARGO_PKG_VERSION"),
                    rules: used
                        .iter()
                        .copied()
                        .map(rule)
                        .chain(broken.iter().copied().map(stack_rule))
                        .collect(),
                },
            },
            invocations: [Invocation {
                execution_successful: notifications.is_empty(),
                tool_execution_notifications: notifications,
            }],
            column_kind: "unicodeCodePoints",
            results: of_documents.chain(of_stack).collect(),
        }],
    };
    serde_json::to_string(&log)
}

fn stack_rule(rule: stack::Rule) -> Rule {
    Rule {
        id: rule.name(),
        name: format!("{rule:?}"),
        short_description: Text { text: rule.says() },
        help: None,
        default_configuration: Configuration { level: "error" },
        properties: None,
    }
}

fn of_resource(finding: &StackFinding, rule_index: usize) -> Outcome<'_> {
    let StackFinding { rule, resource, .. } = finding;
    Outcome {
        rule_id: rule.name(),
        rule_index,
        level: "error",
        message: Text {
            text: format!("{resource}: {}. To mend it: {}.", finding.detail, finding.remedy),
        },
        locations: [Location {
            physical_location: None,
            logical_locations: vec![LogicalLocation {
                fully_qualified_name: resource.clone(),
                kind: "resource",
            }],
        }],
        related_locations: Vec::new(),
        partial_fingerprints: BTreeMap::from([(
            "ruleAndResource/v1",
            format!("{}:{resource}:{}", rule.name(), finding.detail),
        )]),
        properties: OutcomeProperties {
            subject: resource,
            holds_first: None,
        },
    }
}

fn rule(code: Blocker) -> Rule {
    Rule {
        id: code.code(),
        name: format!("{code:?}"),
        short_description: Text { text: code.rule() },
        help: Some(Text { text: code.remedy() }),
        default_configuration: Configuration { level: "error" },
        properties: Some(RuleProperties {
            step: code.step().id(),
            severity: code.severity(),
            phase_code: code.phase_code(),
        }),
    }
}

fn outcome<'r>(found: &'r Found, holds_first: bool, registry: &str, used: &[Blocker]) -> Outcome<'r> {
    // Every result needs a place: a handle that is declared nowhere is missing in the registry.
    let document = found.document.as_deref().unwrap_or(registry);
    let location = |line: usize| Location {
        physical_location: Some(PhysicalLocation {
            artifact_location: ArtifactLocation { uri: uri(document) },
            region: Region { start_line: line },
        }),
        logical_locations: Vec::new(),
    };
    let Found { code, subject, .. } = found;
    Outcome {
        rule_id: code.code(),
        rule_index: used.iter().position(|known| known == code).unwrap_or_default(),
        level: "error",
        message: Text {
            text: format!("{subject}: {}. To mend it: {}.", found.detail, found.remedy),
        },
        locations: [location(found.line.unwrap_or(1))],
        related_locations: found.other_lines.iter().copied().map(location).collect(),
        partial_fingerprints: BTreeMap::from([("codeAndSubject/v1", format!("{code}:{subject}"))]),
        properties: OutcomeProperties {
            subject,
            holds_first: Some(holds_first),
        },
    }
}

/// A path as a URI reference: every byte that has a meaning in one is escaped.
fn uri(path: &str) -> String {
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.trim_start_matches("./").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    #[test]
    fn paths_become_uri_references() {
        for (path, uri) in [
            ("./docs/a b.md", "docs/a%20b.md"),
            ("a:b#c?.md", "a%3Ab%23c%3F.md"),
            ("/x/é", "file:///x/%C3%A9"),
        ] {
            assert_eq!(super::uri(path), uri);
        }
    }
}
