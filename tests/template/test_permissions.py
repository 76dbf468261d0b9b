"""What the roles of the steps may do: exactly what their steps use."""

import json
from collections import Counter

import pytest
from policy_sentry.querying.actions import get_action_data

import permissions
from access import ALLOWED, decide, listed, of_role, policies
from deployment import DEPLOYMENT_ROLE, DEPLOYMENTS, LATER_PHASE_ROLE, STEPS, Platform
from source import TEMPLATE


@pytest.mark.parametrize("parameters", DEPLOYMENTS.values(), ids=DEPLOYMENTS)
def test_each_step_has_exactly_what_it_uses(platform: Platform, parameters: dict):
    """The role of each step has exactly the actions and prefixes that permissions.py lists."""
    deployment = platform.deploy(**parameters)
    for step in STEPS:
        found, wanted = permissions.granted(deployment, f"M3{step}Role"), permissions.of_step(deployment, step)
        assert found == wanted, f"M3{step}Role:\n{permissions.difference(found, wanted)}"


def test_only_those_that_ask_describe_and_this_machine_alone(platform: Platform):
    """Only the steps that ask may describe the state machine or an execution, and only of this machine."""
    deployment = platform.deploy()
    machine = deployment.arn("StateMachine")
    execution = machine.replace(":stateMachine:", ":execution:") + ":5c3c0f8e"
    asks = {"states:DescribeStateMachine": (machine, "ad"), "states:DescribeExecution": (execution, "g")}
    for action, (resource, steps) in asks.items():
        others = resource.replace(deployment.parameters["StateMachineName"], "another-machine")
        for step in STEPS:
            allowed = decide(deployment, f"M3{step}Role", action, resource) == ALLOWED
            assert allowed == (step in steps), (step, action)
            assert decide(deployment, f"M3{step}Role", action, others) != ALLOWED, (step, action)


def test_only_m3h_asks_cost_explorer(platform: Platform):
    """Only M3.H may ask Cost Explorer, and only where that is the cost source."""
    billing = {"CostSource": "billing_artifact", "BillingArtifactUri": "s3://billing/month.json"}
    for deployment, expected in ((platform.deploy(), {"M3hRole"}), (platform.deploy(**billing), set())):
        asking = {
            name
            for name in deployment.of_type("AWS::IAM::Role")
            for policy in of_role(deployment, name)
            for statement in policy.statements
            if any(action.startswith("ce:") for action in listed(statement.get("Action")))
        }
        assert asking == expected


def test_nobody_may_delete(platform: Platform):
    """No role may delete anything but log deliveries, and those only the machine's."""
    for policy, statement, action in _allowed(platform):
        # A key's policy lets IAM policies grant its actions, and grants none itself.
        if policy.kind != "identity":
            continue
        # A log delivery is Step Functions' own subscription to its log group, and Step Functions must be able to end it.
        if (policy.place, action) == ("StateMachineRole/orchestrate", "logs:DeleteLogDelivery"):
            continue
        verbs = ("Delete", "Remove", "Purge", "Bypass", "Put*", "*")
        assert not action.split(":")[-1].startswith(verbs), (policy.place, statement.get("Sid"), action)


def test_no_action_is_a_wildcard(platform: Platform):
    """No statement allows an action with a wildcard."""
    for policy, statement, action in _allowed(platform):
        assert "*" not in action and "?" not in action, (policy.place, statement.get("Sid"), action)
    for policy in policies(platform.deploy()):
        for statement in policy.statements:
            # `NotAction` and `NotResource` would also allow whatever AWS adds later.
            if statement["Effect"] == "Allow":
                assert not {"NotAction", "NotResource", "NotPrincipal"} & set(statement), (policy.place, statement)


# Actions whose narrower resources do not fit what the step asks for.
UNNAMEABLE = {"ce:GetCostAndUsage": "its resources are billing views of one's own making, and the step asks for none"}


def test_every_resource_is_named_where_aws_can(platform: Platform):
    """A statement allows a resource `*` only where AWS has no narrower resource for the action."""
    stale = set(UNNAMEABLE) - {action for _, _, action in _allowed(platform)}
    assert not stale, f"excepted, and not allowed to anybody: {stale}"
    for policy, statement, action in _allowed(platform):
        if action in UNNAMEABLE:
            continue
        if policy.kind == "identity" and "*" in listed(statement.get("Resource")):
            service, _, name = action.partition(":")
            data = get_action_data(service, name)
            assert data, f"{action} is not known: is it an action of AWS?"
            levels = {entry["resource_arn_format"] for entry in data[service]}
            assert levels == {"*"}, (policy.place, statement.get("Sid"), action, levels)


def test_the_reason_stands_beside_each_star():
    """Each resource `*` has its reason in a comment beside it."""
    text = TEMPLATE.read_text("utf-8")
    assert not _bare_stars(text)
    # The check can fail: without the reasons it finds each star.
    without = "\n".join(line.split(" # ")[0] for line in text.splitlines())
    assert len(_bare_stars(without)) == text.count('Resource: "*"') > 0


def _bare_stars(text: str) -> list[str]:
    return [
        f"line {number}: {line.strip()}"
        for number, line in enumerate(text.splitlines(), 1)
        if "Resource:" in line and '"*"' in line and "#" not in line
    ]


def _allowed(platform: Platform):
    """Every allowed action of every policy of the deployment that has the most."""
    deployment = platform.deploy(BillingArtifactUri="s3://billing/month.json")
    for policy in policies(deployment):
        for statement in policy.statements:
            if statement["Effect"] == "Allow":
                for action in listed(statement.get("Action")):
                    yield policy, statement, action


# The service quotas of IAM, S3, KMS and SQS, in characters without white space. S3 and KMS count bytes.
QUOTAS = {
    "AWS::IAM::ManagedPolicy": 6_144,
    "AWS::S3::BucketPolicy": 20 * 1024,
    "AWS::KMS::Key": 32 * 1024,
    "AWS::SQS::QueuePolicy": 8 * 1024,
}
INLINE_QUOTA, TRUST_QUOTA = 10_240, 2_048


def test_policies_fit_the_quotas_of_aws(platform: Platform):
    """Every policy fits AWS's quotas, also with the longest names."""
    longest = {"EvidenceBucketName": "e" * 63, "ArtifactsBucketName": "a" * 63, "ObjectStoreBucketName": "o" * 63}
    longest |= {"FunctionNamePrefix": "f" * 36, "StateMachineName": "s" * 80, "DeploymentRoleArn": DEPLOYMENT_ROLE}
    deployment = platform.deploy(**longest, LaterPhaseRoleArns=",".join(f"{LATER_PHASE_ROLE}-{n}" for n in range(9)))
    inline, roles = Counter(), deployment.of_type("AWS::IAM::Role")
    for policy in policies(deployment):
        size = len(json.dumps(policy.document, separators=(",", ":")))
        if policy.kind == "trust":
            assert size <= TRUST_QUOTA, f"{policy.place}: {size}"
        elif policy.of == "AWS::IAM::Role":
            inline[policy.place.split("/")[0]] += size
        elif policy.of == "AWS::IAM::Policy":
            # It counts as an inline policy of each role that it names.
            inline.update({role: size for role in roles if deployment.ref(role) in deployment[policy.place]["Roles"]})
        else:
            assert size <= QUOTAS[policy.of], f"{policy.place}: {size}"
    for role, size in inline.items():
        assert size <= INLINE_QUOTA, f"the inline policies of {role}: {size}"
