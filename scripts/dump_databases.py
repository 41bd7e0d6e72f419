"""Dump the databases of the newest revision, once it has its migration: `python scripts/dump_databases.py`.

Each is the dump of the revision before, migrated. Run it in the change that adds the migration, and never again:
a dump says what a database of its time looks like.
"""

from __future__ import annotations

import sqlite3
import subprocess
import tempfile
from pathlib import Path

from muniment.database import Database, schema
from muniment.testing.services import shared

RELEASED = Path(__file__).parents[1] / "tests/unit/database/released"


def main() -> None:
    """Write what is missing."""
    before, newest = schema.revisions()[-2:]
    with tempfile.TemporaryDirectory() as folder, shared("postgresql", Path(folder)) as service:
        for name in sorted(path.stem for path in RELEASED.glob("*.sql")):
            kind, revision, part = name.split("-")
            target = RELEASED / f"{kind}-{newest}-{part}.sql"
            if revision != before or target.exists():
                continue
            first = (RELEASED / f"{name}.sql").read_text().partition("\n")[0]
            dumped = _file(name, Path(folder)) if kind == "sqlite" else _server(name, service.url)
            target.write_text("\n".join([*([first] if first.startswith("-- ") else []), *dumped, ""]))
            print(target)


def _file(name: str, folder: Path) -> list[str]:
    place = folder / f"{name}.db"
    connection = sqlite3.connect(place)
    connection.executescript((RELEASED / f"{name}.sql").read_text())
    connection.close()
    Database.open(place).close()
    connection = sqlite3.connect(place)
    lines = list(connection.iterdump())
    connection.close()
    return lines


def _server(name: str, url: str) -> list[str]:
    address = f"{url.rpartition('/')[0]}/{name.replace('-', '_')}"
    subprocess.run(["psql", "-q", url, "-c", f"CREATE DATABASE {address.rpartition('/')[2]}"], check=True)
    script = (RELEASED / f"{name}.sql").read_text()
    subprocess.run(
        ["psql", "-q", "-v", "ON_ERROR_STOP=1", address], input=script, text=True, check=True, stdout=subprocess.DEVNULL
    )
    Database.open(address, migrate=True).close()
    command = ["pg_dump", "--inserts", "--no-owner", "--no-privileges", address]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [
        line for line in lines if line and not line.startswith(("--", "\\", "SET ", "SELECT pg_catalog.set_config"))
    ]


if __name__ == "__main__":
    main()
