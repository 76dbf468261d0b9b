"""The template as it is written, and as CloudFormation gets it: packaged, then expanded by the SAM transform."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import pathlib
from dataclasses import dataclass

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "infra/template.yaml"
REGION = "eu-west-2"


@dataclass
class Source:
    """The template and the definition of the state machine that it names, both as plain JSON."""

    template: dict
    definition: dict

    @classmethod
    def read(cls) -> Source:
        """Reads both from the checkout. Aliases become copies, so that a mutation can change one of them alone."""
        template = plain(yaml_parse(TEMPLATE.read_text("utf-8")))
        machines = [r for r in template["Resources"].values() if r["Type"] == "AWS::Serverless::StateMachine"]
        (machine,) = machines
        definition = TEMPLATE.parent / machine["Properties"]["DefinitionUri"]
        return cls(template, json.loads(definition.read_text("utf-8")))

    def copy(self) -> Source:
        """One that can be changed on its own."""
        return copy.deepcopy(self)


def plain(value):
    """`value` without the parser's own types and without shared parts."""
    return json.loads(json.dumps(value))


def expand(source: Source, parameters: dict[str, str]) -> dict:
    """The template as `sam deploy` submits it, expanded as CloudFormation does it.

    `sam deploy` uploads the zips and the definition; here the places of the zips are made up, and the definition stands in
    the expansion itself, so that linters read it.
    """
    template = plain(source.template)
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function":
            properties["CodeUri"] = {"Bucket": "deployment-artifacts", "Key": name}
        if resource["Type"] == "AWS::Serverless::StateMachine":
            del properties["DefinitionUri"]
            properties["Definition"] = source.definition
    # The template names no managed policy of AWS, so the map of them is empty. The session makes no calls.
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=REGION))
    # The translator prints a line about its own metrics.
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        expansion = translator.translate(template, parameters)
    for resource in expansion["Resources"].values():
        if resource["Type"] == "AWS::StepFunctions::StateMachine":
            # The translator renders a definition as lines to be joined, which no linter puts together again.
            del resource["Properties"]["DefinitionString"]
            resource["Properties"]["Definition"] = plain(source.definition)
    return plain(expansion)
