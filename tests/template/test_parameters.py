"""What a parameter changes: one that changes no deployed resource is a defect."""

from __future__ import annotations

from collections import Counter

import pytest

from deployment import (
    BOUNDARY,
    BREAK_GLASS_ROLE,
    DEPLOYMENT_ROLE,
    GIVEN_KEY,
    LATER_PHASE_ROLE,
    MACHINE_ROLE,
    USUAL,
    Deployment,
    Platform,
)
from mutation import Mutation, caught_by, put

OTHER_KEY = GIVEN_KEY.replace("00000000-0", "11111111-1")
BILLED = {"CostSource": "billing_artifact", "BillingArtifactUri": "s3://billing/month.json"}

# For every parameter a value that differs from the usual deployment's.
OTHERS = {
    "Architecture": "x86_64",
    "FunctionNamePrefix": "other-p1",
    "Environment": "other",
    "EvidenceBucketName": "other-evidence",
    "ObjectStoreBucketName": "other-object-store",
    "ArtifactsBucketName": "other-artifacts",
    "CreateEvidenceBucket": "false",
    "CreateObjectStoreBucket": "false",
    "CreateArtifactsBucket": "false",
    "EvidenceRetentionMode": "COMPLIANCE",
    "EvidenceRetentionDays": "30",
    "EvidenceKeyArn": GIVEN_KEY,
    "UpstreamRoleArn": USUAL["UpstreamRoleArn"] + "-2",
    "LaterPhaseRoleArns": LATER_PHASE_ROLE,
    "RunJsonKeyPattern": "evidence/runs/{platform_run_id}/the_run.json",
    "RunHeaderFolderPattern": "evidence/runs/{platform_run_id}/headers/",
    "BreakGlassRoleArn": f"{BREAK_GLASS_ROLE}-2",
    "DeploymentRoleArn": DEPLOYMENT_ROLE,
    "OperatorPrincipalArns": USUAL["OperatorPrincipalArns"] + "-2",
    "OperatorRoleName": "operators-of-p1",
    "PermissionsBoundaryArn": BOUNDARY,
    "StateMachineName": "other-machine",
    "StateMachineRoleName": "other-role",
    "StateMachineRoleArn": MACHINE_ROLE,
    "PublishStateMachineVersion": "false",
    "Observability": "basic",
    "RegistryUri": "s3://registry/handles.md",
    "StackOutputsUris": "s3://one/core.json,s3://two/runtime/out.json",
    "CostSource": "billing_artifact",
    "BillingArtifactUri": "s3://billing/another-month.json",
    "DatabricksBillFolder": "bills/databricks/",
    "Signing": "off",
    "SigningKeyArn": GIVEN_KEY,
    "SigningKeyFile": "/keys/other.pem",
    "ParameterPath": "/other/p1",
    "AlarmTopicArn": "arn:aws:sns:eu-west-2:111122223333:operators",
    "VerdictTopicArn": "arn:aws:sns:eu-west-2:111122223333:people",
    "NotifyAdvances": "true",
    "LogRetentionDays": "30",
}

# The parameters without which another parameter has no effect.
BESIDE = {
    "CostSource": {"BillingArtifactUri": BILLED["BillingArtifactUri"]},
    "BillingArtifactUri": BILLED,
    "SigningKeyFile": {"Signing": "local_key", "SigningKeyFile": "/keys/signing.pem"},
    "NotifyAdvances": {"VerdictTopicArn": "arn:aws:sns:eu-west-2:111122223333:people"},
}


def reached(before: Deployment, after: Deployment) -> set[str]:
    """The resources that differ between two deployments."""
    names = set(before.resources) | set(after.resources)
    return {name for name in names if before.resources.get(name) != after.resources.get(name)}


def reach(platform: Platform) -> dict[str, int]:
    """How many resources each parameter changes. Outputs do not count."""
    assert set(platform.defaults) == set(OTHERS), "each parameter must have another value here"
    found = {}
    for name, value in OTHERS.items():
        beside = BESIDE.get(name, {})
        found[name] = len(reached(platform.deploy(**beside), platform.deploy(**beside | {name: value})))
    return found


def test_every_parameter_reaches_something(platform: Platform, parameters: Counter):
    """Every parameter changes a resource."""
    parameters.update(reach(platform))
    nothing = [name for name, count in parameters.items() if count == 0]
    assert not nothing, f"reach nothing of what is deployed: {nothing}"


LOST: list[Mutation] = [
    *caught_by(
        "EvidenceRetentionDays",
        (
            "the retention is fixed",
            put("EvidenceBucket/Properties/ObjectLockConfiguration/Rule/DefaultRetention/Days", 365),
        ),
    ),
    *caught_by(
        "Architecture",
        (
            "a parameter is used by an output alone",
            put("/Parameters/Architecture/Default", "x86_64"),
            put("/Globals/Function/Architectures", ["x86_64"]),
            put("/Outputs/Architecture", {"Value": {"Ref": "Architecture"}}),
        ),
    ),
]


@pytest.mark.parametrize("mutation", LOST, ids=lambda mutation: mutation.name)
def test_a_mutation_is_caught(mutation: Mutation, platform: Platform):
    """A parameter that a mutation disconnects changes no resource."""
    found = reach(Platform(mutation.apply(platform.source)))
    assert {name for name, count in found.items() if count == 0} == set(mutation.caught_by)
