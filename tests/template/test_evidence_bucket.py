"""The evidence bucket, its key, and what the other buckets have in common with it."""

import pytest

from access import ALLOWED, DENIED, decide
from calls import CREATION
from deployment import ADMINISTRATOR, BREAK_GLASS_ROLE, DEPLOYMENT_ROLE, GIVEN_KEY, Platform, at

BUCKET = "EvidenceBucket"
YEARS = "1825"


def test_the_bucket_is_created_by_default(platform: Platform):
    """The evidence bucket is created, under the name of the parameter."""
    deployment = platform.deploy()
    assert deployment[BUCKET]["BucketName"] == deployment.parameters["EvidenceBucketName"]


def test_an_existing_bucket_is_taken_by_parameter(platform: Platform):
    """A parameter takes an existing bucket instead: the stack refers to it by name and creates none."""
    deployment = platform.deploy(CreateEvidenceBucket="false", EvidenceBucketName="given-evidence")
    assert BUCKET not in deployment
    assert deployment["StateMachine"]["DefinitionSubstitutions"]["EvidenceBucket"] == "given-evidence"
    pattern = at(deployment["HandoffRule"], "EventPattern/detail/bucket/name")
    assert pattern == ["given-evidence"]


def test_no_policy_is_attached_to_an_existing_bucket(platform: Platform):
    """The policy is attached to a bucket that the stack creates, and never to an existing one."""
    deployment = platform.deploy(CreateEvidenceBucket="false", EvidenceBucketName="given-evidence")
    attached = {name: p["Bucket"] for name, p in deployment.of_type("AWS::S3::BucketPolicy").items()}
    assert "given-evidence" not in attached.values()
    assert "given-evidence" in platform.deploy(EvidenceBucketName="given-evidence")["EvidenceBucketPolicy"]["Bucket"]


# The resources that outlive the stack and have names that its parameters fix, which another attempt needs again.
NAMED = [f"{bucket}{part}" for bucket in (BUCKET, "ObjectStoreBucket", "ArtifactsBucket") for part in ("", "Policy")]


def test_the_bucket_and_its_safeguards_outlive_the_stack(platform: Platform):
    """Deleting the stack, or replacing a part of it, leaves the buckets, their policies and the keys."""
    resources = platform.deploy().resources
    for name in (*NAMED, "EvidenceKey", "SigningKey"):
        assert resources[name].get("DeletionPolicy") in ("Retain", "RetainExceptOnCreate"), name
        assert resources[name].get("UpdateReplacePolicy") == "Retain", name


def test_a_first_deployment_that_fails_leaves_nothing_in_the_way(platform: Platform):
    """A bucket that a failed deployment left would block the name for the next attempt. Keys have no names, and are always kept."""
    resources = platform.deploy().resources
    for name in NAMED:
        assert resources[name].get("DeletionPolicy") == "RetainExceptOnCreate", name
    for name in ("EvidenceKey", "SigningKey"):
        assert resources[name].get("DeletionPolicy") == "Retain", name


def test_versioning(platform: Platform):
    """The evidence bucket keeps versions."""
    assert at(platform.deploy()[BUCKET], "VersioningConfiguration/Status") == "Enabled"


def test_object_lock_is_on(platform: Platform):
    """The evidence bucket has Object Lock."""
    bucket = platform.deploy()[BUCKET]
    assert bucket.get("ObjectLockEnabled") is True
    assert at(bucket, "ObjectLockConfiguration/ObjectLockEnabled") == "Enabled"


def test_object_lock_is_governance_by_default(platform: Platform):
    """The mode of Object Lock is GOVERNANCE by default, and COMPLIANCE by parameter."""
    mode = "ObjectLockConfiguration/Rule/DefaultRetention/Mode"
    assert at(platform.deploy()[BUCKET], mode) == "GOVERNANCE"
    assert at(platform.deploy(EvidenceRetentionMode="COMPLIANCE")[BUCKET], mode) == "COMPLIANCE"


def test_object_lock_lasts_365_days_by_default(platform: Platform):
    """The retention is 365 days by default, and other days by parameter."""
    days = "ObjectLockConfiguration/Rule/DefaultRetention/Days"
    assert at(platform.deploy()[BUCKET], days) == "365"
    assert at(platform.deploy(EvidenceRetentionDays=YEARS)[BUCKET], days) == YEARS
    assert at(platform.deploy()[BUCKET], "ObjectLockConfiguration/Rule/DefaultRetention/Years") is None


def test_all_public_access_is_blocked(platform: Platform):
    """Each bucket that is created blocks all public access."""
    for name, bucket in platform.deploy().of_type("AWS::S3::Bucket").items():
        assert bucket.get("PublicAccessBlockConfiguration") == {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        }, name


@pytest.mark.parametrize("bucket", ["EvidenceBucket", "ObjectStoreBucket", "ArtifactsBucket"])
def test_tls_only(platform: Platform, bucket: str):
    """Without TLS nobody may do anything with a bucket that is created."""
    deployment = platform.deploy()
    arn = deployment.arn(bucket)
    for principal in (ADMINISTRATOR, BREAK_GLASS_ROLE, DEPLOYMENT_ROLE, "M3aRole"):
        for action, resource, keys in (
            ("s3:GetObject", f"{arn}/any/key", {}),
            ("s3:PutObject", f"{arn}/any/key", CREATION),
            ("s3:ListBucket", arn, {}),
        ):
            plainly = keys | {"aws:SecureTransport": "false"}
            assert decide(deployment, principal, action, resource, plainly) == DENIED, (principal, action)
    assert decide(deployment, ADMINISTRATOR, "s3:GetObject", f"{arn}/any/key") != DENIED


def test_evidence_is_encrypted_with_its_key(platform: Platform):
    """S3 encrypts what is written with the bucket's own key, whether or not the request asks for it."""
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
    """A key that is given is used, and none is created."""
    deployment = platform.deploy(EvidenceKeyArn=GIVEN_KEY)
    assert "EvidenceKey" not in deployment
    path = "BucketEncryption/ServerSideEncryptionConfiguration/0/ServerSideEncryptionByDefault/KMSMasterKeyID"
    assert at(deployment[BUCKET], path) == GIVEN_KEY


def test_the_key_rotates(platform: Platform):
    """The key that is created rotates every year."""
    key = platform.deploy()["EvidenceKey"]
    assert key.get("EnableKeyRotation") is True
    assert key.get("RotationPeriodInDays", 365) == 365


def test_only_break_glass_may_delete_the_key(platform: Platform):
    """Only the break-glass role may delete or disable the key: without it all evidence is lost, Object Lock or not."""
    deployment = platform.deploy()
    key = deployment.arn("EvidenceKey")
    for action in ("kms:ScheduleKeyDeletion", "kms:DisableKey"):
        for principal in (ADMINISTRATOR, DEPLOYMENT_ROLE, "OperatorRole"):
            assert decide(deployment, principal, action, key) == DENIED, (principal, action)
        assert decide(deployment, BREAK_GLASS_ROLE, action, key) != DENIED, action


def test_with_a_deployment_role_only_it_may_change_the_key_s_policy(platform: Platform):
    """Where a deployment role is named, only it and the break-glass role may change the key's policy."""
    deployment = platform.deploy(DeploymentRoleArn=DEPLOYMENT_ROLE)
    key = deployment.arn("EvidenceKey")
    assert decide(deployment, ADMINISTRATOR, "kms:PutKeyPolicy", key) == DENIED
    for principal in (DEPLOYMENT_ROLE, BREAK_GLASS_ROLE):
        assert decide(deployment, principal, "kms:PutKeyPolicy", key) == ALLOWED, principal


def test_the_bucket_owner_owns_every_object(platform: Platform):
    """Each bucket that is created enforces that its owner owns every object."""
    for name, bucket in platform.deploy().of_type("AWS::S3::Bucket").items():
        assert at(bucket, "OwnershipControls/Rules") == [{"ObjectOwnership": "BucketOwnerEnforced"}], name


def test_events_go_to_eventbridge(platform: Platform):
    """The evidence bucket tells EventBridge what happens in it."""
    path = "NotificationConfiguration/EventBridgeConfiguration/EventBridgeEnabled"
    assert at(platform.deploy()[BUCKET], path) is True


def _rules(platform: Platform) -> list[dict]:
    rules = at(platform.deploy()[BUCKET], "LifecycleConfiguration/Rules") or []
    return [rule for rule in rules if rule["Status"] == "Enabled"]


def test_evidence_goes_to_ia_at_30_and_to_glacier_ir_at_180_days(platform: Platform):
    """All evidence goes to STANDARD_IA after 30 days and to GLACIER_IR after 180."""
    moves = [rule for rule in _rules(platform) if "Transitions" in rule]
    assert [rule.get("Prefix") or rule.get("Filter") for rule in moves] == [None]
    assert [(move["StorageClass"], move["TransitionInDays"]) for rule in moves for move in rule["Transitions"]] == [
        ("STANDARD_IA", 30),
        ("GLACIER_IR", 180),
    ]


def test_no_lifecycle_rule_ever_expires_evidence(platform: Platform):
    """No lifecycle rule deletes evidence. Only parts of an upload that was never completed are deleted."""
    expiring = {
        "ExpirationInDays",
        "ExpirationDate",
        "ExpiredObjectDeleteMarker",
        "NoncurrentVersionExpiration",
        "NoncurrentVersionExpirationInDays",
    }
    for rule in _rules(platform):
        assert not expiring & set(rule), rule
