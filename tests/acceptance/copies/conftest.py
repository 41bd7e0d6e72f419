"""An archive with two resources, its copies, and the command line on it."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from muniment import Archive
from muniment.app import App
from muniment.app.background import BackgroundServices
from muniment.cli.main import run
from muniment.settings import Settings
from muniment.workflows.copies.service import CopyService

POLICY = """
[[copies]]
store = "vault"
layout = "ocfl"

[[copies]]
store = "shelf"
layout = "bag"
redundancy = 20
"""


@dataclass(frozen=True)
class Kept:
    """An archive on which copies are kept, in a folder of its own."""

    folder: Path
    working: BackgroundServices
    service: CopyService

    @property
    def root(self) -> Path:
        return self.folder / "archive"

    def cli(self, *words: str | Path) -> int:
        return run(["--archive", str(self.root), *map(str, words)])

    def store(self, name: str) -> Path:
        return self.folder / name

    def replicate(self) -> None:
        self.service.plan()
        for name in self.service.table.stores_owed(float("inf")):
            done = self.service.replicate(name, force=True)
            assert (done.reason, done.failed) == ("", 0)

    def documents(self, capsys: pytest.CaptureFixture[str], *words: str | Path) -> Any:
        capsys.readouterr()
        self.cli(*words, "--json")
        return json.loads(capsys.readouterr().out)


def content(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def write_files(folder: Path, files: dict[str, bytes]) -> Sequence[Path]:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return sorted(folder.iterdir())


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive as it begins: made once, and copied for each test."""
    root = tmp_path_factory.mktemp("made") / "archive"
    with Archive.init(root, mode="dynamic", workers=1) as archive:
        with archive.new("one") as new:
            for path, data in {"large.bin": content(1, 300_000), "a/small.txt": b"small\n", "Ü.txt": b""}.items():
                new.add(io.BytesIO(data), path)
        with archive.get("one", "a") as new:
            new.add(io.BytesIO(content(2, 5000)), "later.bin")
        with archive.new("two", "org/other") as new:
            new.add(io.BytesIO(content(3, 150_000)), "only.bin")
    return root


@pytest.fixture
def bare(made: Path, tmp_path: Path) -> Iterator[Kept]:
    """The archive without stores."""
    import shutil

    shutil.copytree(made, tmp_path / "archive", symlinks=True)
    settings = Settings({}, archive=str(tmp_path / "archive"), scratch=tmp_path / "scratch", digest_processes=1)
    working = BackgroundServices(App(settings))
    yield Kept(tmp_path, working, working.copy_service())
    working.close()


@pytest.fixture
def kept(bare: Kept) -> Kept:
    """The archive with two stores, a policy that asks for both, and all copies made."""
    for name in ("vault", "shelf"):
        bare.service.registry.add(name, str(bare.store(name)))
    bare.service.policies.set(bare.service.archive, "*", POLICY)
    bare.service.plan_all()
    bare.replicate()
    return bare
