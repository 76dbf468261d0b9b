"""Defects of the SSM parameters that the stack writes."""

from mutation import Mutation, caught_by, drop, put, rewrite

MUTATIONS: list[Mutation] = [
    *caught_by(
        "test_a_later_phase_is_told_what_it_must_be_allowed_to_do",
        (
            "a later phase may do anything with any machine",
            put(
                "/Outputs/PhaseEntryPolicy/Value",
                '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"states:*","Resource":"*"}]}',
            ),
        ),
        (
            "a later phase is told to deny itself the orchestrator",
            rewrite(
                "/Outputs/PhaseEntryPolicy/Value/Fn::Sub/0",
                '"Sid":"Ask","Effect":"Allow"',
                '"Sid":"Ask","Effect":"Deny"',
            ),
        ),
        (
            "a later phase is told to start the alias, whose ARN authorises nothing",
            rewrite("/Outputs/PhaseEntryPolicy/Value/Fn::Sub/0", '"${StateMachine}"', '"${StateMachineAlias}"'),
        ),
        (
            "a later phase may start any version",
            rewrite("/Outputs/PhaseEntryPolicy/Value/Fn::Sub/0", "${OnlyTheAlias}", ""),
        ),
        (
            "a later phase's policy is longer than CloudFormation takes",
            rewrite("/Outputs/PhaseEntryPolicy/Value/Fn::Sub/0", '"Sid":"Follow"', f'"Sid":"{"Follow" * 200}"'),
        ),
    ),
    *caught_by(
        "test_outputs_are_written_as_ssm_parameters",
        (
            "a parameter says another ARN than the output",
            put("StartArnParameter/Properties/Value", {"Ref": "StateMachine"}),
        ),
        ("a parameter is a list", put("EvidenceBucketParameter/Properties/Type", "StringList")),
        (
            "a parameter names the rule instead of its ARN",
            put("HandoffRuleArnParameter/Properties/Value", {"Ref": "HandoffRule"}),
        ),
        (
            "a parameter says where the queue is instead of its ARN",
            put("HandoffDeadLettersArnParameter/Properties/Value", {"Ref": "HandoffDeadLetters"}),
        ),
    ),
    *caught_by(
        "test_outputs_are_written_as_ssm_parameters test_what_does_not_exist_is_not_written test_the_guide_lists_them",
        ("a parameter is missing", drop("EvidenceBucketParameter")),
    ),
    *caught_by(
        "test_what_does_not_exist_is_not_written",
        (
            "a parameter is written for a role that is not made",
            drop("OperatorRoleArnParameter/Condition"),
            put("OperatorRoleArnParameter/Properties/Value", {"Ref": "OperatorRoleName"}),
        ),
        (
            "a parameter stands elsewhere",
            put("HandoffRuleArnParameter/Properties/Name", "/fraud-platform/dev-full/p1/handoff_rule_arn"),
        ),
    ),
]
