"""The pages of an archive of 100,000 resources and 10 million files in its indexes, beside those of an empty one.

The rows of the indexes are written directly, in the shape that the log would have given them: 100 files a resource,
names that begin alike in many, four words a title of which some are in every tenth. The counts of the portal's 412
organisations and hosts have a row for each day of a year, in the small one too. One resource of 200 files is really
there, for its page reads the files. First bytes are those that one client sees over one kept connection.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import random
import sqlite3  # noqa: TID251 - the indexes are written as files, past everything that would derive them
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from sqlalchemy import Connection, insert, literal, select

from bench import peers
from bench.machine import scratch
from bench.sections.nexus import _free_port, _wait
from muniment.database import Database
from muniment.database.tables import ckan_counters, ckan_datasets, ckan_links
from muniment.doors.ckan.counters import DAY, DatasetState, LinkState, Tally
from muniment.doors.ckan.portals import Portals, PortalSettings
from muniment.jobs import Ledger

_WORDS = ("survey", "harbour", "ledger", "minutes", "portrait", "estate", "railway", "herbarium", "letters", "council")
_NOW = 1.8e9
_LINK: dict[str, object] = {
    "portal": "p",
    "position": 0,
    "name": "a",
    "format": "CSV",
    "url_type": "",
    "gone": False,
    "status": 11,
    "is_broken": True,
    "reason": "404 Not Found",
    "cause": "not found",
    "notes": "{}",
    "failure_count": 3,
    "first_failure": 1.0,
    "created": 1.0,
    "updated": 2.0,
}
_FEW = 560
"""Broken links of the small portal: of as many organisations and hosts, and with the same year behind it."""
_PATHS = {
    "Home": "/",
    "Resource": "/resources/really?project=bench/files",
    "Find, newest": "/find",
    "Find, a word of every tenth": "/find?q=harbour",
    "Find, two words": "/find?q=harbour+t31415",
    "Find, the beginning of a word": "/find?q=h",
    "Find, an id": "/find?q=r0031415",
    "Find, a file's name": "/find?q=page-0031415-07.tif",
    "Find, the beginning of many names": "/find?q=page-00&kind=file",
    "Find, a digest": f"/find?q={hashlib.sha256(b'3141507').hexdigest()}",
    "Find, a day": "/find?q=2024-05-05",
    "Find, nothing": "/find?q=zzyzx",
    "Broken links": "/portals/p/broken",
    "Broken links of one organisation": "/portals/p/broken?org=o7",
    "Broken links of one host": "/portals/p/broken?host=host7.example",
    "Broken links of one cause": "/portals/p/broken?reason=not+found",
    "Broken links by an address": "/portals/p/broken?q=http://host7.example/1",
    "Fixity": "/fixity",
    "Copies": "/copies",
    "Jobs": "/jobs",
}


def run(*, rounds: int, quick: bool) -> None:
    """Print the table."""
    resources, each, links = (10_000, 100, 10_000) if quick else (100_000, 100, 100_000)
    with scratch("pages", need=resources * each * 800 + 1_000_000_000) as home:
        archive = home / "archive"
        key = _make(archive)
        # Once open, so that every index is there and has taken the log in.
        few = _measured(archive, key, max(rounds, 5), lambda: _links(archive, _FEW, days=365))
        _fill(archive, resources, each)
        _links(archive, links)
        many = _measured(archive, key, max(rounds, 5), lambda: None)
    print(
        f"\nPages: {resources:,} resources, {resources * each:,} files, {links:,} broken links; empty: 1, 200, {_FEW}"
    )
    width = max(map(len, _PATHS))
    print(f"  {'':{width}}   first byte   95 of 100   in an empty one   ratio   bytes")
    for name in _PATHS:
        (first, worst, size), (before, _, _) = many[name], few[name]
        print(
            f"  {name:{width}}   {first * 1e3:7.1f} ms   {worst * 1e3:6.1f} ms   {before * 1e3:12.1f} ms"
            f"   {first / before:5.2f}   {size:,}"
        )


def _make(archive: Path) -> str:
    muniment = [str(peers.BIN / "muniment"), "--archive", str(archive)]
    files = archive.parent / "files"
    files.mkdir(parents=True)
    for number in range(200):
        (files / f"page-{number:03}.txt").write_text(f"{number}\n")
    subprocess.run([*muniment, "init", "--redundancy", "0"], check=True, capture_output=True)
    added = [*muniment, "add", str(files), "--id", "really", "--project", "bench/files"]
    subprocess.run(added, check=True, capture_output=True)
    made = [*muniment, "key", "create", "bench", "--admin"]
    return subprocess.run(made, check=True, capture_output=True, text=True).stdout.strip()


@contextlib.contextmanager
def _serving(archive: Path) -> Iterator[int]:
    port = _free_port()
    command = [str(peers.BIN / "muniment"), "--archive", str(archive), "serve", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(port)
            yield port
        finally:
            process.terminate()


def _measured(archive: Path, key: str, rounds: int, ready: Callable[[], None]) -> dict[str, tuple[float, float, int]]:
    """Of each page the median and the 95th of 100 first bytes in seconds, and its bytes."""
    with _serving(archive) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        headers = {"Authorization": f"Bearer {key}", "Accept": "text/html"}
        _first(connection, "/find", headers)  # whatever is made when first needed
        time.sleep(3)
        ready()
        # What takes long leaves the kept connection idle for longer than the server keeps it.
        connection.close()
        found = {}
        for name, path in _PATHS.items():
            _first(connection, path, headers)
            seen = sorted(_first(connection, path, headers) for _ in range(rounds * 4))
            found[name] = (
                median(seconds for seconds, _ in seen),
                seen[int(len(seen) * 0.95) - 1][0],
                seen[0][1],
            )
        return found


def _first(connection: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> tuple[float, int]:
    began = time.perf_counter()
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read(1)
    seconds = time.perf_counter() - began
    body += answer.read()
    if answer.status != 200:  # noqa: PLR2004 - as HTTP has it
        message = f"{path}: {answer.status} {body[:200]!r}"
        raise SystemExit(message)
    return seconds, len(body)


def _state(archive: Path, name: str) -> Path:
    return next(archive.rglob(name))


def _fill(archive: Path, resources: int, each: int) -> None:
    """Write the rows of both indexes; what is there of the real resource stays."""
    chance = random.Random(1)
    named = [
        (f"bench/p{number % 50}", f"r{number:07}", _title(chance, number), _time(number)) for number in range(resources)
    ]
    with contextlib.closing(sqlite3.connect(_state(archive, "contents.db"))) as contents, contents:
        indexes = contents.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'files'"
        ).fetchall()
        for name, _ in indexes:
            contents.execute(f"DROP INDEX {name}")
        start = contents.execute("SELECT max(key) FROM resources").fetchone()[0] + 1
        contents.executemany(
            "INSERT INTO resources VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, '')",
            ((start + n, p, i, t, at, at, each, each * 1000) for n, (p, i, t, at) in enumerate(named)),
        )
        contents.executemany("INSERT INTO types VALUES ('image/tiff', ?)", ((start + n,) for n in range(resources)))
        contents.executemany(
            "INSERT INTO words (rowid, title, id, about) VALUES (?, ?, ?, ?)",
            ((start + n, t, i, f"{t} by the office of works") for n, (_, i, t, _) in enumerate(named)),
        )
        contents.executemany(
            "INSERT INTO files VALUES (?, ?, ?, 1000, ?, ?, NULL, 1, 1)",
            (
                (start + n, f"scans/{name}", name, digest, digest)
                for n in range(resources)
                for f in range(each)
                for name, digest in [(f"page-{n:07}-{f:02}.tif", hashlib.sha256(b"%d%02d" % (n, f)).digest()[:16])]
            ),
        )
        for _, sql in indexes:
            contents.execute(sql)
    with contextlib.closing(sqlite3.connect(_state(archive, "index.db"))) as index, index:
        index.executemany(
            "INSERT INTO resources (project, id, head, created, modified, files, bytes) VALUES (?, ?, 1, ?, ?, ?, ?)",
            ((p, i, at, at, each, each * 1000) for p, i, _, at in named),
        )


def _links(archive: Path, count: int, days: int = 1) -> None:
    """Write the rows of a portal's broken links, five a dataset, and what each check would have counted every day."""
    with Database.open(_state(archive, "control.db")) as database:
        portals = Portals(Ledger(database, None), None)
        if not any(each.name == "p" for each in portals.all()):
            portals.add("p", "http://127.0.0.1:9", PortalSettings(write_back=False))
        rows, sets, tally = [], [], Tally("p", _NOW)
        for number in range(count):
            organization, host = f"o{number // 5 % 112}", f"host{number % 300}.example"
            url = f"http://{host}/{number}"
            own: dict[str, object] = {"resource": f"l{count}-{number:07}", "dataset": f"d{count}-{number // 5:07}"}
            rows.append({**_LINK, **own, "organization": organization, "host": host, "url": url})
            tally.link(None, LinkState(organization, host, 11, is_broken=True, kept=False, size=0, cause="not found"))
            if number % 5 == 0:
                sets.append({"id": own["dataset"], "name": own["dataset"], "organization": organization})
                tally.dataset(None, DatasetState(organization, broken=True))
        more = {"portal": "p", "title": "A dataset", "links": 5, "broken": 5, "seen_at": 1.0, "gone": False}

        def work(connection: Connection) -> None:
            connection.execute(insert(ckan_datasets), [{**each, **more} for each in sets])
            connection.execute(insert(ckan_links), rows)
            tally.apply(connection)
            today = int(_NOW // DAY)
            columns = [each for each in ckan_counters.c if each.name != "day"]
            for earlier in range(today - days + 1, today):
                copied = select(*columns, literal(earlier)).where(ckan_counters.c.day == today)
                connection.execute(insert(ckan_counters).from_select([*(each.name for each in columns), "day"], copied))

        database.write(work)


def _title(chance: random.Random, number: int) -> str:
    return " ".join([*chance.sample(_WORDS, 1), f"t{number}", "of", f"place{chance.randrange(5000)}"])


def _time(number: int) -> str:
    return f"20{10 + number % 15}-{1 + number % 12:02}-{1 + number % 28:02}T12:00:00Z"
