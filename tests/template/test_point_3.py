"""Point 3: the state machine."""

import json

from policy_sentry.querying.actions import get_action_data

import permissions
from access import ALLOWED, decide, listed, of_role
from deployment import Platform, at, one
from source import ROOT

STEPS = "abcdefghij"
PROFILE = json.loads((ROOT / "infra/local/profile.json").read_text("utf-8"))


def test_its_role_has_exactly_what_it_needs(platform: Platform):
    """State machine: role that may invoke those ten functions' versions and nothing else;"""
    deployment = platform.deploy()
    found, wanted = permissions.granted(deployment, "StateMachineRole"), permissions.of_state_machine(deployment)
    assert found == wanted, permissions.difference(found, wanted)
    assert deployment["StateMachine"]["RoleArn"] == deployment.arn("StateMachineRole")


def test_its_role_invokes_versions_and_no_function_as_such(platform: Platform):
    """… of a function, its versions: what was published, never what is being worked on, and no other function."""
    deployment = platform.deploy()
    for step in STEPS:
        function = deployment.arn(f"M3{step}Function")
        assert decide(deployment, "StateMachineRole", "lambda:InvokeFunction", f"{function}:17") == ALLOWED
        for other in (function, f"{function}-2:1", function.replace("m3", "m4") + ":1"):
            assert decide(deployment, "StateMachineRole", "lambda:InvokeFunction", other) != ALLOWED, other


def test_only_step_functions_takes_on_its_role(platform: Platform):
    """Its role is taken on by Step Functions alone, for this machine in this account."""
    deployment = platform.deploy()
    machine = deployment.arn("StateMachine")
    statement = one(deployment["StateMachineRole"]["AssumeRolePolicyDocument"]["Statement"], "statement")
    assert statement["Principal"] == {"Service": "states.amazonaws.com"}
    assert at(statement, "Condition/StringEquals/aws:SourceAccount") == "111122223333"
    assert at(statement, "Condition/ArnLike/aws:SourceArn") == [machine, f"{machine}:*"]


def test_every_task_invokes_a_published_version(platform: Platform):
    """Every Task invokes the version published with the machine: no later deployment changes what a redrive runs."""
    deployment = platform.deploy()
    substitutions = deployment["StateMachine"]["DefinitionSubstitutions"]
    versions = {
        deployment.ref(name): p["FunctionName"] for name, p in deployment.of_type("AWS::Lambda::Version").items()
    }
    invoked = set()
    for name, state in deployment["StateMachine"]["Definition"]["States"].items():
        if state["Type"] != "Task":
            continue
        placeholder = state["Arguments"]["FunctionName"]
        version = substitutions[placeholder.removeprefix("${").removesuffix("}")]
        assert version in versions, f"{name} invokes {version}, which is no version"
        # `M3.A …` is run by the function `…-m3a-…`, the admission of a rerun by M3.G's.
        step = "g" if name == "Admit rerun" else name[3].lower()
        assert versions[version] == deployment.ref(f"M3{step}Function"), name
        invoked.add(version)
    assert invoked == set(versions)


def test_executions_are_logged_without_their_data(platform: Platform):
    """logging without execution data;"""
    deployment = platform.deploy()
    logging = deployment["StateMachine"].get("LoggingConfiguration", {})
    assert logging.get("IncludeExecutionData") is False
    assert logging.get("Level") == "ALL"
    assert logging.get("Destinations") == [
        {"CloudWatchLogsLogGroup": {"LogGroupArn": deployment.arn("StateMachineLogGroup")}}
    ]


def test_its_log_group_has_retention(platform: Platform):
    """Its log group is one of Step Functions' own names, which the account's resource policy covers, with retention."""
    group = platform.deploy(LogRetentionDays="30")["StateMachineLogGroup"]
    assert group.get("RetentionInDays") == "30"
    assert group["LogGroupName"].startswith("/aws/vendedlogs/states/")


def test_executions_are_traced(platform: Platform):
    """tracing;"""
    assert at(platform.deploy()["StateMachine"], "TracingConfiguration/Enabled") is True


def test_a_version_is_published_on_aws(platform: Platform):
    """published version and alias on AWS: a version of this revision, which outlives the next deployment,"""
    deployment = platform.deploy()
    version = deployment["StateMachineVersion"]
    assert version["StateMachineArn"] == deployment.arn("StateMachine")
    assert version["StateMachineRevisionId"] == "revision-1"
    # A first deployment that fails must not leave it behind: it would hold the machine.
    assert deployment.resources["StateMachineVersion"].get("DeletionPolicy") == "RetainExceptOnCreate"
    assert deployment.resources["StateMachineVersion"].get("UpdateReplacePolicy") == "Retain"


def test_an_alias_points_to_the_version(platform: Platform):
    """… and an alias that points to it, all at once;"""
    deployment = platform.deploy()
    assert at(deployment["StateMachineAlias"], "DeploymentPreference") == {
        "StateMachineVersionArn": deployment.ref("StateMachineVersion"),
        "Type": "ALL_AT_ONCE",
    }


def test_its_names_are_the_registry_s_handles(platform: Platform):
    """name and role are the registry's handles by default."""
    deployment = platform.deploy()
    assert deployment["StateMachine"].get("StateMachineName") == PROFILE["state_machine_name"]
    assert deployment["StateMachineRole"].get("RoleName") == PROFILE["state_machine_role_name"]
    others = platform.deploy(StateMachineName="other-machine", StateMachineRoleName="other-role")
    assert others["StateMachine"]["StateMachineName"] == "other-machine"
    assert others["StateMachineRole"]["RoleName"] == "other-role"


def test_it_is_a_standard_machine(platform: Platform):
    """Only a standard execution can be redriven and described; of an express one nothing is kept."""
    assert platform.deploy()["StateMachine"]["StateMachineType"] == "STANDARD"


def _starters(platform: Platform, **parameters: str) -> dict[str, set[str | None]]:
    """Who may start the machine, and through which qualifiers: an alias, a version, or none, which is the machine itself."""
    deployment = platform.deploy(**parameters)
    machine = deployment.arn("StateMachine")
    starts = {}
    for role in deployment.of_type("AWS::IAM::Role"):
        for qualifier in (None, "live", "dev", "1"):
            # AWS authorises by the machine's ARN, and says the qualifier in a condition key.
            keys = {} if qualifier is None else {"states__StateMachineQualifier": [qualifier]}
            if decide(deployment, role, "states:StartExecution", machine, **keys) == ALLOWED:
                starts.setdefault(role, set()).add(qualifier)
            for other in (machine.replace("platform-run", "other"), f"{machine}-2"):
                assert decide(deployment, role, "states:StartExecution", other, **keys) != ALLOWED, (role, other)
    return starts


def test_only_the_rule_and_the_operator_start_it(platform: Platform):
    """StartExecution: the rule's role through the alias, where there is one, and one named operator role, of this machine."""
    operator = {None, "live", "dev", "1"}
    assert _starters(platform) == {"HandoffRole": {"live"}, "OperatorRole": operator}
    assert _starters(platform, OperatorPrincipalArns="") == {"HandoffRole": {"live"}}
    assert None in _starters(platform, PublishStateMachineVersion="false")["HandoffRole"]
    deployment = platform.deploy(OperatorRoleName="operators-of-p1")
    assert deployment["OperatorRole"]["RoleName"] == "operators-of-p1"


def test_the_operator_role_is_for_whom_it_is_named(platform: Platform):
    """… which those may take on who are named, and nobody else."""
    people = "arn:aws:iam::111122223333:role/people/one,arn:aws:iam::111122223333:user/two"
    trust = platform.deploy(OperatorPrincipalArns=people)["OperatorRole"]["AssumeRolePolicyDocument"]
    assert trust["Statement"] == [
        {"Effect": "Allow", "Principal": {"AWS": people.split(",")}, "Action": "sts:AssumeRole"}
    ]


def test_the_operator_changes_nothing_but_executions(platform: Platform):
    """The operator starts, stops and redrives executions, asks and reads: no action of the role writes anything."""
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
    # AWS counts decrypting what one reads among what writes.
    assert writing == {"states:StartExecution", "states:StopExecution", "states:RedriveExecution", "kms:Decrypt"}
