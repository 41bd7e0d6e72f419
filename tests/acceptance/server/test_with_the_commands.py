"""The commands as a person types them, against a server in another process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import bagit
import pytest

from tests.servers.native.running import Running, served_by_command


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with served_by_command(tmp_path_factory.mktemp("server") / "archive") as running:
        yield running


def muniment(server: Running, *words: str | Path, status: int = 0, key: str | None = None) -> str:
    environment = {**os.environ, "MUNIMENT_KEY": server.key if key is None else key}
    command = [sys.executable, "-m", "muniment", "--archive", server.url, *map(str, words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == status, done.stderr
    assert server.key not in done.stdout + done.stderr
    return done.stdout if not status else done.stderr


def test_a_resource_goes_in_and_comes_out(server: Running, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    (photos / "more").mkdir(parents=True)
    (photos / "car.png").write_bytes(b"car")
    (photos / "more" / "horse.png").write_bytes(b"horse")
    assert muniment(server, "add", "--id", "a/photos", "-m", "first", photos) == "a/photos\n"
    assert json.loads(muniment(server, "show", "a/photos", "--json"))["instances"][0]["message"] == "first"
    assert [row["path"] for row in json.loads(muniment(server, "ls", "a/photos", "--json"))] == [
        "car.png",
        "more/horse.png",
    ]
    muniment(server, "add", "--id", "a/photos", "--remove", "car.png", "--metadata", '{"title": "x"}', photos / "more")
    muniment(server, "get", "a/photos", "-o", tmp_path / "newest")
    assert sorted(path.name for path in (tmp_path / "newest").rglob("*.png")) == ["horse.png", "horse.png"]
    muniment(server, "get", "a/photos", "-i", "1", "-o", tmp_path / "first")
    assert (tmp_path / "first" / "car.png").read_bytes() == b"car"
    assert "ingestion" in muniment(server, "events")
    assert "as it was recorded" in muniment(server, "audit")
    assert "Nothing to repair" in muniment(server, "repair")


def test_packages_travel_and_are_valid(server: Running, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    muniment(server, "add", "--id", "package", tmp_path / "file")
    muniment(server, "export", "package", "-o", tmp_path / "bag")
    assert bagit.Bag(str(tmp_path / "bag")).is_valid()
    muniment(server, "export", "package", "--layout", "instances", "-o", tmp_path / "whole.tar")
    muniment(server, "export", "package", "-o", tmp_path / "bag.zip")
    assert zipfile.ZipFile(tmp_path / "bag.zip").testzip() is None
    assert muniment(server, "import", tmp_path / "bag.zip", "--id", "of-a-zip") == "of-a-zip\n"
    assert "already" in muniment(server, "import", tmp_path / "whole.tar", status=5)
    assert muniment(server, "import", tmp_path / "whole.tar", "--id", "copy") == "copy\n"
    assert muniment(server, "import", tmp_path / "bag", "--id", "other") == "other\n"
    shown = [json.loads(muniment(server, "ls", name, "--json"))[0]["digests"] for name in ("package", "copy", "other")]
    assert shown[0] == shown[1] == shown[2]
    damaged = (tmp_path / "whole.tar").read_bytes()[:-3000]
    (tmp_path / "cut.tar").write_bytes(damaged)
    assert "refused" in muniment(server, "import", tmp_path / "cut.tar", "--id", "no", status=4)


def test_mistakes_have_the_same_status_as_with_a_folder(server: Running) -> None:
    assert "no resource" in muniment(server, "show", "nobody", status=3)
    assert "server's address" in muniment(server, "init", status=4)
    assert "invalid" in muniment(server, "ls", status=7, key="mun_wrong")
    assert "key or a token" in muniment(server, "ls", status=7, key="")


def test_a_server_that_is_not_there_is_said_to_be(tmp_path: Path) -> None:
    away = Running("http://127.0.0.1:9/", tmp_path, "mun_none")
    assert "does not answer" in muniment(away, "ls", status=8)
    with_credentials = Running("http://key:secret@127.0.0.1:9/", tmp_path, "mun_none")
    assert "must not hold credentials" in muniment(with_credentials, "ls", status=4)
