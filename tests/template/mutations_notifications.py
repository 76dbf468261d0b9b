"""Defects of the rules that tell people of an execution's end."""

from mutation import Mutation, add, caught_by, drop, put, rewrite

VERDICTS = "VerdictRule/Properties"
ADVANCES = "AdvanceRule/Properties"
TARGET = f"{VERDICTS}/Targets/0"
SAYS = f"{TARGET}/InputTransformer"
STATEMENTS = "HandoffDeadLettersPolicy/Properties/PolicyDocument/Statement"
DELIVER = f"{STATEMENTS}/Sid=DeliverVerdicts/Fn::If/1"


MUTATIONS: list[Mutation] = [
    *caught_by(
        "test_nobody_is_told_where_no_topic_is_named",
        ("nobody is told, through a rule", drop("VerdictRule/Condition")),
        ("advances are told to nobody", put("AdvanceRule/Condition", "HasBreakGlassRole")),
        (
            "advances are told without being asked",
            put("AdvanceRule/Condition", "HasVerdictTopic"),
            put(f"{DELIVER}/Condition/ArnEquals/aws:SourceArn", {"Fn::Sub": "${VerdictRule.Arn}"}),
        ),
        (
            "advances are told where no topic is named",
            put("/Conditions/TellsAdvances", {"Fn::Equals": [{"Ref": "NotifyAdvances"}, "true"]}),
        ),
        (
            "advances are never told",
            put("/Conditions/TellsAdvances", {"Fn::Equals": [{"Ref": "NotifyAdvances"}, "yes"]}),
        ),
        (
            "the queue takes verdicts where no topic is named",
            put(
                f"{STATEMENTS}/1/Fn::If/2", {"Sid": "DeliverAll", "Effect": "Deny", "Principal": "*", "Action": "sqs:*"}
            ),
        ),
        ("the queue may be read in the clear where no topic is named", put(f"{STATEMENTS}/Sid=TlsOnly/Sid", "Tls")),
    ),
    *caught_by(
        "test_every_execution_that_did_not_succeed_matches",
        ("aborted executions are told to nobody", drop(f"{VERDICTS}/EventPattern/detail/status/2")),
        ("executions of every machine are told", drop(f"{VERDICTS}/EventPattern/detail/stateMachineArn")),
        (
            "executions of the alias alone are told, which no event names",
            put(f"{VERDICTS}/EventPattern/detail/stateMachineArn", [{"Ref": "StateMachineAlias"}]),
        ),
        ("holds alone are told", put(f"{VERDICTS}/EventPattern/detail/error", ["M3.Hold"])),
        ("calls of the API are told", put(f"{VERDICTS}/EventPattern/detail-type", ["AWS API Call via CloudTrail"])),
    ),
    *caught_by(
        "test_an_advance_matches_and_no_other_success",
        ("advances are waited for elsewhere", put(f"{ADVANCES}/EventPattern/source", ["aws.lambda"])),
        ("advances of every machine are told", drop(f"{ADVANCES}/EventPattern/detail/stateMachineArn")),
        ("starts are told", put(f"{ADVANCES}/EventPattern/detail/status", ["RUNNING", "SUCCEEDED"])),
        ("every success is told", put(f"{ADVANCES}/EventPattern/detail/output", [{"wildcard": "*"}])),
        ("no advance is told", put(f"{ADVANCES}/EventPattern/detail/output", [{"wildcard": "ADVANCE_TO_M4"}])),
        (
            "an output with blanks is no advance",
            put(f"{ADVANCES}/EventPattern/detail/output", [{"wildcard": '*"verdict":"ADVANCE_TO_M4"*'}]),
        ),
        ("no output is looked at", drop(f"{ADVANCES}/EventPattern/detail/output")),
    ),
    *caught_by(
        "test_the_topic_is_told",
        ("the topic of alarms is told", put(f"{TARGET}/Arn", {"Ref": "AlarmTopicArn"})),
        ("a topic is told with a role", put(f"{TARGET}/RoleArn", {"Fn::GetAtt": ["HandoffRole", "Arn"]})),
    ),
    *caught_by(
        "test_the_topic_is_told test_what_is_told_says_what_ended_and_how test_what_could_not_be_told_is_tried_again_and_kept",
        ("the rule that tells people is off", put(f"{VERDICTS}/State", "DISABLED")),
    ),
    *caught_by(
        "test_the_guide_s_topic_policy_names_the_rules",
        ("the rule has another name", put(f"{VERDICTS}/Name", {"Fn::Sub": "${FunctionNamePrefix}-verdict"})),
        ("the rule has a name of CloudFormation's", drop(f"{ADVANCES}/Name")),
    ),
    *caught_by(
        "test_what_is_told_says_what_ended_and_how",
        (
            "what is told has no cause",
            rewrite(f"{SAYS}/InputTemplate", "<cause>", "none"),
            drop(f"{SAYS}/InputPathsMap/cause"),
        ),
        ("a placeholder has no value", drop(f"{SAYS}/InputPathsMap/cause")),
        ("what is told has no error", rewrite(f"{SAYS}/InputTemplate", ", error <error>", ", <error>")),
        ("nobody learns how a fault goes on", rewrite(f"{SAYS}/InputTemplate", "redrive-execution", "stop-execution")),
        ("nobody learns the input", rewrite(f"{SAYS}/InputTemplate", "describe-execution", "stop-execution")),
        ("nobody learns where the evidence is", rewrite(f"{SAYS}/InputTemplate", "cargo p1 fetch", "cargo p1 get")),
        ("nobody learns which deployment it is", rewrite(f"{SAYS}/InputTemplate", "${FunctionNamePrefix}", "P1")),
        (
            "an advance is told without its output",
            rewrite(f"{ADVANCES}/Targets/0/InputTransformer/InputTemplate", '"<output>"', '"<output>."'),
        ),
        ("a line is an object", rewrite(f"{SAYS}/InputTemplate", '"<cause>"', '{"cause": "<cause>"}')),
        (
            "the text is longer than EventBridge takes",
            rewrite(f"{SAYS}/InputTemplate", "docs/operators.md", "docs/operators.md" * 500),
        ),
        (
            "the input is mailed",
            rewrite(f"{SAYS}/InputTemplate", "The cause:", "<input>"),
            put(f"{SAYS}/InputPathsMap/input", "$.detail.input"),
        ),
    ),
    *caught_by(
        "test_what_could_not_be_told_is_tried_again_and_kept",
        ("nobody is told twice", put(f"{TARGET}/RetryPolicy/MaximumRetryAttempts", 0)),
        ("telling is given up at once", put(f"{TARGET}/RetryPolicy/MaximumEventAgeInSeconds", 30)),
        ("what was not told is lost", drop(f"{TARGET}/DeadLetterConfig")),
        (
            "the queue takes no verdict",
            put(f"{DELIVER}/Condition/ArnEquals/aws:SourceArn", {"Fn::GetAtt": ["HandoffRule", "Arn"]}),
        ),
        ("the queue takes what any rule sends", drop(f"{DELIVER}/Condition")),
        (
            "the queue takes advances that nobody asked for",
            add(
                f"{DELIVER}/Condition/ArnEquals/aws:SourceArn",
                {
                    "Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/${FunctionNamePrefix}-advances"
                },
            ),
        ),
    ),
]
