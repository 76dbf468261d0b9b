"""parliament and cloudsplaining find nothing in the policies except what is listed here with its reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache

import parliament
import pytest
from cloudsplaining.scan.policy_document import PolicyDocument

from access import Policy, policies
from deployment import BOUNDARY, DEPLOYMENT_ROLE, GIVEN_KEY, LATER_PHASE_ROLE, VERDICT_TOPIC, Deployment, Platform
from mutation import Mutation, add, caught_by, put

# A finding of parliament: where, what, and of which action or key.
Finding = tuple[str, str, str]

BY_RESOURCE_TYPE = (
    "parliament wants a resource of every type that the action knows; "
    "a standard machine has no map runs and no express executions"
)
IN_A_KEY_S_POLICY = "in a key's policy `*` is that key, and the statement leaves to IAM who may, in this account"
LOG_DELIVERY = (
    "Step Functions' log deliveries need it (its documentation lists it), and AWS has no narrower resource for it"
)

# It is an action of AWS: test_bucket_policy compares the policy with AWS's list.
NEWER = "parliament's list of actions is older"

EXPECTED: dict[Finding, str] = {
    ("EvidenceBucketPolicy", "UNKNOWN_ACTION", "Unknown action s3:UpdateObjectEncryption"): NEWER,
    ("OperatorRole/operate", "RESOURCE_MISMATCH", "states:ListExecutions"): BY_RESOURCE_TYPE,
    ("OperatorRole/operate", "RESOURCE_MISMATCH", "states:DescribeExecution"): BY_RESOURCE_TYPE,
    ("M3gRole/step", "RESOURCE_MISMATCH", "states:DescribeExecution"): BY_RESOURCE_TYPE,
    ("EvidenceKey", "RESOURCE_STAR", "kms"): IN_A_KEY_S_POLICY,
    ("EvidenceKey", "PERMISSIONS_MANAGEMENT_ACTIONS", "kms"): IN_A_KEY_S_POLICY,
    ("SigningKey", "RESOURCE_STAR", "kms"): IN_A_KEY_S_POLICY,
    ("SigningKey", "PERMISSIONS_MANAGEMENT_ACTIONS", "kms"): IN_A_KEY_S_POLICY,
    ("StateMachineRole/orchestrate", "PERMISSIONS_MANAGEMENT_ACTIONS", "logs:putresourcepolicy"): LOG_DELIVERY,
}

# The risks that cloudsplaining looks for, by the names of its questions.
RISKS = (
    "allows_privilege_escalation",
    "allows_data_exfiltration_actions",
    "credentials_exposure",
    "infrastructure_modification",
    "permissions_management_without_constraints",
    "service_wildcard",
    "write_actions_without_constraints",
)

EVERY_KIND = [
    {},
    {"CreateEvidenceBucket": "false", "EvidenceKeyArn": GIVEN_KEY},
    {"CostSource": "billing_artifact", "BillingArtifactUri": "s3://billing/month.json", "StackOutputsUris": ""},
    {"DeploymentRoleArn": DEPLOYMENT_ROLE, "LaterPhaseRoleArns": LATER_PHASE_ROLE, "PermissionsBoundaryArn": BOUNDARY},
    {"BreakGlassRoleArn": "", "OperatorPrincipalArns": "", "Signing": "off"},
    {"SigningKeyArn": GIVEN_KEY},
    {"VerdictTopicArn": VERDICT_TOPIC, "NotifyAdvances": "true"},
]


def _of_parliament(deployment: Deployment) -> Iterator[Finding]:
    for policy in policies(deployment):
        # parliament needs a resource, and a trust policy has none: test_functions, test_state_machine and test_trigger check those.
        if policy.kind != "trust":
            for finding in _analyse(json.dumps({"Version": "2012-10-17", "Statement": policy.statements})):
                for about in _about(policy, finding):
                    yield policy.place, finding.issue, about


@cache
def _analyse(document: str) -> list:
    """The findings of parliament. Cached, since most documents are the same in every deployment and every mutation."""
    return parliament.analyze_policy_string(document, include_community_auditors=True).findings


def _about(policy: Policy, finding) -> set[str]:
    """What a finding is about: actions, their service in a key's policy, or parliament's own detail."""
    named = finding.location.get("actions") or finding.detail
    if isinstance(named, list) and named:
        actions = {item["action"] if isinstance(item, dict) else item for item in named}
        return {action.split(":")[0] for action in actions} if policy.of == "AWS::KMS::Key" else actions
    return {str(named)}


def _of_cloudsplaining(deployment: Deployment) -> Iterator[tuple[str, str, str]]:
    for policy in policies(deployment):
        # cloudsplaining reads identity policies only.
        if policy.kind == "identity":
            document = PolicyDocument({"Version": "2012-10-17", "Statement": policy.statements})
            for risk in RISKS:
                if found := getattr(document, risk):
                    yield policy.place, risk, json.dumps(found, default=str)


def test_parliament_finds_nothing_unexpected(platform: Platform):
    """parliament finds in all policies exactly what is expected: in identity policies and those of bucket, queue and keys."""
    found = {finding for parameters in EVERY_KIND for finding in _of_parliament(platform.deploy(**parameters))}
    unexpected = found - set(EXPECTED)
    assert not unexpected, "\n".join(map(str, sorted(unexpected)))
    stale = set(EXPECTED) - found
    assert not stale, f"listed with a reason, and no longer found: {sorted(stale)}"


def test_cloudsplaining_finds_nothing(platform: Platform):
    """cloudsplaining finds nothing in the identity policies."""
    found = {finding for parameters in EVERY_KIND for finding in _of_cloudsplaining(platform.deploy(**parameters))}
    assert not found, "\n".join(map(str, sorted(found)))


STEP_STATEMENTS = "StepPolicy/Properties/PolicyDocument/Statement"
BUCKET_STATEMENTS = "EvidenceBucketPolicy/Properties/PolicyDocument/Statement"

MUTATIONS: list[Mutation] = [
    *caught_by(
        "test_parliament_finds_nothing_unexpected",
        (
            "an action that AWS does not know",
            put(f"{BUCKET_STATEMENTS}/Sid=KeepVersions/Action", "s3:SuspendVersioning"),
        ),
        (
            "an action of a state machine on a bucket",
            put(
                "M3aRole/Properties/Policies/0/PolicyDocument/Statement/Sid=DescribeOrchestrator/Resource",
                {"Fn::Sub": "arn:${AWS::Partition}:s3:::${EvidenceBucketName}"},
            ),
        ),
        (
            "a condition key that AWS does not know",
            put(
                f"{STEP_STATEMENTS}/Sid=UseEvidenceKey/Fn::If/1/Condition",
                {"StringEquals": {"kms:Via": "s3.eu-west-2.amazonaws.com"}},
            ),
        ),
        (
            "an expected finding that is gone",
            put(
                "M3gRole/Properties/Policies/0/PolicyDocument/Statement/Sid=AskAboutLedgerHolder/Action",
                "states:DescribeStateMachine",
            ),
        ),
    ),
    *caught_by(
        "test_cloudsplaining_finds_nothing",
        (
            "steps read every object of the account",
            add(STEP_STATEMENTS, {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}),
        ),
    ),
    *caught_by(
        "test_cloudsplaining_finds_nothing test_parliament_finds_nothing_unexpected",
        (
            "steps may become somebody else",
            add(
                STEP_STATEMENTS,
                {
                    "Effect": "Allow",
                    "Action": ["iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"],
                    "Resource": "*",
                },
            ),
        ),
    ),
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_is_caught(mutation: Mutation, platform: Platform):
    """The check that a mutation names fails on it."""
    mutated = Platform(mutation.apply(platform.source))
    for name in mutation.caught_by:
        with pytest.raises(AssertionError):
            globals()[name](mutated)
