//! The rules for a document, from the published specification of the Embedded Metric Format and its JSON schema. The tests check
//! the documents of this crate against them. If the two sources differ in a number, the stricter one is used.

use serde_json::{Map, Value};

/// The largest log event in bytes.
const MAX_BYTES: usize = 256 * 1024;
/// The largest number of metric definitions in a directive.
const MAX_METRICS: usize = 100;
/// The largest number of keys in a dimension set. The JSON schema allows nine; the API now accepts thirty.
const MAX_DIMENSIONS: usize = 9;

const UNITS: [&str; 27] = [
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
    "None",
];

/// Everything that is wrong with a line as a document of the format.
pub(super) fn problems(line: &str) -> Vec<String> {
    if line.len() > MAX_BYTES || line.contains('\n') {
        return vec!["the line is too long, or several".to_owned()];
    }
    match serde_json::from_str::<Value>(line) {
        Ok(Value::Object(root)) => Check::of(&root),
        Ok(_) => vec!["the root is no object".to_owned()],
        Err(error) => vec![format!("no JSON: {error}")],
    }
}

struct Check<'d> {
    root: &'d Map<String, Value>,
    problems: Vec<String>,
}

impl<'d> Check<'d> {
    fn of(root: &'d Map<String, Value>) -> Vec<String> {
        let mut check = Check {
            root,
            problems: Vec::new(),
        };
        check.metadata();
        check.problems
    }

    fn expect(&mut self, holds: bool, problem: impl Into<String>) {
        if !holds {
            self.problems.push(problem.into());
        }
    }

    fn metadata(&mut self) {
        let Some(Value::Object(metadata)) = self.root.get("_aws") else {
            return self.expect(false, "`_aws` is no object");
        };
        self.only(metadata, &["Timestamp", "CloudWatchMetrics"]);
        let is_integer = metadata.get("Timestamp").is_some_and(Value::is_u64);
        self.expect(is_integer, "`Timestamp` is no integer");
        let Some(Value::Array(directives)) = metadata.get("CloudWatchMetrics") else {
            return self.expect(false, "`CloudWatchMetrics` is no array");
        };
        for directive in directives {
            match directive {
                Value::Object(directive) => self.directive(directive),
                _ => self.expect(false, "a directive is no object"),
            }
        }
    }

    fn directive(&mut self, directive: &Map<String, Value>) {
        self.only(directive, &["Namespace", "Dimensions", "Metrics"]);
        self.name(directive.get("Namespace"), "Namespace");
        match directive.get("Dimensions") {
            Some(Value::Array(sets)) if !sets.is_empty() => sets.iter().for_each(|set| self.dimension_set(set)),
            _ => self.expect(false, "`Dimensions` has no set"),
        }
        let Some(Value::Array(metrics)) = directive.get("Metrics") else {
            return self.expect(false, "`Metrics` is no array");
        };
        self.expect(metrics.len() <= MAX_METRICS, "more metrics than a directive may have");
        for metric in metrics {
            match metric {
                Value::Object(metric) => self.definition(metric),
                _ => self.expect(false, "a metric is no object"),
            }
        }
    }

    fn dimension_set(&mut self, set: &Value) {
        let Value::Array(keys) = set else {
            return self.expect(false, "a dimension set is no array");
        };
        self.expect(
            keys.len() <= MAX_DIMENSIONS,
            "more dimensions than CloudWatch publishes by",
        );
        for key in keys {
            let Some(key) = self.name(Some(key), "dimension") else {
                continue;
            };
            let target = self.root.get(key).and_then(Value::as_str);
            let is_fit = target.is_some_and(|value| {
                (1..=1024).contains(&value.len())
                    && value.bytes().all(|byte| (b' '..=b'~').contains(&byte))
                    && !value.trim().is_empty()
                    && !value.starts_with(':')
            });
            self.expect(
                is_fit,
                format!("the dimension {key} has no value that CloudWatch takes"),
            );
        }
    }

    fn definition(&mut self, metric: &Map<String, Value>) {
        self.only(metric, &["Name", "Unit", "StorageResolution"]);
        let Some(name) = self.name(metric.get("Name"), "metric") else {
            return;
        };
        let is_numeric = match self.root.get(name) {
            Some(Value::Number(_)) => true,
            Some(Value::Array(values)) => values.len() <= 100 && values.iter().all(Value::is_number),
            _ => false,
        };
        self.expect(is_numeric, format!("the metric {name} has no number"));
        if let Some(unit) = metric.get("Unit") {
            let is_known = unit.as_str().is_some_and(|unit| UNITS.contains(&unit));
            self.expect(is_known, format!("{unit} is no unit"));
        }
    }

    /// A name of 1 to 255 characters.
    fn name<'v>(&mut self, value: Option<&'v Value>, what: &str) -> Option<&'v str> {
        let name = value.and_then(Value::as_str);
        let is_fit = name.is_some_and(|name| (1..=255).contains(&name.chars().count()));
        self.expect(is_fit, format!("the {what} has no name of 1 to 255 characters"));
        name.filter(|_| is_fit)
    }

    fn only(&mut self, object: &Map<String, Value>, members: &[&str]) {
        for member in object.keys() {
            let is_known = members.contains(&member.as_str());
            self.expect(is_known, format!("the specification knows no member {member}"));
        }
    }
}
