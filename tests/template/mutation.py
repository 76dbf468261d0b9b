"""Mutations: one change of the template each, and the checks that must then fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from source import Source

Edit = Callable[[Source], None]


@dataclass(frozen=True)
class Mutation:
    """A defect that the template could have."""

    # The defect, in words.
    name: str
    # The changes that make it.
    edits: tuple[Edit, ...]
    # The checks that must fail, by the names of their functions.
    caught_by: tuple[str, ...]

    def apply(self, source: Source) -> Source:
        """`source` with the defect, which must have changed it."""
        mutated = source.copy()
        for edit in self.edits:
            edit(mutated)
        assert mutated != source, f"{self.name}: changes nothing"
        return mutated


def caught_by(checks: str, *defects: tuple[str, *tuple[Edit, ...]]) -> list[Mutation]:
    """The mutations that `checks`, separated by blanks, must all catch: for each its defect, and the edits that make it."""
    return [Mutation(name, tuple(edits), tuple(checks.split())) for name, *edits in defects]


def put(path: str, value) -> Edit:
    """Sets the value at `path`, whether or not there is one. A path begins at `Resources`, or at the root with `/`."""

    def edit(source: Source) -> None:
        parent, last = _parent(source, path)
        parent[last] = value

    return edit


def drop(path: str) -> Edit:
    """Removes the value at `path`."""

    def edit(source: Source) -> None:
        parent, last = _parent(source, path)
        del parent[last]

    return edit


def add(path: str, *values) -> Edit:
    """Adds `values` to the list at `path`; a single value there becomes a list."""

    def edit(source: Source) -> None:
        parent, last = _parent(source, path)
        present = parent[last]
        parent[last] = [*(present if isinstance(present, list) else [present]), *values]

    return edit


def rewrite(path: str, old: str, new: str) -> Edit:
    """Replaces `old` by `new` in the text at `path`, which must contain it."""

    def edit(source: Source) -> None:
        parent, last = _parent(source, path)
        # The text of an `Fn::Sub`, too.
        holder, key = (parent[last], "Fn::Sub") if isinstance(parent[last], dict) else (parent, last)
        assert old in holder[key], f"{path} has no {old}"
        holder[key] = holder[key].replace(old, new)

    return edit


def define(path: str, value) -> Edit:
    """Sets the value at `path` in the definition of the state machine."""

    def edit(source: Source) -> None:
        parent, last = _walk(source.definition, path)
        parent[last] = value

    return edit


def _parent(source: Source, path: str):
    if path.startswith("/"):
        return _walk(source.template, path[1:])
    return _walk(source.template["Resources"], path)


def _walk(value, path: str):
    """The object that holds the last part of `path`, and that part as a key. `Sid=Log` is the statement with that Sid, also within
    an `Fn::If`."""
    *parts, last = path.split("/")
    for part in parts:
        value = value[_key(value, part)]
    return value, _key(value, last)


def _key(value, part: str):
    if "=" in part:
        name, _, wanted = part.partition("=")
        for index, item in enumerate(value):
            choices = [item, *item["Fn::If"][1:]] if "Fn::If" in item else [item]
            if any(choice.get(name) == wanted for choice in choices):
                return index
        raise AssertionError(f"nothing there has the {part}")
    return int(part) if isinstance(value, list) else part
