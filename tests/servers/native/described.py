"""A server with something behind every operation of the description, for programs that try them all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import httpx

from muniment.archive import Archive
from muniment.database import Database
from muniment.doors.ckan.portals import Portals, PortalSettings
from muniment.jobs import Ledger
from tests.servers.native.running import Running, make_archive, served_by_command
from tests.timing import PATIENCE


@contextlib.contextmanager
def all_doors(place: Path) -> Iterator[Running]:
    """The server; what is asked of it is noted and not done, for a made-up source may be anywhere."""
    key = furnish(place)
    quiet = {"MUNIMENT_SERVE_WORK": "false", "MUNIMENT_SERVE_FAILURES": "1000000", "MUNIMENT_DIGEST_PROCESSES": "0"}
    own = {"MUNIMENT_DISTILLERY": str(place.parent / "distillery.toml"), "MUNIMENT_HMAC_KEY": "a key for tests"}
    with served_by_command(place, key=key, **quiet, **own) as running:
        client = httpx.Client(base_url=running.url, headers={"Authorization": f"Bearer {key}"}, timeout=PATIENCE)
        with client:
            for path, body in (
                ("v1/orgs/o", {}),
                ("v1/projects/o/p", {"base": "https://example.org/"}),
                ("v1/resources/o/p/_/first", {"@type": "Person", "name": "Marie Curie"}),
                (
                    "v1/archives/o/p/chosen",
                    {"resources": [{"@type": "Resource", "resourceId": "https://example.org/first"}]},
                ),
            ):
                answer = client.put(path, json=body)
                assert answer.status_code in {201, 303}, answer.text
            given = {"file": ("photo.png", b"not a photo", "image/png")}
            assert client.put("v1/files/o/p/photo", files=given).status_code == 201
        yield running


def furnish(place: Path) -> str:
    """An archive with a resource, a portal and a Distillery beside it; the key of who may do everything."""
    key = make_archive(place)
    with Archive(place, workers=0) as archive, archive.new("car") as transaction:
        transaction.add(b"0123456789", "file.txt")
    with Database.open(place / "control.db") as database:
        Portals(Ledger(database), None).add("city", "http://127.0.0.1:9", PortalSettings())
    for name in ("scans", "cloud"):
        (place.parent / name).mkdir()
    password = place.parent / "password"
    password.write_text("secret\n")
    password.chmod(0o600)
    (place.parent / "distillery.toml").write_text(SETTINGS.format(place=place.parent))
    return key


SETTINGS = """\
[distillery]
scans = "{place}/scans"

[distillery.cloud]
address = "{place}/cloud"

[distillery.archivesspace]
url = "http://127.0.0.1:9"
user = "u"
password_file = "password"
repository = "ARCH"
"""
