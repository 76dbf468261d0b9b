//! One document of the Embedded Metric Format: metadata that says which members are metrics, and the members.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{Dimension, Metric, NAMESPACE};

/// A document, which is one line of the log. It is built member by member, so every dimension and metric is always a member.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    timestamp: u64,
    metrics: Vec<Metric>,
    members: BTreeMap<&'static str, Value>,
}

/// The `_aws` member.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    timestamp: u64,
    #[serde(rename = "CloudWatchMetrics")]
    directives: Vec<Directive>,
}

/// Metrics that share their sets of dimensions.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: &'static str,
    dimensions: Vec<Vec<&'static str>>,
    metrics: Vec<Definition>,
}

/// One metric: the member that holds its value, and the unit.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: &'static str,
    unit: &'static str,
}

impl Document {
    /// A document without metrics. `timestamp` is in milliseconds since 1970-01-01 UTC.
    pub(super) fn at(timestamp: u64) -> Self {
        Document {
            timestamp,
            metrics: Vec::new(),
            members: BTreeMap::new(),
        }
    }

    /// Adds the value of a dimension.
    pub(super) fn dimension(self, dimension: Dimension, value: &str) -> Self {
        self.member(dimension.name(), value)
    }

    /// Adds the value of a metric.
    pub(super) fn metric(mut self, metric: Metric, value: u64) -> Self {
        self.metrics.push(metric);
        self.members.insert(metric.name(), Value::from(value));
        self
    }

    /// Adds a member that is neither. Logs Insights finds it, and CloudWatch ignores it.
    pub(super) fn member(mut self, name: &'static str, value: &str) -> Self {
        self.members.insert(name, Value::from(value));
        self
    }

    fn directives(&self) -> Vec<Directive> {
        let mut directives: Vec<Directive> = Vec::new();
        for metric in &self.metrics {
            let named = |set: &&[Dimension]| set.iter().map(|dimension| dimension.name()).collect();
            let dimensions: Vec<Vec<&str>> = metric.dimensions().iter().map(named).collect();
            let definition = Definition {
                name: metric.name(),
                unit: metric.unit(),
            };
            match directives
                .iter_mut()
                .find(|directive| directive.dimensions == dimensions)
            {
                Some(directive) => directive.metrics.push(definition),
                None => directives.push(Directive {
                    namespace: NAMESPACE,
                    dimensions,
                    metrics: vec![definition],
                }),
            }
        }
        directives
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let metadata = Metadata {
            timestamp: self.timestamp,
            directives: self.directives(),
        };
        let mut map = serializer.serialize_map(Some(self.members.len() + 1))?;
        map.serialize_entry("_aws", &metadata)?;
        for (name, value) in &self.members {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
