"""The metrics that exist, and the metrics that alarms and dashboard name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from deployment import STEPS, Deployment
from source import ROOT

# What AWS publishes, by namespace: the names, and the dimension that tells one resource's from another's.
# AWS/States: Step Functions developer guide, "Monitoring Step Functions metrics using Amazon CloudWatch", execution metrics.
# AWS/Lambda: Lambda developer guide, "Types of metrics for Lambda functions", invocation and performance metrics.
# AWS/Events: EventBridge user guide, "Monitoring Amazon EventBridge"; RuleName alone is a rule of the default bus.
# AWS/SQS: SQS developer guide, "Available CloudWatch metrics for Amazon SQS".
AWS = {
    "AWS/States": (
        "StateMachineArn",
        "ExecutionsStarted ExecutionsSucceeded ExecutionsFailed ExecutionsTimedOut ExecutionsAborted ExecutionThrottled "
        "ExecutionTime",
    ),
    "AWS/Lambda": ("FunctionName", "Invocations Errors Throttles Duration ConcurrentExecutions"),
    "AWS/Events": ("RuleName", "MatchedEvents TriggeredRules Invocations FailedInvocations ThrottledRules"),
    "AWS/SQS": (
        "QueueName",
        "ApproximateNumberOfMessagesVisible ApproximateAgeOfOldestMessage NumberOfMessagesSent NumberOfMessagesReceived",
    ),
}

# The source that names P1's own metrics, each with the sets of dimensions that it is published by.
SOURCE = ROOT / "shared/runtime/src/metrics/mod.rs"

STEP_IDS = [f"M3.{step.upper()}" for step in STEPS]


@dataclass(frozen=True)
class Metric:
    """A metric of CloudWatch, by its dimensions with their values."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: dict[str, str]) -> Metric:
        """A metric."""
        return cls(namespace, name, frozenset(dimensions.items()))

    def value(self, key: str) -> str | None:
        """The value of a dimension, or the metric's name."""
        return self.name if key == "MetricName" else dict(self.dimensions).get(key)


def existing(deployment: Deployment) -> set[Metric]:
    """Every metric that a deployment's resources and functions publish."""
    attributes = deployment.identifiers
    values = {
        "StateMachineArn": [deployment.arn("StateMachine")],
        "FunctionName": [deployment.ref(name) for name in deployment.of_type("AWS::Lambda::Function")],
        "RuleName": [deployment.ref(name) for name in deployment.of_type("AWS::Events::Rule")],
        "QueueName": [attributes[name]["Attributes"]["QueueName"] for name in deployment.of_type("AWS::SQS::Queue")],
    }
    found = {
        Metric.of(namespace, name, {dimension: value})
        for namespace, (dimension, names) in AWS.items()
        for name in names.split()
        for value in values[dimension]
    }
    own = {
        "Deployment": [deployment.parameters["FunctionNamePrefix"]],
        "Step": [*STEP_IDS, "ADMISSION", "ENTRY"],
        # One code of each step stands for all its codes.
        "Code": [f"{step.replace('.', '')}-B1" for step in STEP_IDS],
    }
    for namespace, name, dimensions in _own():
        combinations = [{}]
        for dimension in dimensions:
            combinations = [c | {dimension: value} for c in combinations for value in own[dimension]]
        found |= {Metric.of(namespace, name, combination) for combination in combinations}
    return found


def _own() -> Iterator[tuple[str, str, list[str]]]:
    """P1's own metrics with their sets of dimensions, as the functions' code names them."""
    text = SOURCE.read_text("utf-8")
    namespace = re.search(r'NAMESPACE: &str = "([^"]+)"', text)[1]
    variants = re.findall(r"Metric::(\w+),\n", re.search(r"ALL: \[Metric; \d+\] = \[(.*?)\];", text, re.S)[1])
    named = re.search(r"fn name\(self\).*?\n    }\n", text, re.S)[0]
    names = dict(re.findall(r'Metric::(\w+) => "(\w+)"', named))
    dimension_names = dict(re.findall(r'Dimension::(\w+) => "(\w+)"', text))
    body = re.search(r"fn dimensions\(self\).*?\n    }\n", text, re.S)[0]
    sets: dict[str, list[list[str]]] = {}
    for arm in re.finditer(r"((?:Metric::\w+(?: \| )?)+) => (?:\{\s*)?&\[(.*?)\]\s*(?:\}|,\n)", body, re.S):
        dimensions = [
            [dimension_names[variant] for variant in re.findall(r"Dimension::(\w+)", one)]
            for one in re.findall(r"&\[(.*?)\]", arm[2] + "]", re.S)
        ]
        sets |= {variant: dimensions for variant in re.findall(r"Metric::(\w+)", arm[1])}
    if not variants or set(variants) != set(names) or set(variants) != set(sets):
        raise ValueError(f"{SOURCE} is not written as this reads it")
    for variant in variants:
        for dimensions in sets[variant]:
            yield namespace, names[variant], dimensions


def alarmed(deployment: Deployment) -> Iterator[tuple[str, Metric]]:
    """Every metric that an alarm watches, with the alarm."""
    for name, alarm in deployment.of_type("AWS::CloudWatch::Alarm").items():
        queries = alarm.get("Metrics", [{"MetricStat": {"Metric": alarm}}])
        for query in queries:
            if "MetricStat" in query:
                metric = query["MetricStat"]["Metric"]
                dimensions = {d["Name"]: d["Value"] for d in metric.get("Dimensions", [])}
                yield name, Metric.of(metric["Namespace"], metric["MetricName"], dimensions)


def rows(deployment: Deployment) -> Iterator[tuple[str, list]]:
    """Every row of every widget of the dashboard, with the widget's title. A dot is replaced by what it repeats."""
    for dashboard in deployment.of_type("AWS::CloudWatch::Dashboard").values():
        for widget in json.loads(dashboard["DashboardBody"])["widgets"]:
            before: list = []
            for row in widget["properties"].get("metrics", []):
                texts = [part for part in row if isinstance(part, str)]
                before = [before[index] if part == "." else part for index, part in enumerate(texts)]
                yield widget["properties"]["title"], [*before, *(part for part in row if isinstance(part, dict))]


def shown(deployment: Deployment) -> Iterator[tuple[str, Metric]]:
    """Every metric that a widget names, with its title."""
    for title, row in rows(deployment):
        match [part for part in row if isinstance(part, str)]:
            case [namespace, name, *dimensions]:
                yield title, Metric.of(namespace, name, dict(zip(dimensions[::2], dimensions[1::2], strict=True)))


def searches(deployment: Deployment) -> Iterator[tuple[str, str]]:
    """Every search of a widget, with its title."""
    for title, row in rows(deployment):
        yield from ((title, part["expression"]) for part in row if isinstance(part, dict) and "expression" in part)


# The most that a query may have (CloudWatch user guide, "CloudWatch search expression syntax").
QUERY_LIMIT = 1024
SEARCH = re.compile(r"SEARCH\('(?P<query>\{(?P<schema>[^}]+)\}(?P<terms>[^']*))', '[A-Za-z0-9.]+', \d+\)")
TERM = re.compile(r'\s*(?P<key>\w+)=(?:"(?P<one>[^"]*)"|\((?P<many>[^)]*)\)|(?P<part>[^\s"()]+))')


def search(expression: str, metrics: set[Metric]) -> set[Metric]:
    """What a search finds among `metrics`, by CloudWatch's rules.

    It finds metrics with exactly the schema's dimensions. A term in quotes must be the whole value, one without quotes words of it.
    """
    parsed = SEARCH.fullmatch(expression)
    assert parsed, f"not a search as these checks know it: {expression}"
    assert len(parsed["query"]) <= QUERY_LIMIT, f"CloudWatch takes {QUERY_LIMIT} characters, not {len(parsed['query'])}"
    namespace, *dimensions = (part.strip() for part in parsed["schema"].split(","))
    found = {m for m in metrics if m.namespace == namespace and {key for key, _ in m.dimensions} == set(dimensions)}
    position, terms = 0, parsed["terms"].rstrip()
    while position < len(terms):
        term = TERM.match(terms, position)
        assert term, f"not a term as these checks know it: {terms[position:]}"
        found = {m for m in found if _fits(term, m.value(term["key"]) or "")}
        position = term.end()
    return found


def _fits(term: re.Match, value: str) -> bool:
    if term["part"] is not None:
        return _words(term["part"]) <= _words(value)
    if term["one"] is not None:
        return value == term["one"]
    return value in re.findall(r'"([^"]*)"', term["many"])


def _words(text: str) -> set[str]:
    """The words that CloudWatch splits a text into: at signs other than letters and digits, and before a capital letter."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", text)}
