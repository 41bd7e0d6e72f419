"""Check what no linter checks: the size of files and functions, a first sentence in every module, and names.

The limits, and the exceptions with a reason each, are in pyproject.toml below `[tool.muniment-shape]`. The words that
names may have are looked up by scripts/names.py.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent)]  # so that it runs by its name as well

from scripts import names  # noqa: E402 - after the line that makes it findable

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("src", "scripts", "bench", "tests")


@dataclass(frozen=True, slots=True)
class Rules:
    """How long a file and a function may be, in lines, and which may be longer, with the reason."""

    longest_file: int
    longest_function: int
    exceptions: dict[str, str]

    @classmethod
    def read(cls, project: Path) -> Rules:
        """The rules as `pyproject.toml` has them."""
        table = tomllib.loads(project.read_text(encoding="utf-8"))["tool"]["muniment-shape"]
        return cls(table["longest-file"], table["longest-function"], table.get("exceptions", {}))


def main() -> int:
    """Print each complaint; the status is 1 when there is any."""
    complaints = list(judge_all(ROOT, Rules.read(ROOT / "pyproject.toml")))
    complaints += [f"{place}: {complaint}" for place, complaint in names.complaints(ROOT)]
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return 1 if complaints else 0


def judge_all(root: Path, rules: Rules) -> Iterator[str]:
    """What is wrong with the shape of the files below `root`, exceptions that nothing needs included."""
    unused = set(rules.exceptions)
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            for place, complaint in judge(path, root, rules):
                if place in rules.exceptions:
                    unused.discard(place)
                else:
                    yield f"{place}: {complaint}"
    for place in sorted(unused):
        yield f"{place}: it is listed in pyproject.toml as an exception and needs none: take it off the list."
    for place, reason in sorted(rules.exceptions.items()):
        if not reason.strip():
            yield f"{place}: an exception needs a reason."


def judge(path: Path, root: Path, rules: Rules) -> Iterator[tuple[str, str]]:
    """What is wrong with the shape of one file: `file` or `file:function`, and a sentence."""
    where = path.relative_to(root).as_posix()
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    lines = text.count("\n")
    if lines > rules.longest_file:
        yield where, f"{lines} lines, at most {rules.longest_file}: look for the second idea in it and give it a file."
    if text.strip() and ast.get_docstring(tree) is None and not is_quiet(path):
        yield f"{where}:1", "it begins without a sentence on what it is for."
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and (length := body_length(node)) > rules.longest_function
        ):
            place = f"{where}:{node.name}"
            yield place, f"{length} lines (line {node.lineno}), at most {rules.longest_function}: name its parts."


def is_quiet(path: Path) -> bool:
    """Whether a file may do without a first sentence: tests say it in their names."""
    return path.name.startswith("test_") or (path.name == "__init__.py" and "tests" in path.parts)


def body_length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function without its docstring: explanation is never too long."""
    first = node.body[1] if ast.get_docstring(node) is not None and len(node.body) > 1 else node
    return (node.end_lineno or first.lineno) - first.lineno + 1


if __name__ == "__main__":
    raise SystemExit(main())
