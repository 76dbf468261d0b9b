"""What the stack writes for other stacks: outputs as SSM parameters."""

import json
import re

from deployment import Platform
from identifiers import ACCOUNT, REGION
from source import ROOT

# The SSM parameters, each with the output of the same value; `None` where only other stacks need the value.
OUTPUTS = {
    "state_machine_arn": "StateMachineArn",
    "state_machine_name": "StateMachineName",
    "state_machine_role_arn": "StateMachineRoleArn",
    "start_arn": "StartArn",
    "evidence_bucket": "EvidenceBucket",
    "evidence_key_arn": "EvidenceKeyArn",
    "operator_role_arn": "OperatorRoleArn",
    "handoff_rule_arn": None,
    "handoff_dead_letters_arn": None,
}


def _written(platform: Platform, **parameters: str) -> dict[str, str]:
    deployment = platform.deploy(**parameters)
    path = deployment.parameters["ParameterPath"]
    written = {}
    for name, parameter in deployment.of_type("AWS::SSM::Parameter").items():
        assert parameter["Name"].startswith(f"{path}/"), name
        # The values are names and ARNs, which need no encryption.
        assert parameter["Type"] == "String", name
        written[parameter["Name"].removeprefix(f"{path}/")] = parameter["Value"]
    return written


def test_outputs_are_written_as_ssm_parameters(platform: Platform):
    """The SSM parameters have the values of the outputs."""
    outputs = platform.deploy().outputs
    written = _written(platform)
    assert set(written) == set(OUTPUTS)
    for parameter, output in OUTPUTS.items():
        if output:
            assert written[parameter] == outputs[output], parameter
    deployment = platform.deploy()
    assert written["handoff_rule_arn"] == deployment.arn("HandoffRule")
    assert written["handoff_dead_letters_arn"] == deployment.arn("HandoffDeadLetters")


def test_what_does_not_exist_is_not_written(platform: Platform):
    """The SSM parameters stand below the path that is given, and name nothing that the stack does not have."""
    written = _written(
        platform,
        ParameterPath="/other/path",
        CreateEvidenceBucket="false",
        OperatorPrincipalArns="",
        UpstreamRoleArn="",
    )
    assert set(written) == set(OUTPUTS) - {"evidence_key_arn", "operator_role_arn"}


def test_a_later_phase_is_told_what_it_must_be_allowed_to_do(platform: Platform):
    """The output of a later phase's policy allows to run the orchestrator and wait for it, and nothing else."""
    deployment = platform.deploy()
    policy = json.loads(deployment.outputs["PhaseEntryPolicy"])
    machine = deployment.arn("StateMachine")
    wanted = {
        ("states:StartExecution", machine),
        ("states:DescribeExecution", f"{machine.replace(':stateMachine:', ':execution:')}:*"),
        ("states:StopExecution", f"{machine.replace(':stateMachine:', ':execution:')}:*"),
    }
    rule = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
    wanted |= {(f"events:{action}", rule) for action in ("PutTargets", "PutRule", "DescribeRule")}
    found = set()
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        found |= {(action, statement["Resource"]) for action in actions}
        # What is started is authorised by the machine's ARN; that it is the alias, the condition says.
        starts = "states:StartExecution" in actions
        only_the_alias = {"ForAnyValue:StringEquals": {"states:StateMachineQualifier": "live"}}
        assert statement.get("Condition") == (only_the_alias if starts else None)
    assert found == wanted
    # CloudFormation takes no longer value.
    assert len(deployment.outputs["PhaseEntryPolicy"]) <= 1024


def test_the_guide_lists_them(platform: Platform):
    """docs/terraform.md lists the SSM parameters."""
    text = (ROOT / "docs/terraform.md").read_text("utf-8")
    section = text.split("### SSM parameters")[1].split("```")[0]
    rows = [row.split("|")[1] for row in section.splitlines() if row.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(_written(platform))
