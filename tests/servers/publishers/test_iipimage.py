"""IIPImage, an image server that is not ours, reads the JPEG 2000 that is kept and the one for the screen."""

from __future__ import annotations

import io
import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from PIL import Image, ImageChops, ImageStat

from muniment.imaging import Description, ImageProcess
from muniment.testing.scans import write_scan
from tests.timing import eventually

SERVER = "/usr/lib/iipimage-server/iipsrv.fcgi"
SAID = Description("A page", "p1", "Papers", "The Archives", "Ask us")
NGINX = """
daemon off; pid {place}/pid; error_log {place}/errors; events {{}}
http {{
  access_log off; client_body_temp_path {place}/t1; proxy_temp_path {place}/t2; fastcgi_temp_path {place}/t3;
  uwsgi_temp_path {place}/t4; scgi_temp_path {place}/t5;
  server {{ listen 127.0.0.1:{http}; location / {{
    fastcgi_pass 127.0.0.1:{fcgi}; fastcgi_param QUERY_STRING $query_string; fastcgi_param HTTP_HOST $http_host;
    fastcgi_param REQUEST_METHOD $request_method; fastcgi_param REQUEST_URI $request_uri; }} }}
}}
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of the server for the images in the test's folder."""
    http, fcgi = free_port(), free_port()
    conf = tmp_path / "nginx.conf"
    conf.write_text(NGINX.format(place=tmp_path, http=http, fcgi=fcgi))
    environment = {"FILESYSTEM_PREFIX": f"{tmp_path}/", "VERBOSITY": "0", "LOGFILE": str(tmp_path / "log")}
    images = subprocess.Popen([SERVER, "--bind", f"127.0.0.1:{fcgi}"], env=environment)
    # nginx's log before it has read its own is standard error.
    front = subprocess.Popen(["nginx", "-c", conf, "-p", tmp_path], stderr=subprocess.DEVNULL)

    def answers() -> bool:
        assert (images.poll(), front.poll()) == (None, None)
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", fcgi), 1).close()
            socket.create_connection(("127.0.0.1", http), 1).close()
            return True
        return False

    try:
        eventually(answers, every=0.05)
        yield f"http://127.0.0.1:{http}/?IIIF="
    finally:
        for each in (front, images):
            each.kill()
            each.wait()


def fetched(address: str) -> bytes:
    answer = httpx.get(address, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.content


def test_an_image_server_reads_what_is_kept_and_what_is_for_the_screen(server: str, tmp_path: Path) -> None:
    scan = write_scan(tmp_path / "scan.tif", width=1300, height=700)
    with ImageProcess() as images:
        images.lossless(scan, 0, tmp_path / "kept.jp2", tmp_path / "kept.icc", SAID)
        images.lossy(scan, 0, tmp_path / "screen.jp2", SAID)
    for name in ("kept.jp2", "screen.jp2"):
        info = json.loads(fetched(f"{server}{name}/info.json"))
        assert (info["width"], info["height"]) == (1300, 700)
        shown = Image.open(io.BytesIO(fetched(f"{server}{name}/256,256,256,256/256,/0/default.jpg")))
        with Image.open(scan) as whole:
            part = whole.convert("RGB").crop((256, 256, 512, 512))
        assert shown.size == (256, 256)
        assert max(ImageStat.Stat(ImageChops.difference(shown.convert("RGB"), part)).mean) < 25
