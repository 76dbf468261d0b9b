"""Defects of the evidence bucket, its key and the other buckets."""

from mutation import Mutation, add, caught_by, drop, put

BUCKET = "EvidenceBucket/Properties"
POLICY = "EvidenceBucketPolicy/Properties/PolicyDocument/Statement"
LIFECYCLE = f"{BUCKET}/LifecycleConfiguration/Rules"
ENCRYPTION = f"{BUCKET}/BucketEncryption/ServerSideEncryptionConfiguration/0"
RETENTION = f"{BUCKET}/ObjectLockConfiguration/Rule/DefaultRetention"

MUTATIONS: list[Mutation] = [
    *caught_by(
        "test_the_bucket_is_created_by_default",
        ("the bucket is not created unless asked for", put("/Parameters/CreateEvidenceBucket/Default", "false")),
    ),
    *caught_by(
        "test_an_existing_bucket_is_taken_by_parameter",
        ("the bucket is created always", drop("EvidenceBucket/Condition")),
        (
            "the rule listens to a bucket of a fixed name",
            put("HandoffRule/Properties/EventPattern/detail/bucket/name", ["fraud-platform-dev-full-evidence"]),
        ),
        (
            "the functions write to a bucket of a fixed name",
            put("StateMachine/Properties/DefinitionSubstitutions/EvidenceBucket", "fraud-platform-dev-full-evidence"),
        ),
    ),
    *caught_by(
        "test_no_policy_is_attached_to_an_existing_bucket",
        (
            "a policy is attached to a given bucket",
            drop("EvidenceBucketPolicy/Condition"),
            put("EvidenceBucketPolicy/Properties/Bucket", {"Ref": "EvidenceBucketName"}),
        ),
    ),
    *caught_by(
        "test_the_bucket_and_its_safeguards_outlive_the_stack",
        ("the bucket goes with the stack", put("EvidenceBucket/DeletionPolicy", "Delete")),
        ("the key goes when it is replaced", drop("EvidenceKey/UpdateReplacePolicy")),
    ),
    *caught_by(
        "test_a_first_deployment_that_fails_leaves_nothing_in_the_way",
        ("a first deployment that fails leaves a bucket in the way", put("ArtifactsBucket/DeletionPolicy", "Retain")),
        ("a deployment that fails takes a key with it", put("SigningKey/DeletionPolicy", "RetainExceptOnCreate")),
    ),
    *caught_by(
        "test_versioning",
        ("versioning is suspended", put(f"{BUCKET}/VersioningConfiguration/Status", "Suspended")),
        ("there is no versioning", drop(f"{BUCKET}/VersioningConfiguration")),
    ),
    *caught_by(
        "test_object_lock_is_on test_object_lock_is_governance_by_default test_object_lock_lasts_365_days_by_default",
        ("there is no Object Lock", drop(f"{BUCKET}/ObjectLockEnabled"), drop(f"{BUCKET}/ObjectLockConfiguration")),
    ),
    *caught_by(
        "test_object_lock_is_governance_by_default test_object_lock_lasts_365_days_by_default",
        ("Object Lock has no default retention", drop(f"{BUCKET}/ObjectLockConfiguration/Rule")),
    ),
    *caught_by(
        "test_object_lock_is_governance_by_default",
        ("the mode is fixed", put(f"{RETENTION}/Mode", "GOVERNANCE")),
        ("the mode is COMPLIANCE by default", put("/Parameters/EvidenceRetentionMode/Default", "COMPLIANCE")),
    ),
    *caught_by(
        "test_object_lock_lasts_365_days_by_default",
        ("the days are fixed", put(f"{RETENTION}/Days", "365")),
        ("the days are 30 by default", put("/Parameters/EvidenceRetentionDays/Default", 30)),
        ("the retention is in years, too", put(f"{RETENTION}/Years", 1)),
    ),
    *caught_by(
        "test_all_public_access_is_blocked",
        ("a public policy is not refused", put(f"{BUCKET}/PublicAccessBlockConfiguration/BlockPublicPolicy", False)),
        (
            "the artifacts bucket blocks no public access",
            drop("ArtifactsBucket/Properties/PublicAccessBlockConfiguration"),
        ),
    ),
    *caught_by(
        "test_tls_only",
        ("plain HTTP is let through", drop(f"{POLICY}/Sid=TlsOnly")),
        ("plain HTTP is denied for objects alone", drop(f"{POLICY}/Sid=TlsOnly/Resource/0")),
        (
            "the oracle store takes plain HTTP",
            put("ObjectStoreBucketPolicy/Properties/PolicyDocument/Statement/Sid=TlsOnly/Action", "s3:PutObject"),
        ),
        ("everything is denied", drop(f"{POLICY}/Sid=TlsOnly/Condition")),
    ),
    *caught_by(
        "test_tls_only test_a_step_may_create_what_it_makes",
        ("TLS is denied", put(f"{POLICY}/Sid=TlsOnly/Condition/Bool/aws:SecureTransport", "true")),
    ),
    *caught_by(
        "test_evidence_is_encrypted_with_its_key test_a_given_key_is_used",
        (
            "the bucket is encrypted with S3's key",
            put(ENCRYPTION, {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}),
        ),
    ),
    *caught_by(
        "test_evidence_is_encrypted_with_its_key",
        ("every object asks KMS for a key of its own", put(f"{ENCRYPTION}/BucketKeyEnabled", False)),
    ),
    *caught_by(
        "test_a_given_key_is_used",
        ("a key is created beside the given one", put("EvidenceKey/Condition", "CreatesEvidenceBucket")),
    ),
    *caught_by(
        "test_the_key_rotates",
        ("the key does not rotate", put("EvidenceKey/Properties/EnableKeyRotation", False)),
        ("the key rotates every seven years", put("EvidenceKey/Properties/RotationPeriodInDays", 2560)),
    ),
    *caught_by(
        "test_only_break_glass_may_delete_the_key",
        ("the account may delete the key", drop("EvidenceKey/Properties/KeyPolicy/Statement/Sid=KeepKey")),
        ("nobody may delete the key", drop("EvidenceKey/Properties/KeyPolicy/Statement/Sid=KeepKey/Condition")),
    ),
    *caught_by(
        "test_with_a_deployment_role_only_it_may_change_the_key_s_policy",
        (
            "whoever IAM lets may change the key's policy",
            drop("EvidenceKey/Properties/KeyPolicy/Statement/Sid=KeepKeyPolicy"),
        ),
        (
            "nobody may change the key's policy",
            drop("EvidenceKey/Properties/KeyPolicy/Statement/Sid=KeepKeyPolicy/Fn::If/1/Condition"),
        ),
    ),
    *caught_by(
        "test_the_bucket_owner_owns_every_object",
        ("writers own their objects", put(f"{BUCKET}/OwnershipControls/Rules/0/ObjectOwnership", "ObjectWriter")),
        ("the object store keeps ACLs", drop("ObjectStoreBucket/Properties/OwnershipControls")),
    ),
    *caught_by(
        "test_events_go_to_eventbridge",
        ("EventBridge hears nothing", drop(f"{BUCKET}/NotificationConfiguration")),
    ),
    *caught_by(
        "test_evidence_goes_to_ia_at_30_and_to_glacier_ir_at_180_days",
        ("evidence goes to IA at 90 days", put(f"{LIFECYCLE}/Id=colder/Transitions/0/TransitionInDays", 90)),
        (
            "evidence goes to the archive that answers in hours",
            put(f"{LIFECYCLE}/Id=colder/Transitions/1/StorageClass", "GLACIER"),
        ),
        ("only a part of the evidence gets colder", put(f"{LIFECYCLE}/Id=colder/Prefix", "evidence/runs/")),
        ("the lifecycle is off", put(f"{LIFECYCLE}/Id=colder/Status", "Disabled")),
    ),
    *caught_by(
        "test_no_lifecycle_rule_ever_expires_evidence",
        ("old evidence expires", add(LIFECYCLE, {"Id": "old", "Status": "Enabled", "ExpirationInDays": 3650})),
        (
            "old versions expire",
            put(f"{LIFECYCLE}/Id=abandoned-uploads/NoncurrentVersionExpiration", {"NoncurrentDays": 400}),
        ),
    ),
    *caught_by(
        "test_no_policy_is_attached_to_an_existing_bucket test_a_put_without_if_none_match_is_denied",
        ("the bucket that is created has no policy", drop("EvidenceBucketPolicy")),
    ),
    *caught_by(
        "test_object_lock_is_on",
        ("Object Lock is configured and off", drop(f"{BUCKET}/ObjectLockConfiguration/ObjectLockEnabled")),
    ),
]
