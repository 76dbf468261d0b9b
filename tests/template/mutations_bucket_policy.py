"""Defects of the evidence bucket's policy."""

from mutation import Mutation, add, caught_by, drop, put

POLICY = "EvidenceBucketPolicy/Properties/PolicyDocument/Statement"
RUNS = "arn:${AWS::Partition}:s3:::${EvidenceBucketName}/evidence/runs/*"
SOMEBODY = {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/somebody"}
# An action that the policy has no reason to deny.
HARMLESS = "s3:GetObjectAcl"

MUTATIONS: list[Mutation] = [
    *caught_by(
        "test_a_put_without_if_none_match_is_denied",
        ("overwriting is not denied", drop(f"{POLICY}/Sid=CreateOnly")),
        ("a ledger may be overwritten", drop(f"{POLICY}/Sid=CreateOnly/Resource/4")),
        ("event claims may be overwritten", drop(f"{POLICY}/Sid=CreateOnly/Resource/2")),
        (
            "M3.E may overwrite",
            put(
                f"{POLICY}/Sid=CreateOnly/Condition/ArnNotEquals",
                {"aws:PrincipalArn": {"Fn::GetAtt": ["M3eRole", "Arn"]}},
            ),
        ),
        ("an entry of the index may be overwritten", drop(f"{POLICY}/Sid=CreateOnly/Resource/7")),
    ),
    *caught_by(
        "test_a_put_without_if_none_match_is_denied test_a_step_may_create_what_it_makes",
        (
            "the condition on If-None-Match is the wrong way round",
            put(f"{POLICY}/Sid=CreateOnly/Condition/Null/s3:if-none-match", "false"),
        ),
    ),
    *caught_by(
        "test_a_step_may_create_what_it_makes test_parts_of_a_multipart_upload_are_exempt",
        (
            "the condition on If-None-Match compares instead of asking whether it is there",
            put(f"{POLICY}/Sid=CreateOnly/Condition", {"StringNotEquals": {"s3:if-none-match": "yes"}}),
        ),
    ),
    *caught_by(
        "test_a_put_without_if_none_match_is_denied test_p1_s_own_keys_are_where_the_registry_puts_them",
        ("run.json may be overwritten", drop(f"{POLICY}/Sid=CreateOnly/Resource/5")),
        ("the run header may be overwritten", drop(f"{POLICY}/Sid=CreateOnly/Resource/6")),
    ),
    *caught_by(
        "test_a_later_phase_writes_below_a_run_as_it_likes",
        ("later phases may only create", add(f"{POLICY}/Sid=CreateOnly/Resource", {"Fn::Sub": RUNS})),
        ("later phases may not copy", add(f"{POLICY}/Sid=NoCopies/Resource", {"Fn::Sub": RUNS})),
        ("anybody may write below a run", drop(f"{POLICY}/Sid=Runs")),
        (
            "later phases are shut out",
            put(f"{POLICY}/Sid=Runs/Condition/ArnNotEquals/aws:PrincipalArn", {"Fn::GetAtt": ["M3eRole", "Arn"]}),
        ),
    ),
    *caught_by(
        "test_a_later_phase_writes_none_of_p1_s_own_keys test_p1_s_own_keys_are_where_the_registry_puts_them",
        ("a later phase may pin a run", drop(f"{POLICY}/Sid=PinnedRuns")),
    ),
    *caught_by(
        "test_p1_s_own_keys_are_where_the_registry_puts_them",
        (
            "the registry's pattern of run.json is fixed",
            put(f"{POLICY}/Sid=PinnedRuns/Resource/0", {"Fn::Sub": RUNS + "/run.json"}),
        ),
        (
            "keys that P1 does not use are closed to later phases",
            add(f"{POLICY}/Sid=PinnedRuns/Resource", {"Fn::Sub": RUNS + "/run.json"}),
        ),
    ),
    *caught_by(
        "test_p1_s_own_keys_are_where_the_registry_puts_them test_a_later_phase_writes_below_a_run_as_it_likes",
        (
            "M3.E may write wherever a registry says",
            put("M3eRole/Properties/Policies/0/PolicyDocument/Statement/Sid=PublishRun/Resource", {"Fn::Sub": RUNS}),
        ),
    ),
    *caught_by(
        "test_p1_s_own_keys_are_where_the_registry_puts_them test_a_step_may_create_what_it_makes",
        (
            "M3.E may not write the header's folder",
            drop("M3eRole/Properties/Policies/0/PolicyDocument/Statement/Sid=PublishRun/Resource/1"),
        ),
    ),
    *caught_by(
        "test_deleting_is_denied_to_all_but_break_glass test_no_other_way_leads_around_the_lock",
        ("what later phases wrote may be deleted", drop(f"{POLICY}/Sid=KeepEvidence/Resource/4")),
        (
            "a second role may delete",
            add(
                f"{POLICY}/Sid=KeepEvidence/Condition/ArnNotEquals/aws:PrincipalArn",
                {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/administrator"},
            ),
        ),
        ("an entry of the index may be deleted", drop(f"{POLICY}/Sid=KeepEvidence/Resource/5")),
    ),
    *caught_by(
        "test_parts_of_a_multipart_upload_are_exempt",
        ("parts of an upload are denied", drop(f"{POLICY}/Sid=CreateOnly/Condition/Bool")),
    ),
    *caught_by(
        "test_copying_is_off",
        ("a copy with the header is let through", drop(f"{POLICY}/Sid=NoCopies")),
    ),
    *caught_by(
        "test_a_step_may_create_what_it_makes",
        (
            "M3.A may not read back what it claims, nor write it",
            put("M3aRole/Properties/Policies/0/PolicyDocument/Statement/Sid=ClaimEvent/Effect", "Deny"),
        ),
    ),
    *caught_by(
        "test_deleting_is_denied_to_all_but_break_glass",
        ("DeleteObject is not denied", put(f"{POLICY}/Sid=KeepEvidence/Action/0", HARMLESS)),
        ("DeleteObjectVersion is not denied", put(f"{POLICY}/Sid=KeepEvidence/Action/1", HARMLESS)),
        ("BypassGovernanceRetention is not denied", put(f"{POLICY}/Sid=KeepEvidence/Action/2", HARMLESS)),
        ("the break-glass role may not delete either", drop(f"{POLICY}/Sid=KeepEvidence/Condition")),
    ),
    *caught_by(
        "test_no_other_way_leads_around_the_lock",
        ("PutObjectRetention is not denied", put(f"{POLICY}/Sid=KeepEvidence/Action/3", HARMLESS)),
        ("PutObjectLegalHold is not denied", put(f"{POLICY}/Sid=KeepEvidence/Action/4", HARMLESS)),
        ("ReplicateObject is not denied", put(f"{POLICY}/Sid=KeepEvidence/Action/5", HARMLESS)),
        ("ReplicateDelete is not denied", put(f"{POLICY}/Sid=KeepEvidence/Action/6", HARMLESS)),
        ("UpdateObjectEncryption is not denied", put(f"{POLICY}/Sid=KeepEvidence/Action/7", HARMLESS)),
    ),
    *caught_by(
        "test_without_a_break_glass_role_only_the_root_user_may_delete",
        (
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
        ),
    ),
    *caught_by(
        "test_versioning_cannot_be_suspended_but_by_break_glass "
        "test_without_a_break_glass_role_only_the_root_user_may_delete",
        ("anybody may suspend versioning", drop(f"{POLICY}/Sid=KeepVersions")),
    ),
    *caught_by(
        "test_versioning_cannot_be_suspended_but_by_break_glass",
        ("not even break-glass may suspend versioning", drop(f"{POLICY}/Sid=KeepVersions/Condition")),
    ),
    *caught_by(
        "test_with_a_deployment_role_only_it_may_change_the_safeguards",
        ("the safeguards are never held", drop(f"{POLICY}/Sid=KeepSafeguards")),
        (
            "the deployment role cannot update the safeguards",
            drop(f"{POLICY}/Sid=KeepSafeguards/Fn::If/1/Condition/ArnNotEquals/aws:PrincipalArn/1"),
        ),
    ),
    *caught_by(
        "test_nothing_that_writes_was_forgotten",
        ("tags cannot be set", add(f"{POLICY}/Sid=KeepEvidence/Action", "s3:PutObjectTagging")),
    ),
    *caught_by(
        "test_nothing_that_writes_was_forgotten test_with_a_deployment_role_only_it_may_change_the_safeguards",
        ("anybody may switch the hand-off off", drop(f"{POLICY}/Sid=KeepSafeguards/Fn::If/1/Action/5")),
    ),
    *caught_by(
        "test_only_the_upstream_role_writes_its_receipts",
        ("anybody may write an M2 receipt", drop(f"{POLICY}/Sid=ReceiptsOfUpstream")),
        (
            "the upstream role is no longer let in",
            put(f"{POLICY}/Sid=ReceiptsOfUpstream/Condition/ArnNotEquals/aws:PrincipalArn", SOMEBODY),
        ),
    ),
    *caught_by(
        "test_only_the_step_roles_write_their_folders",
        ("anybody may write the folders of the steps", drop(f"{POLICY}/Sid=FoldersOfSteps")),
        (
            "a role from outside may write the folders of the steps",
            add(f"{POLICY}/Sid=FoldersOfSteps/Condition/ArnNotEquals/aws:PrincipalArn", {"Ref": "UpstreamRoleArn"}),
        ),
        ("anybody may claim events", drop(f"{POLICY}/Sid=EventClaimsOfM3a")),
        ("anybody may say what the day cost", drop(f"{POLICY}/Sid=DayCostsOfM3h")),
        ("anybody may list a run as pinned", drop(f"{POLICY}/Sid=IndexOfM3j")),
    ),
    *caught_by(
        "test_only_the_step_roles_write_their_folders test_each_step_has_exactly_what_it_uses",
        (
            "M3.C may write the folder of M3.D",
            add(
                "M3cRole/Properties/Policies/0/PolicyDocument/Statement/Sid=Publish/Resource",
                {
                    "Fn::Sub": "arn:${AWS::Partition}:s3:::${EvidenceBucketName}/evidence/${Environment}/run_control/m3d_*"
                },
            ),
        ),
    ),
    *caught_by(
        "test_only_the_step_roles_write_runs_and_ledgers",
        (
            "M3.E may write the ledger",
            put("M3eRole/Properties/Policies/0/PolicyDocument/Statement/Sid=PublishRun/Resource", {"Fn::Sub": RUNS}),
            drop(f"{POLICY}/Sid=Ledgers"),
        ),
    ),
    *caught_by(
        "test_a_later_phase_writes_none_of_p1_s_own_keys",
        ("a later phase may write the ledger", drop(f"{POLICY}/Sid=Ledgers")),
    ),
    *caught_by(
        "test_the_guide_says_what_the_owner_of_an_existing_bucket_must_add",
        ("the guide's policy is not the template's any more", drop(f"{POLICY}/Sid=KeepEvidence/Action/6")),
    ),
    *caught_by(
        "test_an_upstream_role_must_be_named",
        ("nobody may write a receipt", drop("/Rules/UpstreamRoleIsNamed")),
        ("a given bucket needs an upstream role, too", drop("/Rules/UpstreamRoleIsNamed/RuleCondition")),
    ),
]
