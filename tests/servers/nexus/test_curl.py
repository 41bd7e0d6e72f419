"""The commands of the API's own documentation, run by curl."""

from __future__ import annotations

import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.nexus.site import EVERYTHING, Client, Site, archive_1, furnish


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("curl") / "archive")
    made.user("root", root={"admin"})
    made.user("T", o=EVERYTHING)
    furnish(Client(made.port, made.keys["root"]))
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("method", [["-X", "POST"], []])
def test_the_documents_post_is_followed_to_the_tar(site: Site, tmp_path: Path, method: list[str]) -> None:
    (tmp_path / "archive.json").write_text(json.dumps(archive_1()))
    command = [
        "curl", "-s", "-S", "-L", *method, "-o", "out.tar", "-w", "%{http_code} %{content_type}",
        "-H", f"Authorization: Bearer {site.keys['T']}", "-H", "Accept: */*", "-H", "Content-Type: application/json",
        f"http://127.0.0.1:{site.port}/v1/archives/o/p1", "-d", "@archive.json",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "200 application/x-tar"
    with tarfile.open(tmp_path / "out.tar") as archive:
        assert len(archive.getnames()) == 3


def test_curl_resumes_a_cut_download(site: Site, tmp_path: Path) -> None:
    t = Client(site.port, site.keys["T"])
    made = t.post("/archives/o/p1", archive_1(), "*/*")
    whole = t.get(made.headers["location"].partition("/v1")[2], "*/*").body
    (tmp_path / "out.tar").write_bytes(whole[:5000])
    command = [
        "curl", "-s", "-S", "--fail", "-C", "-", "-o", "out.tar",
        "-H", f"Authorization: Bearer {site.keys['T']}", made.headers["location"],
    ]  # fmt: skip
    subprocess.run(command, cwd=tmp_path, check=True)
    assert (tmp_path / "out.tar").read_bytes() == whole
