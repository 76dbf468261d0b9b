"""Defects of the rules that tell people of an execution's end."""

from mutation import Mutation, add, drop, mutation, put, rewrite

VERDICTS = "VerdictRule/Properties"
ADVANCES = "AdvanceRule/Properties"
TARGET = f"{VERDICTS}/Targets/0"
SAYS = f"{TARGET}/InputTransformer"
STATEMENTS = "HandoffDeadLettersPolicy/Properties/PolicyDocument/Statement"
DELIVER = f"{STATEMENTS}/Sid=DeliverVerdicts/Fn::If/1"

NOBODY = "test_nobody_is_told_where_no_topic_is_named"
MATCHES = "test_every_execution_that_did_not_succeed_matches"
ADVANCE = "test_an_advance_matches_and_no_other_success"
TOPIC = "test_the_topic_is_told"
POLICY = "test_the_guide_s_topic_policy_names_the_rules"
TEXT = "test_what_is_told_says_what_ended_and_how"
KEPT = "test_what_could_not_be_told_is_tried_again_and_kept"

MUTATIONS: list[Mutation] = [
    mutation("nobody is told, through a rule", drop("VerdictRule/Condition"), caught_by=NOBODY),
    mutation("advances are told to nobody", put("AdvanceRule/Condition", "HasBreakGlassRole"), caught_by=NOBODY),
    mutation(
        "advances are told without being asked",
        put("AdvanceRule/Condition", "HasVerdictTopic"),
        put(f"{DELIVER}/Condition/ArnEquals/aws:SourceArn", {"Fn::Sub": "${VerdictRule.Arn}"}),
        caught_by=NOBODY,
    ),
    mutation(
        "advances are told where no topic is named",
        put("/Conditions/TellsAdvances", {"Fn::Equals": [{"Ref": "NotifyAdvances"}, "true"]}),
        caught_by=NOBODY,
    ),
    mutation(
        "advances are never told",
        put("/Conditions/TellsAdvances", {"Fn::Equals": [{"Ref": "NotifyAdvances"}, "yes"]}),
        caught_by=NOBODY,
    ),
    mutation(
        "the queue takes verdicts where no topic is named",
        put(f"{STATEMENTS}/1/Fn::If/2", {"Sid": "DeliverAll", "Effect": "Deny", "Principal": "*", "Action": "sqs:*"}),
        caught_by=NOBODY,
    ),
    mutation(
        "the queue may be read in the clear where no topic is named",
        put(f"{STATEMENTS}/Sid=TlsOnly/Sid", "Tls"),
        caught_by=NOBODY,
    ),
    mutation(
        "aborted executions are told to nobody", drop(f"{VERDICTS}/EventPattern/detail/status/2"), caught_by=MATCHES
    ),
    mutation(
        "executions of every machine are told",
        drop(f"{VERDICTS}/EventPattern/detail/stateMachineArn"),
        caught_by=MATCHES,
    ),
    mutation(
        "executions of the alias alone are told, which no event names",
        put(f"{VERDICTS}/EventPattern/detail/stateMachineArn", [{"Ref": "StateMachineAlias"}]),
        caught_by=MATCHES,
    ),
    mutation("holds alone are told", put(f"{VERDICTS}/EventPattern/detail/error", ["M3.Hold"]), caught_by=MATCHES),
    mutation(
        "calls of the API are told",
        put(f"{VERDICTS}/EventPattern/detail-type", ["AWS API Call via CloudTrail"]),
        caught_by=MATCHES,
    ),
    mutation(
        "advances are waited for elsewhere", put(f"{ADVANCES}/EventPattern/source", ["aws.lambda"]), caught_by=ADVANCE
    ),
    mutation(
        "advances of every machine are told", drop(f"{ADVANCES}/EventPattern/detail/stateMachineArn"), caught_by=ADVANCE
    ),
    mutation(
        "starts are told", put(f"{ADVANCES}/EventPattern/detail/status", ["RUNNING", "SUCCEEDED"]), caught_by=ADVANCE
    ),
    mutation(
        "every success is told", put(f"{ADVANCES}/EventPattern/detail/output", [{"wildcard": "*"}]), caught_by=ADVANCE
    ),
    mutation(
        "no advance is told",
        put(f"{ADVANCES}/EventPattern/detail/output", [{"wildcard": "ADVANCE_TO_M4"}]),
        caught_by=ADVANCE,
    ),
    mutation(
        "an output with blanks is no advance",
        put(f"{ADVANCES}/EventPattern/detail/output", [{"wildcard": '*"verdict":"ADVANCE_TO_M4"*'}]),
        caught_by=ADVANCE,
    ),
    mutation("no output is looked at", drop(f"{ADVANCES}/EventPattern/detail/output"), caught_by=ADVANCE),
    mutation("the topic of alarms is told", put(f"{TARGET}/Arn", {"Ref": "AlarmTopicArn"}), caught_by=TOPIC),
    mutation(
        "a topic is told with a role", put(f"{TARGET}/RoleArn", {"Fn::GetAtt": ["HandoffRole", "Arn"]}), caught_by=TOPIC
    ),
    mutation(
        "the rule that tells people is off", put(f"{VERDICTS}/State", "DISABLED"), caught_by=f"{TOPIC} {TEXT} {KEPT}"
    ),
    mutation(
        "the rule has another name",
        put(f"{VERDICTS}/Name", {"Fn::Sub": "${FunctionNamePrefix}-verdict"}),
        caught_by=POLICY,
    ),
    mutation("the rule has a name of CloudFormation's", drop(f"{ADVANCES}/Name"), caught_by=POLICY),
    mutation(
        "what is told has no cause",
        rewrite(f"{SAYS}/InputTemplate", "<cause>", "none"),
        drop(f"{SAYS}/InputPathsMap/cause"),
        caught_by=TEXT,
    ),
    mutation("a placeholder has no value", drop(f"{SAYS}/InputPathsMap/cause"), caught_by=TEXT),
    mutation(
        "what is told has no error", rewrite(f"{SAYS}/InputTemplate", ", error <error>", ", <error>"), caught_by=TEXT
    ),
    mutation(
        "nobody learns how a fault goes on",
        rewrite(f"{SAYS}/InputTemplate", "redrive-execution", "stop-execution"),
        caught_by=TEXT,
    ),
    mutation(
        "nobody learns the input",
        rewrite(f"{SAYS}/InputTemplate", "describe-execution", "stop-execution"),
        caught_by=TEXT,
    ),
    mutation(
        "nobody learns where the evidence is",
        rewrite(f"{SAYS}/InputTemplate", "cargo p1 fetch", "cargo p1 get"),
        caught_by=TEXT,
    ),
    mutation(
        "nobody learns which deployment it is",
        rewrite(f"{SAYS}/InputTemplate", "${FunctionNamePrefix}", "P1"),
        caught_by=TEXT,
    ),
    mutation(
        "an advance is told without its output",
        rewrite(f"{ADVANCES}/Targets/0/InputTransformer/InputTemplate", '"<output>"', '"<output>."'),
        caught_by=TEXT,
    ),
    mutation(
        "a line is an object", rewrite(f"{SAYS}/InputTemplate", '"<cause>"', '{"cause": "<cause>"}'), caught_by=TEXT
    ),
    mutation(
        "the text is longer than EventBridge takes",
        rewrite(f"{SAYS}/InputTemplate", "docs/operators.md", "docs/operators.md" * 500),
        caught_by=TEXT,
    ),
    mutation(
        "the input is mailed",
        rewrite(f"{SAYS}/InputTemplate", "The cause:", "<input>"),
        put(f"{SAYS}/InputPathsMap/input", "$.detail.input"),
        caught_by=TEXT,
    ),
    mutation("nobody is told twice", put(f"{TARGET}/RetryPolicy/MaximumRetryAttempts", 0), caught_by=KEPT),
    mutation("telling is given up at once", put(f"{TARGET}/RetryPolicy/MaximumEventAgeInSeconds", 30), caught_by=KEPT),
    mutation("what was not told is lost", drop(f"{TARGET}/DeadLetterConfig"), caught_by=KEPT),
    mutation(
        "the queue takes no verdict",
        put(f"{DELIVER}/Condition/ArnEquals/aws:SourceArn", {"Fn::GetAtt": ["HandoffRule", "Arn"]}),
        caught_by=KEPT,
    ),
    mutation("the queue takes what any rule sends", drop(f"{DELIVER}/Condition"), caught_by=KEPT),
    mutation(
        "the queue takes advances that nobody asked for",
        add(
            f"{DELIVER}/Condition/ArnEquals/aws:SourceArn",
            {
                "Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/${FunctionNamePrefix}-advances"
            },
        ),
        caught_by=KEPT,
    ),
]
