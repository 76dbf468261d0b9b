"""The template under test, and the counts that are printed at the end."""

import logging
from collections import Counter

import pytest

# A failed assertion in these prints what it compared, as one in a test does.
pytest.register_assert_rewrite("deployment", "access", "identifiers", "calls", "refusals", "metrics")
for noisy in ("ministack", "samtranslator"):
    logging.getLogger(noisy).setLevel(logging.ERROR)

from deployment import Platform  # noqa: E402
from source import Source  # noqa: E402


@pytest.fixture(scope="session")
def platform() -> Platform:
    """The template of this checkout."""
    return Platform(Source.read())


ASSERTIONS: Counter = Counter()


@pytest.fixture(scope="session")
def assertions() -> Counter:
    """How many assertions the checks of each module have."""
    return ASSERTIONS


ACCESS: Counter = Counter()


@pytest.fixture(scope="session")
def access() -> Counter:
    """How many calls are allowed and refused, and how many parts of policies cannot be left out."""
    return ACCESS


PARAMETERS: Counter = Counter()


@pytest.fixture(scope="session")
def parameters() -> Counter:
    """How many resources each parameter of the template reaches."""
    return PARAMETERS


def pytest_terminal_summary(terminalreporter):
    """Prints how many checks pass, and how many mutations they and the linters caught."""

    def share(*parts: str) -> str:
        passed, failed = (
            sum(any(part in report.nodeid for part in parts) for report in terminalreporter.stats.get(outcome, []))
            for outcome in ("passed", "failed")
        )
        return f"{passed} of {passed + failed}"

    # Imported here, since pytest must collect the modules of checks first.
    from test_mutations import MODULES

    checks, mutations = share(*(f"{name}.py::" for name in MODULES)), share("::test_a_mutation_is_caught")
    # Counted where all mutations ran.
    counted = f", with {ASSERTIONS.total()} assertions" if ASSERTIONS else ""
    if ACCESS:
        terminalreporter.write_line(
            f"access: calls allowed {ACCESS['allowed']} / refused {ACCESS['refused']} / "
            f"mutations caught {ACCESS['caught']} of {ACCESS['mutations']}"
        )
    if PARAMETERS:
        reach = ", ".join(f"{name} {count}" for name, count in PARAMETERS.items())
        terminalreporter.write_line(f"parameters: resources reached by each of {len(PARAMETERS)}: {reach}")
    terminalreporter.write_line(f"template: {checks} checks hold{counted}; {mutations} mutations are caught")
