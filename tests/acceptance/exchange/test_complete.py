"""A bag with holes: what its fetch.txt lists is fetched on request, by the guarded session, and judged as all else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from muniment.archive import Archive
from muniment.errors.archive import PackageRefused
from muniment.errors.base import MunimentError
from muniment.errors.sources import AddressRefused, FileDiffers, FileUnavailable
from muniment.session import Guard, Session
from muniment.workflows.imports import import_package
from tests.acceptance.exchange.making import run
from tests.format.bags import FILES, make_bag, pack, write


class Giving(BaseHTTPRequestHandler):
    """Gives a few files, and says in `asked` which were asked for."""

    content: ClassVar = {"/a.txt": FILES["data/a.txt"], "/changed": b"other\n", "/long": b"x" * 100_000}
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        data = self.content.get(self.path)
        self.send_response(200 if data is not None else 404)
        if self.path != "/long":
            self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()
        self.wfile.write(data or b"")

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def address() -> Iterator[str]:
    Giving.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Giving)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(Guard(allow_private_addresses=True), timeout=10.0, attempts=1) as opened:
        yield opened


def muniment(archive: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-m", "muniment", "--archive", archive, *words)


def holed(folder: Path, line: str) -> Path:
    """A bag that lacks data/a.txt and has `line` in its fetch.txt."""
    bag = make_bag(folder)
    (bag / "data/a.txt").unlink()
    return write(bag, "fetch.txt", f"{line}\n")


@pytest.mark.parametrize("form", ["", ".tar", ".zip"])
@pytest.mark.parametrize("length", ["6", "-"])
def test_a_bag_is_completed_when_asked_for(
    other: Archive, session: Session, address: str, tmp_path: Path, form: str, length: str
) -> None:
    bag = holed(tmp_path / "bag", f"{address}/a.txt {length} data/a.txt")
    package = bag
    if form == ".tar":
        package = pack(bag, "bag.tar")
    elif form:
        package = Path(shutil.make_archive(os.fspath(bag), "zip", bag.parent, bag.name))
    with pytest.raises(PackageRefused, match="B021"):
        import_package(other, package)
    (id,) = import_package(other, package, completing=session)
    assert {path: other.get(id).read(path) for path in other.get(id)} == {
        "a.txt": b"alpha\n",
        "folder/b.txt": b"beta\n",
        "bag-tag-files/fetch.txt": (bag / "fetch.txt").read_bytes(),
    }
    assert not (bag / "data/a.txt").exists(), "what was given stays as it was"
    assert Giving.asked == ["/a.txt"]
    assert list((other.path / "staging/open").iterdir()) == []


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("{address}/gone - data/a.txt", FileUnavailable),
        ("{address}/a.txt 7 data/a.txt", FileDiffers),
        ("{address}/long 6 data/a.txt", FileDiffers),
        ("{address}/changed 6 data/a.txt", PackageRefused),
        ("ftp://127.0.0.1/a.txt 6 data/a.txt", AddressRefused),
        ("file:///etc/hostname - data/a.txt", AddressRefused),
        ("http://user:secret@127.0.0.1/a.txt 6 data/a.txt", AddressRefused),
    ],
    ids=["gone", "another size", "longer than said", "another content", "ftp", "a file", "a password"],
)
def test_what_cannot_be_had_as_listed_leaves_nothing(
    other: Archive, session: Session, address: str, tmp_path: Path, line: str, error: type[MunimentError]
) -> None:
    bag = holed(tmp_path / "bag", line.format(address=address))
    with pytest.raises(error) as refused:
        import_package(other, bag, completing=session)
    assert "secret" not in str(refused.value)
    assert list(other) == []
    assert list((other.path / "staging/open").iterdir()) == []


def test_private_addresses_are_not_asked_unless_allowed(other: Archive, address: str, tmp_path: Path) -> None:
    bag = holed(tmp_path / "bag", f"{address}/a.txt 6 data/a.txt")
    with Session(Guard(), timeout=10.0, attempts=1) as guarded, pytest.raises(AddressRefused):
        import_package(other, bag, completing=guarded)
    assert Giving.asked == []


def test_nothing_is_written_through_a_link(other: Archive, session: Session, address: str, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    bag = make_bag(tmp_path / "bag")
    (bag / "data/out").symlink_to(tmp_path / "outside")
    manifest = (bag / "manifest-sha512.txt").read_text()
    write(bag, "manifest-sha512.txt", f"{manifest}{manifest.splitlines()[0].split()[0]}  data/out/a.txt\n")
    write(bag, "fetch.txt", f"{address}/a.txt 6 data/out/a.txt\n")
    with pytest.raises(PackageRefused, match="data/out"):
        import_package(other, bag, completing=session)
    assert list((tmp_path / "outside").iterdir()) == []
    assert Giving.asked == []


def test_what_no_manifest_lists_is_not_fetched(other: Archive, session: Session, address: str, tmp_path: Path) -> None:
    bag = write(make_bag(tmp_path / "bag"), "fetch.txt", f"{address}/a.txt 6 data/unlisted\n")
    with pytest.raises(PackageRefused, match="B032"):
        import_package(other, bag, completing=session)
    assert Giving.asked == []


def test_the_command_completes_a_bag(
    other: Archive, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bag = holed(tmp_path / "bag", f"{address}/a.txt 6 data/a.txt")
    refused = muniment(other.path, "import", bag)
    assert refused.returncode == 4
    assert "fetch.txt" in refused.stderr
    guarded = muniment(other.path, "import", "--complete", bag)
    assert guarded.returncode != 0
    assert Giving.asked == []
    monkeypatch.setenv("MUNIMENT_ALLOW_PRIVATE_ADDRESSES", "true")
    done = muniment(other.path, "import", "--complete", bag)
    assert (done.returncode, done.stderr) == (0, "")
