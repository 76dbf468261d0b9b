"""Defects of the event that starts a run, and of its dead-letter queue."""

from mutation import Mutation, add, caught_by, drop, put

TARGET = "HandoffRule/Properties/Targets/0"
KEY = "HandoffRule/Properties/EventPattern/detail/object/key/0/wildcard"
DELIVER = "HandoffDeadLettersPolicy/Properties/PolicyDocument/Statement/Sid=Deliver"

MUTATIONS: list[Mutation] = [
    *caught_by(
        "test_a_receipt_in_the_evidence_bucket_matches",
        ("every object of the bucket starts a run", put(KEY, "*")),
        ("the rule waits for a receipt of another name", put(KEY, "evidence/dev_full/run_control/m2j_*/receipt.json")),
        (
            "the rule hears every environment",
            put(KEY, "evidence/*/run_control/m2j_*/m2j_m3_entry_readiness_receipt.json"),
        ),
        ("the rule hears all buckets", drop("HandoffRule/Properties/EventPattern/detail/bucket")),
        ("the rule waits for deletions", put("HandoffRule/Properties/EventPattern/detail-type", ["Object Deleted"])),
    ),
    *caught_by(
        "test_it_starts_the_alias",
        ("the rule starts what is not published", put(f"{TARGET}/Arn", {"Ref": "StateMachine"})),
        (
            "the rule starts with the machine's role",
            put(f"{TARGET}/RoleArn", {"Fn::GetAtt": ["StateMachineRole", "Arn"]}),
        ),
        (
            "the rule starts an alias that is not there on the local platform",
            put(f"{TARGET}/Arn", {"Ref": "StateMachineAlias"}),
        ),
    ),
    *caught_by(
        "test_it_starts_the_alias test_a_start_that_fails_is_tried_again",
        ("the rule is off", put("HandoffRule/Properties/State", "DISABLED")),
    ),
    *caught_by(
        "test_only_eventbridge_takes_on_the_rule_s_role",
        (
            "every account's rules may take on the role",
            drop("HandoffRole/Properties/AssumeRolePolicyDocument/Statement/0/Condition"),
        ),
        (
            "a function may take on the rule's role",
            put(
                "HandoffRole/Properties/AssumeRolePolicyDocument/Statement/0/Principal/Service", "lambda.amazonaws.com"
            ),
        ),
    ),
    *caught_by(
        "test_a_start_that_fails_is_tried_again",
        ("a start is not tried again", put(f"{TARGET}/RetryPolicy/MaximumRetryAttempts", 0)),
        ("a start is given up at once", put(f"{TARGET}/RetryPolicy/MaximumEventAgeInSeconds", 30)),
    ),
    *caught_by(
        "test_a_start_that_keeps_failing_ends_in_the_dead_letter_queue",
        ("there is no dead-letter queue", drop(f"{TARGET}/DeadLetterConfig")),
        ("dead letters are gone after four days", drop("HandoffDeadLetters/Properties/MessageRetentionPeriod")),
        ("dead letters lie in the clear", drop("HandoffDeadLetters/Properties/SqsManagedSseEnabled")),
    ),
    *caught_by(
        "test_the_queue_policy_lets_eventbridge_deliver",
        ("the queue has no policy", drop("HandoffDeadLettersPolicy")),
        ("every rule may deliver", drop(f"{DELIVER}/Condition")),
        ("everybody may deliver", put(f"{DELIVER}/Principal", "*")),
        (
            "the queue policy is of another rule",
            put(f"{DELIVER}/Condition/ArnEquals/aws:SourceArn", {"Fn::Sub": "${HandoffRule.Arn}-2"}),
        ),
        (
            "dead letters may travel in the clear",
            drop("HandoffDeadLettersPolicy/Properties/PolicyDocument/Statement/Sid=TlsOnly"),
        ),
        (
            "everybody may take dead letters",
            add(
                "HandoffDeadLettersPolicy/Properties/PolicyDocument/Statement",
                {
                    "Effect": "Allow",
                    "Principal": "*",
                    "Action": "sqs:ReceiveMessage",
                    "Resource": {"Fn::GetAtt": ["HandoffDeadLetters", "Arn"]},
                },
            ),
        ),
    ),
    *caught_by(
        "test_the_input_is_the_event_unchanged",
        ("the event is cut down", put(f"{TARGET}/InputPath", "$.detail")),
        (
            "the event is rewritten",
            put(
                f"{TARGET}/InputTransformer",
                {"InputPathsMap": {"key": "$.detail.object.key"}, "InputTemplate": '{"key": <key>}'},
            ),
        ),
    ),
]
