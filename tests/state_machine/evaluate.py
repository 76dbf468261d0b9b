"""Evaluates JSONata with the library of the local engine, bound the way the engine binds it.

One request a line on standard input, {"expression", "bindings"}; one answer a line: {"value"}, {"undefined": true} or
{"error": code}.
"""

import json
import sys

from jsonata import Jsonata
from jsonata.utils import Utils


def evaluate(expression, bindings):
    # The library takes a None for a missing value, so that a null needs its sentinel.
    frame = {name: Utils.NULL_VALUE if value is None else value for name, value in bindings.items()}
    return Jsonata.jsonata(expression).evaluate(None, frame), frame


for line in sys.stdin:
    request = json.loads(line)
    try:
        value, frame = evaluate(request["expression"], request["bindings"])
        # None is a null or nothing at all; only $exists tells them apart.
        if value is None and not Jsonata.jsonata(f"$exists(({request['expression']}))").evaluate(None, frame):
            answer = {"undefined": True}
        else:
            answer = {"value": value}
    except Exception as error:  # whatever the library raises is an answer
        answer = {"error": getattr(error, "error", None) or str(error)}
    print(json.dumps(answer), flush=True)
