"""Shows that every check can fail.

Each mutation is applied to the template, and the checks that it names must fail. Each assertion of each check must be what fails on
some mutation.
"""

import ast
import importlib
import inspect
import pathlib
import traceback
from collections import Counter
from functools import cache

import pytest

from deployment import Platform
from mutation import Mutation
from source import expand

# For each a module of checks, `test_…`, and one of mutations, `mutations_…`.
SUBJECTS = (
    "evidence_bucket",
    "bucket_policy",
    "functions",
    "permissions",
    "state_machine",
    "starters",
    "trigger",
    "notifications",
    "observability",
    "outputs",
    "signing",
)
MODULES = {f"test_{subject}": importlib.import_module(f"test_{subject}") for subject in SUBJECTS}
MUTATIONS: list[Mutation] = [
    mutation for subject in SUBJECTS for mutation in importlib.import_module(f"mutations_{subject}").MUTATIONS
]
# Checks of the file's text. A mutation changes the parsed template, so such a check shows by itself that it can fail.
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
    """The lines at which the cases of a check fail. Any other error than a failed assertion is raised: the check is broken."""
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
    """The checks that a mutation names pass on the template and fail on the mutation."""
    anyway = [name for name in mutation.caught_by if _failures(name, platform)]
    assert not anyway, f"{mutation.name}: {anyway} fail without it"
    missed = [name for name in mutation.caught_by if not _failures(name, _mutated(mutation, platform))]
    assert not missed, f"{mutation.name}: passes {missed}"


def test_every_assertion_fails_on_some_mutation(platform: Platform, assertions: Counter):
    """Each assertion fails on some mutation: one that never does may be one that cannot fail."""
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
    """Every check is named by a mutation, and every mutation names checks that exist."""
    named = {name for mutation in MUTATIONS for name in mutation.caught_by}
    assert named <= set(CHECKS), f"no such checks: {sorted(named - set(CHECKS))}"
    assert set(CHECKS) <= named, f"no mutation is caught by {sorted(set(CHECKS) - named)}"


def test_mutations_have_names_of_their_own():
    """No two mutations have the same name."""
    twice = [name for name, count in Counter(mutation.name for mutation in MUTATIONS).items() if count > 1]
    assert not twice


def test_no_parameter_changes_the_expansion(platform: Platform):
    """The expansion is the same for all parameters: the checks expand the template once, for the defaults."""
    others = platform.defaults | {
        "Architecture": "x86_64",
        "CreateEvidenceBucket": "false",
        "CostSource": "billing_artifact",
        "FunctionNamePrefix": "other",
    }
    assert expand(platform.source, others) == platform.expansion
