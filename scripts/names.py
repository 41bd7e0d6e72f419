"""Check that public classes and modules are named in words that somebody else uses too.

The words of a name (`TransactionRecord` has two) must each be in a term of docs/glossary.md or stand in
scripts/words.txt, among the words of a standard, of the trade or of plain English; an s at the end is free. The
words that were this project's own and went are listed there as well, with what to say instead.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
TERM = re.compile(r"^\| \*\*(?P<term>[^*]+)\*\*", re.MULTILINE)
ADVICE = "Take one of docs/glossary.md, or add it to its section of scripts/words.txt."
GONE = "# Gone"
"""The section of words that are no longer used; its lines are `word: what to say instead`."""


def complaints(root: Path) -> Iterator[tuple[str, str]]:
    """What is wrong with the names below `root`/src: the place, and a sentence."""
    known, gone = vocabulary(root)
    for place, name in names(root):
        for word in words_of(name):
            if word in gone:
                yield place, f"{name}: '{word}' is a word of our own; say {gone[word]}."
            elif word not in known and word.removesuffix("s") not in known:
                yield place, f"{name}: whose word is '{word}'? {ADVICE}"


def vocabulary(root: Path) -> tuple[set[str], dict[str, str]]:
    """The words that names may have, and those that are gone with what to say instead."""
    listed, _, removed = (root / "scripts" / "words.txt").read_text(encoding="utf-8").partition(f"{GONE}\n")
    known = {word for line in listed.splitlines() if not line.startswith("#") for word in line.split()}
    terms = TERM.findall((root / "docs" / "glossary.md").read_text(encoding="utf-8"))
    known |= {word for term in terms for word in re.findall("[a-z]+", term.lower())}
    lines = [line.partition(": ") for line in removed.splitlines() if line and not line.startswith("#")]
    return known, {word: instead for word, _, instead in lines}


def names(root: Path) -> Iterator[tuple[str, str]]:
    """Every public module, folder and class below `root`/src: its place and its name."""
    for path in sorted((root / "src").rglob("*.py")):
        where = path.relative_to(root).as_posix()
        name = path.parent.name if path.stem == "__init__" else path.stem
        # The steps of a database's history are named by what they change.
        if not name.startswith("_") and path.parent.name != "versions":
            yield where, name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield f"{where}:{node.lineno}", node.name


def words_of(name: str) -> list[str]:
    """The words of a name, in small letters: split at underscores and capitals, numbers left out."""
    return [word.lower() for word in WORDS.findall(name)]
