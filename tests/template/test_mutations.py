"""Every check is shown to fail: each mutation is applied to the template, and the checks that it names must fail."""

import importlib
import inspect
from collections import Counter

import pytest

import mutations_point_1
import mutations_point_2
import mutations_points_3_to_7
from deployment import Platform
from mutation import Mutation
from source import expand

MODULES = [
    "test_point_1_bucket",
    "test_point_1_policy",
    "test_point_2_functions",
    "test_point_2_permissions",
    "test_point_3",
    "test_point_4",
    "test_point_5",
    "test_point_7",
]
MUTATIONS: list[Mutation] = [
    *mutations_point_1.BUCKETS,
    *mutations_point_1.POLICIES,
    *mutations_point_2.FUNCTIONS,
    *mutations_point_2.PERMISSIONS,
    *mutations_points_3_to_7.STATE_MACHINE,
    *mutations_points_3_to_7.TRIGGER,
    *mutations_points_3_to_7.OBSERVABILITY,
    *mutations_points_3_to_7.OUTPUTS,
]
# What reads the file itself, not the template that it holds, and shows by itself that it can fail.
OF_THE_TEXT = {"test_the_reason_stands_beside_each_star"}


def _checks() -> dict[str, callable]:
    checks = {}
    for module in MODULES:
        for name, check in inspect.getmembers(importlib.import_module(module), inspect.isfunction):
            if name.startswith("test_") and check.__module__ == module:
                assert name not in checks, f"two checks are called {name}"
                checks[name] = check
    return {name: check for name, check in checks.items() if name not in OF_THE_TEXT}


CHECKS = _checks()


def _cases(check) -> list[dict]:
    """The arguments besides the platform that pytest runs a check with."""
    marks = [mark for mark in getattr(check, "pytestmark", []) if mark.name == "parametrize"]
    if not marks:
        return [{}]
    ((name, values),) = [mark.args for mark in marks]
    return [{name: value} for value in values]


def _fails(check, platform: Platform) -> bool:
    """Whether the check fails on `platform`, in any of its cases: by an assertion, for a check that breaks says nothing."""
    for arguments in _cases(check):
        try:
            check(platform, **arguments)
        except AssertionError:
            return True
    return False


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_is_caught(mutation: Mutation, platform: Platform):
    """The checks that a mutation names fail on it."""
    mutated = Platform(mutation.apply(platform.source))
    missed = [name for name in mutation.caught_by if not _fails(CHECKS[name], mutated)]
    assert not missed, f"{mutation.name}: passes {missed}"


def test_every_check_has_a_mutation():
    """A check that no mutation makes fail may be one that cannot fail."""
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
