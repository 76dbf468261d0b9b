"""The event that starts a run: rule, role, retries and dead-letter queue."""

import fnmatch

from access import ALLOWED, DENIED, decide, listed
from calls import ENVIRONMENT, RECEIPT
from deployment import Platform, at, one
from identifiers import ACCOUNT


def _target(platform: Platform, **parameters: str) -> dict:
    rule = platform.deploy(**parameters)["HandoffRule"]
    assert rule.get("State") == "ENABLED"
    return one(rule["Targets"], "target")


def test_a_receipt_in_the_evidence_bucket_matches(platform: Platform):
    """The rule matches an M2 receipt that was created in the evidence bucket, and nothing else there."""
    deployment = platform.deploy()
    pattern = deployment["HandoffRule"]["EventPattern"]
    assert {key: pattern.get(key) for key in ("source", "detail-type")} == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
    }
    assert at(pattern, "detail/bucket/name") == [deployment.parameters["EvidenceBucketName"]]
    key = one(at(pattern, "detail/object/key") or [], "key")
    assert fnmatch.fnmatchcase(RECEIPT, key["wildcard"])
    others = {("m2j_m3", "m2k_m3"), ("m2j_2", "m3a_2"), (".json", ".json.bak"), (ENVIRONMENT, "other")}
    for other in (RECEIPT.replace(*change) for change in others):
        assert not fnmatch.fnmatchcase(other, key["wildcard"]), other


def test_it_starts_the_alias(platform: Platform):
    """The rule starts the machine through its alias, or the machine itself where no version is published."""
    deployment = platform.deploy()
    target = _target(platform)
    assert target["Arn"] == deployment.ref("StateMachineAlias")
    assert target["RoleArn"] == deployment.arn("HandoffRole")
    assert _target(platform, PublishStateMachineVersion="false")["Arn"] == deployment.ref("StateMachine")


def test_only_eventbridge_takes_on_the_rule_s_role(platform: Platform):
    """Only EventBridge may assume the rule's role, for this account."""
    statement = one(platform.deploy()["HandoffRole"]["AssumeRolePolicyDocument"]["Statement"], "statement")
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert at(statement, "Condition/StringEquals/aws:SourceAccount") == ACCOUNT


def test_a_start_that_fails_is_tried_again(platform: Platform):
    """EventBridge retries a start that fails."""
    policy = _target(platform).get("RetryPolicy", {})
    assert policy.get("MaximumRetryAttempts", 0) >= 1
    assert policy.get("MaximumEventAgeInSeconds", 0) >= 60


def test_a_start_that_keeps_failing_ends_in_the_dead_letter_queue(platform: Platform):
    """The event of a start that keeps failing goes to the dead-letter queue, which keeps it for 14 days, SQS's longest time."""
    deployment = platform.deploy()
    assert at(_target(platform), "DeadLetterConfig/Arn") == deployment.arn("HandoffDeadLetters")
    queue = deployment["HandoffDeadLetters"]
    assert queue.get("MessageRetentionPeriod") == 14 * 24 * 60 * 60
    assert queue.get("SqsManagedSseEnabled") is True


def test_the_queue_policy_lets_eventbridge_deliver(platform: Platform):
    """The queue takes messages from EventBridge for this rule, and from nobody else."""
    deployment = platform.deploy()
    queue, rule = deployment.arn("HandoffDeadLetters"), deployment.arn("HandoffRule")

    def deliver(service: str = "events.amazonaws.com", source: str = rule, tls: str = "true") -> str:
        keys = {"aws:SourceArn": source, "aws:SecureTransport": tls}
        return decide(deployment, service, "sqs:SendMessage", queue, keys)

    assert deliver() == ALLOWED
    assert deliver(source=f"{rule}-2") != ALLOWED
    assert deliver(service="sns.amazonaws.com") != ALLOWED
    assert deliver(tls="false") == DENIED
    # No statement allows anything to an account or to everybody.
    for properties in deployment.of_type("AWS::SQS::QueuePolicy").values():
        for statement in listed(properties["PolicyDocument"]["Statement"]):
            if statement["Effect"] == "Allow":
                assert statement["Principal"] == {"Service": "events.amazonaws.com"}


def test_the_input_is_the_event_unchanged(platform: Platform):
    """The input of the execution is the event, unchanged."""
    assert not {"Input", "InputPath", "InputTransformer"} & set(_target(platform))
