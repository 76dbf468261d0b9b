"""Defects of the ten functions."""

from mutation import Mutation, caught_by, drop, put

MUTATIONS: list[Mutation] = [
    *caught_by(
        "test_there_are_ten_functions",
        ("a step runs on a managed runtime", put("M3cFunction/Properties/Runtime", "python3.13")),
        (
            "there is an eleventh function",
            put(
                "M3kFunction",
                {
                    "Type": "AWS::Serverless::Function",
                    "Properties": {"CodeUri": "m3k.zip", "Role": {"Fn::GetAtt": ["M3jRole", "Arn"]}},
                },
            ),
        ),
    ),
    *caught_by(
        "test_arm64_is_the_default",
        ("x86_64 is the default", put("/Parameters/Architecture/Default", "x86_64")),
    ),
    *caught_by(
        "test_x86_64_is_taken_by_parameter",
        ("the architecture is fixed", put("/Globals/Function/Architectures", ["arm64"])),
    ),
    *caught_by(
        "test_memory_is_512_mb",
        ("a function has 128 MB", put("M3fFunction/Properties/MemorySize", 128)),
    ),
    *caught_by(
        "test_each_function_has_a_log_group_with_retention",
        ("logs are kept for ever", drop("M3dLogGroup/Properties/RetentionInDays")),
        ("the retention is fixed", put("M3dLogGroup/Properties/RetentionInDays", 90)),
        ("a function logs to a group that Lambda makes", drop("M3gFunction/Properties/LoggingConfig/LogGroup")),
        (
            "two functions share a log group",
            put("M3bFunction/Properties/LoggingConfig/LogGroup", {"Ref": "M3aLogGroup"}),
        ),
    ),
    *caught_by(
        "test_logs_are_json",
        ("logs are text", put("/Globals/Function/LoggingConfig", {"LogFormat": "Text"})),
        ("Lambda drops metrics and failures", put("/Globals/Function/LoggingConfig/ApplicationLogLevel", "WARN")),
        ("Lambda's own reports are dropped", put("/Globals/Function/LoggingConfig/SystemLogLevel", "WARN")),
    ),
    *caught_by(
        "test_functions_are_traced",
        ("functions are not traced", put("/Globals/Function/Tracing", "PassThrough")),
    ),
    *caught_by(
        "test_each_deployment_publishes_a_version test_every_task_invokes_a_published_version",
        (
            "no version is published",
            drop("/Globals/Function/AutoPublishAlias"),
            *(
                put(
                    f"StateMachine/Properties/DefinitionSubstitutions/M3{s}FunctionArn",
                    {"Fn::GetAtt": [f"M3{s}Function", "Arn"]},
                )
                for s in "abcdefghij"
            ),
        ),
    ),
    *caught_by(
        "test_a_changed_function_gets_a_new_version",
        ("a changed setting publishes no version", drop("M3eFunction/Properties/AutoPublishAliasAllProperties")),
    ),
    *caught_by(
        "test_each_function_has_a_role_of_its_own",
        ("two steps share a role", put("M3hFunction/Properties/Role", {"Fn::GetAtt": ["M3iRole", "Arn"]})),
        (
            "EC2 may take on a step's role",
            put(
                "M3bRole/Properties/AssumeRolePolicyDocument/Statement/0/Principal/Service",
                ["lambda.amazonaws.com", "ec2.amazonaws.com"],
            ),
        ),
        (
            "a step runs with a role from elsewhere",
            put("M3aFunction/Properties/Role", {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:role/administrator"}),
        ),
    ),
    *caught_by(
        "test_every_role_has_the_permissions_boundary",
        ("a role has no boundary", drop("OperatorRole/Properties/PermissionsBoundary")),
        (
            "a role has another boundary",
            put("M3jRole/Properties/PermissionsBoundary", "arn:aws:iam::aws:policy/PowerUserAccess"),
        ),
        (
            "an empty boundary is set where none is given",
            put("M3jRole/Properties/PermissionsBoundary", {"Ref": "PermissionsBoundaryArn"}),
        ),
    ),
    *caught_by(
        "test_each_deployment_publishes_a_version",
        ("a version goes with the next deployment", put("M3aFunction/Properties/VersionDeletionPolicy", "Delete")),
    ),
]
