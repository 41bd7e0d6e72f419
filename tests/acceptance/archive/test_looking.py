"""How somebody looks at what is there: differences, finding, figures, as it was at a date; and a table of many."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import muniment
from muniment.cli.main import run
from tests.servers.native.running import serving


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three instances of `letters`: as it came, one letter changed and one moved, one left out."""
    place = tmp_path / "archive"
    monkeypatch.setenv("MUNIMENT_ARCHIVE", str(place))
    monkeypatch.chdir(tmp_path)
    with muniment.Archive.init(place, redundancy=0, workers=0) as made:
        with made.new("letters") as transaction:
            for name in ("a.txt", "b.txt", "deep/c.txt"):
                transaction.add(name.encode(), name)
            transaction.metadata.update({"title": "Letters home", "by": ["A", "B"], "dc": {"date": "1914"}})
        with made.get("letters", "a") as transaction:
            transaction.replace(b"changed", "a.txt")
            transaction.delete("b.txt")
            transaction.add(b"b.txt", "deep/moved.txt")
            transaction.metadata["title"] = "Letters"
        with made.get("letters", "a") as transaction:
            transaction.delete("deep/c.txt")
        with made.new("maps", "org/maps") as transaction:
            transaction.add(b"a.txt", "copy.TXT")
    return place


def said(capsys: pytest.CaptureFixture[str], *command: str, status: int = 0) -> list[str]:
    capsys.readouterr()
    assert run([*command]) == status
    return capsys.readouterr().out.splitlines()


def told(capsys: pytest.CaptureFixture[str], *command: str, status: int = 0) -> Any:
    return json.loads("\n".join(said(capsys, *command, status=status)))


def test_a_difference_is_of_content_names_and_what_is_said(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "diff", "letters") == ["- deep/c.txt"]
    assert said(capsys, "diff", "letters", "1", "2") == [
        "~ a.txt",
        "> b.txt -> deep/moved.txt",
        '* title: "Letters home" -> "Letters"',
    ]
    assert said(capsys, "diff", "letters", "3", "3") == []
    assert said(capsys, "diff", "letters", "3", "2") == ["+ deep/c.txt"]
    assert [row["path"] for row in told(capsys, "diff", "maps", "--json")["added"]] == ["copy.TXT"]
    assert run(["diff", "letters", "9"]) == 3


def test_both_kinds_of_archive_tell_the_same_difference(archive: Path, tmp_path: Path) -> None:
    place = tmp_path / "served"
    with serving(place) as server, muniment.Archive(server.url, key=server.key) as there:
        with there.new("r") as transaction:
            transaction.add(b"1", "one")
        with there.get("r", "a") as transaction:
            transaction.add(b"2", "two")
        with muniment.Archive(place, workers=0) as here:
            for kind in (here, there):
                assert [each.path for each in kind["r"].diff().added] == ["two"]
                assert not kind["r"].diff(kind["r"])
                assert (len(kind), bool(kind), "r" in kind) == (1, True, True)
                assert "<td>r</td>" in kind._repr_html_()  # type: ignore[attr-defined]
                assert "<td>two</td>" in kind["r"]._repr_html_()  # type: ignore[attr-defined]


def test_a_file_is_found_by_name_digest_and_what_is_said(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "find", "*.txt") == ["letters  v3  a.txt", "letters  v3  deep/moved.txt"]
    assert said(capsys, "find", "deep/*") == ["letters  v3  deep/moved.txt"]
    assert said(capsys, "find", "c.txt", "--every-instance") == ["letters  v1  deep/c.txt", "letters  v2  deep/c.txt"]
    digest = hashlib.sha256(b"a.txt").hexdigest()
    assert said(capsys, "find", "--digest", digest) == ["maps  v1  copy.TXT"]
    assert said(capsys, "find", "--digest", f"sha256:{digest}", "-p", "main/main", status=1) == []
    Path("own").write_bytes(b"b.txt")
    assert said(capsys, "find", "--digest", "@own") == ["letters  v3  deep/moved.txt"]
    for pair in ("title=let*", "by=b", "dc.date=1914"):
        assert said(capsys, "find", "--metadata", pair) == ["letters  v3"]
    assert said(capsys, "find", "a*", "--metadata", "title=maps", status=1) == []
    assert told(capsys, "find", "nothing", "--json", status=1) == []
    for wrong in (["find"], ["find", "--metadata", "title"], ["find", "--digest", "abc"], ["find", "--digest", "@no"]):
        assert run(wrong) == 4


def test_figures_add_up(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with muniment.Archive(archive, workers=0) as opened:
        size = sum(entry.size or 0 for each in opened.history("letters") for entry in each.files())
        content = sum(
            path.stat().st_size for path in (archive / "objects").rglob("*") if path.is_file() and "/data/" in str(path)
        )
    found = told(capsys, "stats", "--json")
    assert (found["resources"], found["instances"], found["files"]) == (2, 4, 3)
    assert found["every"] == size + len("a.txt")
    assert (found["content"], found["saved"]) == (content, size + len("a.txt") - content)
    assert found["parity"] == sum(path.stat().st_size for path in (archive / "parity").rglob("*") if path.is_file())
    assert sum(each["instances"] for each in found["months"].values()) == 4
    assert told(capsys, "stats", "--json", "-p", "org/maps")["content"] == len("a.txt")
    assert "2 resources, 4 instances" in said(capsys, "stats")


def test_a_resource_comes_back_as_it_was_at_a_time(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with muniment.Archive(archive, workers=0) as opened:
        first, second, third = (each.created for each in opened.history("letters"))
    assert said(capsys, "cat", "letters", "a.txt", "deep/c.txt", "--at", first) == ["a.txtdeep/c.txt"]
    assert said(capsys, "cat", "letters", "a.txt", "--at", third[:10]) == ["changed"]
    assert run(["restore", "letters", "deep", "--at", second, "-o", "out"]) == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["c.txt", "moved.txt"]
    assert run(["get", "letters", "deep/", "-o", "new"]) == 0
    assert [path.name for path in Path("new").iterdir()] == ["moved.txt"]
    assert len(said(capsys, "ls", "letters", "--at", second)) == 3
    for wrong, status in (
        (["ls", "letters", "--at", "1900-01-01"], 3),
        (["ls", "letters", "--at", "yesterday"], 4),
        (["ls", "letters", "--at", first, "--instance", "1"], 4),
        (["get", "letters", "nowhere"], 3),
        (["restore", "-o", "x"], 4),
        (["restore", "letters", "deep", "--from", str(archive), "-o", "x"], 4),
    ):
        assert run(wrong) == status, wrong


def test_a_shell_is_offered_ids_paths_and_layouts_that_begin_so(archive: Path) -> None:
    def offered(line: str) -> list[str]:
        environment = {
            **os.environ,
            "_MUNIMENT_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(line.split(" ")) - 1),
        }
        environment.pop("MUNIMENT_ARCHIVE")
        done = subprocess.run(
            [sys.executable, "-m", "muniment"], env=environment, capture_output=True, text=True, check=False
        )
        assert done.stderr == ""
        return done.stdout.split()

    assert offered(f"muniment -a {archive} show l") == ["letters"]
    assert offered(f"muniment show --archive {archive} ") == ["letters", "maps"]
    assert offered(f"muniment -a {archive} ls maps") == ["maps"]
    assert offered("muniment -a /nowhere ls ") == []
    assert offered(f"muniment -a {archive} get letters ") == ["a.txt", "deep/"]
    assert offered(f"muniment -a {archive} get letters --instance 1 deep/") == ["deep/c.txt"]
    assert offered(f"muniment -a {archive} cat letters a.txt d") == ["deep/"]
    assert offered(f"muniment -a {archive} get nothing ") == []
    assert offered(f"muniment -a {archive} export maps --layout ") == ["bag", "instances", "ocfl", "ro-crate"]


def write_table(rows: str) -> Path:
    path = Path("table.csv")
    path.write_text(rows, "utf-8")
    return path


def test_a_table_makes_resources_and_goes_on_where_it_was(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("in/one.txt", "in/two.txt", "in/folder/x", "in/folder/skip.tmp"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(name.encode())
    table = write_table(
        "id,path,into,title,project\n"
        "r1,in/one.txt,,Äpfel,\n"
        "r1,in/two.txt,more,,\n"
        "r2,in/folder,,Folder,org/maps\n"
        "r3,in/missing,,,\n"
    )
    first = told(capsys, "batch", "table.csv", "--exclude", "*.tmp", "--json", status=1)
    assert first["counts"] == {"stored": 2, "failed": 1, "done before": 0}
    with muniment.Archive(archive, workers=0) as opened:
        assert list(opened["r1"]) == ["more/two.txt", "one.txt"]
        assert opened["r1"].metadata == {"title": "Äpfel"}
        assert (opened["r2"].project, list(opened["r2"])) == ("org/maps", ["x"])
    with Path("table.report.csv").open(newline="") as file:
        assert [(row["id"], row["status"]) for row in csv.DictReader(file)] == [
            ("r1", "stored"),
            ("r2", "stored"),
            ("r3", "failed"),
        ]
    Path("in/missing").write_bytes(b"found")
    assert told(capsys, "batch", str(table), "--exclude", "*.tmp", "--json")["counts"] == {
        "stored": 1,
        "done before": 2,
    }
    # The report may be lost, or its last line torn: nothing is stored a second time.
    Path("table.report.csv").write_bytes(Path("table.report.csv").read_bytes()[:-20])
    assert told(capsys, "batch", "table.csv", "--exclude", "*.tmp", "--json")["counts"] == {
        "unchanged": 1,
        "done before": 2,
    }
    Path("table.report.csv").unlink()
    assert told(capsys, "batch", "table.csv", "--exclude", "*.tmp", "--json")["counts"]["unchanged"] == 3
    write_table("id,path,title\nr1,,Pears\n")
    assert told(capsys, "batch", "table.csv", "--json")["counts"]["stored"] == 1
    with muniment.Archive(archive, workers=0) as opened:
        assert (opened["r1"].number, opened["r1"].metadata) == (2, {"title": "Pears"})


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("id,title\na,b\n", "no column path"),
        ("id,path\n,x\n", "line 2: it has no id"),
        ("id,path\na,b,c\n", "line 2: it has more or fewer cells"),
        ("id,path\na\n", "line 2"),
        ("id,path,project\na,b,o/p\na,b,o/q\n", "line 3"),
        ("id,path\na\x00b,c\n", "line"),
        ('id,path\n"a,b\n', "line"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused_before_anything_is_done(
    archive: Path, rows: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_table(rows)
    assert run(["batch", "table.csv"]) == 4
    assert words in capsys.readouterr().err
    assert not Path("table.report.csv").exists()
    write_table("id,path\na,b\n")
    Path("other.csv").write_text("mine\n")
    assert run(["batch", "table.csv", "--report", "other.csv"]) == 4
    assert Path("other.csv").read_text() == "mine\n"
