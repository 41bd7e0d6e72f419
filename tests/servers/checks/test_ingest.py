"""The checks on ingest: what they record, what they refuse, and that no way in goes round them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment import Archive as AnyArchive
from muniment.app import ArchiveOpener
from muniment.archive import Archive
from muniment.cli.main import run
from muniment.content.checks import CheckedFile
from muniment.errors.base import BadSetting, MunimentError
from muniment.errors.checks import FileNotScanned, FormatRefused, FormatToolFailed, InfectedFiles, ScannerUnavailable
from muniment.settings import Settings
from muniment.testing.servers.clamd import EICAR, LoopbackClamd, ScannerLimits, loopback_clamd
from muniment.validation import validate_path
from muniment.workflows.checks.identifying import Fido, Siegfried
from muniment.workflows.checks.ingest import Checks
from muniment.workflows.export import export
from muniment.workflows.imports import import_package
from tests.servers.native.running import serving

SF = """#!{python}
# The command `sf -json` by Siegfried's own library: the identification, the signatures and the JSON are its own.
import json, sys
import pygfried
assert sys.argv[1] == "-json"
found = [pygfried.identify(name, detailed=True) for name in sys.argv[2:]]
print(json.dumps({{**found[0], "files": [file for each in found for file in each["files"]]}}))
"""
PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\0IEND\xaeB`\x82"


@pytest.fixture(scope="module")
def scanner() -> Iterator[LoopbackClamd]:
    with loopback_clamd(ScannerLimits(stream=1 << 20, file=1 << 19)) as server:
        yield server


@pytest.fixture
def place(tmp_path: Path) -> Path:
    Archive.init(tmp_path / "archive", workers=0, parity=False).close()
    return tmp_path / "archive"


def opened(place: Path, **settings: Any) -> Any:
    chosen = {"virus_patience": 0.0, "digest_processes": 0, **settings}
    return ArchiveOpener(Settings({}, archive=str(place), **chosen)).folder_archive(parity=False)


def events(archive: Any, *kinds: str) -> list[Any]:
    return [event for event in archive.events() if event.event in kinds]


def policy(folder: Path, text: str) -> str:
    (folder / "policy.toml").write_text(text, "utf-8")
    return str(folder / "policy.toml")


def test_a_scan_is_recorded_with_its_scanner_in_the_log_and_in_the_instance(
    place: Path, scanner: LoopbackClamd
) -> None:
    with opened(place, virus_scanner=scanner.address) as archive:
        with archive.new("r") as transaction:
            transaction.add(b"hello", "one")
            transaction.add(bytes((1 << 19) + 1), "large")
        (event,) = events(archive, "virus check")
        assert (event.resource, event.instance, event.outcome) == ("r", 1, "failure")
        assert event.detail["scanned"] == 1
        assert list(event.detail["paths not scanned"]) == ["large"]
        assert event.detail["scanner"].startswith("ClamAV")
        assert archive.instance("r").record["checks"]["virus check"]["not scanned"] == 1
        with archive.get("r", "a") as transaction:
            transaction.add(b"again", "two")
        assert events(archive, "virus check")[1].outcome == "success"
        assert events(archive, "virus check")[1].detail["held before"] == 2
        assert [finding.code for finding in archive.audit() if finding.failed] == []


def test_an_infected_file_is_refused_and_lies_in_quarantine(place: Path, scanner: LoopbackClamd) -> None:
    with opened(place, virus_scanner=scanner.address) as archive:
        transaction = archive.new("r")
        transaction.add(EICAR, "bad.txt")
        transaction.add(b"hello", "good.txt")
        with pytest.raises(InfectedFiles, match="bad"):
            transaction.commit()
        assert not archive.exists("r")
        assert archive.leftovers() == []
        found, kept = events(archive, "virus check", "quarantine")
        assert found.outcome == "failure"
        assert list(found.detail["infected"]) == ["bad.txt"]
        folder = place / "staging/quarantine" / kept.detail["quarantine"]
        assert (folder / "1").read_bytes() == EICAR
        about = json.loads((folder / "about.json").read_bytes())
        assert [(each["path"], each["kept"]) for each in about["files"]] == [("bad.txt", "1")]
        assert [finding.code for finding in archive.audit() if finding.failed] == []
        with archive.new("r") as transaction:
            transaction.add(b"hello", "good.txt")


def test_while_the_scanner_is_away_nothing_is_committed_and_nothing_is_lost(
    place: Path, scanner: LoopbackClamd
) -> None:
    with opened(place, virus_scanner=scanner.address) as archive:
        transaction = archive.new("r")
        transaction.add(b"hello", "one")
        scanner.fault = "closing"
        try:
            with pytest.raises(ScannerUnavailable):
                transaction.commit()
        finally:
            scanner.fault = ""
        assert not archive.exists("r")
        transaction.commit()
        assert archive.instance("r").read("one") == b"hello"


def test_what_cannot_be_scanned_is_refused_where_that_is_asked_for(place: Path, scanner: LoopbackClamd) -> None:
    with opened(place, virus_scanner=scanner.address, virus_unscanned="refuse", virus_largest=4) as archive:
        with pytest.raises(FileNotScanned, match="large"), archive.new("r") as transaction:
            transaction.add(b"hello", "large")
        assert not archive.exists("r")


@pytest.fixture(scope="module")
def identified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive whose files were identified by fido, in two instances."""
    place = tmp_path_factory.mktemp("identified") / "archive"
    Archive.init(place, workers=0, parity=False).close()
    with opened(place, format_tool="fido") as archive:
        with archive.new("r") as transaction:
            transaction.add(PDF, "a.pdf")
            transaction.add(b"\0\1\2 nothing known", "odd\x01name")
            transaction.add(b"hello\n", "plain.txt")
            transaction.add(b"", "empty")
        with archive.get("r", "a") as transaction:
            transaction.add(PNG, "b.png")
            transaction.add(PDF, "copy of a.pdf")
    return place


def test_formats_are_recorded_with_their_tool_by_path(identified: Path) -> None:
    with Archive(identified, workers=0) as archive:
        first, second = archive.history("r")
        formats = dict(second.formats())
        assert {path: [each.puid for each in found][:1] for path, found in formats.items()} == {
            "a.pdf": ["fmt/18"],
            "b.png": ["fmt/11"],
            "copy of a.pdf": ["fmt/18"],
            "empty": [],
            "odd\x01name": [],
            "plain.txt": ["x-fmt/111"],
        }
        assert formats["a.pdf"][0].basis == "signature"
        assert formats["plain.txt"][0].basis == "extension"
        assert set(dict(first.formats())) == {"a.pdf", "empty", "odd\x01name", "plain.txt"}
        said = [event.detail for event in events(archive, "format identification")]
        text = " or ".join(each.puid for each in formats["plain.txt"])
        assert [each["identified"] for each in said] == [4, 1]  # a content is looked at once
        assert said[1]["formats"] == {"fmt/11": 1, "fmt/18": 2, text: 1}
        assert said[1]["unknown"] == 2
        assert said[1]["tool"].startswith("fido ")
        assert "PRONOM" in said[1]["signatures"]
        assert second.record["checks"]["format identification"]["formats"] == said[1]["formats"]


def test_an_archive_with_formats_is_valid_and_premis_tells_them(identified: Path) -> None:
    with Archive(identified, workers=0) as archive:
        assert [finding.code for finding in archive.audit() if finding.failed] == []
        written: list[bytes] = []
        AnyArchive(identified).premis("r", written.append)
    assert [finding.code for finding in validate_path(identified / "objects") if finding.failed] == []
    text = b"".join(written).decode()
    assert text.count("<formatRegistryKey>fmt/18</formatRegistryKey>") == 2
    assert "told by its extension" in text


def test_the_formats_survive_the_way_through_a_package(identified: Path, place: Path, tmp_path: Path) -> None:
    with AnyArchive(identified) as archive:
        export(archive, "r", "ocfl", tmp_path / "r.tar")
    with opened(place, format_tool="fido") as archive:
        import_package(archive, tmp_path / "r.tar")
        assert {path: [each.puid for each in found] for path, found in archive.instance("r").formats()}["a.pdf"] == [
            "fmt/18"
        ]
        kinds = [(event.event, event.instance) for event in archive.events() if event.resource]
        assert kinds[:4] == [
            ("ingestion", 1),
            ("format identification", 1),
            ("ingestion", 2),
            ("format identification", 2),
        ]


def test_what_the_policy_refuses_is_not_committed_and_what_is_at_risk_is_counted(place: Path, tmp_path: Path) -> None:
    rules = """
        name = "house rules"
        [formats]
        "fmt/18" = { status = "refused", reason = "PDF 1.4 has no archival profile", instead = "fmt/95" }
        "fmt/11" = "at risk"
    """
    with opened(place, format_tool="fido", format_policy=policy(tmp_path, rules)) as archive:
        transaction = archive.new("r")
        transaction.add(PDF, "a.pdf")
        with pytest.raises(FormatRefused, match=r"a.pdf.*fmt/18.*no archival profile, give it as fmt/95"):
            transaction.commit()
        assert not archive.exists("r")
        with archive.new("r") as transaction:
            transaction.add(PNG, "b.png")
            transaction.add(b"hello", "plain.txt")
        assert archive.instance("r").record["checks"]["format policy"] == {
            "name": "house rules",
            "accepted": 1,
            "at risk": 1,
        }


def test_the_report_counts_formats_and_puts_those_at_risk_first(
    identified: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = policy(tmp_path, "[formats]\n'fmt/11' = { status = 'at risk', reason = 'old', instead = 'fmt/12' }")
    asked = ["--archive", str(identified), "report", "formats", "--policy", chosen]
    assert run(asked) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[:2]] == [["at", "risk"], ["at", "risk"]]
    assert "fmt/12" in next(line for line in lines if "fmt/11" in line)
    assert run([*asked, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    counts = {each["puid"]: each for each in said["formats"]}
    assert (counts["fmt/18"]["files"], counts["fmt/18"]["bytes"]) == (2, 2 * len(PDF))
    assert counts[""]["files"] == 2
    assert counts["fmt/11"]["examples"] == ["main/main/r"]
    assert said["not identified"] == 0
    assert list(said["tools"].values()) == [1]


def test_siegfried_is_asked_by_its_command_and_its_answer_is_read(place: Path, tmp_path: Path) -> None:
    command = tmp_path / "sf"
    command.write_text(SF.format(python=sys.executable), "utf-8")
    command.chmod(0o755)
    tool = Siegfried(str(command))
    with Archive(place, workers=0, parity=False, checks=Checks(tool=tool)) as archive:
        with archive.new("r") as transaction:
            transaction.add(PDF, "a.pdf")
            transaction.add(PNG, "picture")
            transaction.add(b"\0\1", "-odd name")
        formats = dict(archive.instance("r").formats())
        assert [(each.puid, each.basis) for each in formats["a.pdf"]] == [("fmt/18", "signature")]
        assert [(each.puid, each.name, each.mime) for each in formats["picture"]] == [
            ("fmt/11", "Portable Network Graphics", "image/png")
        ]
        assert formats["-odd name"] == ()
        detail = events(archive, "format identification")[0].detail
        assert detail["tool"].startswith("siegfried 1.")
        assert "DROID_SignatureFile_V" in detail["signatures"]


def test_a_siegfried_that_is_not_there_or_says_nothing_is_an_outage(place: Path, tmp_path: Path) -> None:
    for tool in (Siegfried(str(tmp_path / "none")), Siegfried("/bin/true")):
        with Archive(place, workers=0, parity=False, checks=Checks(tool=tool)) as archive:
            transaction = archive.new("r")
            transaction.add(b"1", "one")
            with pytest.raises(FormatToolFailed) as failed:
                transaction.commit()
            transaction.rollback()
            assert failed.value.outage


def test_a_file_that_stalls_or_kills_the_tool_is_told_and_the_next_one_is_looked_at(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    good = tmp_path / "good"
    good.write_bytes(PDF)
    tool = Fido(seconds=8)
    try:
        asked = [
            CheckedFile("stalls", 5, str(pipe), fresh=True),
            CheckedFile("good.pdf", len(PDF), str(good), fresh=True),
        ]
        found = {file.path: answer for file, answer in tool.identify(asked)}
    finally:
        tool.close()
    assert found["stalls"] == ((), "the tool ended, or took too long")
    assert [each.puid for each in found["good.pdf"][0]] == ["fmt/18"]


@pytest.mark.parametrize(
    "text",
    ["x = 1", "other = 'fine'", "formats = 1", "[formats]\n'fmt/1' = { state = 'refused' }", "[formats", "other = 3"],
)
def test_a_policy_that_says_what_none_says_is_refused_before_anything_begins(
    place: Path, tmp_path: Path, text: str
) -> None:
    with pytest.raises(BadSetting, match=r"policy.toml"):
        opened(place, format_tool="fido", format_policy=policy(tmp_path, text))


def test_a_policy_without_a_tool_is_refused(place: Path, tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="MUNIMENT_FORMAT_TOOL"):
        opened(place, format_policy=policy(tmp_path, ""))


def test_over_http_an_infected_file_is_refused_in_words_and_the_scanner_away_is_a_503(
    tmp_path: Path, scanner: LoopbackClamd
) -> None:
    with (
        serving(tmp_path / "served", virus_scanner=scanner.address, virus_patience=0.0) as server,
        AnyArchive(server.url, key=server.key) as archive,
    ):
        with pytest.raises(MunimentError) as refused, archive.new("r") as transaction:
            transaction.add(EICAR, "bad.txt")
        assert refused.value.http_status == 422
        assert "bad.txt" in str(refused.value)
        transaction = archive.new("r")
        transaction.add(b"hello", "one")
        scanner.fault = "closing"
        try:
            with pytest.raises(MunimentError) as away:
                transaction.commit()
        finally:
            scanner.fault = ""
        assert away.value.http_status == 503
        archive.resume(transaction.transaction).commit()
        assert archive.instance("r").record["checks"]["virus check"]["scanned"] == 1


def test_a_prepared_transaction_was_checked_before(place: Path, scanner: LoopbackClamd) -> None:
    with opened(place, virus_scanner=scanner.address) as archive:
        transaction = archive.new("r")
        transaction.add(EICAR, "bad.txt")
        with pytest.raises(InfectedFiles):
            transaction.prepare("group", archive.config.id)
        other = archive.new("r")
        other.add(b"hello", "one")
        other.prepare("group", archive.config.id)
        other.commit()
        assert [event.instance for event in events(archive, "virus check")] == [0, 1]
