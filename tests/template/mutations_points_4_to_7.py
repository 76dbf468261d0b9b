"""Defects against points 4, 5 and 7."""

from mutation import Mutation, add, drop, mutation, put, rewrite

BODY = "Dashboard/Properties/DashboardBody"
FUNCTIONS = "(" + " OR ".join(f'\\"${{M3{step}Function}}\\"' for step in "abcdefghij") + ")"

TARGET = "HandoffRule/Properties/Targets/0"
KEY = "HandoffRule/Properties/EventPattern/detail/object/key/0/wildcard"
DELIVER = "HandoffDeadLettersPolicy/Properties/PolicyDocument/Statement/Sid=Deliver"

TRIGGER: list[Mutation] = [
    mutation(
        "every object of the bucket starts a run",
        put(KEY, "*"),
        caught_by="test_a_receipt_in_the_evidence_bucket_matches",
    ),
    mutation(
        "the rule waits for a receipt of another name",
        put(KEY, "evidence/dev_full/run_control/m2j_*/receipt.json"),
        caught_by="test_a_receipt_in_the_evidence_bucket_matches",
    ),
    mutation(
        "the rule hears all buckets",
        drop("HandoffRule/Properties/EventPattern/detail/bucket"),
        caught_by="test_a_receipt_in_the_evidence_bucket_matches",
    ),
    mutation(
        "the rule starts what is not published",
        put(f"{TARGET}/Arn", {"Ref": "StateMachine"}),
        caught_by="test_it_starts_the_alias",
    ),
    mutation(
        "the rule starts with the machine's role",
        put(f"{TARGET}/RoleArn", {"Fn::GetAtt": ["StateMachineRole", "Arn"]}),
        caught_by="test_it_starts_the_alias",
    ),
    mutation(
        "the rule is off",
        put("HandoffRule/Properties/State", "DISABLED"),
        caught_by="test_it_starts_the_alias test_a_start_that_fails_is_tried_again",
    ),
    mutation(
        "every account's rules may take on the role",
        drop("HandoffRole/Properties/AssumeRolePolicyDocument/Statement/0/Condition"),
        caught_by="test_only_eventbridge_takes_on_the_rule_s_role",
    ),
    mutation(
        "a start is not tried again",
        put(f"{TARGET}/RetryPolicy/MaximumRetryAttempts", 0),
        caught_by="test_a_start_that_fails_is_tried_again",
    ),
    mutation(
        "there is no dead-letter queue",
        drop(f"{TARGET}/DeadLetterConfig"),
        caught_by="test_a_start_that_keeps_failing_ends_in_the_dead_letter_queue",
    ),
    mutation(
        "dead letters are gone after four days",
        drop("HandoffDeadLetters/Properties/MessageRetentionPeriod"),
        caught_by="test_a_start_that_keeps_failing_ends_in_the_dead_letter_queue",
    ),
    mutation(
        "dead letters lie in the clear",
        drop("HandoffDeadLetters/Properties/SqsManagedSseEnabled"),
        caught_by="test_a_start_that_keeps_failing_ends_in_the_dead_letter_queue",
    ),
    mutation(
        "the queue has no policy",
        drop("HandoffDeadLettersPolicy"),
        caught_by="test_the_queue_policy_lets_eventbridge_deliver",
    ),
    mutation(
        "every rule may deliver",
        drop(f"{DELIVER}/Condition"),
        caught_by="test_the_queue_policy_lets_eventbridge_deliver",
    ),
    mutation(
        "everybody may deliver",
        put(f"{DELIVER}/Principal", "*"),
        caught_by="test_the_queue_policy_lets_eventbridge_deliver",
    ),
    mutation(
        "the queue policy is of another rule",
        put(f"{DELIVER}/Condition/ArnEquals/aws:SourceArn", {"Fn::Sub": "${HandoffRule.Arn}-2"}),
        caught_by="test_the_queue_policy_lets_eventbridge_deliver",
    ),
    mutation(
        "dead letters may travel in the clear",
        drop("HandoffDeadLettersPolicy/Properties/PolicyDocument/Statement/Sid=TlsOnly"),
        caught_by="test_the_queue_policy_lets_eventbridge_deliver",
    ),
    mutation(
        "the event is cut down",
        put(f"{TARGET}/InputPath", "$.detail"),
        caught_by="test_the_input_is_the_event_unchanged",
    ),
    mutation(
        "the event is rewritten",
        put(
            f"{TARGET}/InputTransformer",
            {"InputPathsMap": {"key": "$.detail.object.key"}, "InputTemplate": '{"key": <key>}'},
        ),
        caught_by="test_the_input_is_the_event_unchanged",
    ),
    mutation(
        "the rule waits for deletions",
        put("HandoffRule/Properties/EventPattern/detail-type", ["Object Deleted"]),
        caught_by="test_a_receipt_in_the_evidence_bucket_matches",
    ),
    mutation(
        "the rule starts an alias that is not there on the local platform",
        put(f"{TARGET}/Arn", {"Ref": "StateMachineAlias"}),
        caught_by="test_it_starts_the_alias",
    ),
    mutation(
        "a function may take on the rule's role",
        put("HandoffRole/Properties/AssumeRolePolicyDocument/Statement/0/Principal/Service", "lambda.amazonaws.com"),
        caught_by="test_only_eventbridge_takes_on_the_rule_s_role",
    ),
    mutation(
        "a start is given up at once",
        put(f"{TARGET}/RetryPolicy/MaximumEventAgeInSeconds", 30),
        caught_by="test_a_start_that_fails_is_tried_again",
    ),
    mutation(
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
        caught_by="test_the_queue_policy_lets_eventbridge_deliver",
    ),
]

OBSERVABILITY: list[Mutation] = [
    mutation(
        "no alarm for failed executions",
        drop("ExecutionsFailedAlarm"),
        drop("Dashboard"),
        caught_by="test_an_alarm_for_executions",
    ),
    mutation(
        "the alarm for time-outs watches another machine",
        put("ExecutionsTimedOutAlarm/Properties/Dimensions/0/Value", {"Ref": "StateMachineName"}),
        caught_by="test_an_alarm_for_executions",
    ),
    mutation(
        "the alarm for throttled executions waits for a hundred",
        put("ExecutionsThrottledAlarm/Properties/Threshold", 100),
        caught_by="test_an_alarm_for_executions",
    ),
    mutation(
        "the alarm for dead letters rings when there is none",
        put("DeadLettersAlarm/Properties/ComparisonOperator", "LessThanThreshold"),
        caught_by="test_an_alarm_for_dead_letters",
    ),
    mutation(
        "a function's throttles are not watched",
        put("ThrottlesAlarm/Properties/Metrics/5/MetricStat/Metric/Dimensions/0/Value", {"Ref": "M3aFunction"}),
        caught_by="test_an_alarm_for_throttled_functions",
    ),
    mutation(
        "a function's throttles are not added",
        put("ThrottlesAlarm/Properties/Metrics/0/Expression", "a+b+c+d+e+f+g+h+i"),
        caught_by="test_an_alarm_for_throttled_functions",
    ),
    mutation(
        "an alarm tells nobody",
        drop("DeadLettersAlarm/Properties/AlarmActions"),
        caught_by="test_alarms_go_to_the_topic",
    ),
    mutation(
        "alarms tell a topic that is not named",
        put("DeadLettersAlarm/Properties/AlarmActions", [{"Ref": "AlarmTopicArn"}]),
        caught_by="test_alarms_go_to_the_topic",
    ),
    mutation(
        "the dashboard shows nothing",
        put("Dashboard/Properties/DashboardBody", '{"widgets": []}'),
        caught_by="test_the_dashboard_shows_what_is_measured",
    ),
    mutation(
        "a query misses a step",
        drop("QueryByRun/Properties/LogGroupNames/4"),
        caught_by="test_queries_by_run_are_saved",
    ),
    mutation("no query by run", drop("QueryByRun"), caught_by="test_queries_by_run_are_saved"),
    mutation(
        "the alarm for dead letters watches another queue",
        put("DeadLettersAlarm/Properties/Dimensions/0/Value", "another-queue"),
        caught_by="test_an_alarm_for_dead_letters",
    ),
    mutation(
        "the dashboard searches functions by what their names begin with",
        rewrite(BODY, FUNCTIONS, '\\"${FunctionNamePrefix}-m3\\"'),
        caught_by="test_every_search_of_the_dashboard_finds_something",
    ),
    mutation(
        "the dashboard leaves a function out",
        rewrite(BODY, ' OR \\"${M3jFunction}\\"', ""),
        caught_by="test_every_search_of_the_dashboard_finds_something",
    ),
    mutation(
        "a search is longer than CloudWatch takes",
        rewrite(BODY, ' OR \\"${M3jFunction}\\"', ' OR \\"${M3jFunction}\\"' + ' OR \\"${M3jFunction}-2\\"' * 9),
        caught_by="test_every_search_of_the_dashboard_finds_something",
    ),
    mutation(
        "a search is none",
        rewrite(BODY, "SEARCH('{P1/RunPinning,Deployment,Code}", "SEARCH({P1/RunPinning,Deployment,Code}"),
        caught_by="test_every_search_of_the_dashboard_finds_something",
    ),
    mutation(
        "a term of a search is none",
        rewrite(BODY, 'MetricName=\\"Blockers\\" Dep', 'MetricName=\\"Blockers\\" AND (Dep'),
        caught_by="test_every_search_of_the_dashboard_finds_something",
    ),
    mutation(
        "the dashboard asks for a metric that nobody publishes",
        rewrite(BODY, '"MatchedEvents"', '"MatchedRules"'),
        caught_by="test_every_metric_that_is_watched_exists",
    ),
    mutation(
        "the dashboard asks for the verdicts of a step",
        rewrite(BODY, '"Advances", "Deployment"', '"Advances", "Step"'),
        caught_by="test_every_metric_that_is_watched_exists",
    ),
    mutation(
        "an alarm watches a metric by a dimension that it has not",
        put("StartsFailedAlarm/Properties/Dimensions/0/Name", "Rule"),
        caught_by="test_every_metric_that_is_watched_exists",
    ),
    mutation(
        "the dashboard shows no alarm",
        put(
            "Dashboard/Properties/DashboardBody",
            '{"widgets": [{"properties": {"title": "Advances PhaseHolds Blockers StepDuration Duplicates Faults"}}]}',
        ),
        caught_by="test_the_dashboard_shows_what_is_measured",
    ),
]

OUTPUTS: list[Mutation] = [
    mutation(
        "a parameter says another ARN than the output",
        put("StartArnParameter/Properties/Value", {"Ref": "StateMachine"}),
        caught_by="test_outputs_are_written_as_ssm_parameters",
    ),
    mutation(
        "a parameter is missing",
        drop("EvidenceBucketParameter"),
        caught_by="test_outputs_are_written_as_ssm_parameters test_what_does_not_exist_is_not_written "
        "test_the_guide_lists_them",
    ),
    mutation(
        "a parameter is written for a role that is not made",
        drop("OperatorRoleArnParameter/Condition"),
        put("OperatorRoleArnParameter/Properties/Value", {"Ref": "OperatorRoleName"}),
        caught_by="test_what_does_not_exist_is_not_written",
    ),
    mutation(
        "a parameter stands elsewhere",
        put("HandoffRuleArnParameter/Properties/Name", "/fraud-platform/dev-full/p1/handoff_rule_arn"),
        caught_by="test_what_does_not_exist_is_not_written",
    ),
    mutation(
        "a parameter is a list",
        put("EvidenceBucketParameter/Properties/Type", "StringList"),
        caught_by="test_outputs_are_written_as_ssm_parameters",
    ),
    mutation(
        "a parameter names the rule instead of its ARN",
        put("HandoffRuleArnParameter/Properties/Value", {"Ref": "HandoffRule"}),
        caught_by="test_outputs_are_written_as_ssm_parameters",
    ),
    mutation(
        "a parameter says where the queue is instead of its ARN",
        put("HandoffDeadLettersArnParameter/Properties/Value", {"Ref": "HandoffDeadLetters"}),
        caught_by="test_outputs_are_written_as_ssm_parameters",
    ),
]
