"""Every check is shown to fail: each mutation is applied to the template, and the checks that it names must fail; and every
assertion of every check must be what fails for some mutation."""

import ast
import importlib
import inspect
import pathlib
import traceback
from collections import Counter
from functools import cache

import pytest

import mutations_point_1_bucket
import mutations_point_1_policy
import mutations_point_2
import mutations_point_3
import mutations_points_4_to_7
import mutations_signing
from deployment import Platform
from mutation import Mutation
from source import expand

MODULES = {
    name: importlib.import_module(name)
    for name in (
        "test_point_1_bucket",
        "test_point_1_policy",
        "test_point_2_functions",
        "test_point_2_permissions",
        "test_point_3",
        "test_point_4",
        "test_point_5",
        "test_point_7",
        "test_signing",
    )
}
MUTATIONS: list[Mutation] = [
    *mutations_point_1_bucket.BUCKETS,
    *mutations_point_1_policy.POLICIES,
    *mutations_point_2.FUNCTIONS,
    *mutations_point_2.PERMISSIONS,
    *mutations_point_3.STATE_MACHINE,
    *mutations_points_4_to_7.TRIGGER,
    *mutations_points_4_to_7.OBSERVABILITY,
    *mutations_points_4_to_7.OUTPUTS,
    *mutations_signing.SIGNING,
]
# What reads the file itself, not the template that it holds, and shows by itself that it can fail.
OF_THE_TEXT = {"test_the_reason_stands_beside_each_star"}

# A line of a module of checks.
Place = tuple[str, int]


def _checks() -> dict[str, callable]:
    checks = {}
    for module in MODULES.values():
        for name, check in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("test_") and check.__module__ == module.__name__ and name not in OF_THE_TEXT:
                assert name not in checks, f"two checks are called {name}"
                checks[name] = check
    return checks


CHECKS = _checks()


def _cases(check) -> list[dict]:
    """The arguments besides the platform that pytest runs a check with."""
    marks = [mark for mark in getattr(check, "pytestmark", []) if mark.name == "parametrize"]
    if not marks:
        return [{}]
    ((name, values),) = [mark.args for mark in marks]
    return [{name: value} for value in values]


@cache
def _failures(name: str, platform: Platform) -> set[Place]:
    """The lines at which the cases of a check fail. Only a failed assertion is a failure: a check that breaks says nothing."""
    places = set()
    for arguments in _cases(CHECKS[name]):
        try:
            CHECKS[name](platform, **arguments)
        except AssertionError as error:
            frames = traceback.extract_tb(error.__traceback__)
            places.update((pathlib.Path(frame.filename).stem, frame.lineno) for frame in frames)
    return places


@cache
def _mutated(mutation: Mutation, platform: Platform) -> Platform:
    return Platform(mutation.apply(platform.source))


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_is_caught(mutation: Mutation, platform: Platform):
    """The checks that a mutation names fail on it, and only because of it."""
    anyway = [name for name in mutation.caught_by if _failures(name, platform)]
    assert not anyway, f"{mutation.name}: {anyway} fail without it"
    missed = [name for name in mutation.caught_by if not _failures(name, _mutated(mutation, platform))]
    assert not missed, f"{mutation.name}: passes {missed}"


def test_every_assertion_fails_on_some_mutation(platform: Platform, assertions: Counter):
    """An assertion that no mutation makes fail may be one that cannot fail."""
    failed = {place for m in MUTATIONS for name in m.caught_by for place in _failures(name, _mutated(m, platform))}
    never = []
    for name, module in MODULES.items():
        text = inspect.getsource(module)
        for check in ast.parse(text).body:
            asserts = [node for node in ast.walk(check) if isinstance(node, ast.Assert)]
            for node in asserts if getattr(check, "name", None) not in OF_THE_TEXT else []:
                assertions[name] += 1
                if not any((name, line) in failed for line in range(node.lineno, node.end_lineno + 1)):
                    never.append(f"{name}.py:{node.lineno}: {ast.get_source_segment(text, node).splitlines()[0]}")
    assert not never, "\n".join(never)


def test_every_check_has_a_mutation():
    """… nor may a check be without one."""
    named = {name for mutation in MUTATIONS for name in mutation.caught_by}
    assert named <= set(CHECKS), f"no such checks: {sorted(named - set(CHECKS))}"
    assert set(CHECKS) <= named, f"no mutation is caught by {sorted(set(CHECKS) - named)}"


def test_mutations_have_names_of_their_own():
    """Two mutations of one name are one too few."""
    twice = [name for name, count in Counter(mutation.name for mutation in MUTATIONS).items() if count > 1]
    assert not twice


def test_no_parameter_changes_the_expansion(platform: Platform):
    """What the checks rest on: the template is expanded once, for the parameters' defaults."""
    others = platform.defaults | {
        "Architecture": "x86_64",
        "CreateEvidenceBucket": "false",
        "CostSource": "billing_artifact",
        "FunctionNamePrefix": "other",
    }
    assert expand(platform.source, others) == platform.expansion
