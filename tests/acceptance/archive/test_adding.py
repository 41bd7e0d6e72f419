"""What `muniment add` takes besides files, what it leaves out, and what it would do."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import muniment
from muniment.cli.main import run
from muniment.content.exclusions import Exclusions, LeftOut
from tests.servers.native.running import serving


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MUNIMENT_ARCHIVE", str(tmp_path / "archive"))
    assert run(["-q", "init", "--redundancy", "0"]) == 0
    return tmp_path / "archive"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "folder"
    (made / "cache").mkdir(parents=True)
    for name in ("a.txt", "b.tmp", "cache/x", ".DS_Store", "same.txt"):
        (made / name).write_bytes(b"as a\n" if name in {"a.txt", "same.txt"} else name.encode())
    (made / ".munimentignore").write_text("# what a run leaves\n*.tmp\n")
    return made


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def files(id: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    capsys.readouterr()
    assert run(["ls", id, "--json"]) == 0
    return [row["path"] for row in told(capsys)]


def test_what_is_left_out_is_recorded_with_the_rule(
    archive: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["add", str(folder), "--id", "r", "--exclude", "cache/", "--no-system-files"]) == 0
    out, err = capsys.readouterr()
    assert out == "r\n"
    assert "3 files and folders were left out" in err
    assert files("r", capsys) == [".munimentignore", "a.txt", "same.txt"]
    assert run(["show", "r", "--left-out"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "v1  .DS_Store  by .DS_Store (system files)",
        "v1  b.tmp  by *.tmp (.munimentignore:2)",
        "v1  cache/  by cache/ (exclude)",
    ]
    assert run(["add", str(folder), "--id", "r", "--no-ignore-files"]) == 0
    assert "b.tmp" in files("r", capsys)
    assert run(["show", "r", "--json"]) == 0
    assert [len(each["left_out"]) for each in told(capsys)["instances"]] == [3, 0]


@pytest.fixture
def both_kinds(tmp_path: Path) -> Iterator[list[muniment.Archive]]:
    place = tmp_path / "served"
    with (
        serving(place) as server,
        muniment.Archive(place, workers=0) as here,
        muniment.Archive(server.url, key=server.key) as there,
    ):
        yield [here, there]


def test_both_kinds_of_archive_record_what_a_folder_lost(both_kinds: list[muniment.Archive], folder: Path) -> None:
    for number, kind in enumerate(both_kinds):
        with kind.new(f"r{number}") as transaction:
            transaction.add(folder, "in", exclude=Exclusions("cache", ignore_files=True))
            transaction.note_left_out([LeftOut("elsewhere/", "*", "by hand")])
        for reader in both_kinds:
            assert reader.get(f"r{number}").record["left_out"] == [
                {"path": "in/b.tmp", "rule": "*.tmp", "given": ".munimentignore:2"},
                {"path": "in/cache/", "rule": "cache", "given": "exclude"},
                {"path": "elsewhere/", "rule": "*", "given": "by hand"},
            ]


def test_the_record_goes_along_in_every_package_and_migration(
    archive: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["add", str(folder), "--id", "r"]) == 0
    expected = [{"path": "b.tmp", "rule": "*.tmp", "given": ".munimentignore:2"}]
    other = tmp_path / "other"
    assert run(["-q", "init", "-a", str(other)]) == 0
    for layout in ("instances", "ocfl"):
        package = tmp_path / f"{layout}.tar"
        assert run(["export", "r", "--layout", layout, "-o", str(package)]) == 0
        assert run(["import", str(package), "--id", layout, "-a", str(other)]) == 0
    assert run(["migrate", str(other), "r", "--merge"]) == 0
    with muniment.Archive(other, workers=0) as found:
        assert {id: found.get(id).record["left_out"] for id in found} == dict.fromkeys(
            ("instances", "ocfl", "r"), expected
        )


def test_a_transaction_that_was_left_remembers_what_was_left_out(archive: Path, folder: Path) -> None:
    with muniment.Archive(archive, workers=0) as opened:
        transaction = opened.new("r")
        transaction.add(folder, exclude=Exclusions("cache/"))
        transaction.leave()
        assert opened.replay(transaction.transaction).record["left_out"] == [
            {"path": "cache/", "rule": "cache/", "given": "exclude"}
        ]


def test_standard_input_goes_in_under_the_name_it_is_given(
    archive: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"dump of a database")))
    assert run(["add", "-", "--as", "dumps/now.sql", "--id", "r"]) == 0
    assert files("r", capsys) == ["dumps/now.sql"]
    for arguments in (["add", "-"], ["add", "-", "--as", "x", "--dry-run"]):
        assert run(arguments) == 4
        assert "standard input" in capsys.readouterr().err


def test_an_instance_may_change_no_file(archive: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["add", str(folder), "--id", "r", "--describe", "title=One", "--metadata", '{"kept": 1}']) == 0
    assert run(["add", "--id", "r", "--describe", "title=Two", "--describe", "by=A", "--describe", "by=B"]) == 0
    assert run(["add", "--id", "r", "--remove", "a.txt", "--describe", "kept="]) == 0
    capsys.readouterr()
    assert run(["show", "r", "--json"]) == 0
    shown = told(capsys)
    assert shown["metadata"] == {"title": "Two", "by": ["A", "B"]}
    assert [each["number"] for each in shown["instances"]] == [1, 2, 3]
    assert "a.txt" not in files("r", capsys)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["add"], 4, "name what to add"),
        (["add", "--describe", "a=b"], 4, "--id"),
        (["add", "--describe", "a=b", "--id", "unknown"], 3, "unknown"),
        (["add", "--describe", "ab", "--id", "r"], 4, "KEY=VALUE"),
        (["add", "--only", "--remove", "a", "--id", "r"], 4, "--only"),
        (["add", "a", "b", "--as", "c"], 4, "--as"),
        (["add", ".", "--exclude", "[z-a]"], 4, "no pattern"),
        (["add", ".", "--exclude-from", "nowhere"], 4, "nowhere"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_done(
    archive: Path, folder: Path, arguments: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["add", str(folder / "a.txt"), "--id", "r"]) == 0
    assert run(arguments) == status
    assert said in capsys.readouterr().err
    assert run(["events", "--json"]) == 0
    assert len(told(capsys)) == 2


def test_a_dry_run_says_what_would_be_and_stores_nothing(
    archive: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["add", str(folder / "a.txt"), "--id", "r"]) == 0
    (folder / "name.").write_bytes(b"warned of")
    before = sorted(path for path in archive.rglob("*") if path.is_file())
    capsys.readouterr()
    assert run(["add", str(folder), "--id", "r", "--exclude", "cache", "-n", "--describe", "title=T"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "+ .DS_Store",
        "+ .munimentignore",
        "+ name.",
        "+ same.txt",
        '* title: nothing -> "T"',
        "! b.tmp: left out by *.tmp (.munimentignore:2)",
        "! cache/: left out by cache (exclude)",
        "= a.txt, same.txt: one content, stored once",
        "44 B would be stored; 1 files are there as they are",
    ]
    assert "M601" in err
    assert run(["add", str(folder), "--id", "r", "--dry-run", "--json", "--remove", "a.txt"]) == 0
    assert told(capsys)["twice"] == [["a.txt", "same.txt"]]
    assert run(["add", str(folder), str(folder / "a.txt"), "--id", "r", "--dry-run"]) == 5
    assert sorted(path for path in archive.rglob("*") if path.is_file()) == before


def test_a_quiet_command_says_nothing_and_a_verbose_one_what_changed(
    archive: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "name.").write_bytes(b"warned of")
    for command in (["add", str(folder), "--id", "r"], ["audit"], ["reindex"], ["repair"], ["recover"]):
        assert run([*command, "-q"]) == 0
        assert capsys.readouterr() == ("", "")
    (folder / "a.txt").rename(folder / "moved.txt")
    assert run(["add", str(folder), "--id", "r", "--only", "-v"]) == 0
    err = capsys.readouterr().err
    assert "the archive is " in err
    assert "muniment: > a.txt -> moved.txt\n" in err
