//! What a start refuses of a registry, whatever a step would read in it: the part of M3.A's checks that asks nothing outside
//! (contract section 7). The admission of a rerun holds today's registry to the same before it pins it.

use crate::blocker::{Blocker, Finding, settle};
use crate::exact::Exact;
use crate::handles::{
    FIELD_CONFIG_DIGEST, FIELD_PLATFORM_RUN_ID, FIELD_SCENARIO_RUN_ID, FixedHandle, HandleFacts, HandleStatus,
    REQUIRED, ROLE_TERRAFORM_APPLY, S3_EVIDENCE_BUCKET, SFN_PLATFORM_RUN_ORCHESTRATOR_V0, names,
};
use crate::ids::{BucketName, Environment, IamPrincipalArn, StateMachineArn};
use crate::observations::handle_closure::StackOutputsFact;
use crate::registry::Registry;
use crate::secrets::{self, SecretHit};
use crate::stack_outputs::{Registered, claimed, decimals, redact};

/// The handles that name fields of evidence, and the names that evidence has.
pub const FIELDS: [(FixedHandle, &str); 3] = [
    (FIELD_PLATFORM_RUN_ID, "platform_run_id"),
    (FIELD_SCENARIO_RUN_ID, "scenario_run_id"),
    (FIELD_CONFIG_DIGEST, "config_digest"),
];

/// The deployment's own names, which a registry must not contradict.
#[derive(Debug, Clone, Copy)]
pub struct Deployment<'a> {
    /// The environment, which some required handles carry in their name.
    pub environment: &'a Environment,
    /// The evidence bucket.
    pub evidence_bucket: &'a BucketName,
    /// The state machine that the execution runs on.
    pub state_machine: &'a StateMachineArn,
}

/// A document of stack outputs, as it was read, with the secret material in it.
pub type ReadStack = (StackOutputsFact, Vec<SecretHit>);

/// Every objection to the registry that `text` declares, by M3.A's codes: a required handle that is missing or unresolved, a handle
/// with different values, another bucket or orchestrator than the deployment's, another value than a stack outputs, another name of
/// an id than evidence has, an apply role that is none, secret material.
#[must_use]
pub fn screen(registry: &Registry, text: &str, deployment: Deployment<'_>, stacks: &[ReadStack]) -> Vec<Finding> {
    let required = names(&REQUIRED, deployment.environment);
    let read = |keys: &[String]| {
        let mut handles = HandleFacts::read(registry, keys);
        // A finding shows values.
        handles.redact();
        handles
    };
    let handles = read(&required);
    let required = required.iter().filter_map(|key| match handles.status(key) {
        HandleStatus::Missing => Some(Blocker::HandleMissing.on(key.as_str(), "is not declared in the registry")),
        HandleStatus::Placeholder | HandleStatus::Unresolved => {
            let problem = handles.value(key).err()?;
            Some(Blocker::HandleUnresolved.on(problem.key, problem.problem))
        }
        // Different values are one objection, whoever reads the handle.
        HandleStatus::Resolved | HandleStatus::Contradiction => None,
    });
    let mut findings: Vec<Finding> = required.collect();
    let contradicted = registry.contradictions();
    let contradicted = contradicted.iter().map(AsRef::<str>::as_ref);
    let detail = "the registry declares it with different values";
    findings.extend(contradicted.map(|key| Blocker::HandleContradiction.on(key, detail)));
    let own = [
        (S3_EVIDENCE_BUCKET, deployment.evidence_bucket.as_str()),
        (SFN_PLATFORM_RUN_ORCHESTRATOR_V0, deployment.state_machine.name()),
    ];
    findings.extend(own.into_iter().filter_map(|(key, own)| {
        let named = handles.text(key).ok().filter(|named| *named != own)?;
        let detail = format!("names `{named}`, and the deployment has {own}");
        Some(Blocker::HandleContradiction.on(key, detail))
    }));
    findings.extend(field_names(&handles));
    findings.extend(apply_role(&handles, deployment.environment, deployment.state_machine));
    let mut facts: Vec<StackOutputsFact> = stacks.iter().map(|(fact, _)| fact.clone()).collect();
    facts.iter_mut().for_each(redact);
    let keys = claimed(&facts);
    let registered = Registered {
        handles: Some(&read(&keys)),
        decimals: &decimals(registry, &keys),
    };
    findings.extend(registered.compare(&facts).0);
    let hits = secrets::scan_document("registry", text).into_iter();
    findings.extend(hits.chain(stacks.iter().flat_map(|(_, hits)| hits.clone())).map(|hit| {
        let detail = format!("holds secret material: rule {}", hit.rule);
        Blocker::HandleClosureSecret.on(hit.place.as_str(), detail)
    }));
    settle(findings)
}

/// Later steps and phases find the ids under the names that evidence has, whatever the registry calls them.
#[must_use]
pub fn field_names(handles: &HandleFacts) -> Vec<Finding> {
    FIELDS
        .into_iter()
        .filter_map(|(key, name)| {
            let value = handles.value(key).ok()?;
            (value.as_str() != Some(name)).then(|| {
                let said = Exact::of_written(value, &[], &[]).shown();
                Blocker::HandleContradiction.on(key, format!("is {said}, but evidence has the field under `{name}`"))
            })
        })
        .collect()
}

/// Whoever applies the platform is a role or a user of this account.
#[must_use]
pub fn apply_role(handles: &HandleFacts, environment: &Environment, own: &StateMachineArn) -> Option<Finding> {
    let key = ROLE_TERRAFORM_APPLY.name(environment);
    let value = handles.value(&key).ok()?;
    let problem = match value.as_str().map(IamPrincipalArn::parse) {
        Some(Ok(arn)) if arn.account() != own.account() => {
            format!("is of another account than this execution's {}", own.account())
        }
        Some(Ok(arn)) if arn.partition() != own.partition() => {
            format!("is of another partition than this execution's {}", own.partition())
        }
        Some(Ok(_)) => return None,
        Some(Err(error)) => error.to_string(),
        None => "is not a text, and so not the ARN of an IAM role or user".to_owned(),
    };
    Some(Blocker::HandleContradiction.on(key, problem))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{handles, registry};

    const MACHINE: &str = "arn:aws:states:eu-west-2:123456789012:stateMachine:orchestrator";

    fn text() -> String {
        let value = |key: &str| match key {
            "S3_EVIDENCE_BUCKET" => "evidence",
            "SFN_PLATFORM_RUN_ORCHESTRATOR_V0" => "orchestrator",
            "FIELD_PLATFORM_RUN_ID" => "platform_run_id",
            "FIELD_SCENARIO_RUN_ID" => "scenario_run_id",
            "FIELD_CONFIG_DIGEST" => "config_digest",
            "ROLE_TERRAFORM_APPLY_DEV_FULL" => "arn:aws:iam::123456789012:role/apply",
            _ => "x",
        };
        let required = handles::names(&REQUIRED, &Environment::default());
        required
            .iter()
            .map(|key| format!("* `{key} = \"{}\"`\n", value(key)))
            .collect()
    }

    fn codes(text: &str) -> Vec<&'static str> {
        codes_beside(text, &[])
    }

    fn codes_beside(text: &str, stacks: &[ReadStack]) -> Vec<&'static str> {
        let bucket = BucketName::parse("evidence").unwrap();
        let machine = StateMachineArn::parse(MACHINE).unwrap();
        let deployment = Deployment {
            environment: &Environment::default(),
            evidence_bucket: &bucket,
            state_machine: &machine,
        };
        let findings = screen(&registry::parse(text.as_bytes()).unwrap(), text, deployment, stacks);
        findings.iter().map(|finding| finding.code.code()).collect()
    }

    #[test]
    fn one_change_of_a_good_registry_is_one_objection() {
        let good = text();
        assert_eq!(codes(&good), [] as [&str; 0]);
        let line = "* `CONFIG_DIGEST_ALGO = \"x\"`\n";
        for (changed, code) in [
            (good.replace(line, ""), "M3A-B1"),
            (good.replace(line, "* `CONFIG_DIGEST_ALGO = TO_PIN`\n"), "M3A-B2"),
            (format!("{good}* `OTHER = 1`\n* `OTHER = 2`\n"), "M3A-B6"),
            (good.replace("\"evidence\"", "\"somebody-elses\""), "M3A-B6"),
            (good.replace("\"orchestrator\"", "\"another\""), "M3A-B6"),
            (good.replace("\"scenario_run_id\"", "\"scenario\""), "M3A-B6"),
            (good.replace(":123456789012:role", ":210987654321:role"), "M3A-B6"),
            (good.replace("arn:aws:iam::123456789012:role/apply", "apply"), "M3A-B6"),
            (format!("{good}\nAKIAIOSFODNN7EXAMPLE\n"), "M3A-B8"),
        ] {
            assert_eq!(codes(&changed), [code], "{changed}");
        }
    }

    fn stack(outputs: &serde_json::Value) -> ReadStack {
        let (claims, hits) = crate::stack_outputs::claims(&Exact::of_written(outputs, &[], &[])).unwrap();
        let fact = StackOutputsFact {
            uri: "s3://b/outputs.json".to_owned(),
            unreadable: None,
            claims,
        };
        (fact, hits)
    }

    #[test]
    fn what_a_stack_outputs_is_held_against_the_registry_and_no_secret_is_repeated() {
        let good = text();
        let same = stack(&json!({"s3_evidence_bucket": {"value": "evidence"}}));
        assert_eq!(codes_beside(&good, std::slice::from_ref(&same)), [] as [&str; 0]);
        let unreadable = StackOutputsFact {
            unreadable: Some("is not there".to_owned()),
            claims: Vec::new(),
            ..same.0
        };
        for stacks in [
            vec![stack(&json!({"config_digest_algo": {"value": "y"}}))],
            vec![stack(&json!({"somebody_elses": {"value": "y"}}))],
            vec![(unreadable, Vec::new())],
        ] {
            assert_eq!(codes_beside(&good, &stacks), ["M3A-B6"], "{stacks:?}");
        }
        let secret = "AKIAIOSFODNN7EXAMPLE";
        let planted = [stack(&json!({"config_digest_algo": {"value": secret}}))];
        assert_eq!(codes_beside(&good, &planted), ["M3A-B6", "M3A-B8"]);
        let bucket = BucketName::parse("evidence").unwrap();
        let deployment = Deployment {
            environment: &Environment::default(),
            evidence_bucket: &bucket,
            state_machine: &StateMachineArn::parse(MACHINE).unwrap(),
        };
        let said = format!(
            "{:?}",
            screen(&registry::parse(good.as_bytes()).unwrap(), &good, deployment, &planted)
        );
        assert!(!said.contains(secret), "{said}");
    }
}
