"""The paths that the pages for newcomers name are there, and so are the functions named in them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FROM = (ROOT, ROOT / "src" / "muniment")
"""Where a path may begin."""
PAGES = ("ARCHITECTURE.md", "CONTRIBUTING.md", "README.md")
SPAN = re.compile(r"(?<!`)`(?P<text>[^`\n]+)`(?!`)")
PATH = re.compile(r"[\w.-]+(/[\w.-]+)*(/|\.(py|md|toml|txt|sh|json|yml))(:\w+)?|\w+(/\w+)+")
"""A file by its ending, a folder by its slash, or several names with slashes between them."""
NOT_OURS = {
    "muniment.json",
    "inventory.json",
    "control.db",
    "bagit.py",
    "ocfl-validate.py",
    "org/project",
    "shared/fixtures",
}
"""Names that look like paths of the project and are something else."""


def paths(text: str) -> list[str]:
    """The paths of the project that a page names, code blocks left out."""
    spans = [match["text"] for match in SPAN.finditer(re.sub(r"```.*?```", "", text, flags=re.DOTALL))]
    return [span for span in spans if PATH.fullmatch(span) and span not in NOT_OURS]


def is_there(path: str) -> bool:
    """Whether a path, and the function named behind its colon, exist."""
    file, _, function = path.partition(":")
    for start in FROM:
        found = start / file
        if found.is_dir() if file.endswith("/") else found.exists():
            return not function or function in defined(found)
    return False


def defined(module: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("page", PAGES)
def test_every_path_a_page_names_is_there(page: str) -> None:
    named = paths((ROOT / page).read_text(encoding="utf-8"))
    assert named
    assert [path for path in named if not is_there(path)] == []


def test_the_architecture_answers_by_paths() -> None:
    assert len(paths((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"))) > 40


@pytest.mark.parametrize(
    "text", ["`archive/nothing.py`", "`tests/none/`", "`archive/ingest/commit.py:vanish`", "`a/b`"]
)
def test_a_path_that_is_not_there_is_noticed(text: str) -> None:
    (path,) = paths(text)
    assert not is_there(path)


def test_every_part_of_the_program_is_in_the_picture_of_the_architecture() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for folder in (ROOT / "src/muniment", ROOT / "src/muniment/archive"):
        parts = {path.name for path in folder.iterdir() if path.is_dir() and path.name != "__pycache__"}
        pictures = " ".join(re.findall(r"```text(.*?)```", text, flags=re.DOTALL))
        assert parts - set(re.findall(r"\w+", pictures)) == set()
