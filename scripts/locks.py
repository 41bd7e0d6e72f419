"""Compile pyproject.toml into requirements with hashes, or check offline that the two agree.

The compiled files record versions and hashes and nothing about where they were downloaded, so that they
work with whatever index a machine is set up for.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
DEV = ROOT / "requirements" / "dev.txt"
RUNTIME = ROOT / "requirements" / "runtime.txt"
UNIT = ROOT / "requirements" / "unit.txt"
UNIT_EXTRAS = ("celery", "fsspec", "server")
"""The extras whose unit tests run in the small environment; all others' need system packages or services."""
APART = [ROOT / "requirements" / name for name in ("ckan.txt", "clients.txt")]
"""What the tests have in environments of their own."""
NODE = ROOT / "requirements" / "clients"

PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)")
DIRECT = re.compile(r"muniment \(pyproject\.toml(?::[a-z]+)?\)")
ADDRESS = re.compile(r"://|^--(?!hash)|^-[ief]\b|^\s*/")


def main() -> int:
    """Compile, or with `--check` compare; the status is 1 when they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only, offline")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions, not the recorded ones")
    given = parser.parse_args()
    if not given.check:
        return compile_both(upgrade=given.upgrade)
    complaints = [
        *compare(DEV, wanted(groups=("dev",))),
        *compare(RUNTIME, wanted()),
        *compare(UNIT, wanted(extras=UNIT_EXTRAS, groups=("unit",))),
    ]
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    if complaints:
        print("Run `make lock` and commit what it changes.", file=sys.stderr)
    return 1 if complaints else 0


def compile_both(*, upgrade: bool) -> int:
    """Resolve everything once, then cut the runtime's part out of that: what is tested is what is shipped."""
    uv = shutil.which("uv")
    if uv is None:
        print("`make lock` needs uv on PATH: `pip install uv`.", file=sys.stderr)
        return 2
    command = [uv, "pip", "compile", "pyproject.toml", "--quiet", "--universal", "--python-version", "3.11"]
    command += ["--generate-hashes", "--no-emit-index-url", "--no-emit-find-links"]
    command += ["--custom-compile-command", "make lock"]
    more = ["--upgrade"] if upgrade else []
    DEV.parent.mkdir(exist_ok=True)
    whole = [*command, "--all-extras"]
    subprocess.run([*whole, *more, "--group", "dev", "-o", str(DEV.relative_to(ROOT))], cwd=ROOT, check=True)
    # A real CKAN and other people's clients have environments of their own: what they pin is no concern of ours.
    for path in APART:
        wanted_in = str(path.with_suffix(".in").relative_to(ROOT))
        apart = [wanted_in if word == "pyproject.toml" else word for word in command]
        subprocess.run([*apart, *more, "-o", str(path.relative_to(ROOT))], cwd=ROOT, check=True)
    npm = shutil.which("npm")
    if npm is None:
        print("`make lock` needs npm on PATH for the clients of the tests.", file=sys.stderr)
        return 2
    locked = ["install", "--package-lock-only", "--omit-lockfile-registry-resolved", "--ignore-scripts", "--silent"]
    subprocess.run([npm, *locked], cwd=NODE, check=True)
    constraint = ["-c", str(DEV.relative_to(ROOT))]
    subprocess.run([*whole, *constraint, "-o", str(RUNTIME.relative_to(ROOT))], cwd=ROOT, check=True)
    some = [word for extra in UNIT_EXTRAS for word in ("--extra", extra)]
    unit = [*command, *constraint, *some, "--group", "unit", "-o", str(UNIT.relative_to(ROOT))]
    subprocess.run(unit, cwd=ROOT, check=True)
    return 0


def wanted(*, extras: Collection[str] | None = None, groups: Iterable[str] = ()) -> list[Requirement]:
    """What pyproject.toml asks for: the runtime, its extras (all, or those named), and some dependency groups."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lines: list[str] = list(told["project"]["dependencies"])
    for extra, asked in told["project"]["optional-dependencies"].items():
        if extras is None or extra in extras:
            lines += asked
    for name in groups:
        lines += group(told["dependency-groups"], name)
    return [Requirement(line) for line in lines]


def group(groups: dict[str, list[Any]], name: str) -> list[str]:
    """A dependency group with the groups it includes (PEP 735)."""
    lines: list[str] = []
    for item in groups[name]:
        lines += group(groups, item["include-group"]) if isinstance(item, dict) else [item]
    return lines


def compare(path: Path, requirements: list[Requirement]) -> list[str]:
    """What in a compiled file does not follow from pyproject.toml, as sentences."""
    where = path.relative_to(ROOT)
    if not path.is_file():
        return [f"{where} is missing."]
    lines = path.read_text(encoding="utf-8").splitlines()
    complaints = [
        f"{where}:{number}: an address or an option of one machine: {line.strip()}"
        for number, line in enumerate(lines, start=1)
        if ADDRESS.search(line)
    ]
    pins, direct = read_pins(lines)
    for requirement in requirements:
        name = canonicalize_name(requirement.name)
        version = pins.get(name)
        if version is None:
            complaints.append(f"{where} has no {requirement}, which pyproject.toml asks for.")
        elif not requirement.specifier.contains(version, prereleases=True):
            complaints.append(f"{where} has {name} {version}, but pyproject.toml asks for {requirement}.")
    unasked = direct - {canonicalize_name(requirement.name) for requirement in requirements}
    return complaints + [f"{where} pins {name} for us, but pyproject.toml does not ask." for name in sorted(unasked)]


def read_pins(lines: list[str]) -> tuple[dict[str, str], set[str]]:
    """Name to version of a compiled file, and the names it says pyproject.toml asks for."""
    pins: dict[str, str] = {}
    direct: set[str] = set()
    name = ""
    for line in lines:
        if pin := PIN.match(line):
            name = canonicalize_name(pin["name"])
            pins[name] = pin["version"]
        elif DIRECT.search(line):
            direct.add(name)
    return pins, direct


if __name__ == "__main__":
    raise SystemExit(main())
