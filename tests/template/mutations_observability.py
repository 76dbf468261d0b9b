"""Defects of the alarms, the dashboard and the saved queries."""

from mutation import Mutation, caught_by, drop, put, rewrite

BODY = "Dashboard/Properties/DashboardBody"
FUNCTIONS = "(" + " OR ".join(f'\\"${{M3{step}Function}}\\"' for step in "abcdefghij") + ")"

MUTATIONS: list[Mutation] = [
    *caught_by(
        "test_an_alarm_for_executions",
        ("no alarm for failed executions", drop("ExecutionsFailedAlarm"), drop("Dashboard")),
        (
            "the alarm for time-outs watches another machine",
            put("ExecutionsTimedOutAlarm/Properties/Dimensions/0/Value", {"Ref": "StateMachineName"}),
        ),
        (
            "the alarm for throttled executions waits for a hundred",
            put("ExecutionsThrottledAlarm/Properties/Threshold", 100),
        ),
    ),
    *caught_by(
        "test_an_alarm_for_dead_letters",
        (
            "the alarm for dead letters rings when there is none",
            put("DeadLettersAlarm/Properties/ComparisonOperator", "LessThanThreshold"),
        ),
        (
            "the alarm for dead letters watches another queue",
            put("DeadLettersAlarm/Properties/Dimensions/0/Value", "another-queue"),
        ),
    ),
    *caught_by(
        "test_an_alarm_for_throttled_functions",
        (
            "a function's throttles are not watched",
            put("ThrottlesAlarm/Properties/Metrics/5/MetricStat/Metric/Dimensions/0/Value", {"Ref": "M3aFunction"}),
        ),
        (
            "a function's throttles are not added",
            put("ThrottlesAlarm/Properties/Metrics/0/Expression", "a+b+c+d+e+f+g+h+i"),
        ),
        ("a function's throttles are averaged", put("ThrottlesAlarm/Properties/Metrics/3/MetricStat/Stat", "Average")),
    ),
    *caught_by(
        "test_alarms_go_to_the_topic",
        ("an alarm tells nobody", drop("DeadLettersAlarm/Properties/AlarmActions")),
        (
            "alarms tell a topic that is not named",
            put("DeadLettersAlarm/Properties/AlarmActions", [{"Ref": "AlarmTopicArn"}]),
        ),
    ),
    *caught_by(
        "test_the_dashboard_shows_what_is_measured",
        ("the dashboard shows nothing", put("Dashboard/Properties/DashboardBody", '{"widgets": []}')),
        (
            "the dashboard shows no alarm",
            put(
                "Dashboard/Properties/DashboardBody",
                '{"widgets": [{"properties": {"title": "Advances PhaseHolds Blockers StepDuration Duplicates Faults"}}]}',
            ),
        ),
    ),
    *caught_by(
        "test_queries_by_run_are_saved",
        ("a query misses a step", drop("QueryByRun/Properties/LogGroupNames/4")),
        ("no query by run", drop("QueryByRun")),
    ),
    *caught_by(
        "test_every_search_of_the_dashboard_finds_something",
        (
            "the dashboard searches functions by what their names begin with",
            rewrite(BODY, FUNCTIONS, '\\"${FunctionNamePrefix}-m3\\"'),
        ),
        ("the dashboard leaves a function out", rewrite(BODY, ' OR \\"${M3jFunction}\\"', "")),
        (
            "a search is longer than CloudWatch takes",
            rewrite(BODY, ' OR \\"${M3jFunction}\\"', ' OR \\"${M3jFunction}\\"' + ' OR \\"${M3jFunction}-2\\"' * 9),
        ),
        (
            "a search is none",
            rewrite(BODY, "SEARCH('{P1/RunPinning,Deployment,Code}", "SEARCH({P1/RunPinning,Deployment,Code}"),
        ),
        (
            "a term of a search is none",
            rewrite(BODY, 'MetricName=\\"Blockers\\" Dep', 'MetricName=\\"Blockers\\" AND (Dep'),
        ),
    ),
    *caught_by(
        "test_every_metric_that_is_watched_exists",
        ("the dashboard asks for a metric that nobody publishes", rewrite(BODY, '"MatchedEvents"', '"MatchedRules"')),
        (
            "the dashboard asks for the verdicts of a step",
            rewrite(BODY, '"Advances", "Deployment"', '"Advances", "Step"'),
        ),
        (
            "an alarm watches a metric by a dimension that it has not",
            put("StartsFailedAlarm/Properties/Dimensions/0/Name", "Rule"),
        ),
    ),
]
