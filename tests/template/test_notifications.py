"""Who is told of an execution's end: the two rules, what they match, and what they say."""

import fnmatch
import json
import re

from access import ALLOWED, decide
from calls import guided
from deployment import Deployment, Platform, at, one
from identifiers import regional

TOPIC = regional("sns", "people")
TOLD = {"VerdictTopicArn": TOPIC, "NotifyAdvances": "true"}
RULES = ("VerdictRule", "AdvanceRule")

# An execution's output as Step Functions gives it to EventBridge, a text.
ADVANCE = '{"outcome":"VERDICT","verdict":"ADVANCE_TO_M4","platform_run_id":"platform_20261122T101530Z"}'
OTHERS = (
    '{"outcome":"DUPLICATE_DELIVERY"}',
    '{"outcome":"SINGLE_STATE","step":"M3.C","overall_pass":true,"blockers":[]}',
    '{"outcome":"PHASE_ADMITTED","platform_run_id":"platform_20261122T101530Z","phase_id":"ADVANCE_TO_M4"}',
)


def _target(deployment: Deployment, rule: str) -> dict:
    assert deployment[rule].get("State") == "ENABLED"
    return one(deployment[rule]["Targets"], "target")


def test_nobody_is_told_where_no_topic_is_named(platform: Platform):
    """The rules exist with a topic alone, the one for advances by choice, and the queue takes nothing from them otherwise."""
    assert not [rule for rule in RULES if rule in platform.deploy()]
    assert not [rule for rule in RULES if rule in platform.deploy(NotifyAdvances="true")]
    alone = platform.deploy(VerdictTopicArn=TOPIC)
    assert [rule for rule in RULES if rule in alone] == ["VerdictRule"]
    assert [rule for rule in RULES if rule in platform.deploy(**TOLD)] == list(RULES)
    statements = platform.deploy()["HandoffDeadLettersPolicy"]["PolicyDocument"]["Statement"]
    assert [statement["Sid"] for statement in statements] == ["Deliver", "TlsOnly"]


def test_every_execution_that_did_not_succeed_matches(platform: Platform):
    """The rule for verdicts matches each end of this machine's executions that is not a success, and nothing else."""
    deployment = platform.deploy(**TOLD)
    pattern = deployment["VerdictRule"]["EventPattern"]
    assert {key: value for key, value in pattern.items() if key != "detail"} == {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
    }
    # An event names the machine, whatever version or alias was started.
    assert pattern["detail"].get("stateMachineArn") == [deployment.arn("StateMachine")]
    assert sorted(pattern["detail"].get("status", [])) == ["ABORTED", "FAILED", "TIMED_OUT"]
    assert set(pattern["detail"]) == {"stateMachineArn", "status"}


def test_an_advance_matches_and_no_other_success(platform: Platform):
    """The rule for advances matches this machine's executions that ended with an advance."""
    deployment = platform.deploy(**TOLD)
    pattern = deployment["AdvanceRule"]["EventPattern"]
    like = deployment["VerdictRule"]["EventPattern"]
    assert {**pattern, "detail": None} == {**like, "detail": None}
    assert pattern["detail"].get("stateMachineArn") == [deployment.arn("StateMachine")]
    assert pattern["detail"].get("status") == ["SUCCEEDED"]
    output = one(pattern["detail"].get("output", []), "output")["wildcard"]
    assert fnmatch.fnmatchcase(ADVANCE, output)
    assert fnmatch.fnmatchcase(ADVANCE.replace(":", ": ").replace(",", ", "), output)
    assert not [text for text in OTHERS if fnmatch.fnmatchcase(text, output)]


def test_the_topic_is_told(platform: Platform):
    """Both rules tell the topic, by its own policy: AWS advises against a role here."""
    deployment = platform.deploy(**TOLD)
    for rule in RULES:
        target = _target(deployment, rule)
        assert target["Arn"] == TOPIC, rule
        assert "RoleArn" not in target, rule


def test_the_guide_s_topic_policy_names_the_rules(platform: Platform):
    """The topic's policy of docs/deploy.md lets EventBridge publish for these two rules, by the names that they have."""
    deployment = platform.deploy(**TOLD, FunctionNamePrefix="acme-p1")
    assert guided(deployment, "verdict-topic-policy.json")["Statement"] == [
        {
            "Sid": "TellVerdicts",
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": "TOPIC",
            "Condition": {"ArnEquals": {"aws:SourceArn": [deployment.arn(rule) for rule in RULES]}},
        }
    ]


def test_what_is_told_says_what_ended_and_how(platform: Platform):
    """The text has status, error, cause or output, and the commands that go on; its lines are what EventBridge takes."""
    deployment = platform.deploy(**TOLD, FunctionNamePrefix="acme-p1")
    said = {}
    for rule in RULES:
        transformer = _target(deployment, rule)["InputTransformer"]
        paths, template = transformer["InputPathsMap"], transformer["InputTemplate"]
        # PutTargets: 8,192 characters of template. A line of text is a JSON string; only placeholders are in angle brackets.
        assert len(template) <= 8192
        lines = [json.loads(line) for line in template.splitlines()]
        assert all(isinstance(line, str) for line in lines)
        assert set(re.findall("<([^<>]*)>", template)) == set(paths), rule
        assert "acme-p1" in lines[0]
        said[rule] = [re.sub("<([^<>]*)>", lambda found, paths=paths: paths[found[1]], line) for line in lines]
    assert said["VerdictRule"][-1] == "$.detail.cause"
    assert "$.detail.name ended $.detail.status, error $.detail.error" in said["VerdictRule"][0]
    text = "\n".join(said["VerdictRule"])
    assert "redrive-execution --region $.region --execution-arn $.detail.executionArn" in text
    assert "describe-execution --region $.region --execution-arn $.detail.executionArn" in text
    assert said["AdvanceRule"][-1] == "$.detail.output"
    for lines in said.values():
        assert any("cargo p1 fetch $.detail.executionArn --stack p1 " in line for line in lines)
        # An input may hold what evidence redacts, and mail goes further than evidence.
        assert not [line for line in lines if "$.detail.input" in line]


def test_what_could_not_be_told_is_tried_again_and_kept(platform: Platform):
    """EventBridge retries, then gives the event to the dead-letter queue, which takes it from these rules alone."""
    deployment = platform.deploy(**TOLD)
    queue = deployment.arn("HandoffDeadLetters")

    def deliver(deployment: Deployment, source: str) -> str:
        return decide(deployment, "events.amazonaws.com", "sqs:SendMessage", queue, {"aws:SourceArn": source})

    for rule in RULES:
        target = _target(deployment, rule)
        assert at(target, "RetryPolicy/MaximumRetryAttempts") >= 1
        assert at(target, "RetryPolicy/MaximumEventAgeInSeconds") >= 60
        assert at(target, "DeadLetterConfig/Arn") == queue
        assert deliver(deployment, deployment.arn(rule)) == ALLOWED
        assert deliver(deployment, f"{deployment.arn(rule)}-2") != ALLOWED
    assert deliver(platform.deploy(VerdictTopicArn=TOPIC), deployment.arn("AdvanceRule")) != ALLOWED
