"""Defects against point 2."""

from mutation import Mutation, add, drop, mutation, put


def _step(step: str, path: str) -> str:
    return f"M3{step}Role/Properties/Policies/0/PolicyDocument/Statement/{path}"


STEP_POLICY = "StepPolicy/Properties/PolicyDocument/Statement"
EVIDENCE = "arn:${AWS::Partition}:s3:::${EvidenceBucketName}/"
EXACT = "test_each_step_has_exactly_what_it_uses"

FUNCTIONS: list[Mutation] = [
    mutation(
        "a step runs on a managed runtime",
        put("M3cFunction/Properties/Runtime", "python3.13"),
        caught_by="test_there_are_ten_functions",
    ),
    mutation(
        "x86_64 is the default",
        put("/Parameters/Architecture/Default", "x86_64"),
        caught_by="test_arm64_is_the_default",
    ),
    mutation(
        "the architecture is fixed",
        put("/Globals/Function/Architectures", ["arm64"]),
        caught_by="test_x86_64_is_taken_by_parameter",
    ),
    mutation("a function has 128 MB", put("M3fFunction/Properties/MemorySize", 128), caught_by="test_memory_is_512_mb"),
    mutation(
        "logs are kept for ever",
        drop("M3dLogGroup/Properties/RetentionInDays"),
        caught_by="test_each_function_has_a_log_group_with_retention",
    ),
    mutation(
        "the retention is fixed",
        put("M3dLogGroup/Properties/RetentionInDays", 90),
        caught_by="test_each_function_has_a_log_group_with_retention",
    ),
    mutation(
        "a function logs to a group that Lambda makes",
        drop("M3gFunction/Properties/LoggingConfig/LogGroup"),
        caught_by="test_each_function_has_a_log_group_with_retention",
    ),
    mutation(
        "two functions share a log group",
        put("M3bFunction/Properties/LoggingConfig/LogGroup", {"Ref": "M3aLogGroup"}),
        caught_by="test_each_function_has_a_log_group_with_retention",
    ),
    mutation(
        "logs are text", put("/Globals/Function/LoggingConfig", {"LogFormat": "Text"}), caught_by="test_logs_are_json"
    ),
    mutation(
        "Lambda drops metrics and failures",
        put("/Globals/Function/LoggingConfig/ApplicationLogLevel", "WARN"),
        caught_by="test_logs_are_json",
    ),
    mutation(
        "functions are not traced",
        put("/Globals/Function/Tracing", "PassThrough"),
        caught_by="test_functions_are_traced",
    ),
    mutation(
        "no version is published",
        drop("/Globals/Function/AutoPublishAlias"),
        *(
            put(
                f"StateMachine/Properties/DefinitionSubstitutions/M3{s}FunctionArn",
                {"Fn::GetAtt": [f"M3{s}Function", "Arn"]},
            )
            for s in "abcdefghij"
        ),
        caught_by="test_each_deployment_publishes_a_version test_every_task_invokes_a_published_version",
    ),
    mutation(
        "a changed setting publishes no version",
        drop("M3eFunction/Properties/AutoPublishAliasAllProperties"),
        caught_by="test_a_changed_function_gets_a_new_version",
    ),
    mutation(
        "two steps share a role",
        put("M3hFunction/Properties/Role", {"Fn::GetAtt": ["M3iRole", "Arn"]}),
        caught_by="test_each_function_has_a_role_of_its_own",
    ),
    mutation(
        "EC2 may take on a step's role",
        put(
            "M3bRole/Properties/AssumeRolePolicyDocument/Statement/0/Principal/Service",
            ["lambda.amazonaws.com", "ec2.amazonaws.com"],
        ),
        caught_by="test_each_function_has_a_role_of_its_own",
    ),
    mutation(
        "a role has no boundary",
        drop("OperatorRole/Properties/PermissionsBoundary"),
        caught_by="test_every_role_has_the_permissions_boundary",
    ),
    mutation(
        "a role has another boundary",
        put("M3jRole/Properties/PermissionsBoundary", "arn:aws:iam::aws:policy/PowerUserAccess"),
        caught_by="test_every_role_has_the_permissions_boundary",
    ),
    mutation(
        "there is an eleventh function",
        put(
            "M3kFunction",
            {
                "Type": "AWS::Serverless::Function",
                "Properties": {"CodeUri": "m3k.zip", "Role": {"Fn::GetAtt": ["M3jRole", "Arn"]}},
            },
        ),
        caught_by="test_there_are_ten_functions",
    ),
    mutation(
        "Lambda's own reports are dropped",
        put("/Globals/Function/LoggingConfig/SystemLogLevel", "WARN"),
        caught_by="test_logs_are_json",
    ),
    mutation(
        "a version goes with the next deployment",
        put("M3aFunction/Properties/VersionDeletionPolicy", "Delete"),
        caught_by="test_each_deployment_publishes_a_version",
    ),
    mutation(
        "a step runs with a role from elsewhere",
        put("M3aFunction/Properties/Role", {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:role/administrator"}),
        caught_by="test_each_function_has_a_role_of_its_own",
    ),
    mutation(
        "an empty boundary is set where none is given",
        put("M3jRole/Properties/PermissionsBoundary", {"Ref": "PermissionsBoundaryArn"}),
        caught_by="test_every_role_has_the_permissions_boundary",
    ),
]

PERMISSIONS: list[Mutation] = [
    mutation(
        "M3.C may read the oracle store",
        add(
            _step("c", "Sid=ReadEvidence/Resource"),
            {"Fn::Sub": "arn:${AWS::Partition}:s3:::${ObjectStoreBucketName}/*"},
        ),
        caught_by=EXACT,
    ),
    mutation(
        "all steps may write all evidence",
        add(
            STEP_POLICY, {"Effect": "Allow", "Action": "s3:PutObject", "Resource": {"Fn::Sub": EVIDENCE + "evidence/*"}}
        ),
        caught_by=EXACT,
    ),
    mutation("M3.I lost the runs", drop(_step("i", "Sid=ReadEvidence/Resource/3")), caught_by=EXACT),
    mutation(
        "M3.J may read the registry",
        add(
            _step("j", "Sid=ReadEvidence/Resource"), {"Fn::Sub": "arn:${AWS::Partition}:s3:::${ArtifactsBucketName}/*"}
        ),
        caught_by=EXACT,
    ),
    mutation(
        "the key may be used past S3", drop(f"{STEP_POLICY}/Sid=UseEvidenceKey/Fn::If/1/Condition"), caught_by=EXACT
    ),
    mutation(
        "the billing artifact is read though it is not the source",
        put(_step("h", "Sid=AskCostExplorer/Fn::If/0"), "HasBillingArtifact"),
        caught_by=EXACT,
    ),
    mutation(
        "stack outputs are read from anywhere",
        put(_step("a", "Sid=ReadStackOutputs/Fn::If/1/Resource"), "arn:aws:s3:::*"),
        caught_by=EXACT,
    ),
    mutation(
        "M3.F may write the ledger",
        add(_step("f", "Sid=Publish/Resource"), {"Fn::Sub": EVIDENCE + "evidence/runs/*/ledger/*"}),
        caught_by=EXACT,
    ),
    mutation(
        "M3.D may describe every machine",
        put(
            _step("d", "Sid=DescribeOrchestrator/Resource"),
            {"Fn::Sub": "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:stateMachine:*"},
        ),
        caught_by=f"test_only_those_that_ask_describe_and_this_machine_alone {EXACT}",
    ),
    mutation(
        "M3.B may describe executions",
        add(_step("b", "Sid=Publish/Action"), "states:DescribeExecution"),
        put(_step("b", "Sid=Publish/Resource"), "*"),
        caught_by=f"test_only_those_that_ask_describe_and_this_machine_alone {EXACT}",
    ),
    mutation(
        "M3.A may not ask for the machine",
        drop(_step("a", "Sid=DescribeOrchestrator")),
        caught_by=f"test_only_those_that_ask_describe_and_this_machine_alone {EXACT}",
    ),
    mutation(
        "all steps may ask Cost Explorer",
        add(f"{STEP_POLICY}/Sid=Trace/Action", "ce:GetCostAndUsage"),
        caught_by=f"test_only_m3h_asks_cost_explorer {EXACT}",
    ),
    mutation(
        "M3.H may delete a day's answer",
        add(_step("h", "Sid=KeepDaysCost/Action"), "s3:DeleteObject"),
        caught_by=f"test_nobody_may_delete {EXACT}",
    ),
    mutation(
        "the operator may purge dead letters",
        add("OperatorRole/Properties/Policies/0/PolicyDocument/Statement/Sid=SeeDeadLetters/Action", "sqs:PurgeQueue"),
        caught_by="test_nobody_may_delete",
    ),
    mutation(
        "M3.E may do everything to a run",
        put(_step("e", "Sid=PublishRun/Action"), "s3:*"),
        caught_by=f"test_no_action_is_a_wildcard {EXACT}",
    ),
    mutation(
        "M3.E may do everything but delete",
        put(
            _step("e", "Sid=PublishRun"),
            {"Effect": "Allow", "NotAction": "s3:DeleteObject", "Resource": {"Fn::Sub": EVIDENCE + "evidence/runs/*"}},
        ),
        caught_by=f"test_no_action_is_a_wildcard {EXACT}",
    ),
    mutation(
        "M3.G lists every bucket's versions",
        put(_step("g", "Sid=ListVersions/Resource"), "*"),
        caught_by=f"test_every_resource_is_named_where_aws_can {EXACT}",
    ),
    mutation(
        "the operator reads all logs",
        put("OperatorRole/Properties/Policies/0/PolicyDocument/Statement/Sid=ReadLogs/Resource", "*"),
        caught_by="test_every_resource_is_named_where_aws_can",
    ),
    mutation(
        "M3.H asks for something else of Cost Explorer",
        put(_step("h", "Sid=AskCostExplorer/Fn::If/1/Action"), "ce:GetTags"),
        caught_by=f"test_every_resource_is_named_where_aws_can {EXACT}",
    ),
    mutation(
        "steps may do what AWS does not know",
        add(f"{STEP_POLICY}/Sid=Trace/Action", "xray:PutNothing"),
        caught_by=f"test_every_resource_is_named_where_aws_can {EXACT}",
    ),
    mutation(
        "a trust policy is longer than IAM takes",
        put(
            "M3aRole/Properties/AssumeRolePolicyDocument/Statement/0/Principal",
            {"AWS": [f"arn:aws:iam::111122223333:role/somebody-{n}" for n in range(60)]},
        ),
        caught_by="test_policies_fit_the_quotas_of_aws test_each_function_has_a_role_of_its_own",
    ),
    mutation(
        "a managed policy is longer than IAM takes",
        put(
            f"{STEP_POLICY}/Sid=ListEvidence/Resource",
            [{"Fn::Sub": f"arn:aws:s3:::${{EvidenceBucketName}}-{n:099}"} for n in range(60)],
        ),
        caught_by=f"test_policies_fit_the_quotas_of_aws {EXACT}",
    ),
    mutation(
        "a policy is longer than IAM takes",
        add(
            _step("b", "Sid=ReadEvidence/Resource"),
            *({"Fn::Sub": f"{EVIDENCE}evidence/dev_full/run_control/{n:0100}"} for n in range(60)),
        ),
        caught_by="test_policies_fit_the_quotas_of_aws",
    ),
]
