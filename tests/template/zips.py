"""The release build of the functions, and the check of their zips. Needs no packages, for tests/template/release."""

from __future__ import annotations

import pathlib
import struct
import subprocess
import sys
import zipfile
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIMIT = 5 * 1024 * 1024


@dataclass(frozen=True)
class Architecture:
    """An architecture that a function can be built for."""

    name: str
    target: str
    # As an ELF header names it (`e_machine`).
    machine: int


ARM64 = Architecture("arm64", "aarch64-unknown-linux-gnu", 183)
X86_64 = Architecture("x86_64", "x86_64-unknown-linux-gnu", 62)


def functions(root: pathlib.Path = ROOT) -> list[str]:
    """The packages of the functions: the folders below `functions`, which are named like them."""
    return sorted(manifest.parent.name for manifest in root.glob("functions/*/Cargo.toml"))


def buildable(architecture: Architecture) -> bool:
    """Whether the toolchain has the standard library of `architecture`."""
    asked = subprocess.run(
        ["rustc", "--print", "target-libdir", "--target", architecture.target],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return any(pathlib.Path(asked.stdout.strip()).glob("libstd-*"))


def build(packages: list[str], architecture: Architecture, folder: pathlib.Path) -> None:
    """Builds and packs `packages` below `folder`."""
    command = ["cargo", "lambda", "build", "--release", "--locked", "--target", architecture.target]
    command += ["--output-format", "zip", "--lambda-dir", str(folder)]
    for package in packages:
        command += ["--package", package]
    subprocess.run(command, cwd=ROOT, check=True)


def problems(package: str, zipped: pathlib.Path, architecture: Architecture) -> list[str]:
    """The problems of the zip of `package`, in words."""
    if not zipped.is_file():
        return [f"{package}: {zipped} is not there"]
    found = []
    size = zipped.stat().st_size
    if size > LIMIT:
        found.append(f"{package}: {size:,} bytes, {size - LIMIT:,} more than the {LIMIT:,} allowed")
    with zipfile.ZipFile(zipped) as archive:
        names = archive.namelist()
        if names != ["bootstrap"]:
            return [
                *found,
                f"{package}: holds {', '.join(names) or 'nothing'}, where Lambda starts one file `bootstrap`",
            ]
        with archive.open("bootstrap") as binary:
            header = binary.read(20)
    # Magic, then 64 bit, little endian; e_machine stands at byte 18.
    if header[:6] != b"\x7fELF\x02\x01":
        found.append(f"{package}: its bootstrap is no 64-bit ELF binary")
    elif (machine := struct.unpack_from("<H", header, 18)[0]) != architecture.machine:
        found.append(
            f"{package}: is built for ELF machine {machine}, not for {architecture.name} ({architecture.machine})"
        )
    return found


def check(packages: list[str], architecture: Architecture, folder: pathlib.Path) -> list[str]:
    """Prints the size of each zip, and returns their problems."""
    found = []
    for package in packages:
        zipped = folder / package / "bootstrap.zip"
        size = f"{zipped.stat().st_size:>10,} bytes" if zipped.is_file() else "   missing"
        print(f"{size}  {package}", flush=True)
        found += problems(package, zipped, architecture)
    return found


def main(arguments: list[str]) -> int:
    """Builds and checks, or only checks. Returns the exit status."""
    if arguments not in ([], ["--check"]):
        print("usage: tests/template/release [--check]", file=sys.stderr)
        return 2
    packages = functions()
    if len(packages) != 10:
        print(f"release: functions/ has {len(packages)} packages, not ten", file=sys.stderr)
        return 1
    architecture = ARM64 if buildable(ARM64) else X86_64
    if architecture is not ARM64:
        print(
            f"release: NOT BUILT FOR arm64: this toolchain has no {ARM64.target}, which\n"
            f"release: `rustup target add {ARM64.target}` installs.\n"
            f"release: building for {architecture.name} in its place, which is not what goes to AWS by default.",
            flush=True,
        )
    folder = ROOT / "target/lambda-release" / architecture.name
    if not arguments:
        print(f"release: building {len(packages)} functions for {architecture.name} (fat LTO: minutes)", flush=True)
        build(packages, architecture, folder)
    found = check(packages, architecture, folder)
    for problem in found:
        print(f"release: {problem}", file=sys.stderr)
    if not found:
        print(f"release: {len(packages)} functions for {architecture.name}, each at most {LIMIT:,} bytes")
        if architecture is not ARM64:
            print("release: NOT BUILT FOR arm64 (see above)")
    return 1 if found else 0
