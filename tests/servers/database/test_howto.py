"""The how-to `from one machine to many` does what it says when it is typed as printed, from an empty machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from muniment.access import AccessStore, Authority
from muniment.database import Database
from muniment.jobs import Call, Ledger
from muniment.testing.services import Service

PAGE = Path(__file__).parents[3] / "docs/howto/from-one-machine-to-many.md"


def test_the_second_stage_moves_everything_to_postgresql(tmp_path: Path, postgresql: Service, place: str) -> None:
    stage = PAGE.read_text("utf-8").split("\n## ")[2]
    assert stage.startswith("2. ")
    printed = "\n".join(re.findall(r"```sh\n(.*?)```", stage, re.DOTALL))
    # What differs from machine to machine: addresses and folders. `pip` has nothing to do here.
    name = place.rpartition("/")[2]
    script = printed.replace("postgresql://muniment@db.example.org/muniment", place)
    script = script.replace("createdb muniment", f"createdb {name}_new")
    script = script.replace("/srv/", f"{tmp_path}/").replace("/etc/muniment/", f"{tmp_path}/etc-")
    assert script.count(str(tmp_path)) >= 6
    archive = tmp_path / "archive"
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("MUNIMENT_")},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(postgresql.port),
        "PGUSER": "postgres",
    }

    def run(text: str) -> str:
        done = subprocess.run(
            ["bash", "-eu", "-c", f"pip() {{ :; }}\n{text}"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    made = run(f"muniment --archive {archive} init")
    [key] = re.findall(r"mun_\S+", made)
    run(f"muniment --archive {archive} access grant keys/users/administrator resources/read --on museum/photos")
    run(f"muniment --archive {archive} job ls")  # it makes the key file
    with Ledger.open(archive / "control.db") as before:
        before.submit("test", Call("fetch"), requester="ada", key="under way")

    said = run(script)
    assert "copied 1 jobs, 1 keys, 2 revisions of rules" in said
    assert "administrator" in said
    assert "/museum/photos" in said
    with Database.open(place) as database:
        authority = Authority(AccessStore(database))
        caller = authority.identify({"authorization": f"Bearer {key}"}, "")
        assert "admin" in authority.permissions(caller, "/")
        assert [job.key for job in Ledger(database).jobs()] == ["under way"]
    assert (tmp_path / "etc-control.key").stat().st_mode & 0o777 == 0o600
    subprocess.run(["dropdb", f"{name}_new"], env=environment, check=True)
