"""Defects of who may start the state machine, and of the operator's role."""

from mutation import Mutation, add, caught_by, drop, put

HANDOFF = "HandoffRole/Properties/Policies/0/PolicyDocument/Statement/Sid=Start"
OPERATE = "OperatorRole/Properties/Policies/0/PolicyDocument/Statement"

MUTATIONS: list[Mutation] = [
    *caught_by(
        "test_only_the_rule_and_the_operator_start_it test_each_step_has_exactly_what_it_uses",
        (
            "a step may start the machine",
            add(
                "M3gRole/Properties/Policies/0/PolicyDocument/Statement",
                {"Effect": "Allow", "Action": "states:StartExecution", "Resource": {"Ref": "StateMachine"}},
            ),
        ),
    ),
    *caught_by(
        "test_only_the_rule_and_the_operator_start_it",
        ("the operator may start every machine", put(f"{OPERATE}/Sid=Start/Resource", "*")),
        ("the operator may not start the machine", drop(f"{OPERATE}/Sid=Start")),
        ("there is an operator's role though nobody is named", drop("OperatorRole/Condition")),
        (
            "the rule may start the alias by the alias's ARN, which AWS does not ask for",
            put(f"{HANDOFF}/Resource", {"Ref": "StateMachineAlias"}),
            drop(f"{HANDOFF}/Condition"),
        ),
        ("the rule may start any version of the machine", drop(f"{HANDOFF}/Condition")),
        (
            "the rule may start nothing where no version is published",
            put(f"{HANDOFF}/Condition", {"ForAnyValue:StringEquals": {"states:StateMachineQualifier": "live"}}),
        ),
        ("the operator's role has a made-up name", put("OperatorRole/Properties/RoleName", "operator")),
    ),
    *caught_by(
        "test_the_operator_changes_nothing_but_executions",
        ("the operator may write evidence", add(f"{OPERATE}/Sid=ReadEvidence/Action", "s3:PutObject")),
        ("the operator may do what AWS does not know", add(f"{OPERATE}/Sid=Start/Action", "states:BeginExecution")),
    ),
    *caught_by(
        "test_the_operator_role_is_for_whom_it_is_named",
        (
            "the whole account may operate",
            put(
                "OperatorRole/Properties/AssumeRolePolicyDocument/Statement/0/Principal",
                {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}},
            ),
        ),
    ),
]
