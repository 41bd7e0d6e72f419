"""The Containerfile makes an image in which an archive is made, filled, served and audited by a user without rights."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.timing import eventually

ROOT = Path(__file__).resolve().parents[3]
UID = 10001
pytestmark = pytest.mark.nightly


class Builder:
    """Buildah with images and containers of its own, without a daemon, as it works inside of other containers."""

    def __init__(self, folder: Path) -> None:
        self._global = ["buildah", "--root", str(folder / "images"), "--runroot", str(folder / "run")]
        self._environment = {**os.environ, "STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}

    def command(self, *words: str) -> list[str]:
        return [*self._global, *words]

    def run(self, *words: str, folder: Path = ROOT) -> str:
        done = subprocess.run(
            self.command(*words), cwd=folder, env=self._environment, capture_output=True, text=True, check=False,
            timeout=1500,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout

    def begin(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(self.command(*words), env=self._environment, text=True, start_new_session=True)


def settings_of_pip() -> list[str]:
    """This machine's settings of pip, shown to the build as a builder shows its own."""
    there = [path for path in ("/etc/pip.conf", "/etc/xdg/pip", "/etc/ssl/certs") if Path(path).exists()]
    return [word for path in there for word in ("--volume", f"{path}:{path}:ro")]


@pytest.fixture(scope="module")
def image(bare_debian: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    """A builder that has built the image on a bare Debian."""
    folder = tmp_path_factory.mktemp("image")
    builder = Builder(folder)
    (folder / "base").mkdir()
    os.link(bare_debian, folder / "base" / "base.tar")
    (folder / "base" / "Containerfile").write_text("FROM scratch\nADD base.tar /\n")
    builder.run("build", "-q", "-t", "base", ".", folder=folder / "base")
    clone = folder / "clone"
    subprocess.run(["git", "clone", "-q", "--no-local", str(ROOT), str(clone)], check=True)
    based = ["--build-arg", "BASE=localhost/base", *settings_of_pip()]
    builder.run("build", "-q", *based, "-t", "muniment", "-f", "Containerfile", ".", folder=clone)
    yield builder
    builder.run("rm", "--all")
    shutil.rmtree(folder)


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    place = tmp_path / "archive"
    place.mkdir()
    os.chown(place, UID, -1)
    return place


def test_an_archive_is_kept_and_served_from_the_image(image: Builder, volume: Path, tmp_path: Path) -> None:
    container = image.run("from", "localhost/muniment").strip()
    inside = ["run", "--volume", f"{volume}:/archive", container, "--"]
    assert image.run(*inside, "id", "-u").strip() == str(UID)
    key = next(word for word in image.run(*inside, "muniment", "init", "/archive").split() if word.startswith("mun_"))
    assert image.run(*inside, "sh", "-c", "echo hello | muniment add - --as a.txt --id thing").strip() == "thing"
    assert "as it was recorded" in image.run(*inside, "muniment", "audit")
    assert not image.run(*inside, "sh", "-c", "ls /opt/muniment/lib/python3*/site-packages | grep -i hatch || true")

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # Chroot isolation has no network of its own, so here it must not listen where everybody can reach it.
    here = ["--env", "MUNIMENT_SERVE_HOST=127.0.0.1", "--env", f"MUNIMENT_SERVE_PORT={port}", *inside[1:]]
    server = image.begin("run", *here, "muniment", "serve")
    try:
        eventually(lambda: answer(port, "/health/ready", "")[0] == 200)
        status, body = answer(port, "/archive/v1/resources", key)
        assert status == 200
        assert [each["id"] for each in json.loads(body)["resources"]] == ["thing"]
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)


def test_the_image_says_how_it_is_run(image: Builder) -> None:
    said: dict[str, Any] = json.loads(image.run("inspect", "--type", "image", "localhost/muniment"))
    config = said["OCIv1"]["config"]
    assert config["User"] == "muniment"
    assert (config["Entrypoint"], config["Cmd"]) == (["muniment"], ["serve"])
    assert list(config["Volumes"]) == ["/archive"]
    assert config["StopSignal"] == "SIGTERM"


def answer(port: int, path: str, key: str) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
        response = connection.getresponse()
        return response.status, response.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()
