"""What of a folder is not taken in, and which rule says so: patterns as git's ignore files have them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from muniment.errors.base import BadInput
from muniment.errors.content import BadValue

IGNORE_FILE = ".munimentignore"
_LARGEST = 1_000_000
"""Bytes of a file with patterns."""
_CLASSES = {
    "[:alpha:]": "a-zA-Z", "[:digit:]": "0-9", "[:alnum:]": "a-zA-Z0-9", "[:upper:]": "A-Z", "[:lower:]": "a-z",
    "[:space:]": r"\s", "[:blank:]": r" \t", "[:xdigit:]": "0-9A-Fa-f", "[:punct:]": r"!-/:-@\[-`{-~",
}  # fmt: skip
_PARTS = re.compile(r"(\[:[a-z]+:\])")
_BRACKET = re.compile(r"\[([!^]?)(\]?(?:\[:[a-z]+:\]|[^\]])*)\]")
_SYSTEM_FILES = (
    # macOS
    *(".DS_Store", "._*", ".AppleDouble/", ".Spotlight-V100/", ".Trashes", ".fseventsd/", ".TemporaryItems/"),
    *(".DocumentRevisions-V100/", ".apdisk", "Icon\r"),
    # Windows
    *("[Tt]humbs.db", "ehthumbs.db", "[Dd]esktop.ini", "$RECYCLE.BIN/", "System Volume Information/"),
    # Linux, and storage boxes in a network
    *(".directory", ".Trash-*/", ".nfs????????*", "lost+found/", "@eaDir/"),
)


class LeftOut(NamedTuple):
    """A file, or a folder with all in it (its path ends in '/'), the rule that left it out, and who gave that."""

    path: str
    rule: str
    given: str

    def as_json(self) -> dict[str, str]:
        """As an instance's record keeps it."""
        return self._asdict()

    @classmethod
    def parse(cls, said: object) -> Self:
        """What a record says was left out.

        Raises:
            BadValue: It is not as we say it.
        """
        found = [said.get(name) for name in cls._fields] if isinstance(said, Mapping) else []
        texts = [each for each in found if isinstance(each, str)]
        if len(texts) != len(cls._fields):
            raise BadValue(
                what="what was left out", reason="it has a path, a rule, and who gave that, all of them text"
            )
        return cls(*texts)


class Rule(NamedTuple):
    """One pattern, and where it was given: `exclude`, a file with its line, or `system files`."""

    text: str
    given: str
    expression: re.Pattern[str]
    keeps: bool
    folders_only: bool

    @classmethod
    def parse(cls, text: str, given: str) -> Self | None:
        """The rule of one line; None where that is empty or a comment.

        Raises:
            BadInput: It cannot be a pattern.
        """
        line = re.sub(r"(?<!\\) +$", "", text.rstrip("\n\r") if text.endswith("\n") else text)
        keeps = line.startswith("!")
        pattern = line[keeps:]
        if not pattern or (line.startswith("#")):
            return None
        folders_only = pattern.endswith("/") and not pattern.endswith("\\/")
        body = pattern.rstrip("/") if folders_only else pattern
        if not body:
            return None
        anchored = "/" in body
        try:
            expression = re.compile(("" if anchored else "(?:.*/)?") + _expression(body.removeprefix("/")), re.DOTALL)
        except re.error as error:
            raise BadInput(reason=f"{text!r} ({given}) is no pattern: {error}") from error
        return cls(line, given, expression, keeps, folders_only)

    def matches(self, path: str, *, is_folder: bool) -> bool:
        """Whether it is about a path, relative to the folder the rule is for."""
        return (is_folder or not self.folders_only) and self.expression.fullmatch(path) is not None


class Scope(NamedTuple):
    """Rules and the folder they are for, relative to the one that is walked: '' or with '/' at its end."""

    base: str
    rules: Sequence[Rule]


class Exclusions:
    """Patterns of what is left out, by the rules of git's ignore files (gitignore(5)); the last that matches decides.

    What is given goes before the ignore files of the folder, those of inner folders before those of outer ones, and
    these before `system_files`. What is below a folder that is left out cannot be kept by another rule.
    """

    def __init__(self, *patterns: str, ignore_files: bool = False, system_files: bool = False) -> None:
        """Leave out what `patterns` say, what `.munimentignore` files in the folder say, what systems leave behind.

        Raises:
            BadInput: One cannot be a pattern.
        """
        self.ignore_files = ignore_files
        self._given = _rules((each, "exclude") for each in patterns)
        self._last = _rules((each, "system files") for each in _SYSTEM_FILES) if system_files else []

    def read(self, path: Path) -> Self:
        """Take the patterns of a file too, one a line.

        Raises:
            BadInput: It cannot be read, or a line cannot be a pattern.
        """
        self._given += _read(path, str(path))
        return self

    def scopes(self) -> tuple[Scope, ...]:
        """What holds in every folder, from what decides last to what decides first."""
        return Scope("", self._last), Scope("", self._given)

    def within(self, scopes: tuple[Scope, ...], folder: str, base: str, names: Iterable[str]) -> tuple[Scope, ...]:
        """What holds in a folder whose entries are `names`, given what holds above it.

        Raises:
            BadInput: Its ignore file cannot be read.
        """
        if not self.ignore_files or IGNORE_FILE not in names:
            return scopes
        found = Scope(base, _read(Path(folder, IGNORE_FILE), f"{base}{IGNORE_FILE}"))
        return (*scopes[:-1], found, scopes[-1])

    @staticmethod
    def sift(
        scopes: tuple[Scope, ...], entries: Iterable[os.DirEntry[str]], above: str, inside: str
    ) -> tuple[list[os.DirEntry[str]], list[LeftOut]]:
        """Those entries of a folder that no rule leaves out, and the others.

        `above` is the folder's path in the package, `inside` its path in the folder that is walked; both are empty or
        end in '/'.
        """
        taken: list[os.DirEntry[str]] = []
        left_out: list[LeftOut] = []
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            rule = _decide(scopes, inside + entry.name, is_folder=is_folder)
            if rule is None:
                taken.append(entry)
                continue
            # A name that could not be kept may be left out, and is recorded as well as it can be.
            name = entry.name.encode("utf-8", "backslashreplace").decode("utf-8")
            left_out.append(LeftOut(f"{above}{name}{'/' if is_folder else ''}", rule.text, rule.given))
        return taken, left_out


def _decide(scopes: tuple[Scope, ...], path: str, *, is_folder: bool) -> Rule | None:
    """The rule that leaves a path out, if one does."""
    for base, rules in reversed(scopes):
        inside = path.removeprefix(base)
        for rule in reversed(rules):
            if rule.matches(inside, is_folder=is_folder):
                return None if rule.keeps else rule
    return None


def _rules(lines: Iterable[tuple[str, str]]) -> list[Rule]:
    return [rule for text, given in lines if (rule := Rule.parse(text, given)) is not None]


def _read(path: Path, shown: str) -> list[Rule]:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadInput(reason=f"the patterns in {path} cannot be read: {reason}") from error
    if len(data) > _LARGEST:
        raise BadInput(reason=f"{path} has more than {_LARGEST} bytes of patterns")
    return _rules((line + "\n", f"{shown}:{number}") for number, line in enumerate(text.split("\n"), 1))


def _expression(pattern: str) -> str:
    """A glob of git's as a regular expression over a path."""
    if pattern == "**":
        return ".+"
    made, at = "", 0
    while at < len(pattern):
        rest = pattern[at:]
        if rest.startswith("**/") and (at == 0 or pattern[at - 1] == "/"):
            made, at = f"{made}(?:.*/)?", at + 3
        elif rest == "**" and at and pattern[at - 1] == "/":
            made, at = f"{made}.+", at + 2
        elif rest[0] == "*":
            made, at = f"{made}[^/]*", at + len(rest) - len(rest.lstrip("*"))
        elif rest[0] == "?":
            made, at = f"{made}[^/]", at + 1
        elif rest[0] == "[" and (bracket := _BRACKET.match(rest)):
            parts = (_CLASSES.get(part) or re.sub(r"([\\\[\]&~|])", r"\\\1", part) for part in _PARTS.split(bracket[2]))
            inside = "".join(parts)
            made, at = f"{made}(?!/)[{'^' if bracket[1] else ''}{inside}]", at + bracket.end()
        elif rest[0] == "\\" and len(rest) > 1:
            made, at = made + re.escape(rest[1]), at + 2
        else:
            made, at = made + re.escape(rest[0]), at + 1
    return made
