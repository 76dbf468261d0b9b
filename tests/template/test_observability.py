"""Alarms, dashboard and saved queries."""

import json

import pytest

import metrics
from deployment import STEPS, Deployment, Platform, one, strings
from identifiers import regional

TOPIC = regional("sns", "operators")


def _alarms(deployment: Deployment, namespace: str, metric: str) -> list[tuple[str, set[str]]]:
    """Every alarm that the first `metric` sets off, and the values of the dimensions that it watches."""
    found = []
    for name, alarm in deployment.of_type("AWS::CloudWatch::Alarm").items():
        watched = [query["MetricStat"]["Metric"] for query in alarm.get("Metrics", []) if "MetricStat" in query]
        watched = [m for m in watched or [alarm] if (m.get("Namespace"), m.get("MetricName")) == (namespace, metric)]
        sure = (
            alarm.get("ComparisonOperator") == "GreaterThanOrEqualToThreshold"
            and alarm.get("Threshold") == 1
            and alarm.get("EvaluationPeriods") == 1
            and alarm.get("TreatMissingData") == "notBreaching"
        )
        if watched and sure:
            found.append((name, {d["Value"] for m in watched for d in m["Dimensions"]}))
    return found


@pytest.mark.parametrize("metric", ["ExecutionsFailed", "ExecutionsTimedOut", "ExecutionThrottled"])
def test_an_alarm_for_executions(platform: Platform, metric: str):
    """One alarm each watches failed, timed-out and throttled executions of the machine."""
    deployment = platform.deploy()
    _, watched = one(_alarms(deployment, "AWS/States", metric), "alarm")
    assert watched == {deployment.ref("StateMachine")}


def test_an_alarm_for_dead_letters(platform: Platform):
    """One alarm watches the dead-letter queue."""
    deployment = platform.deploy()
    _, watched = one(_alarms(deployment, "AWS/SQS", "ApproximateNumberOfMessagesVisible"), "alarm")
    assert watched == {deployment.identifiers["HandoffDeadLetters"]["Attributes"]["QueueName"]}


def test_an_alarm_for_throttled_functions(platform: Platform):
    """One alarm watches the sum of the throttles of the ten functions."""
    deployment = platform.deploy()
    name, watched = one(_alarms(deployment, "AWS/Lambda", "Throttles"), "alarm")
    assert watched == {deployment.ref(f"M3{step}Function") for step in STEPS}
    total = one([query for query in deployment[name]["Metrics"] if query.get("ReturnData")], "sum")
    added = [query for query in deployment[name]["Metrics"] if query is not total]
    assert sorted(total["Expression"].split("+")) == sorted(query["Id"] for query in added)
    assert {(query["MetricStat"]["Stat"], query["MetricStat"]["Period"]) for query in added} == {("Sum", 300)}


def test_alarms_go_to_the_topic(platform: Platform):
    """Every alarm goes to the topic that is named, and nowhere where none is named."""
    for name, alarm in platform.deploy(AlarmTopicArn=TOPIC).of_type("AWS::CloudWatch::Alarm").items():
        assert alarm.get("AlarmActions") == [TOPIC], name
    for name, alarm in platform.deploy().of_type("AWS::CloudWatch::Alarm").items():
        assert "AlarmActions" not in alarm, name


def test_the_dashboard_shows_what_is_measured(platform: Platform):
    """The dashboard shows verdicts, blockers by code, step duration, duplicates, faults, and every alarm."""
    deployment = platform.deploy()
    dashboard = one(deployment.of_type("AWS::CloudWatch::Dashboard").values(), "dashboard")
    body = json.loads(dashboard["DashboardBody"])
    shown = "\n".join(strings(body))
    for metric in ("Advances", "PhaseHolds", "Blockers", "StepDuration", "Duplicates", "Faults"):
        assert metric in shown, metric
    alarms = {deployment.arn(name) for name in deployment.of_type("AWS::CloudWatch::Alarm")}
    assert {arn for widget in body["widgets"] for arn in widget["properties"].get("alarms", [])} == alarms


def test_every_metric_that_is_watched_exists(platform: Platform):
    """Every alarm and every row of the dashboard names a metric that AWS or the functions publish, with its dimensions."""
    deployment = platform.deploy(FunctionNamePrefix="other-p1")
    there = metrics.existing(deployment)
    for name, metric in [*metrics.alarmed(deployment), *metrics.shown(deployment)]:
        assert metric in there, (name, metric)


def test_every_search_of_the_dashboard_finds_something(platform: Platform):
    """Every search finds metrics by CloudWatch's rules, also with the longest names. Together they find all that they are about."""
    for prefix in ("other-p1", "f" * 36):
        deployment = platform.deploy(FunctionNamePrefix=prefix)
        there, found = metrics.existing(deployment), set()
        for title, expression in metrics.searches(deployment):
            finds = metrics.search(expression, there)
            assert finds, (title, expression)
            found |= finds
        # The metrics that the widgets are about, of every function, step and code.
        about = {("FunctionName", "Errors"), ("FunctionName", "Throttles")}
        about |= {("Step", name) for name in ("Holds", "Faults", "StepDuration")} | {("Code", "Blockers")}
        wanted = {m for m in there if any(m.name == name and m.value(key) for key, name in about)}
        assert found == wanted, sorted(m.name for m in found ^ wanted)


def test_queries_by_run_are_saved(platform: Platform):
    """Logs Insights queries by run id are saved, over the logs of all ten steps."""
    deployment = platform.deploy()
    queries = deployment.of_type("AWS::Logs::QueryDefinition").values()
    steps = {deployment.ref(f"M3{step}LogGroup") for step in STEPS}
    by_run = [query for query in queries if "platform_2" in query["QueryString"]]
    assert by_run
    for query in queries:
        assert steps <= set(query["LogGroupNames"]), query["Name"]
