"""Change one thing in the code at a time and see whether a test fails: whatever nothing notices is printed.

    make mutants                                  every part, sampled
    make mutants ARGS="commit durable --seed 2"   some parts, other mutants
    make mutants ARGS="guard --most 1000"         all mutants of a part

What is changed and by which tests it is judged stands in scripts/mutants.toml, with the mutants that may survive
and the reason of each. All of it happens in a copy of the project; the work tree is only read. The same seed
chooses the same mutants of the same code. The exit status is 1 when a mutant survived that is not on the list.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = Path(__file__).with_name("mutants.toml")
COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in",
}  # fmt: skip
OPERATORS: dict[type[ast.operator], str] = {ast.Add: "-", ast.Sub: "+", ast.Mult: "//", ast.FloorDiv: "*"}
SHOWN = 70
"""Characters of a change that are shown."""
OWN_TIME = 20.0
"""Seconds a run of tests may take beside three times what it takes with nothing changed."""


@dataclass(frozen=True, slots=True, order=True)
class Mutant:
    """One change: in which function of which file, from which text to which."""

    file: str
    where: str
    line: int
    start: int
    end: int
    kind: str
    before: str
    after: str

    def apply(self, source: bytes) -> bytes:
        """The source with this one change."""
        return source[: self.start] + self.after.encode("utf-8") + source[self.end :]

    def __str__(self) -> str:
        """Where it is and what it does, in one line."""
        return f"{self.file}:{self.line} {self.where}: {self.kind}: {_short(self.before)} -> {_short(self.after)}"


@dataclass(frozen=True, slots=True)
class Allowed:
    """Mutants that may survive: those of one function whose text holds these words, and why."""

    file: str
    where: str
    before: str
    reason: str
    kind: str = ""

    def covers(self, mutant: Mutant) -> bool:
        """Whether it speaks of this mutant."""
        return (
            (self.file, self.where) == (mutant.file, mutant.where)
            and self.before in mutant.before
            and self.kind in {"", mutant.kind}
        )


@dataclass(slots=True)
class Part:
    """Some modules, the tests that judge them, and how many of their mutants are tried at most."""

    name: str
    modules: list[str]
    tests: list[str]
    most: int = 15
    killed: int = 0
    allowed: int = 0
    survivors: list[Mutant] = field(default_factory=list)


def main(words: Sequence[str] | None = None) -> int:
    """Try the mutants that were asked for; the exit status."""
    parts, allowed = read(SETTINGS)
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(parts)}; all by default")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=int, help="mutants of each part; by default what mutants.toml says")
    parser.add_argument("--minutes", type=float, default=60.0, help="begin no mutant after that many")
    asked = parser.parse_args(words)
    if unknown := set(asked.parts) - parts.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    until = time.monotonic() + 60 * asked.minutes
    chosen = [parts[name] for name in asked.parts or parts]
    with tempfile.TemporaryDirectory(prefix="muniment-mutants-") as folder:
        os.chmod(folder, 0o755)  # noqa: S103,PTH101 - tests that become somebody else read the code here
        copy = copy_project(Path(folder) / "project")
        for part in chosen:
            part.most = asked.most or part.most
            judge(part, copy, allowed, asked.seed, until)
    return report(chosen, allowed)


def read(settings: Path) -> tuple[dict[str, Part], list[Allowed]]:
    """The parts by their names, and what may survive."""
    table: dict[str, Any] = tomllib.loads(settings.read_text(encoding="utf-8"))
    parts = {name: Part(name, **given) for name, given in table["part"].items()}
    return parts, [Allowed(**given) for given in table.get("survivor", [])]


def copy_project(target: Path) -> Path:
    """Copy what git knows of, or would."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, stdout=-1
    )
    for name in listed.stdout.decode("utf-8").split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


# ------------------------------------------------------------------------------------------- judging


def judge(part: Part, copy: Path, allowed: list[Allowed], seed: int, until: float) -> None:
    """Try a sample of the mutants of one part, and count."""
    begun = time.monotonic()
    if not passes(part, copy, None):
        sys.exit(
            f"{part.name}: its tests fail in {copy} with nothing changed; run there: pytest {' '.join(part.tests)}"
        )
    limit = OWN_TIME + 3 * (time.monotonic() - begun)
    everything = [mutant for module in part.modules for mutant in mutants(copy, module)]
    sample = random.Random(f"{seed} {part.name}").sample(everything, min(part.most, len(everything)))  # noqa: S311 - a choice
    print(f"{part.name}: {len(sample)} of {len(everything)} mutants, at most {limit:.0f} s each", flush=True)
    for mutant in sorted(sample):
        if time.monotonic() > until:
            print("  the time is up")
            return
        path = copy / mutant.file
        source = path.read_bytes()
        path.write_bytes(mutant.apply(source))
        _forget_compiled(path)
        survived = passes(part, copy, limit)
        path.write_bytes(source)
        _forget_compiled(path)
        if not survived:
            part.killed += 1
        elif any(each.covers(mutant) for each in allowed):
            part.allowed += 1
        else:
            part.survivors.append(mutant)
            print(f"  survived: {mutant}", flush=True)


def passes(part: Part, copy: Path, limit: float | None) -> bool:
    """Whether the part's tests pass on the copy; what takes too long does not."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", *part.tests]
    environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "HYPOTHESIS_STORAGE_DIRECTORY": str(copy / "found")}
    with subprocess.Popen(
        command, cwd=copy, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            return process.wait(limit) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            # What it started goes with it, a hanging child as well.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, 9)


def _forget_compiled(path: Path) -> None:
    """Remove what Python compiled: it compares whole seconds and sizes, which a mutant may share."""
    Path(cache_from_source(str(path))).unlink(missing_ok=True)


def report(parts: list[Part], allowed: list[Allowed]) -> int:
    """Print the score of each part; 1 when something survived that is not on the list."""
    print(f"\n{'part':<14} {'tried':>5} {'killed':>6} {'listed':>6} {'survived':>8}  score")
    for part in parts:
        tried = part.killed + part.allowed + len(part.survivors)
        score = f"{part.killed / tried:.0%}" if tried else "-"
        print(f"{part.name:<14} {tried:>5} {part.killed:>6} {part.allowed:>6} {len(part.survivors):>8}  {score}")
    killed = sum(part.killed for part in parts)
    tried = killed + sum(part.allowed + len(part.survivors) for part in parts)
    print(
        f"{'all':<14} {tried:>5} {killed:>6}  of which {len(allowed)} kinds may survive" if tried else "nothing tried"
    )
    survivors = [mutant for part in parts for mutant in part.survivors]
    for mutant in survivors:
        print(f"survived: {mutant}")
    return 1 if survivors else 0


# ------------------------------------------------------------------------------------------- mutants


def mutants(root: Path, module: str) -> list[Mutant]:
    """Every mutant of one module, in the order of their places."""
    source = (root / module).read_bytes()
    return sorted(Finder(module, source).found)


class Finder(ast.NodeVisitor):
    """Walks a module and notes what can be changed in it."""

    def __init__(self, module: str, source: bytes) -> None:
        """Find the mutants of `source`, which is called `module` in what is said."""
        self.found: list[Mutant] = []
        self._module = module
        self._source = source
        self._lines = [0]
        for line in source.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))
        self._where: list[str] = []
        self.visit(ast.parse(source))

    def generic_visit(self, node: ast.AST) -> None:
        """Note the mutants of this node and of all below it; annotations and docstrings are left out."""
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            self._named(node)
            return
        for mutant in self._of(node):
            self.found.append(mutant)
        for name, value in ast.iter_fields(node):
            if name in {"annotation", "returns", "decorator_list", "bases", "type_params"}:
                continue
            for child in value if isinstance(value, list) else [value]:
                # What an error says is no matter of right and wrong here, only that it comes.
                if isinstance(child, ast.AST) and not _is_text(child) and not isinstance(node, ast.Raise):
                    self.visit(child)

    def _named(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self._where.append(node.name)
        if not isinstance(node, ast.ClassDef):
            for default in [*node.args.defaults, *node.args.kw_defaults]:
                if default is not None:
                    self.visit(default)
        for statement in node.body:
            if not _is_text(statement):
                self.visit(statement)
        self._where.pop()

    def _of(self, node: ast.AST) -> Iterator[Mutant]:
        if isinstance(node, ast.Constant):
            yield from self._constants(node)
        elif isinstance(node, ast.Compare):
            yield from self._comparisons(node)
        elif self._where:
            yield from self._in_a_function(node)

    def _in_a_function(self, node: ast.AST) -> Iterator[Mutant]:
        if isinstance(node, ast.Expr | ast.Raise | ast.AugAssign | ast.Delete | ast.Continue | ast.Break):
            yield self._mutant(node, "dropped", "pass")
        elif isinstance(node, ast.If | ast.IfExp):
            yield from self._conditions(node.test)
        elif isinstance(node, ast.comprehension):
            for test in node.ifs:
                yield from self._conditions(test)
        elif isinstance(node, ast.BoolOp):
            word, other = (" and ", " or ") if isinstance(node.op, ast.And) else (" or ", " and ")
            parts = [f"({self._text(value)})" for value in node.values]
            yield self._mutant(node, f"{word.strip()} for {other.strip()}", f"({other.join(parts)})")
        elif isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            left, right = self._text(node.left), self._text(node.right)
            yield self._mutant(node, "operator", f"({left}) {OPERATORS[type(node.op)]} ({right})")
        elif isinstance(node, ast.keyword) and node.arg is not None and isinstance(node.value, ast.Name):
            yield self._mutant(node.value, "argument", "None")

    def _conditions(self, test: ast.expr) -> Iterator[Mutant]:
        """The condition turned round, where no other comparison turns it round already."""
        turned = isinstance(test, ast.Compare) and isinstance(
            test.ops[0], ast.Eq | ast.NotEq | ast.Is | ast.IsNot | ast.In | ast.NotIn
        )
        if not turned:
            yield self._mutant(test, "negated", f"not ({self._text(test)})")

    def _comparisons(self, node: ast.Compare) -> Iterator[Mutant]:
        operands = [node.left, *node.comparators]
        for left, right, operator in zip(operands, operands[1:], node.ops, strict=False):
            start, end = self._span(left)[1], self._span(right)[0]
            before = self._source[start:end].decode("utf-8")
            # A bracket may stand between the operator and its operand.
            after = before.replace(_SIGNS[type(operator)], COMPARISONS[type(operator)], 1)
            if after != before:
                yield self._at(start, end, node.lineno, "comparison", before, after)

    def _constants(self, node: ast.Constant) -> Iterator[Mutant]:
        value = node.value
        if isinstance(value, bool):
            yield self._mutant(node, "constant", str(not value))
        elif isinstance(value, int):
            yield self._mutant(node, "constant", str(value + 1))
        elif isinstance(value, float):
            yield self._mutant(node, "constant", str(value * 2 + 1))
        elif isinstance(value, str) and value.isprintable() and self._text(node)[0] in "\"'":
            yield self._mutant(node, "text", repr(f"{value}~"))

    def _mutant(self, node: Any, kind: str, after: str) -> Mutant:
        start, end = self._span(node)
        return self._at(start, end, node.lineno, kind, self._source[start:end].decode("utf-8"), after)

    def _at(self, start: int, end: int, line: int, kind: str, before: str, after: str) -> Mutant:
        return Mutant(self._module, ".".join(self._where), line, start, end, kind, before, after)

    def _span(self, node: Any) -> tuple[int, int]:
        """Where a node stands in the source, in bytes."""
        return self._lines[node.lineno - 1] + node.col_offset, self._lines[node.end_lineno - 1] + node.end_col_offset

    def _text(self, node: ast.AST) -> str:
        start, end = self._span(node)
        return self._source[start:end].decode("utf-8")


_SIGNS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
    ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip


def _is_text(node: ast.AST) -> bool:
    """Whether it only says something: a docstring, or a piece of a formatted text."""
    text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    return text or isinstance(node, ast.JoinedStr)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 4]} ..."


if __name__ == "__main__":
    raise SystemExit(main())
