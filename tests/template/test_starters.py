"""Who may start the state machine, and what the operator's role may do."""

from policy_sentry.querying.actions import get_action_data

from access import ALLOWED, decide, listed, of_role
from deployment import Platform


def _starters(platform: Platform, **parameters: str) -> dict[str, set[str | None]]:
    """Who may start the machine, and through which qualifiers: an alias, a version, or none, which is the machine itself."""
    deployment = platform.deploy(**parameters)
    machine = deployment.arn("StateMachine")
    starts = {}
    for role in deployment.of_type("AWS::IAM::Role"):
        for qualifier in (None, "live", "dev", "1"):
            # AWS authorises by the machine's ARN. The qualifier is a condition key.
            keys = {} if qualifier is None else {"states:StateMachineQualifier": [qualifier]}
            if decide(deployment, role, "states:StartExecution", machine, keys) == ALLOWED:
                starts.setdefault(role, set()).add(qualifier)
            for other in (machine.replace("platform-run", "other"), f"{machine}-2"):
                assert decide(deployment, role, "states:StartExecution", other, keys) != ALLOWED, (role, other)
    return starts


def test_only_the_rule_and_the_operator_start_it(platform: Platform):
    """Only the rule's role, through the alias where there is one, and the operator's role may start this machine."""
    operator = {None, "live", "dev", "1"}
    assert _starters(platform) == {"HandoffRole": {"live"}, "OperatorRole": operator}
    assert _starters(platform, OperatorPrincipalArns="") == {"HandoffRole": {"live"}}
    assert None in _starters(platform, PublishStateMachineVersion="false")["HandoffRole"]
    deployment = platform.deploy(OperatorRoleName="operators-of-p1")
    assert deployment["OperatorRole"]["RoleName"] == "operators-of-p1"


def test_the_operator_role_is_for_whom_it_is_named(platform: Platform):
    """Only those who are named may assume the operator's role."""
    people = "arn:aws:iam::111122223333:role/people/one,arn:aws:iam::111122223333:user/two"
    trust = platform.deploy(OperatorPrincipalArns=people)["OperatorRole"]["AssumeRolePolicyDocument"]
    assert trust["Statement"] == [
        {"Effect": "Allow", "Principal": {"AWS": people.split(",")}, "Action": "sts:AssumeRole"}
    ]


def test_the_operator_changes_nothing_but_executions(platform: Platform):
    """The operator's role may start, stop and redrive executions and read: no other action of it writes."""
    deployment = platform.deploy()
    writing = set()
    for policy in of_role(deployment, "OperatorRole"):
        for statement in policy.statements:
            for action in listed(statement["Action"]):
                service, _, name = action.partition(":")
                data = get_action_data(service, name)
                assert data, f"{action} is not known: is it an action of AWS?"
                if {entry["access_level"] for entry in data[service]} - {"Read", "List"}:
                    writing.add(action)
    # AWS counts kms:Decrypt among the actions that write.
    assert writing == {"states:StartExecution", "states:StopExecution", "states:RedriveExecution", "kms:Decrypt"}
