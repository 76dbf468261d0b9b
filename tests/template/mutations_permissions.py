"""Defects of what the roles of the steps may do."""

from mutation import Mutation, add, caught_by, drop, put

STEP_POLICY = "StepPolicy/Properties/PolicyDocument/Statement"
EVIDENCE = "arn:${AWS::Partition}:s3:::${EvidenceBucketName}/"


def _step(step: str, path: str) -> str:
    return f"M3{step}Role/Properties/Policies/0/PolicyDocument/Statement/{path}"


MUTATIONS: list[Mutation] = [
    *caught_by(
        "test_each_step_has_exactly_what_it_uses",
        (
            "M3.C may read the oracle store",
            add(
                _step("c", "Sid=ReadEvidence/Resource"),
                {"Fn::Sub": "arn:${AWS::Partition}:s3:::${ObjectStoreBucketName}/*"},
            ),
        ),
        (
            "all steps may write all evidence",
            add(
                STEP_POLICY,
                {"Effect": "Allow", "Action": "s3:PutObject", "Resource": {"Fn::Sub": EVIDENCE + "evidence/*"}},
            ),
        ),
        ("M3.I lost the runs", drop(_step("i", "Sid=ReadEvidence/Resource/3"))),
        (
            "M3.J may read the registry",
            add(
                _step("j", "Sid=ReadEvidence/Resource"),
                {"Fn::Sub": "arn:${AWS::Partition}:s3:::${ArtifactsBucketName}/*"},
            ),
        ),
        ("M3.J may not read back what it lists by scenario", drop(_step("j", "Sid=ReadEvidence/Resource/4"))),
        ("M3.J may not list by scenario", drop(_step("j", "Sid=ListByScenario"))),
        (
            "M3.J may write the whole index",
            put(_step("j", "Sid=ListByScenario/Resource"), {"Fn::Sub": EVIDENCE + "evidence/${Environment}/index/*"}),
        ),
        ("the key may be used past S3", drop(f"{STEP_POLICY}/Sid=UseEvidenceKey/Fn::If/1/Condition")),
        (
            "the billing artifact is read though it is not the source",
            put(_step("h", "Sid=AskCostExplorer/Fn::If/0"), "HasBillingArtifact"),
        ),
        (
            "stack outputs are read from anywhere",
            put(_step("a", "Sid=ReadStackOutputs/Fn::If/1/Resource"), "arn:aws:s3:::*"),
        ),
        (
            "M3.F may write the ledger",
            add(_step("f", "Sid=Publish/Resource"), {"Fn::Sub": EVIDENCE + "evidence/runs/*/ledger/*"}),
        ),
    ),
    *caught_by(
        "test_only_those_that_ask_describe_and_this_machine_alone test_each_step_has_exactly_what_it_uses",
        (
            "M3.D may describe every machine",
            put(
                _step("d", "Sid=DescribeOrchestrator/Resource"),
                {"Fn::Sub": "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:stateMachine:*"},
            ),
        ),
        (
            "M3.B may describe executions",
            add(_step("b", "Sid=Publish/Action"), "states:DescribeExecution"),
            put(_step("b", "Sid=Publish/Resource"), "*"),
        ),
        ("M3.A may not ask for the machine", drop(_step("a", "Sid=DescribeOrchestrator"))),
    ),
    *caught_by(
        "test_only_m3h_asks_cost_explorer test_each_step_has_exactly_what_it_uses",
        ("all steps may ask Cost Explorer", add(f"{STEP_POLICY}/Sid=Trace/Action", "ce:GetCostAndUsage")),
    ),
    *caught_by(
        "test_nobody_may_delete test_each_step_has_exactly_what_it_uses",
        ("M3.H may delete a day's answer", add(_step("h", "Sid=KeepDaysCost/Action"), "s3:DeleteObject")),
    ),
    *caught_by(
        "test_nobody_may_delete",
        (
            "the operator may purge dead letters",
            add(
                "OperatorRole/Properties/Policies/0/PolicyDocument/Statement/Sid=SeeDeadLetters/Action",
                "sqs:PurgeQueue",
            ),
        ),
    ),
    *caught_by(
        "test_no_action_is_a_wildcard test_each_step_has_exactly_what_it_uses",
        ("M3.E may do everything to a run", put(_step("e", "Sid=PublishRun/Action"), "s3:*")),
        (
            "M3.E may do everything but delete",
            put(
                _step("e", "Sid=PublishRun"),
                {
                    "Effect": "Allow",
                    "NotAction": "s3:DeleteObject",
                    "Resource": {"Fn::Sub": EVIDENCE + "evidence/runs/*"},
                },
            ),
        ),
    ),
    *caught_by(
        "test_every_resource_is_named_where_aws_can test_each_step_has_exactly_what_it_uses",
        ("M3.G lists every bucket's versions", put(_step("g", "Sid=ListVersions/Resource"), "*")),
        (
            "M3.H asks for something else of Cost Explorer",
            put(_step("h", "Sid=AskCostExplorer/Fn::If/1/Action"), "ce:GetTags"),
        ),
        ("steps may do what AWS does not know", add(f"{STEP_POLICY}/Sid=Trace/Action", "xray:PutNothing")),
    ),
    *caught_by(
        "test_every_resource_is_named_where_aws_can",
        (
            "the operator reads all logs",
            put("OperatorRole/Properties/Policies/0/PolicyDocument/Statement/Sid=ReadLogs/Resource", "*"),
        ),
    ),
    *caught_by(
        "test_policies_fit_the_quotas_of_aws test_each_function_has_a_role_of_its_own",
        (
            "a trust policy is longer than IAM takes",
            put(
                "M3aRole/Properties/AssumeRolePolicyDocument/Statement/0/Principal",
                {"AWS": [f"arn:aws:iam::111122223333:role/somebody-{n}" for n in range(60)]},
            ),
        ),
    ),
    *caught_by(
        "test_policies_fit_the_quotas_of_aws test_each_step_has_exactly_what_it_uses",
        (
            "a managed policy is longer than IAM takes",
            put(
                f"{STEP_POLICY}/Sid=ListEvidence/Resource",
                [{"Fn::Sub": f"arn:aws:s3:::${{EvidenceBucketName}}-{n:099}"} for n in range(60)],
            ),
        ),
    ),
    *caught_by(
        "test_policies_fit_the_quotas_of_aws",
        (
            "a policy is longer than IAM takes",
            add(
                _step("b", "Sid=ReadEvidence/Resource"),
                *({"Fn::Sub": f"{EVIDENCE}evidence/dev_full/run_control/{n:0100}"} for n in range(60)),
            ),
        ),
    ),
]
