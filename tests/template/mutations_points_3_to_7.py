"""Defects against points 3, 4, 5 and 7."""

from mutation import Mutation, add, define, drop, mutation, put

MACHINE = "StateMachine/Properties"
ORCHESTRATE = "StateMachineRole/Properties/Policies/0/PolicyDocument/Statement"
OPERATE = "OperatorRole/Properties/Policies/0/PolicyDocument/Statement"
TARGET = "HandoffRule/Properties/Targets/0"
KEY = "HandoffRule/Properties/EventPattern/detail/object/key/0/wildcard"
DELIVER = "HandoffDeadLettersPolicy/Properties/PolicyDocument/Statement/Sid=Deliver"

STATE_MACHINE: list[Mutation] = [
    mutation(
        "the machine may invoke every function",
        put(f"{ORCHESTRATE}/Sid=InvokeSteps/Resource", "*"),
        caught_by="test_its_role_has_exactly_what_it_needs test_its_role_invokes_versions_and_no_function_as_such "
        "test_every_resource_is_named_where_aws_can",
    ),
    mutation(
        "the machine may invoke an eleventh function",
        add(
            f"{ORCHESTRATE}/Sid=InvokeSteps/Resource",
            {"Fn::Sub": "arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:${FunctionNamePrefix}-m3k:*"},
        ),
        caught_by="test_its_role_has_exactly_what_it_needs",
    ),
    mutation(
        "the machine may invoke unpublished code",
        put(f"{ORCHESTRATE}/Sid=InvokeSteps/Resource/0", {"Fn::Sub": "${M3aFunction.Arn}*"}),
        caught_by="test_its_role_has_exactly_what_it_needs test_its_role_invokes_versions_and_no_function_as_such",
    ),
    mutation(
        "the machine may read evidence",
        add(
            ORCHESTRATE,
            {
                "Effect": "Allow",
                "Action": "s3:GetObject",
                "Resource": {"Fn::Sub": "arn:${AWS::Partition}:s3:::${EvidenceBucketName}/*"},
            },
        ),
        caught_by="test_its_role_has_exactly_what_it_needs",
    ),
    mutation(
        "the machine runs with the rule's role",
        put(f"{MACHINE}/Role", {"Fn::GetAtt": ["HandoffRole", "Arn"]}),
        caught_by="test_its_role_has_exactly_what_it_needs",
    ),
    mutation(
        "any machine of any account may take on the role",
        drop("StateMachineRole/Properties/AssumeRolePolicyDocument/Statement/0/Condition"),
        caught_by="test_only_step_functions_takes_on_its_role",
    ),
    mutation(
        "a Task invokes the newest code",
        put(f"{MACHINE}/DefinitionSubstitutions/M3cFunctionArn", {"Fn::GetAtt": ["M3cFunction", "Arn"]}),
        caught_by="test_every_task_invokes_a_published_version",
    ),
    mutation(
        "a Task invokes another step's function",
        put(f"{MACHINE}/DefinitionSubstitutions/M3cFunctionArn", {"Ref": "M3dFunction.Version"}),
        caught_by="test_every_task_invokes_a_published_version",
    ),
    mutation(
        "the admission invokes another function",
        define("States/Admit rerun/Arguments/FunctionName", "${M3dFunctionArn}"),
        caught_by="test_every_task_invokes_a_published_version",
    ),
    mutation(
        "execution data is logged",
        put(f"{MACHINE}/Logging/IncludeExecutionData", True),
        caught_by="test_executions_are_logged_without_their_data",
    ),
    mutation(
        "executions are not logged",
        drop(f"{MACHINE}/Logging"),
        caught_by="test_executions_are_logged_without_their_data",
    ),
    mutation(
        "only errors are logged",
        put(f"{MACHINE}/Logging/Level", "ERROR"),
        caught_by="test_executions_are_logged_without_their_data",
    ),
    mutation(
        "the machine's logs are kept for ever",
        drop("StateMachineLogGroup/Properties/RetentionInDays"),
        caught_by="test_its_log_group_has_retention",
    ),
    mutation(
        "the machine's logs need a policy of their own",
        put("StateMachineLogGroup/Properties/LogGroupName", "/p1/machine"),
        caught_by="test_its_log_group_has_retention",
    ),
    mutation(
        "executions are not traced", put(f"{MACHINE}/Tracing/Enabled", False), caught_by="test_executions_are_traced"
    ),
    mutation(
        "a version goes with the next deployment",
        put("StateMachineVersion/UpdateReplacePolicy", "Delete"),
        caught_by="test_a_version_is_published_on_aws",
    ),
    mutation(
        "the version is of the first revision for ever",
        drop("StateMachineVersion/Properties/StateMachineRevisionId"),
        put("StateMachineVersion/Properties/StateMachineRevisionId", "INITIAL"),
        caught_by="test_a_version_is_published_on_aws",
    ),
    mutation(
        "the alias moves bit by bit",
        put("StateMachineAlias/Properties/DeploymentPreference/Type", "LINEAR"),
        caught_by="test_an_alias_points_to_the_version",
    ),
    mutation(
        "the machine has another name",
        put("/Parameters/StateMachineName/Default", "p1-machine"),
        caught_by="test_its_names_are_the_registry_s_handles",
    ),
    mutation(
        "the role's name is made up",
        drop("StateMachineRole/Properties/RoleName"),
        caught_by="test_its_names_are_the_registry_s_handles",
    ),
    mutation(
        "the machine is an express one", put(f"{MACHINE}/Type", "EXPRESS"), caught_by="test_it_is_a_standard_machine"
    ),
    mutation(
        "a step may start the machine",
        add(
            "M3gRole/Properties/Policies/0/PolicyDocument/Statement",
            {"Effect": "Allow", "Action": "states:StartExecution", "Resource": {"Ref": "StateMachine"}},
        ),
        caught_by="test_only_the_rule_and_the_operator_start_it test_each_step_has_exactly_what_it_uses",
    ),
    mutation(
        "the operator may start every machine",
        put(f"{OPERATE}/Sid=Start/Resource", "*"),
        caught_by="test_only_the_rule_and_the_operator_start_it",
    ),
    mutation(
        "the operator may not start the machine",
        drop(f"{OPERATE}/Sid=Start"),
        caught_by="test_only_the_rule_and_the_operator_start_it",
    ),
    mutation(
        "there is an operator's role though nobody is named",
        drop("OperatorRole/Condition"),
        caught_by="test_only_the_rule_and_the_operator_start_it",
    ),
    mutation(
        "the operator may write evidence",
        add(f"{OPERATE}/Sid=ReadEvidence/Action", "s3:PutObject"),
        caught_by="test_the_operator_changes_nothing_but_executions",
    ),
    mutation(
        "the whole account may operate",
        put(
            "OperatorRole/Properties/AssumeRolePolicyDocument/Statement/0/Principal",
            {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}},
        ),
        caught_by="test_the_operator_role_is_for_whom_it_is_named",
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
]

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
]
