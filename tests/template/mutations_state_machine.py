"""Defects of the state machine and its role."""

from mutation import Mutation, add, caught_by, define, drop, put

MACHINE = "StateMachine/Properties"
ORCHESTRATE = "StateMachineRole/Properties/Policies/0/PolicyDocument/Statement"

MUTATIONS: list[Mutation] = [
    *caught_by(
        "test_its_role_has_exactly_what_it_needs test_its_role_invokes_versions_and_no_function_as_such test_every_resource_is_named_where_aws_can test_the_guide_says_what_a_role_that_exists_needs",
        ("the machine may invoke every function", put(f"{ORCHESTRATE}/Sid=InvokeSteps/Resource", "*")),
    ),
    *caught_by(
        "test_its_role_has_exactly_what_it_needs",
        (
            "the machine may invoke an eleventh function",
            add(
                f"{ORCHESTRATE}/Sid=InvokeSteps/Resource",
                {"Fn::Sub": "arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:${FunctionNamePrefix}-m3k:*"},
            ),
        ),
        (
            "the machine may read evidence",
            add(
                ORCHESTRATE,
                {
                    "Effect": "Allow",
                    "Action": "s3:GetObject",
                    "Resource": {"Fn::Sub": "arn:${AWS::Partition}:s3:::${EvidenceBucketName}/*"},
                },
            ),
        ),
        ("the machine runs with the rule's role", put(f"{MACHINE}/Role", {"Fn::GetAtt": ["HandoffRole", "Arn"]})),
    ),
    *caught_by(
        "test_its_role_has_exactly_what_it_needs test_its_role_invokes_versions_and_no_function_as_such",
        (
            "the machine may invoke unpublished code",
            put(f"{ORCHESTRATE}/Sid=InvokeSteps/Resource/0", {"Fn::Sub": "${M3aFunction.Arn}*"}),
        ),
        (
            "the machine may invoke the newest code alone",
            put(f"{ORCHESTRATE}/Sid=InvokeSteps/Resource/0", {"Fn::GetAtt": ["M3aFunction", "Arn"]}),
        ),
    ),
    *caught_by(
        "test_a_role_that_exists_takes_its_place",
        (
            "the machine runs as the role that is made",
            put(f"{MACHINE}/Role", {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:role/${StateMachineRoleName}"}),
        ),
        ("with a given role no receipt starts a run", put("HandoffRule/Condition", "CreatesStateMachineRole")),
        ("a role is made though one is given", drop("StateMachineRole/Condition")),
        (
            "the others are told of the role that is made",
            put(
                "/Outputs/StateMachineRoleArn/Value",
                {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:role/${StateMachineRoleName}"},
            ),
        ),
    ),
    *caught_by(
        "test_the_guide_says_what_a_role_that_exists_needs test_only_step_functions_takes_on_its_role",
        (
            "any machine of any account may take on the role",
            drop("StateMachineRole/Properties/AssumeRolePolicyDocument/Statement/0/Condition"),
        ),
    ),
    *caught_by(
        "test_every_task_invokes_a_published_version",
        (
            "a Task invokes the newest code",
            put(f"{MACHINE}/DefinitionSubstitutions/M3cFunctionArn", {"Fn::GetAtt": ["M3cFunction", "Arn"]}),
        ),
        (
            "a Task invokes another step's function",
            put(f"{MACHINE}/DefinitionSubstitutions/M3cFunctionArn", {"Ref": "M3dFunction.Version"}),
        ),
        (
            "the admission invokes another function",
            define("States/Admit rerun/Arguments/FunctionName", "${M3dFunctionArn}"),
        ),
        ("a step is passed over", define("States/M3.I Gate rollup/Type", "Pass")),
    ),
    *caught_by(
        "test_executions_are_logged_without_their_data",
        ("execution data is logged", put(f"{MACHINE}/Logging/IncludeExecutionData", True)),
        ("executions are not logged", drop(f"{MACHINE}/Logging")),
        ("only errors are logged", put(f"{MACHINE}/Logging/Level", "ERROR")),
        (
            "executions are logged among a step's lines",
            put(
                f"{MACHINE}/Logging/Destinations/0/CloudWatchLogsLogGroup/LogGroupArn",
                {"Fn::GetAtt": ["M3aLogGroup", "Arn"]},
            ),
        ),
    ),
    *caught_by(
        "test_its_log_group_has_retention",
        ("the machine's logs are kept for ever", drop("StateMachineLogGroup/Properties/RetentionInDays")),
        (
            "the machine's logs need a policy of their own",
            put("StateMachineLogGroup/Properties/LogGroupName", "/p1/machine"),
        ),
    ),
    *caught_by(
        "test_executions_are_traced",
        ("executions are not traced", put(f"{MACHINE}/Tracing/Enabled", False)),
    ),
    *caught_by(
        "test_a_version_is_published_on_aws",
        (
            "the machine's version goes with the next deployment",
            put("StateMachineVersion/UpdateReplacePolicy", "Delete"),
        ),
        (
            "the version is of the first revision for ever",
            drop("StateMachineVersion/Properties/StateMachineRevisionId"),
            put("StateMachineVersion/Properties/StateMachineRevisionId", "INITIAL"),
        ),
        (
            "the version is of another machine",
            put("StateMachineVersion/Properties/StateMachineArn", {"Fn::Sub": "${StateMachine}-2"}),
        ),
        ("the machine's version goes with the stack", put("StateMachineVersion/DeletionPolicy", "Delete")),
        (
            "a first deployment that fails leaves the machine's version in the way",
            put("StateMachineVersion/DeletionPolicy", "Retain"),
        ),
    ),
    *caught_by(
        "test_an_alias_points_to_the_version",
        ("the alias moves bit by bit", put("StateMachineAlias/Properties/DeploymentPreference/Type", "LINEAR")),
    ),
    *caught_by(
        "test_its_names_are_the_registry_s_handles",
        ("the machine has another name", put("/Parameters/StateMachineName/Default", "p1-machine")),
        ("the role's name is made up", drop("StateMachineRole/Properties/RoleName")),
        ("the machine's name is fixed", put(f"{MACHINE}/Name", "fraud-platform-dev-full-platform-run-v0")),
        (
            "the role's name is fixed",
            put("StateMachineRole/Properties/RoleName", "fraud-platform-dev-full-stepfunctions-orchestrator"),
        ),
    ),
    *caught_by(
        "test_it_is_a_standard_machine",
        ("the machine is an express one", put(f"{MACHINE}/Type", "EXPRESS")),
    ),
    *caught_by(
        "test_only_step_functions_takes_on_its_role",
        (
            "a function may take on the machine's role",
            put(
                "StateMachineRole/Properties/AssumeRolePolicyDocument/Statement/0/Principal/Service",
                "lambda.amazonaws.com",
            ),
        ),
        (
            "every machine of the account may take on the role",
            drop("StateMachineRole/Properties/AssumeRolePolicyDocument/Statement/0/Condition/ArnLike"),
        ),
    ),
]
