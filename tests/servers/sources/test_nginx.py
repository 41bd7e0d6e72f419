"""The source `http` against nginx itself: its listings, redirects, ranges and validators."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.sources import Guard, Session, SourceContext, SourceEntry, open_source
from muniment.testing.clock import FakeClock

CONFIG = """
daemon off; pid {place}/nginx.pid; error_log {place}/error.log; worker_processes 1;
{user}
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {place}/t1; proxy_temp_path {place}/t2; fastcgi_temp_path {place}/t3;
  uwsgi_temp_path {place}/t4; scgi_temp_path {place}/t5;
  server {{
    listen 127.0.0.1:{port};
    location /html/ {{ alias {place}/files/; autoindex on; }}
    location /json/ {{ alias {place}/files/; autoindex on; autoindex_format json; }}
    location /plain/ {{ alias {place}/files/; }}
  }}
}}
"""
FILES = {
    "a?b#c%41.txt": b"query",
    "ü & <x> 'q' \"p\".csv": b"1,2",
    "a name that is longer than the fifty characters which a listing shows of it.bin": bytes(range(256)) * 2000,
    "folder/deeper/empty": b"",
    "folder/+plus+ and space": b"+",
    "back\\slash": b"\\",
    "colon:name": b":",
}


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        pytest.skip("nginx is not installed; `make test` installs what the tests need")
    place = tmp_path_factory.mktemp("nginx")
    for name, data in FILES.items():
        path = place / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    user = "user root;" if Path("/proc/self").stat().st_uid == 0 else ""
    config = place / "nginx.conf"
    config.write_text(CONFIG.format(place=place, port=port, user=user))
    process = subprocess.Popen([program, "-p", place, "-c", config, "-e", place / "error.log"])
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(Guard(allow_private_addresses=True), clock=FakeClock()) as session:
        yield session


@pytest.mark.parametrize("style", ["html", "json"])
def test_a_folder_comes_whole_with_every_name(nginx: str, session: Session, tmp_path: Path, style: str) -> None:
    source = open_source("http", {"url": f"{nginx}/{style}/"}, SourceContext(session, tmp_path))
    (page,) = source.pages()
    found = {}
    for entry in source.entries(page.items[0]):
        assert isinstance(entry, SourceEntry), entry
        with source.open(page.items[0], entry) as stream:
            found[str(entry.path)] = stream.read()
        assert entry.size == (len(found[entry.path]) if style == "json" else None)
    assert found == FILES


def test_a_file_alone_comes_with_its_size_and_time(nginx: str, session: Session, tmp_path: Path) -> None:
    source = open_source(
        "http", {"url": f"{nginx}/plain/folder/%2Bplus%2B%20and%20space"}, SourceContext(session, tmp_path)
    )
    (page,) = source.pages()
    (entry,) = source.entries(page.items[0])
    assert isinstance(entry, SourceEntry)
    assert (entry.path, entry.size) == ("+plus+ and space", 1)
    assert entry.modified
    with source.open(page.items[0], entry, 1) as stream:
        assert stream.read() == b""
