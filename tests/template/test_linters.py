"""cfn-lint and checkov on the expansion."""

from __future__ import annotations

import json
import subprocess

import pytest
from cfnlint import api

from deployment import Platform
from mutation import Mutation, caught_by, define, drop, put
from source import REGION, ROOT

SYNCHRONOUS = (
    "the state machine invokes synchronously and sees the failure itself; such a queue is for asynchronous invocations"
)
NO_NETWORK = "a step reaches S3, Step Functions and Cost Explorer over TLS, and nothing inside a network"
NO_RESERVE = "an execution invokes one function at a time; a reserve takes from other functions, and a limit fails runs"
NO_SECRETS = "names of buckets and documents, no secret; Lambda encrypts them at rest with its own key"
LOGS = "CloudWatch Logs encrypts with its own key; what is logged passed the secret filter, evidence is not logged"
TRAIL = "the account's trail records S3 data events (docs/deploy.md); access logs are best effort"
SSE_SQS = "the queue is encrypted (SqsManagedSseEnabled); the check knows KMS keys alone"

# What checkov finds, by check and resource type, and why it stays. Remove what it no longer finds.
SKIPPED: dict[tuple[str, str], str] = {
    ("CKV_AWS_115", "AWS::Lambda::Function"): NO_RESERVE,
    ("CKV_AWS_116", "AWS::Lambda::Function"): SYNCHRONOUS,
    ("CKV_AWS_117", "AWS::Lambda::Function"): NO_NETWORK,
    ("CKV_AWS_173", "AWS::Lambda::Function"): NO_SECRETS,
    ("CKV_AWS_158", "AWS::Logs::LogGroup"): LOGS,
    ("CKV_AWS_18", "AWS::S3::Bucket"): TRAIL,
    ("CKV_AWS_27", "AWS::SQS::Queue"): SSE_SQS,
}

CHECKOV = ROOT / ".p1/venv/checkov/bin/checkov"

Found = set[tuple[str, str]]


def _cfn_lint(platform: Platform) -> list[str]:
    matches = api.lint(json.dumps(platform.expansion, indent=1), regions=[REGION])
    return [f"{match.rule.id} {'/'.join(map(str, match.path or []))}: {match.message}" for match in matches]


def test_cfn_lint_finds_nothing(platform: Platform):
    """cfn-lint finds nothing in the expansion."""
    found = _cfn_lint(platform)
    assert not found, "\n".join(found)


(LINTED,) = caught_by(
    "test_cfn_lint_finds_nothing",
    (
        "a definition and a property that AWS would refuse",
        drop("M3cFunction/Properties/LoggingConfig"),
        put("M3cFunction/Properties/LoggingConfig", {"LogFormat": "XML"}),
        define("States/M3.C Config digest/Type", "Tusk"),
        define("StartAt", "Nowhere"),
    ),
)


def test_cfn_lint_sees_the_definition_and_the_properties(platform: Platform):
    """cfn-lint reads the definition, which it does not in a SAM template: it finds errors in both the definition and a property."""
    found = "\n".join(_cfn_lint(Platform(LINTED.apply(platform.source))))
    assert "E3601 Resources/StateMachine/Properties/Definition/StartAt" in found
    assert "E3601 Resources/StateMachine/Properties/Definition/States/M3.C Config digest/Type" in found
    assert "E3030 Resources/M3cFunction/Properties/LoggingConfig/LogFormat" in found


CHECKED: list[Mutation] = [
    *caught_by(
        "CKV_AWS_53 CKV_AWS_54 CKV_AWS_55 CKV_AWS_56",
        ("the evidence bucket may be public", drop("EvidenceBucket/Properties/PublicAccessBlockConfiguration")),
    ),
    *caught_by("CKV_AWS_7", ("the key does not rotate", put("EvidenceKey/Properties/EnableKeyRotation", False))),
    *caught_by("CKV_AWS_66", ("logs are kept for ever", drop("M3aLogGroup/Properties/RetentionInDays"))),
]


@pytest.fixture(scope="module")
def checkov(platform: Platform, tmp_path_factory) -> dict[str, Found]:
    """What checkov finds in the template, under the empty name, and in each mutation. One run, since its start takes longest."""
    assert CHECKOV.exists(), f"{CHECKOV} is not there; tests/template/run installs it"
    folder = tmp_path_factory.mktemp("expansions")
    platforms = {"": platform} | {m.name: Platform(m.apply(platform.source)) for m in CHECKED}
    places = {}
    for index, (name, one) in enumerate(platforms.items()):
        # With resolved parameters: checkov can only guess at intrinsic functions.
        template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": one.deploy().resources}
        (folder / f"{index}.json").write_text(json.dumps(template, indent=1), "utf-8")
        places[f"/{index}.json"] = name
    # It exits with 1 if it found anything.
    run = subprocess.run(
        [CHECKOV, "--directory", folder, *"--framework cloudformation --output json --quiet --compact --skip-download".split()],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert run.returncode in (0, 1), run.stderr
    results = json.loads(run.stdout)
    assert not results["summary"]["parsing_errors"], results["summary"]
    found: dict[str, Found] = {name: set() for name in platforms}
    for result in results["results"]["failed_checks"]:
        kind, _, _ = result["resource"].rpartition(".")
        found[places[result["file_path"]]].add((result["check_id"], kind))
    return found


def test_checkov_finds_only_what_has_a_reason(checkov: dict[str, Found]):
    """checkov finds nothing except what is skipped with a reason."""
    found = checkov[""] - set(SKIPPED)
    assert not found, "\n".join(" on ".join(finding) for finding in sorted(found))


def test_no_skip_is_stale(checkov: dict[str, Found]):
    """checkov still finds everything that is skipped."""
    stale = set(SKIPPED) - checkov[""]
    assert not stale, "\n".join(" on ".join(finding) for finding in sorted(stale))


@pytest.mark.parametrize("mutation", CHECKED, ids=lambda mutation: mutation.name)
def test_a_mutation_is_caught(mutation: Mutation, checkov: dict[str, Found]):
    """checkov finds what a mutation names, and does not find it in the template."""
    new = {check for check, _ in checkov[mutation.name] - checkov[""]}
    missed = set(mutation.caught_by) - new
    assert not missed, f"{mutation.name}: passes {sorted(missed)}"
