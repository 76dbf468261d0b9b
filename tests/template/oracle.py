"""The oracle of permissions: `@cloud-copilot/iam-simulate`, asked in a process of its own.

It is under the AGPL: a development tool that npm fetches and that these checks run beside them. Nothing is linked with it, and
nothing of it is shipped.
"""

from __future__ import annotations

import atexit
import json
import shutil
import subprocess
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from identifiers import ACCOUNT
from source import ROOT

ALLOWED, DENIED, NOT_ALLOWED = "Allowed", "ExplicitlyDenied", "ImplicitlyDenied"

PROGRAM = ROOT / "tests/template/oracle.mjs"


class Undecidable(Exception):
    """A request that AWS would never get: the check that made it is wrong, not the template."""


@dataclass(frozen=True)
class Document:
    """A policy document."""

    # `identity`, `resource` or `trust`.
    kind: str
    # Where the policy stands: two may have the same text.
    place: str
    # Its JSON.
    text: str

    @classmethod
    def of(cls, kind: str, place: str, document: dict) -> Document:
        """The document of a policy."""
        return cls(kind, place, json.dumps(document, sort_keys=True))

    @property
    def statements(self) -> list[dict]:
        """Its statements, one or more."""
        found = json.loads(self.text)["Statement"]
        return found if isinstance(found, list) else [found]

    def replace(self, statements: list[dict]) -> Document | None:
        """The document with other statements, or `None` without any. A trust policy, which a role must have, then trusts nobody."""
        if not statements and self.kind == "trust":
            statements = [
                {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "nobody.amazonaws.com"}}
            ]
        document = {"Version": "2012-10-17", "Statement": statements}
        return Document.of(self.kind, self.place, document) if statements else None


@dataclass(frozen=True)
class Request:
    """A request, with the policies that decide it."""

    # Who asks: the ARN of a session, a user or the root user, or the name of a service.
    principal: str
    action: str
    resource: str
    # The condition keys that it comes with, in order.
    keys: tuple[tuple[str, str | tuple[str, ...]], ...]
    # The policies of the principal, and that of the resource.
    identity: tuple[Document, ...]
    guard: Document | None

    def __str__(self) -> str:
        who = self.principal.rpartition(":")[2]
        return f"{who}: {self.action} {self.resource} with {dict(self.keys)}"


class Oracle:
    """The process, one for all checks. It is asked each request once."""

    def __init__(self) -> None:
        self._names: dict[Document, int] = {}
        self._decided: dict[Request, str] = {}

    def decide(self, requests: Iterable[Request]) -> list[str]:
        """The decision on each request: `ALLOWED`, `DENIED` (a statement says so) or `NOT_ALLOWED`."""
        requests = list(requests)
        new = list(dict.fromkeys(request for request in requests if request not in self._decided))
        lines = [line for request in new for line in self._lines(request)]
        # Writes while it reads: a pipe holds less than a batch in either direction.
        writer = threading.Thread(target=self._write, args=(lines,))
        writer.start()
        wrong = []
        for request in new:
            line = self._process.stdout.readline()
            assert line, f"the oracle ended at {request}"
            answer = json.loads(line)
            if "error" in answer:
                wrong.append(f"{request}: {answer['error']}")
            else:
                self._decided[request] = answer["decision"]
        writer.join()
        if wrong:
            raise Undecidable("\n".join(wrong))
        return [self._decided[request] for request in requests]

    def _write(self, lines: list[str]) -> None:
        try:
            self._process.stdin.writelines(lines)
            self._process.stdin.flush()
        except BrokenPipeError:
            # The process has ended. The reader sees and reports that.
            pass

    def _lines(self, request: Request) -> Iterable[str]:
        guards = [] if request.guard is None else [request.guard]
        for document in (*request.identity, *guards):
            if document not in self._names:
                self._names[document] = len(self._names)
                yield (
                    json.dumps(
                        {"name": self._names[document], "kind": document.kind, "document": json.loads(document.text)}
                    )
                    + "\n"
                )
        asked = {
            "principal": request.principal,
            "action": request.action,
            "resource": request.resource,
            "account": ACCOUNT,
            "keys": dict(request.keys),
            "identity": [self._names[document] for document in request.identity],
            "guard": None if request.guard is None else self._names[request.guard],
        }
        yield json.dumps({"request": asked}) + "\n"

    @cached_property
    def _process(self) -> subprocess.Popen:
        node = shutil.which("node") or str(ROOT / ".p1/venv/node/bin/node")
        process = subprocess.Popen(
            [node, PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, encoding="utf-8"
        )
        atexit.register(process.kill)
        return process


ORACLE = Oracle()
