"""Point 1: the evidence bucket and its key."""

import pytest

from access import ALLOWED, DENIED, decide
from deployment import ADMINISTRATOR, BREAK_GLASS_ROLE, DEPLOYMENT_ROLE, GIVEN_KEY, Platform, at

BUCKET = "EvidenceBucket"
YEARS = "1825"


def test_the_bucket_is_created_by_default(platform: Platform):
    """Evidence bucket: created here."""
    deployment = platform.deploy()
    assert deployment[BUCKET]["BucketName"] == deployment.parameters["EvidenceBucketName"]


def test_an_existing_bucket_is_taken_by_parameter(platform: Platform):
    """… or an existing one by parameter: the same name is then only referred to."""
    deployment = platform.deploy(CreateEvidenceBucket="false", EvidenceBucketName="given-evidence")
    assert BUCKET not in deployment
    assert deployment["StateMachine"]["DefinitionSubstitutions"]["EvidenceBucket"] == "given-evidence"
    pattern = at(deployment["HandoffRule"], "EventPattern/detail/bucket/name")
    assert pattern == ["given-evidence"]


def test_no_policy_is_attached_to_an_existing_bucket(platform: Platform):
    """… then no policy is attached to it."""
    deployment = platform.deploy(CreateEvidenceBucket="false", EvidenceBucketName="given-evidence")
    attached = {name: p["Bucket"] for name, p in deployment.of_type("AWS::S3::BucketPolicy").items()}
    assert "given-evidence" not in attached.values()
    assert "given-evidence" in platform.deploy(EvidenceBucketName="given-evidence")["EvidenceBucketPolicy"]["Bucket"]


# What has a name of the deployment's own, and outlives it.
NAMED = [f"{bucket}{part}" for bucket in (BUCKET, "ObjectStoreBucket", "ArtifactsBucket") for part in ("", "Policy")]


def test_the_bucket_and_its_safeguards_outlive_the_stack(platform: Platform):
    """Tearing the stack down, or replacing a part of it, leaves the buckets, their policies and the keys."""
    resources = platform.deploy().resources
    for name in (*NAMED, "EvidenceKey", "SigningKey"):
        assert resources[name].get("DeletionPolicy") in ("Retain", "RetainExceptOnCreate"), name
        assert resources[name].get("UpdateReplacePolicy") == "Retain", name


def test_a_first_deployment_that_fails_leaves_nothing_in_the_way(platform: Platform):
    """What it leaves would have the name that the next attempt wants. Keys have none, and are kept whatever happens."""
    resources = platform.deploy().resources
    for name in NAMED:
        assert resources[name].get("DeletionPolicy") == "RetainExceptOnCreate", name
    for name in ("EvidenceKey", "SigningKey"):
        assert resources[name].get("DeletionPolicy") == "Retain", name


def test_versioning(platform: Platform):
    """Versioning."""
    assert at(platform.deploy()[BUCKET], "VersioningConfiguration/Status") == "Enabled"


def test_object_lock_is_on(platform: Platform):
    """Object Lock."""
    bucket = platform.deploy()[BUCKET]
    assert bucket.get("ObjectLockEnabled") is True
    assert at(bucket, "ObjectLockConfiguration/ObjectLockEnabled") == "Enabled"


def test_object_lock_is_governance_by_default(platform: Platform):
    """… (GOVERNANCE by default, or COMPLIANCE by parameter,"""
    mode = "ObjectLockConfiguration/Rule/DefaultRetention/Mode"
    assert at(platform.deploy()[BUCKET], mode) == "GOVERNANCE"
    assert at(platform.deploy(EvidenceRetentionMode="COMPLIANCE")[BUCKET], mode) == "COMPLIANCE"


def test_object_lock_lasts_365_days_by_default(platform: Platform):
    """… days from a parameter, default 365)."""
    days = "ObjectLockConfiguration/Rule/DefaultRetention/Days"
    assert at(platform.deploy()[BUCKET], days) == "365"
    assert at(platform.deploy(EvidenceRetentionDays=YEARS)[BUCKET], days) == YEARS
    assert at(platform.deploy()[BUCKET], "ObjectLockConfiguration/Rule/DefaultRetention/Years") is None


def test_all_public_access_is_blocked(platform: Platform):
    """All public access blocked, on each bucket that is created."""
    for name, bucket in platform.deploy().of_type("AWS::S3::Bucket").items():
        assert bucket.get("PublicAccessBlockConfiguration") == {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        }, name


@pytest.mark.parametrize("bucket", ["EvidenceBucket", "ObjectStoreBucket", "ArtifactsBucket"])
def test_tls_only(platform: Platform, bucket: str):
    """TLS only: without it nobody may do anything, on each bucket that is created."""
    deployment = platform.deploy()
    arn = deployment.arn(bucket)
    for principal in (ADMINISTRATOR, BREAK_GLASS_ROLE, DEPLOYMENT_ROLE, "M3aRole"):
        for action, resource, keys in (
            ("s3:GetObject", f"{arn}/any/key", {}),
            ("s3:PutObject", f"{arn}/any/key", {"s3__if_none_match": "*", "s3__ObjectCreationOperation": True}),
            ("s3:ListBucket", arn, {}),
        ):
            plainly = keys | {"aws__SecureTransport": False}
            assert decide(deployment, principal, action, resource, **plainly) == DENIED, (principal, action)
    assert decide(deployment, ADMINISTRATOR, "s3:GetObject", f"{arn}/any/key") != DENIED


def test_evidence_is_encrypted_with_its_key(platform: Platform):
    """KMS key (created …): what is written is encrypted with it unasked, by a key of the bucket's own."""
    deployment = platform.deploy()
    rules = at(deployment[BUCKET], "BucketEncryption/ServerSideEncryptionConfiguration")
    assert rules == [
        {
            "ServerSideEncryptionByDefault": {
                "SSEAlgorithm": "aws:kms",
                "KMSMasterKeyID": deployment.arn("EvidenceKey"),
            },
            "BucketKeyEnabled": True,
        }
    ]


def test_a_given_key_is_used(platform: Platform):
    """… or given: then none is created,"""
    deployment = platform.deploy(EvidenceKeyArn=GIVEN_KEY)
    assert "EvidenceKey" not in deployment
    path = "BucketEncryption/ServerSideEncryptionConfiguration/0/ServerSideEncryptionByDefault/KMSMasterKeyID"
    assert at(deployment[BUCKET], path) == GIVEN_KEY


def test_the_key_rotates(platform: Platform):
    """… with rotation, every year."""
    key = platform.deploy()["EvidenceKey"]
    assert key.get("EnableKeyRotation") is True
    assert key.get("RotationPeriodInDays", 365) == 365


def test_only_break_glass_may_delete_the_key(platform: Platform):
    """Without its key all evidence is lost, Object Lock or not: only the break-glass role may delete or disable it."""
    deployment = platform.deploy()
    key = deployment.arn("EvidenceKey")
    for action in ("kms:ScheduleKeyDeletion", "kms:DisableKey"):
        for principal in (ADMINISTRATOR, DEPLOYMENT_ROLE, "OperatorRole"):
            assert decide(deployment, principal, action, key) == DENIED, (principal, action)
        assert decide(deployment, BREAK_GLASS_ROLE, action, key) != DENIED, action


def test_with_a_deployment_role_only_it_may_change_the_key_s_policy(platform: Platform):
    """… nor take that away, where the deployment has a role of its own."""
    deployment = platform.deploy(DeploymentRoleArn=DEPLOYMENT_ROLE)
    key = deployment.arn("EvidenceKey")
    assert decide(deployment, ADMINISTRATOR, "kms:PutKeyPolicy", key) == DENIED
    for principal in (DEPLOYMENT_ROLE, BREAK_GLASS_ROLE):
        assert decide(deployment, principal, "kms:PutKeyPolicy", key) == ALLOWED, principal


def test_the_bucket_owner_owns_every_object(platform: Platform):
    """Bucket owner enforced, on each bucket that is created."""
    for name, bucket in platform.deploy().of_type("AWS::S3::Bucket").items():
        assert at(bucket, "OwnershipControls/Rules") == [{"ObjectOwnership": "BucketOwnerEnforced"}], name


def test_events_go_to_eventbridge(platform: Platform):
    """EventBridge on."""
    path = "NotificationConfiguration/EventBridgeConfiguration/EventBridgeEnabled"
    assert at(platform.deploy()[BUCKET], path) is True


def _rules(platform: Platform) -> list[dict]:
    rules = at(platform.deploy()[BUCKET], "LifecycleConfiguration/Rules") or []
    return [rule for rule in rules if rule["Status"] == "Enabled"]


def test_evidence_goes_to_ia_at_30_and_to_glacier_ir_at_180_days(platform: Platform):
    """Lifecycle to IA at 30 and Glacier IR at 180 days, for all evidence."""
    moves = [rule for rule in _rules(platform) if "Transitions" in rule]
    assert [rule.get("Prefix") or rule.get("Filter") for rule in moves] == [None]
    assert [(move["StorageClass"], move["TransitionInDays"]) for rule in moves for move in rule["Transitions"]] == [
        ("STANDARD_IA", 30),
        ("GLACIER_IR", 180),
    ]


def test_no_lifecycle_rule_ever_expires_evidence(platform: Platform):
    """Evidence is never deleted, by no rule either: only parts of an upload that was never completed are."""
    expiring = {
        "ExpirationInDays",
        "ExpirationDate",
        "ExpiredObjectDeleteMarker",
        "NoncurrentVersionExpiration",
        "NoncurrentVersionExpirationInDays",
    }
    for rule in _rules(platform):
        assert not expiring & set(rule), rule
