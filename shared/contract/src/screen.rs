//! What a start refuses of a registry, whatever a step would read in it: the part of M3.A's checks that asks nothing outside
//! (contract section 7). The admission of a rerun holds today's registry to the same before it pins it.

use crate::blocker::{Blocker, Finding, settle};
use crate::handles::{
    HandleFacts, HandleStatus, REQUIRED, S3_EVIDENCE_BUCKET, SFN_PLATFORM_RUN_ORCHESTRATOR_V0, names,
};
use crate::ids::{BucketName, Environment, StateMachineArn};
use crate::registry::Registry;
use crate::secrets;

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

/// Every objection to the registry that `text` declares, by M3.A's codes: a required handle that is missing or unresolved, a handle
/// with different values, another bucket or orchestrator than the deployment's, secret material.
#[must_use]
pub fn screen(registry: &Registry, text: &str, deployment: Deployment<'_>) -> Vec<Finding> {
    let required = names(&REQUIRED, deployment.environment);
    let handles = HandleFacts::read(registry, &required);
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
    findings.extend(secrets::scan_document("registry", text).iter().map(|hit| {
        let detail = format!("holds secret material: rule {}", hit.rule);
        Blocker::HandleClosureSecret.on(hit.place.as_str(), detail)
    }));
    settle(findings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{handles, registry};

    const MACHINE: &str = "arn:aws:states:eu-west-2:123456789012:stateMachine:orchestrator";

    fn text() -> String {
        let value = |key: &str| match key {
            "S3_EVIDENCE_BUCKET" => "evidence",
            "SFN_PLATFORM_RUN_ORCHESTRATOR_V0" => "orchestrator",
            _ => "x",
        };
        let required = handles::names(&REQUIRED, &Environment::default());
        required
            .iter()
            .map(|key| format!("* `{key} = \"{}\"`\n", value(key)))
            .collect()
    }

    fn codes(text: &str) -> Vec<&'static str> {
        let bucket = BucketName::parse("evidence").unwrap();
        let machine = StateMachineArn::parse(MACHINE).unwrap();
        let deployment = Deployment {
            environment: &Environment::default(),
            evidence_bucket: &bucket,
            state_machine: &machine,
        };
        let findings = screen(&registry::parse(text.as_bytes()).unwrap(), text, deployment);
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
            (format!("{good}\nAKIAIOSFODNN7EXAMPLE\n"), "M3A-B8"),
        ] {
            assert_eq!(codes(&changed), [code], "{changed}");
        }
    }
}
