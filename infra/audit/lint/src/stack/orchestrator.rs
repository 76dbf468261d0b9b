//! What starts a run, and who may do what.

use p1_contract::blocker::Blocker;

use super::facts::{Asked, Comparison, Facts, Machine, Resource};
use super::report::{Rule, StackReport};

/// The version of the state machine that the alias is to lead to, by its name in the template.
const VERSION: &str = "StateMachineVersion";
/// Its role.
const ROLE: &str = "StateMachineRole";
/// The longest value of a property that is printed. The command of the remedy prints all of it.
const LONGEST: usize = 300;

pub(super) fn judge(facts: &Facts, report: &mut StackReport) {
    machine(facts, report);
    alias(facts, report);
    let question = "whether roles, rules and keys are what was deployed";
    let Some(resources) = report.learned(&facts.resources, question, &facts.stack) else {
        return;
    };
    if !resources.iter().any(|resource| resource.name == ROLE) {
        report.not_judged.push(format!(
            "{} is not of the stack: what it may do is its owner's to say (docs/deploy.md, A role that exists)",
            facts.role
        ));
    }
    for resource in resources {
        compare(facts, resource, report);
    }
}

fn machine(facts: &Facts, report: &mut StackReport) {
    let arn = facts.state_machine.to_string();
    let question = "whether the state machine is ACTIVE, and its role";
    let Some(machine) = report.learned(&facts.machine, question, &arn) else {
        return;
    };
    let unavailable = match machine {
        None => Some("there is no such state machine".to_owned()),
        Some(Machine { status, .. }) if status != "ACTIVE" => Some(format!("it is {status}")),
        Some(_) => None,
    };
    if let Some(detail) = unavailable {
        let (code, redeploy) = (
            Blocker::OrchestratorUnavailable,
            "deploy the stack again (docs/deploy.md)",
        );
        report.blocking(Rule::Machine, Some(code), &arn, detail, redeploy);
    }
    if let Some(Machine { role, .. }) = machine
        && *role != facts.role
    {
        report.blocking(
            Rule::MachineRole,
            Some(Blocker::RoleMismatch),
            &arn,
            format!("it runs as {role}, and the stack says {}", facts.role),
            format!(
                "`aws stepfunctions update-state-machine --region {} --state-machine-arn {arn} --role-arn {}`",
                facts.state_machine.region(),
                facts.role
            ),
        );
    }
}

fn alias(facts: &Facts, report: &mut StackReport) {
    const QUESTION: &str = "which version the alias starts";
    let Some(alias) = &facts.alias else { return };
    let region = facts.state_machine.region();
    let Some(routes) = report.learned(&alias.routes, QUESTION, &alias.arn) else {
        return;
    };
    let Some(resources) = report.learned(&facts.resources, QUESTION, &alias.arn) else {
        return;
    };
    let Some(version) = resources.iter().find(|resource| resource.name == VERSION) else {
        return report.not_learned(
            QUESTION,
            &alias.arn,
            "the stack has no StateMachineVersion beside its alias",
        );
    };
    let version = version.physical.as_str();
    let route = format!("stateMachineVersionArn={version},weight=100");
    match routes {
        None => report.wrong(
            Rule::Alias,
            &alias.arn,
            "there is no such alias, so that neither a receipt nor the operator's role can start a run",
            format!(
                "`aws stepfunctions create-state-machine-alias --region {region} --name {} --routing-configuration {route}`",
                alias.arn.rsplit(':').next().unwrap_or_default()
            ),
        ),
        Some(routes) if *routes != [(version.to_owned(), 100)] => {
            let found: Vec<String> = routes
                .iter()
                .map(|(version, weight)| format!("{version} ({weight} %)"))
                .collect();
            report.wrong(
                Rule::Alias,
                &alias.arn,
                format!("it leads to {}, and the stack deployed {version}", found.join(" and ")),
                format!(
                    "`aws stepfunctions update-state-machine-alias --region {region} --state-machine-alias-arn {} \
                     --routing-configuration {route}`",
                    alias.arn
                ),
            );
        }
        Some(_) => {}
    }
}

fn compare(facts: &Facts, resource: &Resource, report: &mut StackReport) {
    let name = format!("{} ({} {})", resource.name, resource.kind, resource.physical);
    let (stack, region) = (&facts.stack, facts.state_machine.region());
    match &resource.comparison {
        None | Some(Asked::Answered(Comparison::Same)) => {}
        Some(Asked::NotLearned(why)) => report.not_learned("whether it is what was deployed", &name, why),
        Some(Asked::Answered(Comparison::Gone)) => report.wrong(
            Rule::ResourceGone,
            &name,
            "it is not there any more",
            format!(
                "make it again as infra/template.yaml says, under the same name, or take {} out of the template, deploy, put it back and \
                 deploy again",
                resource.name
            ),
        ),
        Some(Asked::Answered(Comparison::Differs(differences))) => {
            let said: Vec<String> = differences
                .iter()
                .map(|difference| {
                    let (found, expected) = (cut(&difference.found), cut(&difference.expected));
                    format!("{} is {found}, and {expected} was deployed", difference.path)
                })
                .collect();
            let is_disabled = resource.kind == "AWS::Events::Rule"
                && differences.iter().any(|difference| difference.path == "/State");
            let remedy = if is_disabled {
                format!("`aws events enable-rule --region {region} --name {}`", resource.physical)
            } else {
                format!(
                    "set back what differs; `aws cloudformation describe-stack-resource-drifts --region {region} --stack-name {stack} \
                     --stack-resource-drift-status-filters MODIFIED` prints all of both"
                )
            };
            report.wrong(Rule::ResourceDiffers, &name, said.join("; "), remedy);
        }
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}
