"""What is left out of a folder is what git's ignore files leave out, and each time the rule is named."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from muniment.content.exclusions import Exclusions, LeftOut
from muniment.content.folders import walk
from muniment.errors.base import BadInput
from muniment.errors.content import BadValue

TREE = [
    *("a.txt", "b.tmp", "build/x.o", "build/keep/y.o", "src/build/z", "src/a.txt", "src/deep/a.txt", "#note", "!bang"),
    *("deep/er/est/file", "star*name", "[x]", "x", "y", "doc/a/b.pdf", "doc/b.pdf", "foo/bar/baz", "foo/x", "Zoë.tmp"),
    *(".hidden/file", "a-b", "back\\slash", "logs/1.log", "logs/important.log", "^caret", "trailing ", "new\nline.tmp"),
]


@pytest.mark.parametrize(
    "rules",
    [
        "*.tmp",
        "build",
        "build/",
        "/build",
        "src/build",
        "a.txt",
        "/a.txt",
        "src/*.txt",
        "**/a.txt",
        "src/**/a.txt",
        "deep/**",
        "foo/**/baz",
        "**",
        "*\n!src/\n!src/a.txt",
        "*.log\n!important.log",
        "logs/\n!logs/important.log",
        "\\#note",
        "#note",
        "\\!bang",
        "trailing\\ ",
        "trailing ",
        "[xy]",
        "[!x]",
        "\\[x\\]",
        "[a-c].*",
        "star\\*name",
        "?",
        "doc/*/b.pdf",
        "foo/*",
        ".*",
        "back\\\\slash",
        "[",
        "[[:alpha:]]*[[:digit:]]",
        "[^[:punct:]]",
        "***.tmp",
        "a**",
        "/",
        "",
        "!",
        "[\\^]caret",
        "[^a]caret",
        "[[:alpha:]]",
    ],
)
def test_a_rule_leaves_out_what_git_would_ignore(rules: str, tmp_path: Path) -> None:
    make_tree(tmp_path)
    (tmp_path / ".munimentignore").write_text(rules + "\n", "utf-8")
    left = set(TREE) - {name.removesuffix("/") for name in kept(tmp_path, Exclusions(ignore_files=True))}
    assert left == ignored_by_git(tmp_path, ".munimentignore")


def make_tree(place: Path) -> None:
    for name in TREE:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(b"")


def kept(place: Path, rules: Exclusions) -> list[str]:
    return [name for name, _, _ in walk(str(place), "", rules).files]


def ignored_by_git(place: Path, ignore_file: str) -> set[str]:
    """What git leaves out of the tree, with files of this name in the place of its own."""
    settings = {"GIT_CONFIG_NOSYSTEM": "1", "HOME": os.devnull, "PATH": os.environ["PATH"]}
    git = ["git", "-C", str(place), "-c", "core.quotePath=false"]
    subprocess.run(["git", "init", "-q", str(place)], check=True, env=settings)
    rules = ("--others", "--ignored", f"--exclude-per-directory={ignore_file}", "-z")
    listed = subprocess.run([*git, "ls-files", *rules], check=True, capture_output=True, env=settings)
    return {os.fsdecode(name) for name in listed.stdout.split(b"\0") if name} - {ignore_file}


def test_a_pattern_that_is_none_is_refused_with_its_place(tmp_path: Path) -> None:
    (tmp_path / ".munimentignore").write_text("a\n[z-a]\n")
    with pytest.raises(BadInput, match="munimentignore:2"):
        walk(str(tmp_path), "", Exclusions(ignore_files=True))


def test_the_ignore_file_of_an_inner_folder_goes_before_that_of_an_outer_one(tmp_path: Path) -> None:
    make_tree(tmp_path)
    (tmp_path / ".munimentignore").write_text("*.txt\n")
    (tmp_path / "src/.munimentignore").write_text("!a.txt\n/deep\n")
    found = walk(str(tmp_path), "in/", Exclusions(ignore_files=True))
    assert "in/src/a.txt" in [name for name, _, _ in found.files]
    assert found.left_out == [
        LeftOut("in/a.txt", "*.txt", ".munimentignore:1"),
        LeftOut("in/src/deep/", "/deep", "src/.munimentignore:2"),
    ]


def test_what_is_given_goes_before_ignore_files_and_these_before_system_files(tmp_path: Path) -> None:
    for name in ("a.tmp", "b.tmp", "Thumbs.db", ".DS_Store", "._a.tmp"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / ".munimentignore").write_text("!a.tmp\n!Thumbs.db\n")
    rules = Exclusions("*.tmp", ignore_files=True, system_files=True)
    assert {each.path: each.given for each in walk(str(tmp_path), "", rules).left_out} == {
        "a.tmp": "exclude",
        "b.tmp": "exclude",
        "._a.tmp": "exclude",
        ".DS_Store": "system files",
    }
    assert walk(str(tmp_path), "", Exclusions(ignore_files=False)).left_out == []


def test_patterns_come_from_a_file_and_are_named_by_its_lines(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/x.tmp").write_bytes(b"")
    patterns = tmp_path / "patterns"
    patterns.write_bytes(b"\xef\xbb\xbf# what nobody needs\r\n\n*.tmp\r\n")
    found = walk(str(tmp_path / "folder"), "", Exclusions().read(patterns))
    assert found.left_out == [LeftOut("x.tmp", "*.tmp", f"{patterns}:3")]


@pytest.mark.parametrize("data", [b"\xff\n", b"x" * 1_000_001])
def test_a_file_of_patterns_that_is_none_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / ".munimentignore").write_bytes(data)
    with pytest.raises(BadInput, match="munimentignore"):
        walk(str(tmp_path), "", Exclusions(ignore_files=True))


def test_a_folder_of_which_nothing_is_taken_is_empty(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/x.tmp").write_bytes(b"")
    assert walk(str(tmp_path), "", Exclusions("*.tmp")).empty == ["cache"]


@pytest.mark.parametrize("said", [None, {}, {"path": 1, "rule": "", "given": ""}, ["a", "b", "c"]])
def test_a_record_that_says_something_else_is_refused(said: object) -> None:
    with pytest.raises(BadValue):
        LeftOut.parse(said)
