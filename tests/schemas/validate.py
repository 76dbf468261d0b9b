"""Validates published evidence against statemachine/schemas with an implementation of JSON Schema that is not ours.

    validate.py [--schemas DIR] [DIR ...]

Each DIR is the evidence directory of a run, as `cargo p1 run --out` leaves it: every JSON file below DIR/evidence is
held against the schema of the artifact that it says it is, in the revision that it says it is of: `revision-1` below the
directory of the schemas has those that do not change any more. A signed sidecar (`*.dsse.json`) is held against the schema of
the envelope, and what is in it against that of the statement that it says it is. The schemas themselves are always held
against the metaschema, even without a DIR. Exit status: 0 all is valid, 1 something is not, 2 usage.
"""

import argparse
import base64
import json
import sys
from pathlib import Path

from jsonschema import Draft202012Validator, SchemaError
from jsonschema.validators import extend

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMAS = Path(__file__).resolve().parents[2] / "statemachine" / "schemas"
SUFFIX = ".schema.json"
# The receipt of the phase before P1: an input that lies among the evidence, in a shape of its own.
FOREIGN = "m2j_"
# Signed statements beside the evidence, and the schema of the envelope that each lies in.
SIDECAR, ENVELOPE = ".dsse.json", "dsse_envelope"
# The schemas of earlier revisions, below those of today's.
EARLIER = {1: "revision-1"}


class Refused(ValueError):
    """A document that is JSON to Python's reader, and is none to us."""


def read(path):
    """The document at `path`."""
    return parse(path.read_bytes())


def parse(data):
    """A document without floats and duplicate keys, which JSON Schema cannot see."""

    def members(pairs):
        found = dict(pairs)
        if len(found) < len(pairs):
            raise Refused("an object names a key twice")
        return found

    def no_float(text):
        raise Refused(f"{text} is no integer")

    return json.loads(
        data.decode("utf-8"),
        object_pairs_hook=members,
        parse_float=no_float,
        parse_constant=no_float,
    )


def pattern(validator, expected, text, schema):
    """`pattern` as ECMA-262 has it: there `$` is the end of the text, and not also the place before a last line break."""
    if expected.endswith("$") and not expected.endswith("\\$"):
        expected = expected[:-1] + r"\Z"
    return Draft202012Validator.VALIDATORS["pattern"](validator, expected, text, schema)


Validator = extend(Draft202012Validator, {"pattern": pattern})


def load_schemas(directory):
    """The validators by artifact, and what is wrong with the schemas."""
    validators, problems = {}, []
    for path in sorted(directory.glob("*.json")):
        name = path.name.removesuffix(SUFFIX)
        try:
            schema = read(path)
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            problems.append(f"{path.name}: is no schema at {error.json_path}: {error.message}")
            continue
        except ValueError as error:
            problems.append(f"{path.name}: is no JSON: {error}")
            continue
        if schema.get("$schema") != DIALECT:
            problems.append(f"{path.name}: is not of the dialect {DIALECT}")
        said = {field: about.get("const") for field, about in schema.get("properties", {}).items()}
        if "predicateType" in said:
            validators[said["predicateType"]] = Validator(schema)
        elif said.get("artifact") != name and name != ENVELOPE:
            problems.append(f"{path.name}: is not the schema of an artifact `{name}`")
        validators[name] = Validator(schema)
    if not validators:
        problems.append(f"{directory}: holds no schemas")
    return validators, problems


def check_document(path, revisions):
    """What is wrong with one document."""
    validators = revisions[None]
    try:
        document = read(path)
    except ValueError as error:
        return [f"is not usable JSON: {error}"]
    if path.name.endswith(SIDECAR):
        return check_sidecar(document, validators)
    if not isinstance(document, dict) or not isinstance(document.get("artifact"), str):
        return ["does not say which artifact it is"]
    version = document.get("schema_version")
    of_revision = revisions.get(version if isinstance(version, int) else None, validators)
    validator = of_revision.get(document["artifact"])
    if validator is None:
        return [f"is the artifact `{document['artifact']}`, which has no schema"]
    return departures(document["artifact"], validator, document)


def departures(name, validator, document):
    errors = sorted(validator.iter_errors(document), key=lambda error: error.json_path)
    return [f"{name} at {error.json_path}: {shortened(error.message)}" for error in errors]


def check_sidecar(envelope, validators):
    """What is wrong with an envelope, or with the statement in it."""
    if ENVELOPE not in validators:
        return [f"is an envelope, and there is no schema {ENVELOPE}"]
    wrong = departures(ENVELOPE, validators[ENVELOPE], envelope)
    if wrong:
        return wrong
    try:
        statement = parse(base64.b64decode(envelope["payload"], validate=True))
    except ValueError as error:
        return [f"its payload is not usable JSON: {error}"]
    kind = statement.get("predicateType") if isinstance(statement, dict) else None
    if not isinstance(kind, str) or kind not in validators:
        return [f"its payload is a statement of the type {kind!r}, which has no schema"]
    return departures(kind, validators[kind], statement)


def shortened(message, most=300):
    return message if len(message) <= most else message[:most] + "…"


def check_evidence(directory, revisions):
    """How many documents below `directory` were held against a schema, and what is wrong with them."""
    checked, problems = 0, []
    for path in sorted((directory / "evidence").rglob("*.json")):
        key = path.relative_to(directory)
        if any(part.startswith(FOREIGN) for part in key.parts):
            continue
        checked += 1
        problems.extend(f"{key.as_posix()}: {problem}" for problem in check_document(path, revisions))
    if checked == 0:
        problems.append(f"{directory}: holds no evidence, expected JSON files below {directory / 'evidence'}")
    return checked, problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directories", nargs="*", type=Path, metavar="DIR", help="evidence directory of a run")
    parser.add_argument("--schemas", type=Path, default=SCHEMAS, help="the schemas (default: the checked-in ones)")
    arguments = parser.parse_args()
    validators, problems = load_schemas(arguments.schemas)
    revisions = {None: validators}
    for version, name in EARLIER.items():
        if (arguments.schemas / name).is_dir():
            revisions[version], wrong = load_schemas(arguments.schemas / name)
            problems.extend(wrong)
    checked = 0
    for directory in arguments.directories:
        found, wrong = check_evidence(directory, revisions)
        checked += found
        problems.extend(wrong)
    for problem in problems:
        print(problem)
    schemas = len({id(validator) for validator in validators.values()})
    print(f"{checked} documents, {schemas} schemas, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
