"""A set is audited by its sidecar, without par2."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from muniment.archive.parity import check_set, make_for_file
from tests.unit.parity.making import damage, folders, random_file


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, str]:
    (parity,) = folders(tmp_path, "parity")
    digest = random_file(tmp_path / "file", 102_400)
    make_for_file(tmp_path / "file", digest, parity, 5)
    return parity, digest


def test_the_sidecar_records_every_file_of_the_set(made: tuple[Path, str]) -> None:
    parity, digest = made
    record = json.loads((parity / f"{digest}.par2.json").read_text())
    assert len(record.pop("sha256")) == 64
    assert sorted(record) == sorted(path.name for path in parity.glob("*.par2"))
    for name, facts in record.items():
        data = (parity / name).read_bytes()
        assert facts["size"] == len(data)
        assert facts["sha256"] == hashlib.sha256(data).hexdigest()
        assert facts["md5"] == hashlib.md5(data, usedforsecurity=False).hexdigest()
        assert facts["lastModified"].endswith("Z")
    assert check_set(parity, digest) == []


@pytest.mark.parametrize("harm", ["missing", "damaged", "cut"])
def test_a_file_of_the_set_that_is_not_as_recorded_is_named(made: tuple[Path, str], harm: str) -> None:
    parity, digest = made
    (volume,) = parity.glob("*.vol*.par2")
    if harm == "missing":
        volume.unlink()
    elif harm == "damaged":
        damage(volume, 100, 1)
    else:
        volume.write_bytes(volume.read_bytes()[:-1])
    (fault,) = check_set(parity, digest)
    assert fault.path == volume
    assert fault.fault == ("missing" if harm == "missing" else "damaged")
    assert fault.expected


def test_a_file_the_sidecar_does_not_know_is_named(made: tuple[Path, str]) -> None:
    parity, digest = made
    stray = parity / f"{digest}.vol9+9.par2"
    random_file(stray, 10)
    assert [(fault.fault, fault.path) for fault in check_set(parity, digest)] == [("unrecorded", stray)]


def test_a_folder_in_place_of_a_file_could_not_be_read(made: tuple[Path, str]) -> None:
    parity, digest = made
    (parity / f"{digest}.par2").unlink()
    (parity / f"{digest}.par2").mkdir()
    (fault,) = check_set(parity, digest)
    assert fault.fault == "unreadable"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"a": 1}', '{"../a": {"size": 1, "sha256": ""}}', "[" * 100_000, "\N{SNOWMAN}", '{"a":{}}'],
)
def test_a_sidecar_that_is_none_is_damaged(made: tuple[Path, str], text: str) -> None:
    parity, digest = made
    (parity / f"{digest}.par2.json").write_text(text)
    assert [fault.fault for fault in check_set(parity, digest)] == ["damaged"]


def test_no_byte_of_a_sidecar_can_be_changed_unnoticed(made: tuple[Path, str]) -> None:
    parity, digest = made
    path = parity / f"{digest}.par2.json"
    right = path.read_bytes()
    for place in range(len(right)):
        path.write_bytes(right[:place] + bytes([right[place] ^ 1]) + right[place + 1 :])
        assert check_set(parity, digest), place
    path.write_bytes(right + b"\n")
    assert check_set(parity, digest)


def test_a_missing_sidecar_is_missing(made: tuple[Path, str]) -> None:
    parity, digest = made
    (parity / f"{digest}.par2.json").unlink()
    assert [(fault.fault, fault.path.name) for fault in check_set(parity, digest)] == [
        ("missing", f"{digest}.par2.json")
    ]
