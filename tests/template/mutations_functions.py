"""Defects of the ten functions."""

from mutation import Mutation, drop, mutation, put

MUTATIONS: list[Mutation] = [
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
