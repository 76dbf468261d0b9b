"""Holds SARIF logs against the schema of the standard, with an implementation of JSON Schema that is not ours.

    validate_sarif.py < LOGS

LOGS is a JSON array of logs. Prints a JSON array: of each log, what is wrong with it.
"""

import json
import sys
from pathlib import Path

from jsonschema import Draft4Validator, FormatChecker

schema = json.loads((Path(__file__).parent / "sarif-schema-2.1.0.json").read_text("utf-8"))
Draft4Validator.check_schema(schema)
validator = Draft4Validator(schema, format_checker=FormatChecker())
print(json.dumps([[f"{error.json_path}: {error.message}" for error in validator.iter_errors(log)] for log in json.load(sys.stdin)]))
