"""Canonical bytes and SHA-256 of one JSON document in plain Python, over and over, on this process's CPU time.

`python_digest.py FILE ITERATIONS` prints one JSON object like digest-worker's: `built` is from a built value to its digest,
`parsed` from the file's text to its digest; nanoseconds of CPU for all iterations.
"""

import hashlib
import json
import sys
import time


def digest(value):
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def timed(iterations, work):
    work()  # Brings the memory that the others use.
    begun = time.process_time_ns()
    for _ in range(iterations):
        work()
    return time.process_time_ns() - begun


def main():
    with open(sys.argv[1], "rb") as file:
        text = file.read()
    iterations = int(sys.argv[2])
    value = json.loads(text)
    built = timed(iterations, lambda: digest(value))
    parsed = timed(iterations, lambda: digest(json.loads(text)))
    print(json.dumps({"sha256": digest(value), "iterations": iterations, "built": built, "parsed": parsed}))


main()
