//! What `infra/template.yaml` says of the functions is what the functions do.

use p1_contract::step::Step;
use p1_runtime::metrics::{Dimension, Metric, NAMESPACE};

const TEMPLATE: &str = include_str!("../../infra/template.yaml");

fn metric(name: &str) -> Metric {
    let known = Metric::ALL.into_iter().find(|metric| metric.name() == name);
    known.unwrap_or_else(|| panic!("the functions publish no metric {name}"))
}

fn published_by(metric: Metric) -> Vec<Vec<&'static str>> {
    let names = |set: &&[Dimension]| set.iter().map(|dimension| dimension.name()).collect();
    metric.dimensions().iter().map(names).collect()
}

/// A dashboard over a metric that nobody publishes is empty, and nobody notices.
#[test]
fn the_dashboard_draws_metrics_that_the_functions_publish() {
    let mut drawn = 0;
    // A search: {namespace,dimension,…} MetricName=\"name\" …
    for search in TEMPLATE.split(&format!("{{{NAMESPACE},")).skip(1) {
        let (dimensions, rest) = search.split_once('}').unwrap();
        let name = rest
            .split("MetricName=\\\"")
            .nth(1)
            .unwrap()
            .split('\\')
            .next()
            .unwrap();
        let dimensions: Vec<&str> = dimensions.split(',').collect();
        assert!(
            published_by(metric(name)).contains(&dimensions),
            "{name} by {dimensions:?}"
        );
        drawn += 1;
    }
    // Lists: the first names the namespace and the dimension, those after it only the metric.
    for list in TEMPLATE.split(&format!("[\"{NAMESPACE}\", ")).skip(1) {
        let (list, _) = list.split_once("]}}").unwrap();
        for (at, entry) in list.split("[\".\", ").enumerate() {
            let mut words = entry.split('"').skip(1).step_by(2);
            let (name, dimension) = (words.next().unwrap(), words.next().unwrap());
            assert!(at > 0 || dimension == Dimension::Deployment.name(), "{dimension}");
            assert!(
                published_by(metric(name)).contains(&vec![Dimension::Deployment.name()]),
                "{name}"
            );
            drawn += 1;
        }
    }
    assert!(drawn >= 7, "the dashboard is not written as it was: {drawn}");
}

/// The connection of the init phase asks for a head below `m3a_`: a role that may not read there would be refused at every
/// start.
#[test]
fn every_role_reads_below_the_prefix_that_the_init_phase_asks_at() {
    for step in Step::ALL {
        let resource = format!("\n  M3{}Role:\n", &step.prefix()[2..]);
        let (_, role) = TEMPLATE
            .split_once(&resource)
            .unwrap_or_else(|| panic!("no {resource}"));
        let (role, _) = role.split_once("LogGroup:\n").unwrap();
        let (_, reads) = role.split_once("- Sid: ReadEvidence\n").unwrap();
        let (reads, _) = reads.split_once("- Sid: Publish\n").unwrap();
        assert!(reads.contains("s3:GetObject"), "{step}");
        let is_granted = ["m3a_*", "m3*"]
            .iter()
            .any(|prefix| reads.contains(&format!("/evidence/dev_full/run_control/{prefix}\n")));
        assert!(is_granted, "{step}: {reads}");
    }
    assert!(TEMPLATE.contains(
        "Action: s3:ListBucket\n            Resource: !Sub arn:${AWS::Partition}:s3:::${EvidenceBucketName}\n"
    ));
}
