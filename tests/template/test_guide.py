"""docs/deploy.md's way to deploy: the file of parameters, and the block of commands that uses it."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable

import pytest

from deployment import Deployment, Platform, Refused
from source import ROOT, TEMPLATE

EXAMPLE = ROOT / "infra/parameters.example.toml"
GUIDE = (ROOT / "docs/deploy.md").read_text("utf-8")
# A bucket's name is taken once in the whole world, so its default is nobody's, and neither is an address in it.
BUCKETS = ("EvidenceBucketName", "ObjectStoreBucketName", "ArtifactsBucketName")


def example() -> dict[str, str]:
    """The file's parameters as SAM makes them: a list is joined with commas, everything else is a text."""
    values = tomllib.loads(EXAMPLE.read_text("utf-8"))
    return {name: ",".join(value) if isinstance(value, list) else _text(value) for name, value in values.items()}


def _text(value) -> str:
    # As SAM does: a TOML true becomes True, which the template refuses.
    return str(value)


def without_default(platform: Platform) -> set[str]:
    """The parameters whose default nobody can deploy with."""
    declared = platform.source.template["Parameters"]
    names = [declared[bucket]["Default"] for bucket in BUCKETS]
    found = {name for name, value in platform.defaults.items() if any(bucket in value for bucket in names)}
    given = example()
    for name in given:
        rest = {other: value for other, value in given.items() if other != name}
        try:
            Deployment(platform.expansion, rest)
        except Refused:
            found.add(name)
    return found


def problems(platform: Platform, values: dict[str, str]) -> list[str]:
    """What is wrong with parameters, by the template."""
    declared, found = platform.source.template["Parameters"], []
    for name, value in values.items():
        if name not in declared:
            found.append(f"{name} is no parameter")
            continue
        rule = declared[name]
        pattern, allowed = rule.get("AllowedPattern"), rule.get("AllowedValues")
        if pattern and not re.search(pattern, value):
            found.append(f"{name}: {value!r} does not match {pattern}")
        if allowed and value not in [str(one) for one in allowed]:
            found.append(f"{name}: {value!r} is none of {allowed}")
        if rule["Type"] == "Number" and not rule.get("MinValue", 0) <= int(value) <= rule.get("MaxValue", 10**9):
            found.append(f"{name}: {value} is out of its bounds")
    found += [f"{name} is missing, and has no default" for name in sorted(without_default(platform) - set(values))]
    for name in ("RegistryUri", "StackOutputsUris"):
        uris = values.get(name, "").split(",")
        bucket = f"s3://{values.get('ArtifactsBucketName')}/"
        found += [f"{name}: {uri} is not in the artifacts bucket" for uri in uris if not uri.startswith(bucket)]
    return found


def test_the_example_s_parameters_are_the_template_s(platform: Platform):
    """Every parameter of the file is one of the template, with a value that it takes, and none that has no default is missing."""
    assert without_default(platform) == {*BUCKETS, "RegistryUri", "StackOutputsUris", "UpstreamRoleArn"}
    found = problems(platform, example())
    assert not found, "\n".join(found)
    deployed = Deployment(platform.expansion, example())
    assert "OperatorRole" in deployed and "VerdictRule" not in deployed


CHANGES: dict[str, Callable[[dict], None]] = {
    "another name": lambda values: values.update(EvidenceBucket="acme"),
    "a value that is not allowed": lambda values: values.update(CostSource="guess"),
    "a boolean as Python writes it": lambda values: values.update(NotifyAdvances="False"),
    "a value of another form": lambda values: values.update(UpstreamRoleArn="m2-handoff"),
    "no upstream role": lambda values: values.pop("UpstreamRoleArn"),
    "no bucket": lambda values: values.pop("ObjectStoreBucketName"),
    "too many days": lambda values: values.update(EvidenceRetentionDays="40000"),
    "a registry elsewhere": lambda values: values.update(RegistryUri="s3://elsewhere/handles.md"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_wrong_parameter_is_found(platform: Platform, change: Callable[[dict], None]):
    """Each mistake in the file is found."""
    values = example()
    change(values)
    assert len(problems(platform, values)) == 1, problems(platform, values)


def blocks() -> list[str]:
    """The guide's blocks of commands, each command on a line of its own."""
    found = re.findall(r"^```sh\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
    return [block.replace("\\\n", " ") for block in found]


def test_the_guide_deploys_with_the_file():
    """One block deploys: from this template, with this configuration and the copy of the example; no value stands in a command."""
    (copy,) = [line for block in blocks() for line in block.splitlines() if line.startswith("cp ")]
    _, source, copied = shlex.split(copy, comments=True)
    assert ROOT / source == EXAMPLE
    assert f"/{copied}" in (ROOT / ".gitignore").read_text("utf-8").splitlines()
    commands = [line for block in blocks() for line in block.splitlines() if line.startswith("sam deploy ")]
    assert len(commands) >= 2
    for command in commands:
        arguments = shlex.split(command, comments=True)[2:]
        options = dict(zip(arguments[::2], arguments[1::2], strict=True))
        assert set(options) == {"--region", "--template-file", "--config-file", "--parameter-overrides"}, command
        assert ROOT / options["--template-file"] == TEMPLATE
        assert (TEMPLATE.parent / options["--config-file"]).is_file()
        assert options["--parameter-overrides"] == f"file://{copied}"
    (first,) = [block for block in blocks() if "rustup target add" in block]
    assert "sam deploy " in first and "…" not in first


def test_the_guide_names_parameters_that_exist(platform: Platform):
    """Every parameter in the guide's table is one of the template."""
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| ", GUIDE, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([A-Z]\w+)`", row)}
    statements = {s["Sid"] for s in _statements(platform) if "Sid" in s}
    unknown = named - set(platform.source.template["Parameters"]) - statements
    assert {"VerdictTopicArn", "NotifyAdvances", "UpstreamRoleArn"} <= named
    assert not {name for name in unknown if name.endswith(("Arn", "Arns", "Name", "Pattern"))}, unknown


def _statements(platform: Platform) -> list[dict]:
    document = platform.deploy(DeploymentRoleArn="arn:aws:iam::123456789012:role/deployer")["EvidenceBucketPolicy"]
    return document["PolicyDocument"]["Statement"]
