"""What the evidence bucket's policy denies, whatever a principal's own policies allow."""

import json

import pytest
from policy_sentry.querying.actions import get_action_data, get_actions_for_service

from access import ALLOWED, DENIED, NOT_ALLOWED, decide, listed
from calls import COPY, CREATION, OVERWRITE, PART, RECEIPT, SAFEGUARDS
from deployment import (
    ADMINISTRATOR,
    BREAK_GLASS_ROLE,
    DEPLOYMENT_ROLE,
    LATER_PHASE_ROLE,
    ROOT_USER,
    STEP_ROLES,
    STEPS,
    UPSTREAM_ROLE,
    Deployment,
    Platform,
    Refused,
)
from identifiers import ACCOUNT
from source import ROOT

OUTSIDE = [UPSTREAM_ROLE, LATER_PHASE_ROLE, ADMINISTRATOR, BREAK_GLASS_ROLE, DEPLOYMENT_ROLE]

RUN_CONTROL = "evidence/dev_full/run_control"
EVENT_CLAIM = f"{RUN_CONTROL}/_events/00ff.json"
DAYS_COST = f"{RUN_CONTROL}/_cost/20260223.json"
RUN_JSON = "evidence/runs/platform_20260223T061612Z/run.json"
RUN_HEADER = "evidence/runs/platform_20260223T061612Z/run_pin/run_header.json"
INDEX = "evidence/dev_full/index/scenario/scenario_0123456789abcdef0123456789abcdef/platform_20260223T061612Z.json"
LEDGER = "evidence/runs/platform_20260223T061612Z/ledger/000001.json"
FOLDERS = {step: f"{RUN_CONTROL}/m3{step}_20260223T061612Z_0123456789ab/m3{step}_observations.json" for step in STEPS}
# What later phases write below a run's root.
LATER = [
    f"evidence/runs/platform_20260223T061612Z/{key}" for key in ("m4/receipt.json", "ingest/run.json.bak", "pins.json")
]
KEYS = [*FOLDERS.values(), EVENT_CLAIM, DAYS_COST, INDEX, RUN_JSON, RUN_HEADER, LEDGER]


def _object(deployment: Deployment, key: str) -> str:
    return f"{deployment.arn('EvidenceBucket')}/{key}"


def _writers(key: str) -> set[str]:
    """Who may create `key`: the roles that the contract names in sections 2 to 7."""
    for step, of_step in FOLDERS.items():
        if key == of_step:
            return {f"M3{step}Role"}
    return {
        RECEIPT: {UPSTREAM_ROLE},
        EVENT_CLAIM: {"M3aRole"},
        DAYS_COST: {"M3hRole"},
        INDEX: {"M3jRole"},
        RUN_JSON: {"M3eRole"},
        RUN_HEADER: {"M3eRole"},
        LEDGER: {"M3bRole", "M3gRole", "M3jRole"},
    }[key]


def test_a_put_without_if_none_match_is_denied(platform: Platform):
    """PutObject without If-None-Match is denied to everybody, the break-glass role included."""
    deployment = platform.deploy()
    for key in KEYS:
        for principal in (*STEP_ROLES, *OUTSIDE, ROOT_USER):
            assert decide(deployment, principal, "s3:PutObject", _object(deployment, key), OVERWRITE) == DENIED, (
                principal,
                key,
            )


def test_a_step_may_create_what_it_makes(platform: Platform):
    """With If-None-Match each key may be created by its writers: what protects the evidence does not prevent it."""
    deployment = platform.deploy()
    for key in KEYS:
        for principal in _writers(key):
            assert decide(deployment, principal, "s3:PutObject", _object(deployment, key), CREATION) == ALLOWED, (
                principal,
                key,
            )


def test_parts_of_a_multipart_upload_are_exempt(platform: Platform):
    """The parts of a multipart upload need no If-None-Match: s3:ObjectCreationOperation says that they create no object."""
    deployment = platform.deploy()
    for key in KEYS:
        for principal in _writers(key):
            assert decide(deployment, principal, "s3:PutObject", _object(deployment, key), PART) == ALLOWED, key


@pytest.mark.parametrize("headers", [{}, {"s3:if-none-match": "*"}], ids=["plain", "with the header"])
def test_copying_is_off(platform: Platform, headers: dict):
    """CopyObject is denied, with If-None-Match and without."""
    deployment = platform.deploy()
    for key in KEYS:
        for principal in (*_writers(key), ADMINISTRATOR, BREAK_GLASS_ROLE):
            request = COPY | headers
            assert decide(deployment, principal, "s3:PutObject", _object(deployment, key), request) == DENIED, (
                principal,
                key,
            )


@pytest.mark.parametrize("action", ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"])
def test_deleting_is_denied_to_all_but_break_glass(platform: Platform, action: str):
    """Only the break-glass role may delete an object or a version, or bypass a retention."""
    deployment = platform.deploy()
    for key in (*KEYS, RECEIPT, *LATER):
        for principal in (*STEP_ROLES, *set(OUTSIDE) - {BREAK_GLASS_ROLE}, ROOT_USER, "OperatorRole"):
            assert decide(deployment, principal, action, _object(deployment, key)) == DENIED, (principal, key)
        assert decide(deployment, BREAK_GLASS_ROLE, action, _object(deployment, key)) == ALLOWED, key


def test_versioning_cannot_be_suspended_but_by_break_glass(platform: Platform):
    """Only the break-glass role may suspend versioning."""
    deployment = platform.deploy()
    bucket = deployment.arn("EvidenceBucket")
    for principal in (*STEP_ROLES, *set(OUTSIDE) - {BREAK_GLASS_ROLE}, ROOT_USER, "OperatorRole"):
        assert decide(deployment, principal, "s3:PutBucketVersioning", bucket) == DENIED, principal
    assert decide(deployment, BREAK_GLASS_ROLE, "s3:PutBucketVersioning", bucket) == ALLOWED


def test_without_a_break_glass_role_only_the_root_user_may_delete(platform: Platform):
    """Where no break-glass role is named, no role may delete or suspend versioning."""
    deployment = platform.deploy(BreakGlassRoleArn="")
    for action in ("s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"):
        for principal in (*STEP_ROLES, *OUTSIDE):
            assert decide(deployment, principal, action, _object(deployment, RUN_JSON)) == DENIED, (principal, action)
    for principal in OUTSIDE:
        assert decide(deployment, principal, "s3:PutBucketVersioning", deployment.arn("EvidenceBucket")) == DENIED


@pytest.mark.parametrize(
    "action",
    [
        "s3:PutObjectRetention",
        "s3:PutObjectLegalHold",
        "s3:ReplicateObject",
        "s3:ReplicateDelete",
        "s3:UpdateObjectEncryption",
    ],
)
def test_no_other_way_leads_around_the_lock(platform: Platform, action: str):
    """Nobody may shorten a retention, lift a legal hold, replicate over evidence or change an object's key."""
    deployment = platform.deploy(LaterPhaseRoleArns=LATER_PHASE_ROLE)
    for key in (*KEYS, RECEIPT, *LATER):
        for principal in (*STEP_ROLES, ADMINISTRATOR, DEPLOYMENT_ROLE, UPSTREAM_ROLE, LATER_PHASE_ROLE):
            assert decide(deployment, principal, action, _object(deployment, key)) == DENIED, (principal, key)


@pytest.mark.parametrize("action", [f"s3:{action}" for action in SAFEGUARDS])
def test_with_a_deployment_role_only_it_may_change_the_safeguards(platform: Platform, action: str):
    """Where a deployment role is named, only it and the break-glass role may change the bucket's safeguards."""
    deployment = platform.deploy(DeploymentRoleArn=DEPLOYMENT_ROLE)
    bucket = deployment.arn("EvidenceBucket")
    for principal in (*STEP_ROLES, ADMINISTRATOR, UPSTREAM_ROLE, ROOT_USER):
        assert decide(deployment, principal, action, bucket) == DENIED, principal
    for principal in (DEPLOYMENT_ROLE, BREAK_GLASS_ROLE):
        assert decide(deployment, principal, action, bucket) == ALLOWED, principal


# The actions on AWS's list that write an object or a bucket and that this policy leaves to IAM, each with the reason.
ACL = "ownership is enforced, so S3 refuses ACLs"
TAGS = "tags are no part of the evidence; only a lifecycle rule would act on them"
OUT = "what leaves the bucket takes nothing out of it"
WEBSITE = "public access is blocked"
REPORTS = "reports and metrics change no object"
OBJECTS_LEFT_OPEN = {
    "s3:PutObject": "other statements say who writes what, and how",
    "s3:AbortMultipartUpload": "parts of an upload that is never completed are no evidence",
    "s3:RestoreObject": "it makes a copy for reading, for a time",
    "s3:InitiateReplication": OUT,
    "s3:ObjectOwnerOverrideToBucketOwner": "it is asked of a replica's bucket, together with s3:ReplicateObject",
    "s3:PutObjectAcl": ACL,
    "s3:PutObjectVersionAcl": ACL,
    "s3:PutObjectTagging": TAGS,
    "s3:PutObjectVersionTagging": TAGS,
    "s3:DeleteObjectTagging": TAGS,
    "s3:DeleteObjectVersionTagging": TAGS,
    "s3:ReplicateTags": TAGS,
}
BUCKETS_LEFT_OPEN = {
    "s3:CreateBucket": "it is there",
    "s3:DeleteBucket": "S3 deletes none that has objects, and these are locked",
    "s3:PutBucketAcl": ACL,
    "s3:PutBucketTagging": TAGS,
    "s3:TagResource": TAGS,
    "s3:UntagResource": TAGS,
    "s3:PutBucketAbac": "no policy here asks for tags",
    "s3:PutReplicationConfiguration": OUT,
    "s3:PauseReplication": OUT,
    "s3:PutBucketWebsite": WEBSITE,
    "s3:DeleteBucketWebsite": WEBSITE,
    "s3:PutBucketCORS": WEBSITE,
    "s3:PutBucketLogging": REPORTS,
    "s3:PutAnalyticsConfiguration": REPORTS,
    "s3:PutInventoryConfiguration": REPORTS,
    "s3:PutMetricsConfiguration": REPORTS,
    "s3:CreateBucketMetadataTableConfiguration": REPORTS,
    "s3:DeleteBucketMetadataTableConfiguration": REPORTS,
    "s3:UpdateBucketMetadataInventoryTableConfiguration": REPORTS,
    "s3:UpdateBucketMetadataJournalTableConfiguration": REPORTS,
    "s3:PutAccelerateConfiguration": "it changes the way to the bucket alone",
    "s3:PutBucketRequestPayment": "it says who pays for reads, and is undone like it was done",
    "s3:PutIntelligentTieringConfiguration": "no object is of that storage class",
}


@pytest.mark.parametrize(
    "written", [("/${ObjectName}", OBJECTS_LEFT_OPEN), ("", BUCKETS_LEFT_OPEN)], ids=["objects", "buckets"]
)
def test_nothing_that_writes_was_forgotten(platform: Platform, written: tuple[str, dict]):
    """Each S3 action that writes, by AWS's list, is denied by the policy or left open with a reason."""
    below, left_open = written
    writing = {
        action
        for action in get_actions_for_service("s3")
        for entry in get_action_data("s3", action.partition(":")[2])["s3"]
        if entry["access_level"] not in ("Read", "List")
        and entry["resource_arn_format"] == f"arn:${{Partition}}:s3:::${{BucketName}}{below}"
    }
    statements = platform.deploy(DeploymentRoleArn=DEPLOYMENT_ROLE)["EvidenceBucketPolicy"]["PolicyDocument"][
        "Statement"
    ]
    keeping = [s for s in statements if s["Sid"] in ("KeepEvidence", "KeepVersions", "KeepSafeguards")]
    denied = {action for statement in keeping for action in listed(statement["Action"])}
    assert writing == left_open.keys() | (denied & writing), "forgotten, or left open and denied all the same"
    assert not denied & left_open.keys()


def test_only_the_upstream_role_writes_its_receipts(platform: Platform):
    """Only the upstream phase's role may write below m2j_*."""
    deployment = platform.deploy()
    for principal in (*STEP_ROLES, *set(OUTSIDE) - {UPSTREAM_ROLE}, ROOT_USER, "OperatorRole"):
        assert decide(deployment, principal, "s3:PutObject", _object(deployment, RECEIPT), CREATION) == DENIED, (
            principal
        )
    assert decide(deployment, UPSTREAM_ROLE, "s3:PutObject", _object(deployment, RECEIPT), CREATION) == ALLOWED


def test_only_the_step_roles_write_their_folders(platform: Platform):
    """Only its own step may write a run-control folder, only M3.J the index, and nobody from outside."""
    deployment = platform.deploy()
    for key in (*FOLDERS.values(), EVENT_CLAIM, DAYS_COST, INDEX):
        resource = _object(deployment, key)
        for principal in (*OUTSIDE, ROOT_USER):
            assert decide(deployment, principal, "s3:PutObject", resource, CREATION) == DENIED, (principal, key)
        for principal in (*set(STEP_ROLES) - _writers(key), "OperatorRole", "StateMachineRole", "HandoffRole"):
            assert decide(deployment, principal, "s3:PutObject", resource, CREATION) in (DENIED, NOT_ALLOWED), (
                principal,
                key,
            )


def test_only_the_step_roles_write_runs_and_ledgers(platform: Platform):
    """Only the steps that make them may write run.json, the run header and the ledger."""
    deployment = platform.deploy()
    for key in (RUN_JSON, RUN_HEADER, LEDGER):
        resource = _object(deployment, key)
        for principal in (*OUTSIDE, ROOT_USER, "OperatorRole", *set(STEP_ROLES) - _writers(key)):
            assert decide(deployment, principal, "s3:PutObject", resource, CREATION) != ALLOWED, (principal, key)


def test_a_later_phase_writes_below_a_run_as_it_likes(platform: Platform):
    """A later phase that is named may create, overwrite and copy below a run's root. Nobody else may."""
    deployment = platform.deploy(LaterPhaseRoleArns=f"{LATER_PHASE_ROLE},{LATER_PHASE_ROLE}-2")
    for key in LATER:
        resource = _object(deployment, key)
        for principal in (LATER_PHASE_ROLE, f"{LATER_PHASE_ROLE}-2"):
            for request in (CREATION, OVERWRITE, PART, COPY):
                assert decide(deployment, principal, "s3:PutObject", resource, request) == ALLOWED, (key, request)
        for principal in (ADMINISTRATOR, BREAK_GLASS_ROLE, DEPLOYMENT_ROLE, UPSTREAM_ROLE, ROOT_USER):
            assert decide(deployment, principal, "s3:PutObject", resource, CREATION) == DENIED, (principal, key)
        for principal in STEP_ROLES:
            assert decide(deployment, principal, "s3:PutObject", resource, CREATION) != ALLOWED, (principal, key)


def test_a_later_phase_writes_none_of_p1_s_own_keys(platform: Platform):
    """A later phase may not write run.json, the header, the ledger or a run-control folder, of runs to come included."""
    deployment = platform.deploy(LaterPhaseRoleArns=f"{LATER_PHASE_ROLE},{LATER_PHASE_ROLE}-2")
    to_come = [key.replace("20260223", "20991231") for key in (RUN_JSON, RUN_HEADER, LEDGER)]
    for principal in (LATER_PHASE_ROLE, f"{LATER_PHASE_ROLE}-2"):
        for key in (*KEYS, RECEIPT, *to_come):
            assert decide(deployment, principal, "s3:PutObject", _object(deployment, key), CREATION) == DENIED, key


def test_p1_s_own_keys_are_where_the_registry_puts_them(platform: Platform):
    """The registry's patterns are parameters: M3.E may create what they name, once, and no other key of a run."""
    elsewhere = {
        "RunJsonKeyPattern": "evidence/runs/{platform_run_id}/pins/the_run.json",
        "RunHeaderFolderPattern": "evidence/runs/{platform_run_id}/headers/of/p1/",
    }
    deployment = platform.deploy(LaterPhaseRoleArns=LATER_PHASE_ROLE, **elsewhere)
    run = "evidence/runs/platform_20260223T061612Z"
    for key in (f"{run}/pins/the_run.json", f"{run}/headers/of/p1/header.json"):
        resource = _object(deployment, key)
        assert decide(deployment, "M3eRole", "s3:PutObject", resource, CREATION) == ALLOWED, key
        assert decide(deployment, "M3eRole", "s3:PutObject", resource, OVERWRITE) == DENIED, key
        assert decide(deployment, LATER_PHASE_ROLE, "s3:PutObject", resource, CREATION) == DENIED, key
    for key in (RUN_JSON, RUN_HEADER):
        resource = _object(deployment, key)
        assert decide(deployment, "M3eRole", "s3:PutObject", resource, CREATION) == NOT_ALLOWED, key
        assert decide(deployment, LATER_PHASE_ROLE, "s3:PutObject", resource, CREATION) == ALLOWED, key


def test_the_guide_says_what_the_owner_of_an_existing_bucket_must_add(platform: Platform):
    """The policy that the guide gives to the owner of an existing bucket is the template's, with places to fill in."""
    deployment = platform.deploy(DeploymentRoleArn=DEPLOYMENT_ROLE)
    text = (ROOT / "docs/evidence-bucket-policy.json").read_text("utf-8")
    filled = {
        "ENVIRONMENT": deployment.parameters["Environment"],
        "BUCKET": deployment.parameters["EvidenceBucketName"],
        "PREFIX": deployment.parameters["FunctionNamePrefix"],
        "BREAK_GLASS_ROLE_ARN": BREAK_GLASS_ROLE,
        "DEPLOYMENT_ROLE_ARN": DEPLOYMENT_ROLE,
        "UPSTREAM_ROLE_ARN": UPSTREAM_ROLE,
        "ACCOUNT": ACCOUNT,
    }
    for place, value in filled.items():
        text = text.replace(place, value)
    attached = deployment["EvidenceBucketPolicy"]["PolicyDocument"]["Statement"]
    said = json.loads(text)["Statement"]
    assert {statement["Sid"]: statement for statement in said} == {
        statement["Sid"]: statement for statement in attached
    }


def test_an_upstream_role_must_be_named(platform: Platform):
    """A deployment that creates the bucket and names no upstream role is refused: nobody could write a receipt."""

    def refused(**parameters: str) -> bool:
        try:
            platform.deploy(UpstreamRoleArn="", **parameters)
        except Refused:
            return True
        return False

    assert refused()
    assert not refused(CreateEvidenceBucket="false")
