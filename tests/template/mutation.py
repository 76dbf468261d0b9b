"""Mutations: one change of the template each, and the checks that must then fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from source import Source

Edit = Callable[[Source], None]


@dataclass(frozen=True)
class Mutation:
    """A defect that the template could have."""

    # What somebody did, in words.
    name: str
    # How.
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


def mutation(name: str, *edits: Edit, caught_by: str) -> Mutation:
    """A mutation; `caught_by` names its checks, separated by blanks."""
    return Mutation(name, edits, tuple(caught_by.split()))


def put(path: str, value) -> Edit:
    """Sets what is at `path`, whether or not there is anything. A path begins at `Resources`, `/Globals/…` at the root."""

    def edit(source: Source) -> None:
        parent, last = _parent(source, path)
        parent[last] = value

    return edit


def drop(path: str) -> Edit:
    """Takes away what is at `path`."""

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
    """Puts `new` for `old` in the text at `path`, which has it."""

    def edit(source: Source) -> None:
        parent, last = _parent(source, path)
        # The text of an `Fn::Sub`, too.
        holder, key = (parent[last], "Fn::Sub") if isinstance(parent[last], dict) else (parent, last)
        assert old in holder[key], f"{path} has no {old}"
        holder[key] = holder[key].replace(old, new)

    return edit


def define(path: str, value) -> Edit:
    """Sets what is at `path` in the definition of the state machine."""

    def edit(source: Source) -> None:
        parent, last = _walk(source.definition, path)
        parent[last] = value

    return edit


def _parent(source: Source, path: str):
    if path.startswith("/"):
        return _walk(source.template, path[1:])
    return _walk(source.template["Resources"], path)


def _walk(value, path: str):
    """What holds the last part of `path`, and that part. `Sid=Log` is the statement of that name, also where
    a condition decides whether there is one."""
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
