"""Who may do what, by AWS's rules.

Every call that somebody makes is allowed, every call that must be refused is refused, and no part of any policy could be left out.
"""

from __future__ import annotations

import copy
import dataclasses
import fnmatch
from collections import Counter
from collections.abc import Iterable, Iterator

import pytest

from access import listed, policies
from calls import Call, all_calls, of_functions, of_operators, of_services, rows
from deployment import (
    DEPLOYMENT_ROLE,
    DEPLOYMENTS,
    GIVEN_KEY,
    LATER_PHASE_ROLE,
    STEPS,
    VERDICT_TOPIC,
    Deployment,
    Platform,
    at,
)
from oracle import ALLOWED, ORACLE, Document, Request
from refusals import all_refusals

# A deployment that has every statement of every policy except one. A check compares it with the other deployments.
FULL = {
    "DeploymentRoleArn": DEPLOYMENT_ROLE,
    "LaterPhaseRoleArns": LATER_PHASE_ROLE,
    "BillingArtifactUri": "s3://billing/month.json",
    "StackOutputsUris": "s3://one/core.json,s3://two/runtime/out.json",
    "VerdictTopicArn": VERDICT_TOPIC,
    "NotifyAdvances": "true",
}
# The parameter that adds the last one: it says who signs where the key is a given one.
GIVEN_SIGNING_KEY = {"SigningKeyArn": GIVEN_KEY}


def _decided(deployment: Deployment, calls: list[Call]) -> list[tuple[Call, Request, bool]]:
    requests = [call.request(deployment) for call in calls]
    decisions = ORACLE.decide(requests)
    return [(c, r, d == ALLOWED) for c, r, d in zip(calls, requests, decisions, strict=True)]


def test_every_call_is_allowed(platform: Platform, access: Counter):
    """Functions, AWS's services, operators, other phases and the deployment role may make the calls that they make."""
    decided = _decided(platform.deploy(**FULL), all_calls(platform.deploy(**FULL)))
    refused = [str(call) for call, _, allowed in decided if not allowed]
    assert not refused, "\n".join(refused)
    access["allowed"] += len(decided)


def test_the_table_has_the_call_of_the_init_phase(platform: Platform):
    """Every step has a row for the request with which the init phase makes its connection, at the key that the functions are given."""
    deployment = platform.deploy()
    uri = at(deployment["M3aFunction"], "Environment/Variables/P1_WARM_UP_URI")
    bucket, key = uri.removeprefix("s3://").split("/", 1)
    assert bucket == deployment.parameters["EvidenceBucketName"]
    warmed_up = {row["owner"]: row["key"] for row in rows() if row["operation"] == "HeadObject"}
    assert warmed_up == {f"M3.{step.upper()}": key for step in STEPS}


@pytest.mark.parametrize("parameters", DEPLOYMENTS.values(), ids=DEPLOYMENTS)
def test_every_call_is_allowed_however_it_is_deployed(platform: Platform, parameters: dict):
    """Functions, services and operators may make their calls whatever the parameters, with or without a published version."""
    for publishes in ("true", "false"):
        deployment = platform.deploy(**parameters, PublishStateMachineVersion=publishes)
        calls = [call for part in (of_functions, of_services, of_operators) for call in part(deployment)]
        refused = [str(call) for call, _, allowed in _decided(deployment, calls) if not allowed]
        assert not refused, "\n".join(refused)


def test_everything_else_is_refused(platform: Platform, access: Counter):
    """Everything on the list of refusals is refused: another step's folder, an overwrite, a copy, a deletion, a start."""
    decided = _decided(platform.deploy(**FULL), all_refusals(platform.deploy(**FULL)))
    let_through = [str(call) for call, _, allowed in decided if allowed]
    assert not let_through, "\n".join(let_through)
    access["refused"] += len(decided)


def test_the_full_deployments_have_every_statement(platform: Platform):
    """No other deployment has a statement that the next check does not see."""

    def statements(deployments: Iterable[dict]) -> set[tuple[str, str | None]]:
        found = (policies(platform.deploy(**parameters)) for parameters in deployments)
        return {(p.place, s.get("Sid")) for of_one in found for p in of_one for s in p.statements}

    assert statements(DEPLOYMENTS.values()) <= statements([FULL, FULL | GIVEN_SIGNING_KEY])


def test_no_statement_could_be_left_out(platform: Platform, access: Counter):
    """A statement, action, resource, condition or exception that is left out makes a call fail or a refusal pass."""
    seen: set[Document] = set()
    unnoticed = []
    for parameters in (FULL, FULL | GIVEN_SIGNING_KEY):
        deployment = platform.deploy(**parameters)
        asked = {
            True: [request for _, request, _ in _decided(deployment, all_calls(deployment))],
            False: [request for _, request, _ in _decided(deployment, all_refusals(deployment))],
        }
        for policy in policies(deployment):
            before = Document.of(policy.kind, policy.place, policy.document)
            for part in [] if before in seen else _left_out(before):
                access["mutations"] += 1
                if _notices(part, before, asked[part.breaks]):
                    access["caught"] += 1
                else:
                    effect = "no call fails" if part.breaks else "no refusal passes"
                    unnoticed.append(f"{policy.place}: {part.what}: {effect}")
            seen.add(before)
    assert not unnoticed, "\n".join(unnoticed)


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of a policy that is left out."""

    what: str
    # The statement that it is a part of.
    statement: dict
    # What is left of the policy.
    after: Document | None
    # Whether a call must then fail. If not, a refusal must pass.
    breaks: bool


def _notices(part: Part, before: Document, requests: list[Request]) -> bool:
    """Whether one of the requests is decided otherwise. Asks about those that match the statement in small batches, since the first
    batch notices most parts."""
    about = [r for r in requests if (before == r.guard or before in r.identity) and _speaks_of(part.statement, r)]
    for first in range(0, len(about), BATCH):
        changed = [_with(request, before, part.after) for request in about[first : first + BATCH]]
        if any((decision == ALLOWED) != part.breaks for decision in ORACLE.decide(changed)):
            return True
    return False


BATCH = 25


def _speaks_of(statement: dict, request: Request) -> bool:
    def matches(key: str, value: str) -> bool:
        return any(fnmatch.fnmatchcase(value, pattern) for pattern in listed(statement.get(key, "*")))

    return matches("Action", request.action) and matches("Resource", request.resource)


def _with(request: Request, before: Document, after: Document | None) -> Request:
    identity = (after if document == before else document for document in request.identity)
    guard = after if request.guard == before else request.guard
    return dataclasses.replace(request, identity=tuple(filter(None, identity)), guard=guard)


def _left_out(document: Document) -> Iterator[Part]:
    """Every part that can be left out."""
    statements = document.statements
    for index, statement in enumerate(statements):
        name, allows = statement.get("Sid", str(index)), statement["Effect"] == "Allow"

        def without(what: str, changed: list[dict], breaks: bool) -> Part:
            left = document.replace([*statements[:index], *changed, *statements[index + 1 :]])
            return Part(what, statement, left, breaks)

        yield without(name, [], allows)
        for key in ("Action", "Resource"):
            parts = listed(statement.get(key))
            for part in parts if len(parts) > 1 else []:
                yield without(f"{name}, {part}", [statement | {key: [p for p in parts if p != part]}], allows)
        for who, fewer in _fewer_principals(statement):
            yield without(f"{name}, {who}", [statement | {"Principal": fewer}], allows)
        for what, conditions, widens in _fewer_conditions(statement.get("Condition", {})):
            changed = {key: value for key, value in statement.items() if key != "Condition"}
            if conditions:
                changed["Condition"] = conditions
            # A wider statement applies to more requests, so that it breaks calls if it denies.
            yield without(f"{name}, {what}", [changed], allows != widens)


def _fewer_principals(statement: dict) -> Iterator[tuple[str, dict]]:
    principal = statement.get("Principal", {})
    for kind, values in principal.items() if isinstance(principal, dict) else []:
        for value in listed(values) if len(listed(values)) > 1 else []:
            yield value, {kind: [other for other in listed(values) if other != value]}


def _fewer_conditions(conditions: dict) -> Iterator[tuple[str, dict, bool]]:
    """Each condition left out, and each of several values of one: what goes, what stays, and whether that widens the statement.

    Leaving out a condition widens it. Leaving out one value widens it if the operator is a negation, and narrows it if not.
    """
    for operator, keys in conditions.items():
        for key, values in keys.items():
            without = copy.deepcopy(conditions)
            del without[operator][key]
            yield f"{operator} {key}", {name: left for name, left in without.items() if left}, True
            for value in listed(values) if len(listed(values)) > 1 else []:
                fewer = copy.deepcopy(conditions)
                fewer[operator][key] = [other for other in listed(values) if other != value]
                yield f"{operator} {key} {value}", fewer, "Not" in operator
