"""The state machine and its role."""

import json

import permissions
from access import ALLOWED, decide
from calls import guided
from deployment import MACHINE_ROLE, STEPS, Platform, at, one
from identifiers import ACCOUNT
from source import ROOT

PROFILE = json.loads((ROOT / "infra/local/profile.json").read_text("utf-8"))


def test_its_role_has_exactly_what_it_needs(platform: Platform):
    """The machine's role may invoke the versions of the ten functions, log and trace, and nothing else."""
    deployment = platform.deploy()
    found, wanted = permissions.granted(deployment, "StateMachineRole"), permissions.of_state_machine(deployment)
    assert found == wanted, permissions.difference(found, wanted)
    assert deployment["StateMachine"]["RoleArn"] == deployment.arn("StateMachineRole")


def test_its_role_invokes_versions_and_no_function_as_such(platform: Platform):
    """The machine's role may invoke published versions: not a function's unpublished code, and no other function."""
    deployment = platform.deploy()
    for step in STEPS:
        function = deployment.arn(f"M3{step}Function")
        assert decide(deployment, "StateMachineRole", "lambda:InvokeFunction", f"{function}:17") == ALLOWED
        for other in (function, f"{function}-2:1", function.replace("m3", "m4") + ":1"):
            assert decide(deployment, "StateMachineRole", "lambda:InvokeFunction", other) != ALLOWED, other


def test_only_step_functions_takes_on_its_role(platform: Platform):
    """Only Step Functions may assume the machine's role, for this machine in this account."""
    deployment = platform.deploy()
    machine = deployment.arn("StateMachine")
    statement = one(deployment["StateMachineRole"]["AssumeRolePolicyDocument"]["Statement"], "statement")
    assert statement["Principal"] == {"Service": "states.amazonaws.com"}
    assert at(statement, "Condition/StringEquals/aws:SourceAccount") == ACCOUNT
    assert at(statement, "Condition/ArnLike/aws:SourceArn") == [machine, f"{machine}:*"]


def test_a_role_that_exists_takes_its_place(platform: Platform):
    """Given a role, the machine runs as it, no other one is made, and everybody who asks is told that one."""
    given = platform.deploy(StateMachineRoleArn=MACHINE_ROLE)
    assert given["StateMachine"]["RoleArn"] == MACHINE_ROLE
    assert "StateMachineRole" not in given
    assert given["StateMachineRoleArnParameter"]["Value"] == given.outputs["StateMachineRoleArn"] == MACHINE_ROLE
    assert set(platform.deploy().resources) - set(given.resources) == {"StateMachineRole"}


def test_the_guide_says_what_a_role_that_exists_needs(platform: Platform):
    """The policies that the guide gives to the owner of an existing role are those of the role that is made."""
    deployment = platform.deploy()
    role = deployment["StateMachineRole"]
    assert guided(deployment, "state-machine-role-trust.json") == role["AssumeRolePolicyDocument"]
    (inline,) = role["Policies"]
    assert guided(deployment, "state-machine-role-policy.json") == inline["PolicyDocument"]


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
        # `M3.A …` is run by the function `…-m3a-…`, the admission of a rerun by M3.G's, and that of a phase by M3.J's.
        step = {"Admit rerun": "g", "Admit phase": "j"}.get(name) or name[3].lower()
        assert versions[version] == deployment.ref(f"M3{step}Function"), name
        invoked.add(version)
    assert invoked == set(versions)


def test_executions_are_logged_without_their_data(platform: Platform):
    """Executions are logged at every level, without their data."""
    deployment = platform.deploy()
    logging = deployment["StateMachine"].get("LoggingConfiguration", {})
    assert logging.get("IncludeExecutionData") is False
    assert logging.get("Level") == "ALL"
    assert logging.get("Destinations") == [
        {"CloudWatchLogsLogGroup": {"LogGroupArn": deployment.arn("StateMachineLogGroup")}}
    ]


def test_its_log_group_has_retention(platform: Platform):
    """The log group has retention, and a name below /aws/vendedlogs/, which needs no resource policy of its own."""
    group = platform.deploy(LogRetentionDays="30")["StateMachineLogGroup"]
    assert group.get("RetentionInDays") == "30"
    assert group["LogGroupName"].startswith("/aws/vendedlogs/states/")


def test_executions_are_traced(platform: Platform):
    """X-Ray traces executions."""
    assert at(platform.deploy()["StateMachine"], "TracingConfiguration/Enabled") is True


def test_a_version_is_published_on_aws(platform: Platform):
    """A version of the machine's current revision is published, which the next deployment keeps."""
    deployment = platform.deploy()
    version = deployment["StateMachineVersion"]
    assert version["StateMachineArn"] == deployment.arn("StateMachine")
    assert version["StateMachineRevisionId"] == "revision-1"
    # A first deployment that fails must not leave it behind: it would hold the machine.
    assert deployment.resources["StateMachineVersion"].get("DeletionPolicy") == "RetainExceptOnCreate"
    assert deployment.resources["StateMachineVersion"].get("UpdateReplacePolicy") == "Retain"


def test_an_alias_points_to_the_version(platform: Platform):
    """The alias points to that version, all at once."""
    deployment = platform.deploy()
    assert at(deployment["StateMachineAlias"], "DeploymentPreference") == {
        "StateMachineVersionArn": deployment.ref("StateMachineVersion"),
        "Type": "ALL_AT_ONCE",
    }


def test_its_names_are_the_registry_s_handles(platform: Platform):
    """The names of machine and role are the registry's handles by default, and others by parameter."""
    deployment = platform.deploy()
    assert deployment["StateMachine"].get("StateMachineName") == PROFILE["state_machine_name"]
    assert deployment["StateMachineRole"].get("RoleName") == PROFILE["state_machine_role_name"]
    others = platform.deploy(StateMachineName="other-machine", StateMachineRoleName="other-role")
    assert others["StateMachine"]["StateMachineName"] == "other-machine"
    assert others["StateMachineRole"]["RoleName"] == "other-role"


def test_it_is_a_standard_machine(platform: Platform):
    """The machine is a standard one: an express execution cannot be redriven or described."""
    assert platform.deploy()["StateMachine"]["StateMachineType"] == "STANDARD"
