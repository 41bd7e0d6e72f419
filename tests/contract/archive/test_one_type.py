"""Both kinds of archive, of transaction and of instance have the same members, said in the same way."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_overloads

import pytest

from muniment import Archive
from muniment.archive import Archive as LocalArchive
from muniment.content import archive as content_archive
from muniment.content import instance as content_instance
from muniment.content import transaction as content_transaction
from tests.servers.native.running import serving

FOLDER_ONLY = {
    "archive": {
        "acting_as": "a server acts for its callers; who calls one acts as the key says",
        "context": "the archive from inside, for the modules of its package",
        "control": "the control database of this machine, which a server knows by itself",
        "import_histories": "as import_history",
        "import_history": "takes files by their place on this machine; to a server they travel as a package",
        "init": "a server's archive is made on the server's machine",
        "project_of": "for a server that has to know a project before it can say who may see it",
        "state": "the folder of index and ledger on this machine",
        "writable": "whether this process may write there",
        "unpacking_folder": "a place in the staging area of this machine",
    },
    "transaction": {
        "algorithms": "for uploads, which a server receives",
        "area": "for those that are committed together, which share what they flush",
        "begin": "how its archive makes it",
        "check_path": "for uploads, which a server receives",
        "complete": "a step of those that are committed together",
        "context": "the archive from inside, for the modules of its package",
        "fail": "a step of those that are committed together",
        "finish": "a step of those that are committed together",
        "place_parity": "a step of those that are committed together",
        "resume": "how its archive makes it again",
        "store_upload": "for uploads, which a server receives",
        "uploads": "for uploads, which a server receives",
    },
    "instance": {
        "bag_entries": "layouts pack where the files are",
        "changed": "for pages, which a server answers",
        "formats": "for reports, which are made where the files are",
        "held": "for the archive, which stores equal content once",
        "kept": "for a door that remembers thousands of files",
        "kept_at": "for a door that remembers thousands of files",
        "known_size": "a server's quick answer",
        "object_entries": "layouts pack where the files are",
        "open_bag_entry": "layouts pack where the files are",
        "paths_after": "for pages of files, which a server answers",
        "place": "for reports, which are made where the files are",
        "payload": "for the index, which is made where the files are",
        "read_entry": "a server's quick answer",
        "standing": "for a server, which remembers what it read last",
        "stored": "layouts pack where the files are",
        "version_entries": "copies are made where the files are",
    },
}
"""What only the kind in a folder has, by what it is a member of, each with the reason."""

SAID_DIFFERENTLY = {
    "archive": {
        "__init__": "one is opened by a folder, the other by an address and a key; `Archive(...)` takes both",
        "path": "a folder is a Path, an address is text",
    },
    "transaction": {"__init__": "made by their archives, from what these have of them"},
    "instance": {
        "__init__": "made by their archives, from what these have of them",
        "diff": "the module with an `Instance` of its own calls that of the other kind `AnyInstance`",
        "root": "a folder is a Path, an address is text",
    },
}
"""What both have and do not say in the same way, each with the reason."""

_OWN_NAMES = re.compile(r"Remote(?=(?:Archive|Transaction|Instance)\b)")
_OF_PYTHON = {"__subclasshook__", "__class__", "__annotate__", "__annotate_func__"}
"""What Python gives every class that has a Protocol above it."""


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Any, Any]]]:
    """An archive, a transaction and an instance of each kind."""
    place = tmp_path_factory.mktemp("kinds") / "archive"
    with (
        serving(place) as server,
        LocalArchive(place, workers=0) as _,
        Archive(place, workers=0) as here,
        Archive(server.url, key=server.key) as there,
    ):
        with there.new("car") as transaction:
            transaction.add(b"1", "one")
        begun = here.get("car", "a"), there.get("car", "a")
        yield {"archive": (here, there), "transaction": begun, "instance": (here.get("car"), there.get("car"))}
        for each in begun:
            each.rollback()


def public(thing: object) -> set[str]:
    """What anybody may use of it, the methods Python calls by itself included."""
    own = [kind for kind in type(thing).__mro__ if kind.__module__.startswith("muniment.")]
    special = {name for kind in own for name, member in vars(kind).items() if _is_special(name, member)}
    return special | {name for name in dir(thing) if not name.startswith("_")}


def _is_special(name: str, member: object) -> bool:
    return name.startswith("__") and callable(member) and name not in _OF_PYTHON


def said(thing: object, name: str) -> list[str]:
    """How a member is said: the signature of a method and of its overloads, the type of a value."""
    member = getattr(type(thing), name, None)
    if not callable(member):
        return [_plain(type(getattr(thing, name)).__name__)]
    return [_plain(str(inspect.signature(each))) for each in (member, *get_overloads(member))]


def _plain(text: str) -> str:
    return _OWN_NAMES.sub("", text)


@pytest.mark.parametrize("what", ["archive", "transaction", "instance"])
def test_both_kinds_have_the_same_members(kinds: dict[str, tuple[Any, Any]], what: str) -> None:
    here, there = kinds[what]
    assert public(there) - public(here) == set()
    assert public(here) - public(there) == set(FOLDER_ONLY[what])


@pytest.mark.parametrize("what", ["archive", "transaction", "instance"])
def test_both_kinds_say_them_in_the_same_way(kinds: dict[str, tuple[Any, Any]], what: str) -> None:
    here, there = kinds[what]
    differently = {
        name: (said(here, name), said(there, name))
        for name in public(here) & public(there)
        if said(here, name) != said(there, name)
    }
    listed = SAID_DIFFERENTLY[what]
    assert {name: each for name, each in differently.items() if name not in listed} == {}
    assert set(listed) <= set(differently), "what is the same needs no reason"


@pytest.mark.parametrize(
    "protocol", [content_archive.Archive, content_transaction.Transaction, content_instance.Instance]
)
def test_each_kind_does_itself_what_the_type_says(kinds: dict[str, tuple[Any, Any]], protocol: type) -> None:
    for thing in kinds[protocol.__name__.lower()]:
        for name in public_of(protocol):
            assert hasattr(thing, name), name
            assert getattr(type(thing), name, None) is not getattr(protocol, name), name


def public_of(protocol: type) -> set[str]:
    of_python = {"__init__", *_OF_PYTHON}
    return {
        name
        for name, member in vars(protocol).items()
        if not name.startswith("_") or (callable(member) and name.startswith("__") and name not in of_python)
    }


def test_what_is_opened_as_an_archive_is_one(kinds: dict[str, tuple[Any, Any]], tmp_path: Path) -> None:
    here, there = kinds["archive"]
    assert isinstance(here, Archive)
    assert isinstance(there, Archive)
    bare: Any = LocalArchive.init(tmp_path / "bare", workers=0)
    with bare:
        assert isinstance(bare, Archive)
    assert not isinstance(kinds["instance"][0], Archive)
