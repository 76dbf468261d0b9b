"""How a setting reaches a step: by the state machine's definition, never by a function.

`AutoPublishAliasAllProperties` hashes a function's properties before references are resolved. A parameter that changes one of them
publishes no version, and the machine goes on to invoke the old one. Another substitution makes a new version of the machine.
"""

from __future__ import annotations

import json
from functools import cache

import pytest

from access import listed
from deployment import USUAL, Deployment, Platform, at
from mutation import Mutation, caught_by, define, drop, put
from source import expand
from test_parameters import BESIDE, OTHERS

# The settings, each with the key of its substitution in the definition.
SETTINGS = {
    "FunctionNamePrefix": "Deployment",
    "Environment": "Environment",
    "EvidenceBucketName": "EvidenceBucket",
    "RegistryUri": "RegistryUri",
    "StackOutputsUris": "StackOutputsUris",
    "CostSource": "CostSource",
    "BillingArtifactUri": "BillingArtifactUri",
    "Signing": "Signing",
    "SigningKeyArn": "SigningKey",
    "SigningKeyFile": "SigningKey",
}

# The variables of a function that may depend on a parameter, with the reason. No decision depends on them.
EXCEPTED = {"P1_WARM_UP_URI": "the object to make the first connection for; nothing is done with the answer"}

# The parameters that other properties of a function may depend on, with the reason.
PROPERTIES_EXCEPTED = {
    "Architecture": "the zips of another architecture are other zips, of which versions are published",
    "FunctionNamePrefix": "another name is another function, with versions of its own",
}


@cache
def transformed(platform: Platform, **parameters: str) -> Deployment:
    """The deployment of an expansion that is made with these parameters."""
    given = USUAL | parameters
    return Deployment(expand(platform.source, platform.defaults | given), given)


def _pair(platform: Platform, name: str) -> tuple[Deployment, Deployment]:
    """Two deployments that differ in one parameter."""
    beside = BESIDE.get(name, {})
    return transformed(platform, **beside), transformed(platform, **beside | {name: OTHERS[name]})


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_given_to_the_machine(platform: Platform, name: str):
    """Another value of a setting gives the definition another substitution, which the definition uses."""
    key = SETTINGS[name]
    before, after = (at(d["StateMachine"], f"DefinitionSubstitutions/{key}") for d in _pair(platform, name))
    assert before is not None and after is not None, f"the machine is not given {key}"
    assert before != after, f"the machine is given the same {key} whatever {name} says"
    assert f"${{{key}}}" in json.dumps(platform.source.definition), f"the definition does not use {key}"


@pytest.mark.parametrize("name", OTHERS)
def test_no_function_depends_on_a_parameter(platform: Platform, name: str):
    """No function changes with a parameter, apart from the exceptions above."""
    before, after = _pair(platform, name)
    for function, properties in before.of_type("AWS::Lambda::Function").items():
        variables = [at(d[function], "Environment/Variables") or {} for d in (before, after)]
        changed = {v for v in {*variables[0], *variables[1]} if variables[0].get(v) != variables[1].get(v)}
        assert changed <= set(EXCEPTED), f"{function} is told by {sorted(changed)} what {name} says"
        others = {
            key
            for key in {*properties, *after[function]} - {"Environment"}
            if listed(properties.get(key)) != listed(after[function].get(key))
        }
        assert not others or name in PROPERTIES_EXCEPTED, f"{function} has another {sorted(others)} for another {name}"


VARIABLES = "/Globals/Function/Environment"
SUBSTITUTIONS = "StateMachine/Properties/DefinitionSubstitutions"
LOST: list[Mutation] = [
    *caught_by(
        "test_no_function_depends_on_a_parameter",
        ("a function is told a setting", put(VARIABLES, {"Variables": {"P1_REGISTRY_URI": {"Ref": "RegistryUri"}}})),
        ("a time-out depends on a parameter", put("M3aFunction/Properties/Timeout", {"Ref": "LogRetentionDays"})),
    ),
    *caught_by(
        "test_a_setting_is_given_to_the_machine",
        ("the machine is not given a setting", drop(f"{SUBSTITUTIONS}/RegistryUri")),
        ("the machine is given a fixed setting", put(f"{SUBSTITUTIONS}/CostSource", "cost_explorer")),
        ("the definition does not use what it is given", define("States", {}), define("StartAt", "Nowhere")),
    ),
]
# The parameters that the mutations of functions are about.
LOST_BY = ("RegistryUri", "LogRetentionDays")
CHECKS = {
    "test_a_setting_is_given_to_the_machine": (test_a_setting_is_given_to_the_machine, SETTINGS),
    "test_no_function_depends_on_a_parameter": (test_no_function_depends_on_a_parameter, LOST_BY),
}


@pytest.mark.parametrize("mutation", LOST, ids=lambda mutation: mutation.name)
def test_a_mutation_is_caught(mutation: Mutation, platform: Platform):
    """The check that a mutation names fails on it: a setting is lost, or reaches a step in another way."""
    mutated = Platform(mutation.apply(platform.source))

    def failures(one: Platform, check, names) -> set[str]:
        failed = set()
        for name in names:
            try:
                check(one, name)
            except AssertionError:
                failed.add(name)
        return failed

    for caught_by in mutation.caught_by:
        check, names = CHECKS[caught_by]
        assert failures(mutated, check, names) - failures(platform, check, names), mutation.name
