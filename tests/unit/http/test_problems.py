"""What a client is told of an error: what happened, and nothing of the machine it happened on."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import string
from pathlib import Path

import pytest

import muniment
import muniment.errors
from muniment.doors.nexus.http.answers import failure
from muniment.errors.archive import DamagedFile, NotAnArchive, ResourceNotFound
from muniment.errors.base import BadInput, BadSetting, MunimentError, every_error
from muniment.errors.database import DatabaseNotThere, DatabaseUnavailable
from muniment.errors.remote import NoSuchPage
from muniment.http.problems import problem, public_text

for each in pkgutil.iter_modules(muniment.errors.__path__, "muniment.errors."):
    importlib.import_module(each.name)

OURS = [kind for kind in every_error() if kind.__module__.startswith("muniment.")]
FOR_A_SHELL = re.compile(r"[`']muniment |MUNIMENT_|pip install|docs/|(?<![\w-])--[a-z]")
OF_THE_COMMANDS = {"CannotListen", "OutputFailed"}
"""Of these no server knows."""


def example(kind: type[MunimentError]) -> MunimentError:
    """An error with something in each of its places."""
    template = inspect.cleandoc(kind.__doc__ or "")
    names = {name.partition(".")[0].partition("[")[0] for _, name, _, _ in string.Formatter().parse(template) if name}
    return kind(**dict.fromkeys({*names, *getattr(kind, "shown", ())}, 7))


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: str(kind.__name__))
def test_no_error_gives_advice_for_a_shell_to_a_client(kind: type[MunimentError]) -> None:
    if kind.__name__ in OF_THE_COMMANDS:
        return
    error = example(kind)
    told = str(problem(error)["detail"])
    assert told
    assert not FOR_A_SHELL.search(told), told
    assert not FOR_A_SHELL.search(failure(error).body.decode())


def test_who_has_a_shell_is_told_what_to_do_there() -> None:
    error = ResourceNotFound(id="car")
    assert str(error) == "There is no resource 'car' in this archive. `muniment ls` lists what there is."
    assert problem(error)["detail"] == "There is no resource 'car' in this archive."


def test_advice_stands_in_a_paragraph_of_its_own_wherever_an_error_is_raised() -> None:
    root = Path(muniment.__file__).parent
    places = [
        root / "http",
        root / "server",
        *(root / "doors").glob("*/http"),
        root / "doors" / "nexus",
        root / "access",
    ]
    for place in places:
        for file in place.rglob("*.py"):
            for said in re.findall(r'reason=f?"([^"]*)"', file.read_text(encoding="utf-8")):
                assert not FOR_A_SHELL.search(said), (file.name, said)


@pytest.mark.parametrize(
    "kind",
    [kind for kind in OURS if kind.outage and kind.http_status < 500],
    ids=lambda kind: str(kind.__name__),
)
def test_a_server_that_is_not_set_up_as_it_must_be_does_not_blame_who_asked(kind: type[MunimentError]) -> None:
    # What may be tried again, and signing in, are of both sides. All else of the server's own means is 5xx.
    assert kind.retry or kind.http_status in {401, 403}, kind.http_status


def test_settings_and_databases_are_the_servers_own_fault() -> None:
    for error in (BadSetting(reason="x"), DatabaseNotThere(place="x"), NotAnArchive(path="x", reason="y")):
        assert error.http_status >= 500


def test_no_folder_of_the_server_is_told() -> None:
    root = "/srv/archive"
    for error in (
        DatabaseUnavailable(
            place="/var/lib/muniment/control.db", reason="unable to open '/var/lib/muniment/control.db'"
        ),
        DamagedFile(path="/srv/archive/objects/car/v1/content/a b.txt", algorithm="sha256", found="0", expected="1"),
        MunimentError(reason="[Errno 13] Permission denied: '/home/keeper/scans/letters/1.tif'"),
    ):
        text = str(problem(error, root=root))
        for folder in ("/srv", "/var", "/home", "keeper", "letters/"):
            assert folder not in text, text
        assert "/var/lib" not in failure(error).body.decode()
    told = problem(
        DamagedFile(path=f"{root}/objects/car/f.txt", algorithm="sha256", found="0", expected="1"), root=root
    )
    assert told["detail"] == "objects/car/f.txt is damaged: its sha256 is 0, recorded was 1."


def test_what_a_client_sent_is_told_back_as_it_was() -> None:
    assert "/a/b/c" in str(problem(NoSuchPage(path="/a/b/c"))["detail"])
    assert "/etc/passwd" in str(problem(BadInput(reason="/etc/passwd leaves its package"))["detail"])
    address = "https://example.org/a/b and s3://bucket/a/b"
    assert public_text(address) == address
