"""The check of the release build's zips, tried on zips that are made here."""

import pathlib
import struct
import zipfile

import pytest

import zips
from deployment import Platform
from zips import ARM64, LIMIT, X86_64, problems


def _zip(folder: pathlib.Path, binary: bytes, name: str = "bootstrap") -> pathlib.Path:
    path = folder / "bootstrap.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, binary)
    return path


def _elf(machine: int, size: int = 64) -> bytes:
    return (b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 3, machine)).ljust(size, b"\0")


def test_a_zip_as_it_should_be_passes(tmp_path: pathlib.Path):
    """A zip with an arm64 binary and the greatest allowed size passes."""
    overhead = _zip(tmp_path, _elf(ARM64.machine)).stat().st_size - 64
    zipped = _zip(tmp_path, _elf(ARM64.machine, LIMIT - overhead))
    assert zipped.stat().st_size == LIMIT
    assert problems("step", zipped, ARM64) == []


@pytest.mark.parametrize(
    ("binary", "name", "complaint"),
    [
        (_elf(ARM64.machine, LIMIT), "bootstrap", "more than the 5,242,880 allowed"),
        (_elf(X86_64.machine), "bootstrap", "not for arm64"),
        (b"#!/bin/sh\n", "bootstrap", "no 64-bit ELF binary"),
        (b"", "bootstrap", "no 64-bit ELF binary"),
        (_elf(ARM64.machine), "main", "holds main"),
    ],
    ids=["a byte too large", "another architecture", "a script", "empty", "another name"],
)
def test_any_other_does_not(tmp_path: pathlib.Path, binary: bytes, name: str, complaint: str):
    """Each thing that can be wrong with a zip is reported."""
    (said,) = problems("step", _zip(tmp_path, binary, name), ARM64)
    assert complaint in said


def test_a_missing_zip_is_missed(tmp_path: pathlib.Path):
    """A function that was not built is reported."""
    (said,) = problems("step", tmp_path / "bootstrap.zip", ARM64)
    assert "is not there" in said


def test_the_ten_functions_of_the_template_are_built(platform: Platform):
    """The release build builds the functions that the template deploys."""
    resources = platform.source.template["Resources"].values()
    deployed = [r["Properties"]["CodeUri"] for r in resources if r["Type"] == "AWS::Serverless::Function"]
    assert sorted(deployed) == [f"../target/lambda/{name}/bootstrap.zip" for name in zips.functions()]
