"""Defects against point 1."""

from mutation import Mutation, add, drop, mutation, put

BUCKET = "EvidenceBucket/Properties"
POLICY = "EvidenceBucketPolicy/Properties/PolicyDocument/Statement"
LIFECYCLE = f"{BUCKET}/LifecycleConfiguration/Rules"
ENCRYPTION = f"{BUCKET}/BucketEncryption/ServerSideEncryptionConfiguration/0"
RETENTION = f"{BUCKET}/ObjectLockConfiguration/Rule/DefaultRetention"
SOMEBODY = {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/somebody"}

BUCKETS: list[Mutation] = [
    mutation(
        "the bucket is not created unless asked for",
        put("/Parameters/CreateEvidenceBucket/Default", "false"),
        caught_by="test_the_bucket_is_created_by_default",
    ),
    mutation(
        "the bucket is created always",
        drop("EvidenceBucket/Condition"),
        caught_by="test_an_existing_bucket_is_taken_by_parameter",
    ),
    mutation(
        "the rule listens to a bucket of a fixed name",
        put("HandoffRule/Properties/EventPattern/detail/bucket/name", ["fraud-platform-dev-full-evidence"]),
        caught_by="test_an_existing_bucket_is_taken_by_parameter",
    ),
    mutation(
        "a policy is attached to a given bucket",
        drop("EvidenceBucketPolicy/Condition"),
        put("EvidenceBucketPolicy/Properties/Bucket", {"Ref": "EvidenceBucketName"}),
        caught_by="test_no_policy_is_attached_to_an_existing_bucket",
    ),
    mutation(
        "the bucket goes with the stack",
        put("EvidenceBucket/DeletionPolicy", "Delete"),
        caught_by="test_the_bucket_and_its_safeguards_outlive_the_stack",
    ),
    mutation(
        "the key goes when it is replaced",
        drop("EvidenceKey/UpdateReplacePolicy"),
        caught_by="test_the_bucket_and_its_safeguards_outlive_the_stack",
    ),
    mutation(
        "versioning is suspended",
        put(f"{BUCKET}/VersioningConfiguration/Status", "Suspended"),
        caught_by="test_versioning",
    ),
    mutation("there is no versioning", drop(f"{BUCKET}/VersioningConfiguration"), caught_by="test_versioning"),
    mutation(
        "there is no Object Lock",
        drop(f"{BUCKET}/ObjectLockEnabled"),
        drop(f"{BUCKET}/ObjectLockConfiguration"),
        caught_by="test_object_lock_is_on test_object_lock_is_governance_by_default "
        "test_object_lock_lasts_365_days_by_default",
    ),
    mutation(
        "Object Lock has no default retention",
        drop(f"{BUCKET}/ObjectLockConfiguration/Rule"),
        caught_by="test_object_lock_is_governance_by_default test_object_lock_lasts_365_days_by_default",
    ),
    mutation(
        "the mode is fixed",
        put(f"{RETENTION}/Mode", "GOVERNANCE"),
        caught_by="test_object_lock_is_governance_by_default",
    ),
    mutation(
        "the mode is COMPLIANCE by default",
        put("/Parameters/EvidenceRetentionMode/Default", "COMPLIANCE"),
        caught_by="test_object_lock_is_governance_by_default",
    ),
    mutation(
        "the days are fixed", put(f"{RETENTION}/Days", "365"), caught_by="test_object_lock_lasts_365_days_by_default"
    ),
    mutation(
        "the days are 30 by default",
        put("/Parameters/EvidenceRetentionDays/Default", 30),
        caught_by="test_object_lock_lasts_365_days_by_default",
    ),
    mutation(
        "a public policy is not refused",
        put(f"{BUCKET}/PublicAccessBlockConfiguration/BlockPublicPolicy", False),
        caught_by="test_all_public_access_is_blocked",
    ),
    mutation(
        "the artifacts bucket blocks no public access",
        drop("ArtifactsBucket/Properties/PublicAccessBlockConfiguration"),
        caught_by="test_all_public_access_is_blocked",
    ),
    mutation("plain HTTP is let through", drop(f"{POLICY}/Sid=TlsOnly"), caught_by="test_tls_only"),
    mutation(
        "plain HTTP is denied for objects alone", drop(f"{POLICY}/Sid=TlsOnly/Resource/0"), caught_by="test_tls_only"
    ),
    mutation(
        "TLS is denied",
        put(f"{POLICY}/Sid=TlsOnly/Condition/Bool/aws:SecureTransport", "true"),
        caught_by="test_tls_only test_a_step_may_create_what_it_makes",
    ),
    mutation(
        "the oracle store takes plain HTTP",
        put("ObjectStoreBucketPolicy/Properties/PolicyDocument/Statement/Sid=TlsOnly/Action", "s3:PutObject"),
        caught_by="test_tls_only",
    ),
    mutation(
        "the bucket is encrypted with S3's key",
        put(ENCRYPTION, {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}),
        caught_by="test_evidence_is_encrypted_with_its_key test_a_given_key_is_used",
    ),
    mutation(
        "every object asks KMS for a key of its own",
        put(f"{ENCRYPTION}/BucketKeyEnabled", False),
        caught_by="test_evidence_is_encrypted_with_its_key",
    ),
    mutation(
        "a key is created beside the given one",
        put("EvidenceKey/Condition", "CreatesEvidenceBucket"),
        caught_by="test_a_given_key_is_used",
    ),
    mutation(
        "the key does not rotate",
        put("EvidenceKey/Properties/EnableKeyRotation", False),
        caught_by="test_the_key_rotates",
    ),
    mutation(
        "the key rotates every seven years",
        put("EvidenceKey/Properties/RotationPeriodInDays", 2560),
        caught_by="test_the_key_rotates",
    ),
    mutation(
        "the account may delete the key",
        drop("EvidenceKey/Properties/KeyPolicy/Statement/Sid=KeepKey"),
        caught_by="test_only_break_glass_may_delete_the_key",
    ),
    mutation(
        "nobody may delete the key",
        drop("EvidenceKey/Properties/KeyPolicy/Statement/Sid=KeepKey/Condition"),
        caught_by="test_only_break_glass_may_delete_the_key",
    ),
    mutation(
        "writers own their objects",
        put(f"{BUCKET}/OwnershipControls/Rules/0/ObjectOwnership", "ObjectWriter"),
        caught_by="test_the_bucket_owner_owns_every_object",
    ),
    mutation(
        "the object store keeps ACLs",
        drop("ObjectStoreBucket/Properties/OwnershipControls"),
        caught_by="test_the_bucket_owner_owns_every_object",
    ),
    mutation(
        "EventBridge hears nothing",
        drop(f"{BUCKET}/NotificationConfiguration"),
        caught_by="test_events_go_to_eventbridge",
    ),
    mutation(
        "evidence goes to IA at 90 days",
        put(f"{LIFECYCLE}/Id=colder/Transitions/0/TransitionInDays", 90),
        caught_by="test_evidence_goes_to_ia_at_30_and_to_glacier_ir_at_180_days",
    ),
    mutation(
        "evidence goes to the archive that answers in hours",
        put(f"{LIFECYCLE}/Id=colder/Transitions/1/StorageClass", "GLACIER"),
        caught_by="test_evidence_goes_to_ia_at_30_and_to_glacier_ir_at_180_days",
    ),
    mutation(
        "only a part of the evidence gets colder",
        put(f"{LIFECYCLE}/Id=colder/Prefix", "evidence/runs/"),
        caught_by="test_evidence_goes_to_ia_at_30_and_to_glacier_ir_at_180_days",
    ),
    mutation(
        "the lifecycle is off",
        put(f"{LIFECYCLE}/Id=colder/Status", "Disabled"),
        caught_by="test_evidence_goes_to_ia_at_30_and_to_glacier_ir_at_180_days",
    ),
    mutation(
        "old evidence expires",
        add(LIFECYCLE, {"Id": "old", "Status": "Enabled", "ExpirationInDays": 3650}),
        caught_by="test_no_lifecycle_rule_ever_expires_evidence",
    ),
    mutation(
        "old versions expire",
        put(f"{LIFECYCLE}/Id=abandoned-uploads/NoncurrentVersionExpiration", {"NoncurrentDays": 400}),
        caught_by="test_no_lifecycle_rule_ever_expires_evidence",
    ),
    mutation(
        "the functions write to a bucket of a fixed name",
        put("/Globals/Function/Environment/Variables/P1_EVIDENCE_BUCKET", "fraud-platform-dev-full-evidence"),
        caught_by="test_an_existing_bucket_is_taken_by_parameter",
    ),
    mutation(
        "the bucket that is created has no policy",
        drop("EvidenceBucketPolicy"),
        caught_by="test_no_policy_is_attached_to_an_existing_bucket test_a_put_without_if_none_match_is_denied",
    ),
    mutation(
        "Object Lock is configured and off",
        drop(f"{BUCKET}/ObjectLockConfiguration/ObjectLockEnabled"),
        caught_by="test_object_lock_is_on",
    ),
    mutation(
        "the retention is in years, too",
        put(f"{RETENTION}/Years", 1),
        caught_by="test_object_lock_lasts_365_days_by_default",
    ),
    mutation("everything is denied", drop(f"{POLICY}/Sid=TlsOnly/Condition"), caught_by="test_tls_only"),
]

POLICIES: list[Mutation] = [
    mutation(
        "overwriting is not denied",
        drop(f"{POLICY}/Sid=CreateOnly"),
        caught_by="test_a_put_without_if_none_match_is_denied",
    ),
    mutation(
        "the condition on If-None-Match is the wrong way round",
        put(f"{POLICY}/Sid=CreateOnly/Condition/Null/s3:if-none-match", "false"),
        caught_by="test_a_put_without_if_none_match_is_denied test_a_step_may_create_what_it_makes",
    ),
    mutation(
        "the condition on If-None-Match compares instead of asking whether it is there",
        put(f"{POLICY}/Sid=CreateOnly/Condition", {"StringNotEquals": {"s3:if-none-match": "yes"}}),
        caught_by="test_a_step_may_create_what_it_makes test_parts_of_a_multipart_upload_are_exempt",
    ),
    mutation(
        "run evidence may be overwritten",
        drop(f"{POLICY}/Sid=CreateOnly/Resource/4"),
        caught_by="test_a_put_without_if_none_match_is_denied",
    ),
    mutation(
        "event claims may be overwritten",
        drop(f"{POLICY}/Sid=CreateOnly/Resource/2"),
        caught_by="test_a_put_without_if_none_match_is_denied",
    ),
    mutation(
        "M3.E may overwrite",
        put(
            f"{POLICY}/Sid=CreateOnly/Condition/ArnNotEquals", {"aws:PrincipalArn": {"Fn::GetAtt": ["M3eRole", "Arn"]}}
        ),
        caught_by="test_a_put_without_if_none_match_is_denied",
    ),
    mutation(
        "parts of an upload are denied",
        drop(f"{POLICY}/Sid=CreateOnly/Condition/Bool"),
        caught_by="test_parts_of_a_multipart_upload_are_exempt",
    ),
    mutation("a copy with the header is let through", drop(f"{POLICY}/Sid=NoCopies"), caught_by="test_copying_is_off"),
    mutation(
        "M3.A may not read back what it claims, nor write it",
        put("M3aRole/Properties/Policies/0/PolicyDocument/Statement/Sid=ClaimEvent/Effect", "Deny"),
        caught_by="test_a_step_may_create_what_it_makes",
    ),
    *(
        mutation(
            f"{action} is not denied",
            put(f"{POLICY}/Sid=KeepEvidence/Action/{index}", "s3:GetObjectAcl"),
            caught_by=check,
        )
        for index, (action, check) in enumerate(
            [
                ("DeleteObject", "test_deleting_is_denied_to_all_but_break_glass"),
                ("DeleteObjectVersion", "test_deleting_is_denied_to_all_but_break_glass"),
                ("BypassGovernanceRetention", "test_deleting_is_denied_to_all_but_break_glass"),
                ("PutObjectRetention", "test_no_other_way_leads_around_the_lock"),
                ("PutObjectLegalHold", "test_no_other_way_leads_around_the_lock"),
                ("ReplicateObject", "test_no_other_way_leads_around_the_lock"),
                ("ReplicateDelete", "test_no_other_way_leads_around_the_lock"),
            ]
        )
    ),
    mutation(
        "the break-glass role may not delete either",
        drop(f"{POLICY}/Sid=KeepEvidence/Condition"),
        caught_by="test_deleting_is_denied_to_all_but_break_glass",
    ),
    mutation(
        "a second role may delete",
        add(
            f"{POLICY}/Sid=KeepEvidence/Condition/ArnNotEquals/aws:PrincipalArn",
            {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/administrator"},
        ),
        caught_by="test_deleting_is_denied_to_all_but_break_glass test_no_other_way_leads_around_the_lock",
    ),
    mutation(
        "every role of the account breaks glass where none is named",
        put(
            f"{POLICY}/Sid=KeepEvidence/Condition",
            {
                "ArnNotLike": {
                    "aws:PrincipalArn": {
                        "Fn::If": ["HasBreakGlassRole", {"Ref": "BreakGlassRoleArn"}, "arn:aws:iam::*:role/*"]
                    }
                }
            },
        ),
        caught_by="test_without_a_break_glass_role_only_the_root_user_may_delete",
    ),
    mutation(
        "anybody may suspend versioning",
        drop(f"{POLICY}/Sid=KeepVersions"),
        caught_by="test_versioning_cannot_be_suspended_but_by_break_glass "
        "test_without_a_break_glass_role_only_the_root_user_may_delete",
    ),
    mutation(
        "not even break-glass may suspend versioning",
        drop(f"{POLICY}/Sid=KeepVersions/Condition"),
        caught_by="test_versioning_cannot_be_suspended_but_by_break_glass",
    ),
    mutation(
        "the safeguards are never held",
        drop(f"{POLICY}/Sid=KeepSafeguards"),
        caught_by="test_with_a_deployment_role_only_it_may_change_the_safeguards",
    ),
    mutation(
        "the deployment role cannot update the safeguards",
        drop(f"{POLICY}/Sid=KeepSafeguards/Fn::If/1/Condition/ArnNotEquals/aws:PrincipalArn/1"),
        caught_by="test_with_a_deployment_role_only_it_may_change_the_safeguards",
    ),
    mutation(
        "anybody may write an M2 receipt",
        drop(f"{POLICY}/Sid=ReceiptsOfUpstream"),
        caught_by="test_only_the_upstream_role_writes_its_receipts",
    ),
    mutation(
        "the upstream role is no longer let in",
        put(f"{POLICY}/Sid=ReceiptsOfUpstream/Condition/ArnNotEquals/aws:PrincipalArn", SOMEBODY),
        caught_by="test_only_the_upstream_role_writes_its_receipts",
    ),
    mutation(
        "anybody may write the folders of the steps",
        drop(f"{POLICY}/Sid=FoldersOfSteps"),
        caught_by="test_only_the_step_roles_write_their_folders",
    ),
    mutation(
        "a role from outside may write the folders of the steps",
        add(f"{POLICY}/Sid=FoldersOfSteps/Condition/ArnNotEquals/aws:PrincipalArn", {"Ref": "UpstreamRoleArn"}),
        caught_by="test_only_the_step_roles_write_their_folders",
    ),
    mutation(
        "M3.C may write the folder of M3.D",
        add(
            "M3cRole/Properties/Policies/0/PolicyDocument/Statement/Sid=Publish/Resource",
            {"Fn::Sub": "arn:${AWS::Partition}:s3:::${EvidenceBucketName}/evidence/dev_full/run_control/m3d_*"},
        ),
        caught_by="test_only_the_step_roles_write_their_folders test_each_step_has_exactly_what_it_uses",
    ),
    mutation(
        "anybody may claim events",
        drop(f"{POLICY}/Sid=EventClaimsOfM3a"),
        caught_by="test_only_the_step_roles_write_their_folders",
    ),
    mutation(
        "anybody may say what the day cost",
        drop(f"{POLICY}/Sid=DayCostsOfM3h"),
        caught_by="test_only_the_step_roles_write_their_folders",
    ),
    mutation(
        "anybody may write below a run",
        drop(f"{POLICY}/Sid=Runs"),
        caught_by="test_only_the_step_roles_write_runs_and_ledgers "
        "test_a_later_phase_adds_to_a_run_but_never_to_its_ledger",
    ),
    mutation(
        "M3.E may write the ledger",
        drop("M3eRole/Properties/Policies/0/PolicyDocument/Statement/Sid=NeverTheLedger"),
        drop(f"{POLICY}/Sid=Ledgers"),
        caught_by="test_only_the_step_roles_write_runs_and_ledgers",
    ),
    mutation(
        "a later phase may write the ledger",
        drop(f"{POLICY}/Sid=Ledgers"),
        caught_by="test_a_later_phase_adds_to_a_run_but_never_to_its_ledger",
    ),
    mutation(
        "the guide's policy is not the template's any more",
        drop(f"{POLICY}/Sid=KeepEvidence/Action/6"),
        caught_by="test_the_guide_says_what_the_owner_of_an_existing_bucket_must_add",
    ),
    mutation(
        "nobody may write a receipt",
        drop("/Rules/UpstreamRoleIsNamed"),
        caught_by="test_an_upstream_role_must_be_named",
    ),
    mutation(
        "a given bucket needs an upstream role, too",
        drop("/Rules/UpstreamRoleIsNamed/RuleCondition"),
        caught_by="test_an_upstream_role_must_be_named",
    ),
    mutation(
        "later phases are shut out",
        put(f"{POLICY}/Sid=Runs/Condition/ArnNotEquals/aws:PrincipalArn", {"Fn::GetAtt": ["M3eRole", "Arn"]}),
        caught_by="test_a_later_phase_adds_to_a_run_but_never_to_its_ledger",
    ),
]
