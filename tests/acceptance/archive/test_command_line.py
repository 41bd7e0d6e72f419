"""The archive as somebody uses it from the shell."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer import Context
from typer.core import TyperGroup
from typer.main import get_command

import muniment
from muniment.archive import Archive
from muniment.cli.main import application, run
from muniment.errors.base import BadInput


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MUNIMENT_ARCHIVE", str(tmp_path / "archive"))
    assert run(["init"]) == 0
    return tmp_path / "archive"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "folder"
    (made / "deep").mkdir(parents=True)
    (made / "a.txt").write_bytes(b"alpha\n")
    (made / "deep/b.txt").write_bytes(b"beta\n")
    return made


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(said(capsys))


def test_a_folder_goes_in_and_its_files_come_out(
    root: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys)
    assert run(["add", str(folder), "--id", "r"]) == 0
    assert said(capsys) == "r\n"
    (folder / "a.txt").write_bytes(b"changed\n")
    assert run(["add", str(folder / "a.txt"), "--id", "r", "--remove", "a.txt", "--json"]) == 0
    assert told(capsys)["instance"] == 2
    assert run(["get", "r", "a.txt", "--instance", "1", "-o", str(tmp_path / "old.txt")]) == 0
    assert (tmp_path / "old.txt").read_bytes() == b"alpha\n"
    assert run(["get", "r", "-o", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out/a.txt").read_bytes() == b"changed\n"
    assert (tmp_path / "out/deep/b.txt").read_bytes() == b"beta\n"
    assert run(["audit"]) == 0


def test_premis_goes_to_the_output_or_into_a_new_file_and_names_the_rules(
    root: Path, folder: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(["add", str(folder), "--id", "r"]) == 0
    capsysbinary.readouterr()
    assert run(["report", "premis", "r"]) == 0
    printed = capsysbinary.readouterr().out
    assert printed.startswith(b"<?xml")
    assert b"to keys/users/administrator" in printed
    target = tmp_path / "r.xml"
    assert run(["report", "premis", "r", "-o", str(target)]) == 0
    assert target.read_bytes() == printed
    assert run(["report", "premis", "r", "--mets", "-o", str(target)]) == 5
    assert run(["report", "premis", "r", "--mets", "-o", str(root / "r.xml")]) == 4
    assert run(["report", "premis", "nothing", "-o", str(tmp_path / "nothing.xml")]) == 3
    assert not (tmp_path / "nothing.xml").exists()


def test_the_list_and_the_log_are_json_for_scripts(
    root: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for id in ("b", "a"):
        assert run(["add", str(folder), "--id", id, "--no-parity"]) == 0
    said(capsys)
    assert run(["ls", "--json"]) == 0
    assert [row["id"] for row in told(capsys)] == ["a", "b"]
    assert run(["events", "--json"]) == 0
    assert [row["event"] for row in told(capsys)] == ["creation", "ingestion", "ingestion"]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["add", "/nowhere/at/all"], 4),
        (["get", "unknown"], 3),
        (["get", "bad\nid"], 4),
        (["add", "/etc/hostname", "--expect", "sha256:" + "0" * 64], 4),
        (["purge", "unknown", "--reason", "x", "--yes"], 3),
        (["--archive", "/etc", "ls"], 4),
        (["recover", "--rollback", "unknown"], 3),
        (["no-such-command"], 2),
    ],
)
def test_each_failure_has_its_exit_status_and_leaves_nothing(
    root: Path, arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == status
    assert "Traceback" not in capsys.readouterr().err
    with Archive(root, workers=0) as archive:
        assert list(archive) == []
        assert archive.leftovers() == []
        assert len(list(archive.events())) == 1


def test_a_profile_that_cannot_be_used_is_not_passed_over(
    root: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["add", str(folder), "--id", "r"]) == 0
    assert run(["validate", str(root)]) == 0
    said(capsys)
    assert run(["validate", str(root), "--profile", str(root / "bagit-profile.json")]) == 1
    assert "it is for bags" in said(capsys)


def test_a_package_is_not_packed_as_what_it_is_not(
    root: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["add", str(folder), "--id", "r"]) == 0
    for name in ("out.7z", "out.tar.gz", "out.TGZ"):
        assert run(["export", "r", "-o", str(tmp_path / name)]) == 4
        assert "ends in .tar" in capsys.readouterr().err
        assert not (tmp_path / name).exists()


def test_a_purge_is_refused_where_nothing_may_be_removed(root: Path, folder: Path) -> None:
    assert run(["add", str(folder), "--id", "r", "--no-parity"]) == 0
    assert run(["purge", "r", "--reason", "please", "--yes"]) == 7
    assert run(["get", "r", "a.txt", "-o", str(root.parent / "still.txt")]) == 0


def test_what_was_left_behind_is_listed_replayed_and_rolled_back(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Archive(root, workers=0) as archive:
        for id in ("kept", "dropped"):
            transaction = archive.new(id)
            transaction.add(b"x", "x.txt")
            transaction.leave()
    said(capsys)
    assert run(["recover", "--json"]) == 0
    left = {row["id"]: row["transaction"] for row in told(capsys)["left"]}
    assert run(["recover", "--replay", left["kept"], "--rollback", left["dropped"]]) == 0
    with Archive(root, workers=0) as archive:
        assert list(archive) == ["kept"]
        assert archive.leftovers() == []


def test_damage_makes_the_audit_fail_and_repair_restores_it(
    root: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["add", str(folder), "--id", "r"]) == 0
    (path,) = (root / "objects").rglob("a.txt")
    path.write_bytes(b"alphA\n")
    said(capsys)
    assert run(["audit", "--json"]) == 1
    assert [finding["code"] for finding in told(capsys)["findings"]] == ["M101"]
    assert run(["repair"]) == 0
    assert path.read_bytes() == b"alpha\n"
    assert run(["audit", "r"]) == 0


def test_the_program_itself_runs_from_the_shell(tmp_path: Path, folder: Path) -> None:
    program = [str(Path(sys.executable).with_name("muniment")), "--archive", str(tmp_path / "archive")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MUNIMENT")}

    def shell(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*program, *arguments], capture_output=True, text=True, timeout=60, check=False, env=environment
        )

    assert shell("init", "--mode", "worm").returncode == 0
    added = shell("add", str(folder))
    assert added.returncode == 0
    id = added.stdout.strip()
    assert shell("get", id, "deep/b.txt", "-o", str(tmp_path / "b.txt")).returncode == 0
    assert (tmp_path / "b.txt").read_bytes() == b"beta\n"
    missing = shell("get", "unknown")
    assert (missing.returncode, missing.stdout) == (3, "")
    assert missing.stderr.startswith("muniment: There is no resource 'unknown'")


def test_a_command_loads_only_the_module_it_is_in() -> None:
    code = (
        "import sys\n"
        "from muniment.cli import application\n"
        "application(['--archive', 'A', 'ls'])\n"
        "print(sorted(name for name in sys.modules if name.startswith('muniment.cli.')))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.replace("'", "").replace("muniment.cli.", "").strip()
    assert loaded == "[context, instances, main, options, output, plain_options, read]"


def test_the_help_lists_every_command_as_the_command_itself_would() -> None:
    quick, whole = (get_command(application(words)) for words in (["--help"], []))
    assert isinstance(quick, TyperGroup)
    assert isinstance(whole, TyperGroup)
    assert quick.get_help(Context(quick)) == whole.get_help(Context(whole))
    assert all(command.params == [] for command in quick.commands.values() if not isinstance(command, TyperGroup))


def test_the_help_lists_each_command_once_under_what_it_is_for_and_cuts_no_sentence() -> None:
    help = get_command(application(["--help"]))
    assert isinstance(help, TyperGroup)
    commands = help.get_help(Context(help)).partition("To keep things:")[2]
    assert sorted(re.findall(r"^  ([a-z]+)  ", commands, re.MULTILINE)) == sorted(help.commands)
    assert "..." not in commands


def test_help_is_found_as_in_git(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["help", "diff"]) == 0
    asked = said(capsys)
    assert run(["diff", "--help"]) == 0
    assert said(capsys) == asked
    assert run(["help"]) == 0
    assert "To keep things" in said(capsys)
    assert run(["-V"]) == 0
    assert said(capsys).startswith("muniment ")


def test_a_folder_with_a_commands_name_is_a_folder(
    root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root.parent)
    folder.rename("ls")
    said(capsys)
    assert run(["add", "ls", "--id", "audit"]) == 0
    assert run(["ls", "audit"]) == 0
    assert "deep/b.txt" in said(capsys)


def test_the_options_of_all_commands_may_stand_after_the_command(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MUNIMENT_ARCHIVE", raising=False)
    place = str(tmp_path / "here")
    assert run(["init", place]) == 0
    assert run(["add", str(folder), "--id", "r", "-a", place, "-q"]) == 0
    said(capsys)
    assert run(["ls", "--archive", place]) == 0
    assert "r" in said(capsys).split()
    assert run(["ls", f"--archive={place}"]) == 0
    (folder / "--quiet").write_bytes(b"a name\n")
    monkeypatch.chdir(folder)
    assert run(["add", "-a", place, "--id", "s", "--", "--quiet"]) == 0
    assert run(["get", "s", "--quiet", "-a", place, "-o", str(tmp_path / "s")]) == 0
    assert (tmp_path / "s/--quiet").read_bytes() == b"a name\n"


def test_two_archives_named_for_one_command_are_refused(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", str(tmp_path / "another")]) == BadInput.exit_status
    assert "two archives are named" in capsys.readouterr().err
    assert not (tmp_path / "another").exists()


@pytest.mark.parametrize("place", ["ftp://host/x", "file:///srv/archive", "gs://bucket/prefix"])
def test_an_address_that_is_no_server_is_refused_and_no_folder_is_made_of_it(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MUNIMENT_ARCHIVE", raising=False)
    monkeypatch.chdir(tmp_path)
    for command in (["init", place], ["-a", place, "init"], ["-a", place, "ls"], ["-a", place, "serve"]):
        assert run(command) == BadInput.exit_status
        assert "give a folder, the http or https address of a server, or s3://bucket/prefix" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(BadInput):
        muniment.Archive(place)
    with pytest.raises(BadInput):
        muniment.Archive.init(place)


@pytest.mark.parametrize("place", ["s3://", "s3://key:word@bucket/x", "s3://bucket/x?colour=red"])
def test_an_address_of_no_bucket_is_refused_and_no_folder_is_made_of_it(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MUNIMENT_ARCHIVE", raising=False)
    monkeypatch.chdir(tmp_path)
    for command in (["init"], ["ls"], ["add", "x"]):
        assert run(["-a", place, *command]) == BadInput.exit_status
        assert "cannot be used" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_address_is_no_place_to_write_files_to(
    root: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["add", str(folder), "--id", "r"]) == 0
    monkeypatch.chdir(tmp_path)
    for command in (
        ["get", "r", "-o", "s3://bucket/x"],
        ["mirror", "s3://bucket/x"],
        ["restore", "--from", "/store", "-o", "s3://bucket/x"],
        ["export", "r", "--layout", "bag", "-o", "s3://bucket/x.tar"],
    ):
        assert run(command) == BadInput.exit_status
        assert "is an address" in capsys.readouterr().err
    assert not (tmp_path / "s3:").exists()


def test_what_is_committed_without_parity_is_said_to_be_so(
    root: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody shall add it a second time: the status says that it is there."""
    (root / "parity").rename(root.with_name("parity"))
    (root / "parity").write_bytes(b"a file in its place")
    assert run(["add", str(folder), "--id", "r"]) == 0
    out, err = capsys.readouterr()
    assert out.endswith("r\n")
    assert "it is committed, but has no parity" in err
    assert "undone" not in err
    assert run(["add", str(folder), "--id", "s", "--json"]) == 0
    assert "could not be written: Not a directory" in told(capsys)["unprotected"]
    (root / "parity").unlink()
    root.with_name("parity").rename(root / "parity")
    assert run(["repair"]) == 0
    assert run(["audit"]) == 0


def test_a_resource_of_very_many_instances_is_worth_a_word(
    root: Path, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muniment.cli.add._MANY", 1)
    for number in range(2):
        (folder / "changing").write_text(str(number))
        assert run(["add", "--id", "r", str(folder)]) == 0
        assert ("docs/growth.md" in capsys.readouterr().err) is (number == 1)
