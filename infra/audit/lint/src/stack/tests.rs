//! A stack as the template deploys it is clean, and each thing that is changed is named, with what to do.

use std::collections::BTreeMap;

use p1_contract::blocker::Blocker;
use serde_json::{Value, json};

use super::bucket::{PUBLIC_ACCESS, VERSIONING, WITH_KEY, WITHOUT_KEY};
use super::*;

const KEY: &str = "arn:aws:kms:eu-west-2:111122223333:key/1b2c";
const MACHINE: &str = "arn:aws:states:eu-west-2:111122223333:stateMachine:machine";

/// A change of what was learned.
type Change = fn(&mut Facts);

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

/// The policy that the guide tells an owner to fill in, filled in by hand.
fn policy() -> Value {
    let text = include_str!("../../../../../docs/evidence-bucket-policy.json")
        .replace("BREAK_GLASS_ROLE_ARN", "arn:aws:iam::111122223333:root")
        .replace("UPSTREAM_ROLE_ARN", "arn:aws:iam::111122223333:role/m2")
        .replace("ACCOUNT", "111122223333")
        .replace("PREFIX", "p1")
        .replace("BUCKET", "evidence-bucket")
        .replace("ENVIRONMENT", "dev_full");
    let mut policy: Value = serde_json::from_str(&text).unwrap();
    let statements = policy["Statement"].as_array_mut().unwrap();
    statements.retain(|statement| statement["Sid"] != "KeepSafeguards");
    policy
}

fn resource(name: &str, kind: &str, comparison: Option<Comparison>) -> Resource {
    Resource {
        name: name.to_owned(),
        kind: kind.to_owned(),
        physical: if name == "StateMachineVersion" {
            format!("{MACHINE}:7")
        } else {
            format!("its-{name}")
        },
        comparison: comparison.map(Asked::Answered),
    }
}

/// A stack as it was deployed.
fn facts() -> Facts {
    Facts {
        stack: "p1-stack".to_owned(),
        environment: "dev_full".parse().unwrap(),
        evidence_bucket: "evidence-bucket".parse().unwrap(),
        state_machine: MACHINE.parse().unwrap(),
        role: "arn:aws:iam::111122223333:role/orchestrator".to_owned(),
        outputs: texts(&[
            ("EvidenceRetentionMode", "GOVERNANCE"),
            ("EvidenceRetentionDays", "365"),
            ("EvidenceKeyArn", KEY),
        ]),
        parameters: Asked::Answered(texts(&[
            ("CreateEvidenceBucket", "true"),
            ("BreakGlassRoleArn", ""),
            ("DeploymentRoleArn", ""),
            ("UpstreamRoleArn", "arn:aws:iam::111122223333:role/m2"),
            ("LaterPhaseRoleArns", ""),
            ("FunctionNamePrefix", "p1"),
            ("RunJsonKeyPattern", "evidence/runs/{platform_run_id}/run.json"),
            ("RunHeaderFolderPattern", "evidence/runs/{platform_run_id}/run_pin/"),
        ])),
        bucket: Bucket {
            is_there: true,
            versioning: Asked::Answered(Some("Enabled".to_owned())),
            sends_events: Asked::Answered(true),
            policy: Asked::Answered(Some(policy().to_string())),
            lock: Asked::Answered(Some(Lock {
                mode: Some("GOVERNANCE".to_owned()),
                days: 365,
            })),
            encryption: Asked::Answered(Some(Encryption {
                algorithm: "aws:kms".to_owned(),
                key: Some(KEY.to_owned()),
            })),
            public_access: Asked::Answered(Some(PUBLIC_ACCESS.map(|name| (name, true)).into())),
        },
        machine: Asked::Answered(Some(Machine {
            status: "ACTIVE".to_owned(),
            role: "arn:aws:iam::111122223333:role/orchestrator".to_owned(),
        })),
        alias: Some(Alias {
            arn: format!("{MACHINE}:live"),
            routes: Asked::Answered(Some(vec![(format!("{MACHINE}:7"), 100)])),
        }),
        resources: Asked::Answered(vec![
            resource("StateMachineRole", "AWS::IAM::Role", Some(Comparison::Same)),
            resource("HandoffRule", "AWS::Events::Rule", Some(Comparison::Same)),
            resource("StateMachineVersion", "AWS::StepFunctions::StateMachineVersion", None),
        ]),
    }
}

fn changed(change: impl FnOnce(&mut Facts)) -> StackReport {
    let mut facts = facts();
    change(&mut facts);
    judge(&facts)
}

/// Expects nothing to be wrong after a change.
fn clean(change: impl FnOnce(&mut Facts)) {
    assert_eq!(changed(change), StackReport::new("p1-stack"));
}

/// Expects one finding after a change, which says what was seen and what to do.
fn only(rule: Rule, seen: &[&str], remedy: &[&str], change: impl FnOnce(&mut Facts)) -> StackFinding {
    let report = changed(change);
    let [finding] = report.findings.as_slice() else {
        panic!("{report:?}")
    };
    assert_eq!(
        (finding.rule, report.standing),
        (rule, StackStanding::Wrong),
        "{report:?}"
    );
    assert!(
        report.not_learned.is_empty() && report.not_judged.is_empty(),
        "{report:?}"
    );
    assert!(!finding.remedy.is_empty());
    for part in seen {
        assert!(finding.detail.contains(part), "{part}: {finding:?}");
    }
    for part in remedy {
        assert!(finding.remedy.contains(part), "{part}: {finding:?}");
    }
    finding.clone()
}

fn parameters(facts: &mut Facts) -> &mut BTreeMap<String, String> {
    match &mut facts.parameters {
        Asked::Answered(parameters) => parameters,
        Asked::NotLearned(_) => unreachable!(),
    }
}

fn resources(facts: &mut Facts) -> &mut Vec<Resource> {
    match &mut facts.resources {
        Asked::Answered(resources) => resources,
        Asked::NotLearned(_) => unreachable!(),
    }
}

fn set_policy(facts: &mut Facts, change: impl FnOnce(&mut Vec<Value>)) {
    let mut policy = policy();
    change(policy["Statement"].as_array_mut().unwrap());
    facts.bucket.policy = Asked::Answered(Some(policy.to_string()));
}

fn statement<'p>(statements: &'p mut [Value], sid: &str) -> &'p mut Value {
    statements.iter_mut().find(|statement| statement["Sid"] == sid).unwrap()
}

#[test]
fn a_stack_as_it_was_deployed_is_clean() {
    let report = judge(&facts());
    assert_eq!(report, StackReport::new("p1-stack"));
    assert_eq!(report.standing, StackStanding::AsDeployed);
}

#[test]
fn the_bucket_is_there() {
    let found = only(Rule::Bucket, &[], &[], |facts| {
        facts.bucket.is_there = false;
        facts.bucket.versioning = Asked::NotLearned("404 NoSuchBucket".to_owned());
    });
    assert_eq!(found.code, Some(Blocker::EvidenceBucketUnfit));
}

#[test]
fn versioning_is_on() {
    let remedy = ["put-bucket-versioning --bucket evidence-bucket", "Status=Enabled"];
    for (status, seen) in [(Some("Suspended"), "Suspended"), (None, "not enabled")] {
        let found = only(Rule::Versioning, &[seen], &remedy, |facts| {
            facts.bucket.versioning = Asked::Answered(status.map(str::to_owned));
        });
        assert_eq!(found.code, Some(Blocker::EvidenceBucketUnfit));
    }
}

#[test]
fn events_go_to_eventbridge() {
    let remedy = ["put-bucket-notification-configuration --bucket evidence-bucket"];
    let found = only(Rule::Events, &["no M2 receipt starts a run"], &remedy, |facts| {
        facts.bucket.sends_events = Asked::Answered(false);
    });
    assert_eq!(found.code, None);
}

#[test]
fn the_policy_has_every_statement_of_the_template() {
    let remedy = ["docs/evidence-bucket-policy.json", "put-bucket-policy"];
    only(Rule::Policy, &["no policy"], &remedy, |facts| {
        facts.bucket.policy = Asked::Answered(None);
    });
    let policy = |seen: &str, remedy: &[&str], change: fn(&mut Vec<Value>)| {
        only(Rule::Policy, &[seen], remedy, |facts| set_policy(facts, change));
    };
    let remedy = [
        "\"Sid\":\"KeepEvidence\"",
        "s3:BypassGovernanceRetention",
        "/evidence/dev_full/",
    ];
    policy("no statement KeepEvidence", &remedy, |all| {
        all.retain(|statement| statement["Sid"] != "KeepEvidence");
    });
    let weaker = "Ledgers of its policy is another: Condition arnnotequals aws:principalarn has \
                  arn:aws:iam::111122223333:role/somebody besides";
    policy(weaker, &["put-bucket-policy"], |all| {
        let roles = statement(all, "Ledgers").pointer_mut("/Condition/ArnNotEquals/aws:PrincipalArn");
        let somebody = json!("arn:aws:iam::111122223333:role/somebody");
        roles.unwrap().as_array_mut().unwrap().push(somebody);
    });
    let less = "Action lacks s3:bypassgovernanceretention, s3:deleteobjectversion";
    policy(less, &[], |all| {
        statement(all, "KeepEvidence")["Action"] = json!("s3:DeleteObject");
    });
    policy("Effect has Allow instead of Deny", &[], |all| {
        statement(all, "TlsOnly")["Effect"] = json!("Allow");
    });
}

#[test]
fn a_policy_that_means_the_same_is_the_same() {
    clean(|facts| {
        set_policy(facts, |all| {
            all.reverse();
            let tls = statement(all, "TlsOnly");
            tls["Principal"] = json!({"AWS": "*"});
            tls["Action"] = json!(["S3:*"]);
            tls["Condition"] = json!({"bool": {"AWS:SecureTransport": [false]}});
            statement(all, "NoCopies")["Sid"] = json!("Renamed");
            all.push(
                json!({"Sid": "Theirs", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999988887777:role/m4"},
                "Action": "s3:GetObject", "Resource": "arn:aws:s3:::evidence-bucket/*"}),
            );
        });
    });
}

#[test]
fn the_policy_is_the_one_of_the_parameters() {
    let role = "arn:aws-cn:iam::111122223333:role/";
    let of = |facts: &mut Facts| {
        facts.state_machine = MACHINE.replace("arn:aws:", "arn:aws-cn:").parse().unwrap();
        facts.environment = "prod".parse().unwrap();
        for (name, value) in [
            ("BreakGlassRoleArn", format!("{role}glass")),
            ("DeploymentRoleArn", format!("{role}deployer")),
            ("LaterPhaseRoleArns", format!("{role}m4,{role}m5")),
            ("FunctionNamePrefix", "other".to_owned()),
            (
                "RunJsonKeyPattern",
                "evidence/runs/{platform_run_id}/pins/the_run.json".to_owned(),
            ),
            (
                "RunHeaderFolderPattern",
                "evidence/runs/{platform_run_id}/headers/".to_owned(),
            ),
        ] {
            parameters(facts).insert(name.to_owned(), value);
        }
        let text = include_str!("../../../../../docs/evidence-bucket-policy.json")
            .replace("BREAK_GLASS_ROLE_ARN", &format!("{role}glass"))
            .replace("DEPLOYMENT_ROLE_ARN", &format!("{role}deployer"))
            .replace("UPSTREAM_ROLE_ARN", "arn:aws:iam::111122223333:role/m2")
            .replace(
                "arn:aws:iam::ACCOUNT:role/PREFIX",
                "arn:aws-cn:iam::111122223333:role/other",
            )
            .replace("arn:aws:s3:::BUCKET", "arn:aws-cn:s3:::evidence-bucket")
            .replace("ENVIRONMENT", "prod")
            .replace("runs/*/run.json", "runs/*/pins/the_run.json")
            .replace("runs/*/run_pin/*", "runs/*/headers/*");
        let mut policy: Value = serde_json::from_str(&text).unwrap();
        let runs = statement(policy["Statement"].as_array_mut().unwrap(), "Runs");
        let roles = runs.pointer_mut("/Condition/ArnNotEquals/aws:PrincipalArn").unwrap();
        roles
            .as_array_mut()
            .unwrap()
            .extend([json!(format!("{role}m4")), json!(format!("{role}m5"))]);
        facts.bucket.policy = Asked::Answered(Some(policy.to_string()));
    };
    clean(of);
    only(Rule::Policy, &["Runs", "m5 besides"], &[], |facts| {
        of(facts);
        parameters(facts).insert("LaterPhaseRoleArns".to_owned(), format!("{role}m4"));
    });
}

#[test]
fn evidence_is_locked_as_long_as_the_stack_says() {
    let lock = |mode: Option<&str>, days| {
        let mode = mode.map(str::to_owned);
        Some(Lock { mode, days })
    };
    let remedy = [
        "put-object-lock-configuration --bucket evidence-bucket",
        r#""Days":365"#,
    ];
    for (found, seen) in [
        (None, "no Object Lock"),
        (lock(None, 0), "no default retention"),
        (lock(Some("GOVERNANCE"), 364), "GOVERNANCE, 364 days"),
    ] {
        only(Rule::ObjectLock, &[seen], &remedy, |facts| {
            facts.bucket.lock = Asked::Answered(found);
        });
    }
    let (seen, remedy) = ("the stack says COMPLIANCE, 365 days", r#""Mode":"COMPLIANCE""#);
    only(Rule::ObjectLock, &[seen], &[remedy], |facts| {
        let mode = ("EvidenceRetentionMode".to_owned(), "COMPLIANCE".to_owned());
        facts.outputs.extend([mode]);
    });
    clean(|facts| facts.bucket.lock = Asked::Answered(lock(Some("COMPLIANCE"), 400)));
    // A bucket that is somebody else's has the retention that its owner wants.
    clean(|facts| {
        parameters(facts).insert("CreateEvidenceBucket".to_owned(), "false".to_owned());
        facts.bucket.lock = Asked::Answered(lock(Some("GOVERNANCE"), 30));
    });
}

#[test]
fn the_bucket_encrypts_with_the_key_that_the_steps_may_use() {
    let encryption = |algorithm: &str, key: Option<&str>| {
        Asked::Answered(Some(Encryption {
            algorithm: algorithm.to_owned(),
            key: key.map(str::to_owned),
        }))
    };
    let remedy = ["put-bucket-encryption --bucket evidence-bucket", KEY, "EvidenceKeyArn"];
    for found in [
        encryption("AES256", None),
        encryption("aws:kms", None),
        encryption("aws:kms", Some("arn:aws:kms:eu-west-2:111122223333:key/other")),
        Asked::Answered(None),
    ] {
        only(Rule::Encryption, &[KEY], &remedy, |facts| {
            facts.bucket.encryption = found;
        });
    }
    for same in [
        encryption("aws:kms", Some("1b2c")),
        encryption("aws:kms:dsse", Some(KEY)),
    ] {
        clean(|facts| facts.bucket.encryption = same);
    }
    let without = |found: Asked<Option<Encryption>>| {
        move |facts: &mut Facts| {
            facts.outputs.remove("EvidenceKeyArn");
            facts.bucket.encryption = found;
        }
    };
    clean(without(encryption("AES256", None)));
    let with_key = without(encryption("aws:kms", Some(KEY)));
    only(Rule::Encryption, &[KEY], &["AES256"], with_key);
}

#[test]
fn public_access_is_blocked_in_every_way() {
    let remedy = [
        "put-public-access-block --bucket evidence-bucket",
        "RestrictPublicBuckets=true",
    ];
    only(Rule::PublicAccess, &PUBLIC_ACCESS, &remedy, |facts| {
        facts.bucket.public_access = Asked::Answered(None);
    });
    for name in PUBLIC_ACCESS {
        let found = only(Rule::PublicAccess, &[], &[], |facts| {
            if let Asked::Answered(Some(settings)) = &mut facts.bucket.public_access {
                settings.insert(name, false);
            }
        });
        assert_eq!(found.detail, format!("{name} is not on"));
    }
}

#[test]
fn the_machine_is_there_and_runs_as_its_role() {
    let gone = only(Rule::Machine, &[], &[], |facts| facts.machine = Asked::Answered(None));
    assert_eq!(gone.code, Some(Blocker::OrchestratorUnavailable));
    let machine = |status: &str, role: &str| {
        Asked::Answered(Some(Machine {
            status: status.to_owned(),
            role: role.to_owned(),
        }))
    };
    only(Rule::Machine, &["DELETING"], &["deploy"], |facts| {
        facts.machine = machine("DELETING", &facts.role);
    });
    let remedy = ["--role-arn arn:aws:iam::111122223333:role/orchestrator"];
    let other = only(Rule::MachineRole, &["arn:aws:iam::1:role/x"], &remedy, |facts| {
        facts.machine = machine("ACTIVE", "arn:aws:iam::1:role/x");
    });
    assert_eq!(other.code, Some(Blocker::RoleMismatch));
}

#[test]
fn the_alias_leads_to_the_version_that_was_deployed() {
    let routes = |facts: &mut Facts, routes: Option<Vec<(&str, i32)>>| {
        let routes = routes.map(|all| all.into_iter().map(|(v, w)| (format!("{MACHINE}:{v}"), w)).collect());
        facts.alias.as_mut().unwrap().routes = Asked::Answered(routes);
    };
    let remedy = [
        "create-state-machine-alias --region eu-west-2 --name live",
        ":7,weight=100",
    ];
    only(Rule::Alias, &["no such alias"], &remedy, |facts| routes(facts, None));
    let remedy = ["update-state-machine-alias", ":live", ":7,weight=100"];
    for others in [vec![("6", 100)], vec![("7", 90), ("6", 10)]] {
        only(Rule::Alias, &["machine:6", "deployed"], &remedy, |facts| {
            routes(facts, Some(others));
        });
    }
    // The local platform has none.
    clean(|facts| facts.alias = None);
}

#[test]
fn resources_are_what_was_deployed() {
    let compared = |kind: &str, comparison: Comparison| {
        let own = resource("Some", kind, Some(comparison));
        move |facts: &mut Facts| resources(facts).push(own)
    };
    let differs = |path: &str, found: &str| {
        Comparison::Differs(vec![Difference {
            path: path.to_owned(),
            expected: "wanted".to_owned(),
            found: found.to_owned(),
        }])
    };
    let gone = compared("AWS::IAM::Role", Comparison::Gone);
    let gone = only(Rule::ResourceGone, &["not there"], &["Some"], gone);
    assert_eq!(gone.resource, "Some (AWS::IAM::Role its-Some)");
    let policy = compared("AWS::IAM::Role", differs("/Policies/0", &"x".repeat(1000)));
    let remedy = ["describe-stack-resource-drifts --region eu-west-2 --stack-name p1-stack"];
    let policy = only(Rule::ResourceDiffers, &["/Policies/0", "wanted", "x…"], &remedy, policy);
    assert!(policy.detail.len() < 500);
    let off = compared("AWS::Events::Rule", differs("/State", "DISABLED"));
    let remedy = ["aws events enable-rule --region eu-west-2 --name its-Some"];
    only(Rule::ResourceDiffers, &["DISABLED"], &remedy, off);
}

#[test]
fn what_is_not_learned_is_never_taken_for_right() {
    fn denied<T>() -> Asked<T> {
        Asked::NotLearned("403 AccessDenied".to_owned())
    }
    let changes: [(Change, usize); 11] = [
        (|facts| facts.bucket.versioning = denied(), 1),
        (|facts| facts.bucket.sends_events = denied(), 1),
        (|facts| facts.bucket.policy = denied(), 1),
        (|facts| facts.bucket.lock = denied(), 1),
        (|facts| facts.bucket.encryption = denied(), 1),
        (|facts| facts.bucket.public_access = denied(), 1),
        (|facts| facts.parameters = denied(), 1),
        (|facts| facts.machine = denied(), 1),
        (|facts| facts.alias.as_mut().unwrap().routes = denied(), 1),
        // The alias too: which version it is to lead to is a resource of the stack.
        (|facts| facts.resources = denied(), 2),
        (|facts| resources(facts)[0].comparison = Some(denied()), 1),
    ];
    for (at, (change, count)) in changes.into_iter().enumerate() {
        let report = changed(change);
        let said = (report.standing, report.findings.len(), report.not_learned.len());
        assert_eq!(said, (StackStanding::NotLearned, 0, count), "{at}: {report:?}");
        for open in &report.not_learned {
            let is_said = open.why.contains("AccessDenied") && !open.question.is_empty();
            assert!(is_said, "{at}: {open:?}");
        }
    }
    // Something that is known to be wrong is said first.
    let both = changed(|facts| {
        facts.bucket.versioning = Asked::Answered(None);
        facts.bucket.policy = denied();
    });
    assert_eq!((both.standing, both.not_learned.len()), (StackStanding::Wrong, 1));
    // A policy that cannot be read, and a stack of another template.
    for change in [
        (|facts: &mut Facts| facts.bucket.policy = Asked::Answered(Some("no".to_owned()))) as Change,
        |facts| drop(parameters(facts).remove("RunJsonKeyPattern")),
    ] {
        assert_eq!(changed(change).standing, StackStanding::NotLearned);
    }
}

#[test]
fn what_is_not_the_stacks_own_is_named() {
    let role = changed(|facts| resources(facts).retain(|resource| resource.name != "StateMachineRole"));
    assert_eq!(role.standing, StackStanding::AsDeployed);
    assert!(role.not_judged[0].contains("role/orchestrator"), "{role:?}");
    let upstream = changed(|facts| {
        parameters(facts).insert("UpstreamRoleArn".to_owned(), String::new());
        set_policy(facts, |all| {
            all.retain(|statement| statement["Sid"] != "ReceiptsOfUpstream");
        });
    });
    assert_eq!(upstream.standing, StackStanding::AsDeployed);
    assert!(upstream.not_judged[0].contains("UpstreamRoleArn"), "{upstream:?}");
}

/// What is written here of the template is in the template.
#[test]
fn the_template_makes_what_is_expected() {
    let template = include_str!("../../../../template.yaml");
    let (_, bucket) = template.split_once("\n  EvidenceBucket:\n").unwrap();
    let (bucket, _) = bucket.split_once("\n  EvidenceBucketPolicy:\n").unwrap();
    for part in [
        format!("VersioningConfiguration:\n        Status: {VERSIONING}\n"),
        "EventBridgeConfiguration:\n          EventBridgeEnabled: true".to_owned(),
        format!("SSEAlgorithm: {WITH_KEY}\n"),
        "Mode: !Ref EvidenceRetentionMode\n            Days: !Ref EvidenceRetentionDays\n".to_owned(),
    ] {
        assert!(bucket.contains(&part), "{part}");
    }
    let (_, settings) = bucket.split_once("PublicAccessBlockConfiguration:").unwrap();
    let mut settings: Vec<&str> = settings.lines().skip(1).take(4).map(str::trim).collect();
    settings.sort_unstable();
    let mut all = PUBLIC_ACCESS.map(|name| format!("{name}: true"));
    all.sort();
    assert_eq!(settings, all);
    assert!(template.contains(&format!("SSEAlgorithm: {WITHOUT_KEY}\n")));
    for name in ["StateMachineVersion", "StateMachineRole", "HandoffRule"] {
        assert!(template.contains(&format!("\n  {name}:\n    Type: AWS::")), "{name}");
    }
    for kind in COMPARED
        .into_iter()
        .filter(|kind| *kind != "AWS::StepFunctions::StateMachine")
    {
        assert!(template.contains(&format!("    Type: {kind}\n")), "{kind}");
    }
}
