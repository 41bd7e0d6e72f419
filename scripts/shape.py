"""Check what no linter checks: files of at most 400 lines, functions of at most 50, a first sentence everywhere."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("src", "scripts", "bench", "tests")
LONGEST_FILE = 400
LONGEST_FUNCTION = 50


def main() -> int:
    """Print each complaint; the status is 1 when there is any."""
    complaints = [complaint for path in sources() for complaint in judge(path)]
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return 1 if complaints else 0


def sources() -> Iterator[Path]:
    """Every Python file of ours, in order."""
    for folder in FOLDERS:
        yield from sorted((ROOT / folder).rglob("*.py"))


def judge(path: Path) -> Iterator[str]:
    """What is wrong with the shape of one file, as sentences."""
    where = path.relative_to(ROOT)
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    lines = text.count("\n")
    if lines > LONGEST_FILE:
        yield f"{where}: {lines} lines, at most {LONGEST_FILE}: look for the second idea in it and give it a file."
    if text.strip() and ast.get_docstring(tree) is None and not is_quiet(path):
        yield f"{where}: begins without a sentence on what it is for."
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and (length := body_length(node)) > LONGEST_FUNCTION
        ):
            yield f"{where}:{node.lineno}: {node.name} has {length} lines, at most {LONGEST_FUNCTION}: name its parts."


def is_quiet(path: Path) -> bool:
    """Whether a file may do without a first sentence: tests say it in their names."""
    return path.name.startswith("test_") or (path.name == "__init__.py" and "tests" in path.parts)


def body_length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function without its docstring: explanation is never too long."""
    first = node.body[1] if ast.get_docstring(node) is not None and len(node.body) > 1 else node
    return (node.end_lineno or first.lineno) - first.lineno + 1


if __name__ == "__main__":
    raise SystemExit(main())
