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

/// The one finding after a change: what was seen, and what to do.
fn only(rule: Rule, change: impl FnOnce(&mut Facts)) -> StackFinding {
    let report = changed(change);
    let [finding] = report.findings.as_slice() else {
        panic!("{report:?}")
    };
    assert_eq!(
        (finding.rule, report.standing),
        (rule, StackStanding::Wrong),
        "{report:?}"
    );
    assert_eq!(
        (&report.not_learned, &report.not_judged),
        (&vec![], &vec![]),
        "{report:?}"
    );
    assert!(!finding.remedy.is_empty());
    finding.clone()
}

fn says(finding: &StackFinding, detail: &[&str], remedy: &[&str]) {
    for part in detail {
        assert!(finding.detail.contains(part), "{part}: {finding:?}");
    }
    for part in remedy {
        assert!(finding.remedy.contains(part), "{part}: {finding:?}");
    }
}

fn parameters(facts: &mut Facts) -> &mut BTreeMap<String, String> {
    match &mut facts.parameters {
        Asked::Answered(parameters) => parameters,
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
    let found = only(Rule::Bucket, |facts| {
        facts.bucket.is_there = false;
        facts.bucket.versioning = Asked::NotLearned("404 NoSuchBucket".to_owned());
    });
    assert_eq!(found.code, Some(Blocker::EvidenceBucketUnfit));
}

#[test]
fn versioning_is_on() {
    for (status, seen) in [(Some("Suspended"), "Suspended"), (None, "not enabled")] {
        let found = only(Rule::Versioning, |facts| {
            facts.bucket.versioning = Asked::Answered(status.map(str::to_owned));
        });
        assert_eq!(found.code, Some(Blocker::EvidenceBucketUnfit));
        says(
            &found,
            &[seen],
            &["put-bucket-versioning --bucket evidence-bucket", "Status=Enabled"],
        );
    }
}

#[test]
fn events_go_to_eventbridge() {
    let found = only(Rule::Events, |facts| facts.bucket.sends_events = Asked::Answered(false));
    assert_eq!(found.code, None);
    says(
        &found,
        &["no M2 receipt starts a run"],
        &["put-bucket-notification-configuration --bucket evidence-bucket"],
    );
}

#[test]
fn the_policy_has_every_statement_of_the_template() {
    let none = only(Rule::Policy, |facts| facts.bucket.policy = Asked::Answered(None));
    says(
        &none,
        &["no policy"],
        &["docs/evidence-bucket-policy.json", "put-bucket-policy"],
    );
    let missing = only(Rule::Policy, |facts| {
        set_policy(facts, |all| all.retain(|statement| statement["Sid"] != "KeepEvidence"));
    });
    says(
        &missing,
        &["no statement KeepEvidence"],
        &[
            "\"Sid\":\"KeepEvidence\"",
            "s3:BypassGovernanceRetention",
            "/evidence/dev_full/",
        ],
    );
    let weaker = only(Rule::Policy, |facts| {
        set_policy(facts, |all| {
            let ledgers = statement(all, "Ledgers");
            let roles = ledgers.pointer_mut("/Condition/ArnNotEquals/aws:PrincipalArn").unwrap();
            roles
                .as_array_mut()
                .unwrap()
                .push(json!("arn:aws:iam::111122223333:role/somebody"));
        });
    });
    says(
        &weaker,
        &[
            "Ledgers",
            "aws:principalarn has arn:aws:iam::111122223333:role/somebody besides",
        ],
        &["put-bucket-policy"],
    );
    let less = only(Rule::Policy, |facts| {
        set_policy(facts, |all| {
            statement(all, "KeepEvidence")["Action"] = json!("s3:DeleteObject");
        });
    });
    says(
        &less,
        &["Action lacks s3:bypassgovernanceretention, s3:deleteobjectversion"],
        &[],
    );
    let allows = only(Rule::Policy, |facts| {
        set_policy(facts, |all| statement(all, "TlsOnly")["Effect"] = json!("Allow"));
    });
    says(&allows, &["Effect has Allow instead of Deny"], &[]);
}

#[test]
fn a_policy_that_means_the_same_is_the_same() {
    let report = changed(|facts| {
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
    assert_eq!(report, StackReport::new("p1-stack"));
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
    assert_eq!(changed(of), StackReport::new("p1-stack"));
    let found = only(Rule::Policy, |facts| {
        of(facts);
        parameters(facts).insert("LaterPhaseRoleArns".to_owned(), format!("{role}m4"));
    });
    says(&found, &["Runs", "m5 besides"], &[]);
}

#[test]
fn evidence_is_locked_as_long_as_the_stack_says() {
    let lock = |mode: Option<&str>, days| {
        Some(Lock {
            mode: mode.map(str::to_owned),
            days,
        })
    };
    for (found, seen) in [
        (None, "no Object Lock"),
        (lock(None, 0), "no default retention"),
        (lock(Some("GOVERNANCE"), 364), "GOVERNANCE, 364 days"),
    ] {
        let finding = only(Rule::ObjectLock, |facts| facts.bucket.lock = Asked::Answered(found));
        says(
            &finding,
            &[seen],
            &[
                "put-object-lock-configuration --bucket evidence-bucket",
                r#""Days":365"#,
            ],
        );
    }
    let weaker = only(Rule::ObjectLock, |facts| {
        facts
            .outputs
            .insert("EvidenceRetentionMode".to_owned(), "COMPLIANCE".to_owned());
    });
    says(
        &weaker,
        &["the stack says COMPLIANCE, 365 days"],
        &[r#""Mode":"COMPLIANCE""#],
    );
    let stronger = changed(|facts| facts.bucket.lock = Asked::Answered(lock(Some("COMPLIANCE"), 400)));
    assert_eq!(stronger.standing, StackStanding::AsDeployed);
    // A bucket that is somebody else's has the retention that its owner wants.
    let others = changed(|facts| {
        parameters(facts).insert("CreateEvidenceBucket".to_owned(), "false".to_owned());
        facts.bucket.lock = Asked::Answered(lock(Some("GOVERNANCE"), 30));
    });
    assert_eq!(others.standing, StackStanding::AsDeployed);
}

#[test]
fn the_bucket_encrypts_with_the_key_that_the_steps_may_use() {
    let encryption = |algorithm: &str, key: Option<&str>| {
        Asked::Answered(Some(Encryption {
            algorithm: algorithm.to_owned(),
            key: key.map(str::to_owned),
        }))
    };
    for found in [
        encryption("AES256", None),
        encryption("aws:kms", None),
        encryption("aws:kms", Some("arn:aws:kms:eu-west-2:111122223333:key/other")),
        Asked::Answered(None),
    ] {
        let finding = only(Rule::Encryption, |facts| facts.bucket.encryption = found.clone());
        says(
            &finding,
            &[KEY],
            &["put-bucket-encryption --bucket evidence-bucket", KEY, "EvidenceKeyArn"],
        );
    }
    for same in [
        encryption("aws:kms", Some("1b2c")),
        encryption("aws:kms:dsse", Some(KEY)),
    ] {
        let report = changed(|facts| facts.bucket.encryption = same);
        assert_eq!(report.standing, StackStanding::AsDeployed);
    }
    let without = |found: Asked<Option<Encryption>>| {
        move |facts: &mut Facts| {
            facts.outputs.remove("EvidenceKeyArn");
            facts.bucket.encryption = found;
        }
    };
    assert_eq!(
        changed(without(encryption("AES256", None))).standing,
        StackStanding::AsDeployed
    );
    let finding = only(Rule::Encryption, without(encryption("aws:kms", Some(KEY))));
    says(&finding, &[KEY], &["AES256"]);
}

#[test]
fn public_access_is_blocked_in_every_way() {
    let none = only(Rule::PublicAccess, |facts| {
        facts.bucket.public_access = Asked::Answered(None);
    });
    says(
        &none,
        &PUBLIC_ACCESS,
        &[
            "put-public-access-block --bucket evidence-bucket",
            "RestrictPublicBuckets=true",
        ],
    );
    for name in PUBLIC_ACCESS {
        let found = only(Rule::PublicAccess, |facts| {
            if let Asked::Answered(Some(settings)) = &mut facts.bucket.public_access {
                settings.insert(name, false);
            }
        });
        assert_eq!(found.detail, format!("{name} is not on"));
    }
}

#[test]
fn the_machine_is_there_and_runs_as_its_role() {
    let gone = only(Rule::Machine, |facts| facts.machine = Asked::Answered(None));
    assert_eq!(gone.code, Some(Blocker::OrchestratorUnavailable));
    let machine = |status: &str, role: &str| {
        Asked::Answered(Some(Machine {
            status: status.to_owned(),
            role: role.to_owned(),
        }))
    };
    let deleting = only(Rule::Machine, |facts| facts.machine = machine("DELETING", &facts.role));
    says(&deleting, &["DELETING"], &["deploy"]);
    let other = only(Rule::MachineRole, |facts| {
        facts.machine = machine("ACTIVE", "arn:aws:iam::1:role/x");
    });
    assert_eq!(other.code, Some(Blocker::RoleMismatch));
    says(
        &other,
        &["arn:aws:iam::1:role/x"],
        &["--role-arn arn:aws:iam::111122223333:role/orchestrator"],
    );
}

#[test]
fn the_alias_leads_to_the_version_that_was_deployed() {
    let routes = |facts: &mut Facts, routes: Option<Vec<(&str, i32)>>| {
        let routes = routes.map(|all| all.into_iter().map(|(v, w)| (format!("{MACHINE}:{v}"), w)).collect());
        facts.alias.as_mut().unwrap().routes = Asked::Answered(routes);
    };
    let gone = only(Rule::Alias, |facts| routes(facts, None));
    says(
        &gone,
        &["no such alias"],
        &[
            "create-state-machine-alias --region eu-west-2 --name live",
            ":7,weight=100",
        ],
    );
    for others in [vec![("6", 100)], vec![("7", 90), ("6", 10)]] {
        let found = only(Rule::Alias, |facts| routes(facts, Some(others)));
        says(
            &found,
            &["machine:6", "deployed"],
            &["update-state-machine-alias", ":live", ":7,weight=100"],
        );
    }
    // The local platform has none.
    assert_eq!(changed(|facts| facts.alias = None).standing, StackStanding::AsDeployed);
}

#[test]
fn resources_are_what_was_deployed() {
    let compared = |kind: &str, comparison: Comparison| {
        let own = resource("Some", kind, Some(comparison));
        move |facts: &mut Facts| {
            if let Asked::Answered(resources) = &mut facts.resources {
                resources.push(own);
            }
        }
    };
    let differs = |path: &str, found: &str| {
        Comparison::Differs(vec![Difference {
            path: path.to_owned(),
            expected: "wanted".to_owned(),
            found: found.to_owned(),
        }])
    };
    let gone = only(Rule::ResourceGone, compared("AWS::IAM::Role", Comparison::Gone));
    says(&gone, &["not there"], &["Some"]);
    assert_eq!(gone.resource, "Some (AWS::IAM::Role its-Some)");
    let policy = only(
        Rule::ResourceDiffers,
        compared("AWS::IAM::Role", differs("/Policies/0", &"x".repeat(1000))),
    );
    says(
        &policy,
        &["/Policies/0", "wanted", "x…"],
        &["describe-stack-resource-drifts --region eu-west-2 --stack-name p1-stack"],
    );
    assert!(policy.detail.len() < 500);
    let off = only(
        Rule::ResourceDiffers,
        compared("AWS::Events::Rule", differs("/State", "DISABLED")),
    );
    says(
        &off,
        &["DISABLED"],
        &["aws events enable-rule --region eu-west-2 --name its-Some"],
    );
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
        (
            |facts| {
                if let Asked::Answered(resources) = &mut facts.resources {
                    resources[0].comparison = Some(denied());
                }
            },
            1,
        ),
    ];
    for (at, (change, count)) in changes.into_iter().enumerate() {
        let report = changed(change);
        assert_eq!(
            (report.standing, report.findings.len()),
            (StackStanding::NotLearned, 0),
            "{at}: {report:?}"
        );
        assert_eq!(report.not_learned.len(), count, "{at}: {report:?}");
        for open in &report.not_learned {
            assert!(
                open.why.contains("AccessDenied") && !open.question.is_empty(),
                "{at}: {open:?}"
            );
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
    let role = changed(|facts| {
        if let Asked::Answered(resources) = &mut facts.resources {
            resources.retain(|resource| resource.name != "StateMachineRole");
        }
    });
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
    let settings: Vec<&str> = settings.lines().skip(1).take(4).map(str::trim).collect();
    let mut all = PUBLIC_ACCESS.map(|name| format!("{name}: true"));
    all.sort();
    assert_eq!(
        {
            let mut settings = settings;
            settings.sort_unstable();
            settings
        },
        all
    );
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
