"""What a deployment of the template comes to: parameters given, conditions decided, every reference resolved.

The resolving is that of the engine on which the local platform runs, the same code that deploys the template there.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from ministack.core.responses import request_scope
from ministack.services.cloudformation import engine

from identifiers import ACCOUNT, STACK_ID, STACK_NAME, identify
from source import REGION, Source, expand, plain

UPSTREAM_ROLE = f"arn:aws:iam::{ACCOUNT}:role/upstream-m2"
BREAK_GLASS_ROLE = f"arn:aws:iam::{ACCOUNT}:role/break-glass"
DEPLOYMENT_ROLE = f"arn:aws:iam::{ACCOUNT}:role/deployment"
LATER_PHASE_ROLE = f"arn:aws:iam::{ACCOUNT}:role/later-m4"
MACHINE_ROLE = f"arn:aws:iam::{ACCOUNT}:role/platform/orchestrator"
ADMINISTRATOR = f"arn:aws:iam::{ACCOUNT}:role/administrator"
OPERATOR = f"arn:aws:iam::{ACCOUNT}:role/people/operator"
ROOT_USER = f"arn:aws:iam::{ACCOUNT}:root"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
VERDICT_TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:people"
GIVEN_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000"

# The steps, by the letter in the names of their functions, roles and log groups.
STEPS = "abcdefghij"
STEP_ROLES = [f"M3{step}Role" for step in STEPS]

# The parameters of a deployment as a platform team makes it. The others have the template's defaults.
USUAL = {
    "UpstreamRoleArn": UPSTREAM_ROLE,
    "BreakGlassRoleArn": BREAK_GLASS_ROLE,
    "OperatorPrincipalArns": OPERATOR,
}

# Deployments that differ in what a step may do: the parameters besides the usual ones.
DEPLOYMENTS = {
    "usual": {},
    "another environment": {"Environment": "prod_eu"},
    "given role of the machine": {"StateMachineRoleArn": MACHINE_ROLE},
    "billing artifact": {"CostSource": "billing_artifact", "BillingArtifactUri": "s3://billing/month.json"},
    "both cost sources": {"BillingArtifactUri": "s3://billing/month.json"},
    "no stack outputs": {"StackOutputsUris": ""},
    "two stack outputs": {"StackOutputsUris": "s3://one/core.json,s3://two/runtime/out.json"},
    "given bucket, no key": {"CreateEvidenceBucket": "false", "EvidenceBucketName": "given-evidence"},
    "given bucket and key": {"CreateEvidenceBucket": "false", "EvidenceKeyArn": GIVEN_KEY},
    "given signing key": {"SigningKeyArn": GIVEN_KEY},
    "signing off": {"Signing": "off"},
    "signing with a file": {"Signing": "local_key", "SigningKeyFile": "/keys/signing.pem"},
    "given registry": {"RegistryUri": "s3://registry/handles.md"},
    "verdicts are told": {"VerdictTopicArn": VERDICT_TOPIC},
    "advances are told": {"VerdictTopicArn": VERDICT_TOPIC, "NotifyAdvances": "true"},
}


class Platform:
    """A source, and its deployments by parameters."""

    def __init__(self, source: Source):
        self.source = source
        self._deployments: dict[tuple, Deployment] = {}

    @cached_property
    def expansion(self) -> dict:
        """The expansion. No parameter changes it, which test_mutations checks."""
        return expand(self.source, self.defaults)

    @cached_property
    def defaults(self) -> dict[str, str]:
        """Every parameter's default, and an empty text for a parameter without one."""
        parameters = self.source.template["Parameters"].items()
        return {name: str(parameter.get("Default", "")) for name, parameter in parameters}

    def deploy(self, **parameters: str) -> Deployment:
        """The deployment with `parameters`, besides the usual ones."""
        given = USUAL | parameters
        key = tuple(sorted(given.items()))
        if key not in self._deployments:
            self._deployments[key] = Deployment(self.expansion, given)
        return self._deployments[key]


class Refused(Exception):
    """CloudFormation would refuse these parameters."""


class Deployment:
    """The resources that a deployment has, without intrinsic functions."""

    def __init__(self, expansion: dict, parameters: dict[str, str]):
        given = [{"Key": name, "Value": value} for name, value in parameters.items()]
        with request_scope(ACCOUNT, REGION):
            values = engine._resolve_parameters(expansion, given)
            conditions = engine._evaluate_conditions(expansion, values)
            try:
                engine._evaluate_rules(expansion, values, conditions)
            except ValueError as error:
                raise Refused(str(error)) from error

            def resolve(value, identifiers):
                return engine._resolve_refs(value, identifiers, values, conditions, {}, STACK_NAME, STACK_ID)

            wanted = {
                name: resource
                for name, resource in plain(expansion["Resources"]).items()
                if conditions.get(resource.get("Condition"), "Condition" not in resource)
            }
            # Names contain parameters, and ARNs contain names and other ARNs: resolve again until nothing changes.
            identifiers, before = {}, None
            while identifiers != before:
                before = identifiers
                identifiers = {
                    name: identify(name, resource["Type"], resolve(resource.get("Properties", {}), before))
                    for name, resource in wanted.items()
                }
            self.resources = {
                name: resource | {"Properties": resolve(resource.get("Properties", {}), identifiers)}
                for name, resource in wanted.items()
            }
            self.outputs = {
                name: resolve(output["Value"], identifiers)
                for name, output in expansion.get("Outputs", {}).items()
                if conditions.get(output.get("Condition"), "Condition" not in output)
            }
        self.identifiers = identifiers
        self.parameters = {name: value["Value"] for name, value in values.items()}

    def of_type(self, kind: str) -> dict[str, dict]:
        """The properties of all resources of type `kind`, by logical name."""
        return {name: r["Properties"] for name, r in self.resources.items() if r["Type"] == kind}

    def __getitem__(self, name: str) -> dict:
        """The properties of a resource."""
        assert name in self.resources, f"the deployment has no resource {name}"
        return self.resources[name]["Properties"]

    def __contains__(self, name: str) -> bool:
        return name in self.resources

    def ref(self, name: str) -> str:
        """What `Ref` gives for a resource."""
        assert name in self.identifiers, f"the deployment has no resource {name}"
        return self.identifiers[name]["PhysicalResourceId"]

    def arn(self, name: str) -> str:
        """The ARN of a resource."""
        assert name in self.identifiers, f"the deployment has no resource {name}"
        return self.identifiers[name]["Attributes"]["Arn"]


def at(properties, path: str):
    """The value at `path` (`A/0/B`) in `properties`, or `None`."""
    value = properties
    for part in path.split("/"):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def one(values, what: str):
    """The only one of `values`."""
    found = list(values)
    assert len(found) == 1, f"there must be exactly one {what}, not {len(found)}"
    return found[0]


def strings(value) -> Iterator[str]:
    """Every string in `value`, keys excluded."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
