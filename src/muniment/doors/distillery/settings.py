"""The settings of the Distillery: one TOML section, with credentials in files of their own."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import quote

from muniment.errors.distillery import BadDistillerySetting

Destination = Literal["onsite", "cloud", "access"]
Normalisation = Literal["original", "jp2", "both"]
Broken = Literal["strict", "lenient"]
DESTINATIONS: tuple[Destination, ...] = get_args(Destination)
STORES: tuple[Destination, ...] = ("onsite", "cloud")
PUBLISHERS = ("iiif", "islandora7", "islandora2")
_SECTION = "distillery"
_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class CatalogueSettings:
    """Where ArchivesSpace is.

    `repository` is the repository's code, or its address such as `/repositories/2`; `staff_url` the address of its
    staff interface.
    """

    url: str = ""
    user: str = ""
    password_file: Path | None = None
    repository: str = ""
    staff_url: str = ""
    tape_profile: str = ""
    """The container profile of a new tape, such as `/container_profiles/5`."""


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """A destination of preservation files: a store's address, and files with its keys.

    `mount` and `unmount` are the commands, as lists of words, by which the tape in a drive is mounted and let go, on
    the machine that has the drive.
    """

    address: str = ""
    access_key_file: Path | None = None
    secret_key_file: Path | None = None
    identity_file: Path | None = None
    known_hosts_file: Path | None = None
    mount: tuple[str, ...] = ()
    unmount: tuple[str, ...] = ()

    @property
    def commands(self) -> dict[str, tuple[str, ...]]:
        """The commands that are given, by name."""
        return {name: words for name, words in (("mount", self.mount), ("unmount", self.unmount)) if words}


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """How access copies are published: by which publisher, and under which address they are seen.

    `iiif` writes into `folder`. `islandora7` is reached by `ssh` (user@host, or user@host:port), with its Drupal in
    `webroot` and its command `drush`; `namespace` is that of its collections. `islandora2` is asked at `url` as `user`;
    `lookup` is the path of a View that finds nodes by local identifier. Text is read in `language` by tesseract, where
    that is installed, within `text_seconds` a page.

    `existing` says what becomes of addresses that a digital object shows already: the folder is refused, or they are
    kept unpublished.
    """

    publisher: str = ""
    folder: Path | None = None
    url: str = ""
    existing: Literal["refuse", "keep"] = "refuse"
    ssh: str = ""
    identity_file: Path | None = None
    known_hosts_file: Path | None = None
    webroot: str = ""
    drush: str = "drush"
    namespace: str = "islandora"
    user: str = ""
    password_file: Path | None = None
    lookup: str = ""
    language: str = "eng"
    text_seconds: float = 10.0

    def prefix(self, component_id: str) -> str:
        """What the addresses of an archival object's access copy begin with, as far as that is known beforehand."""
        root = self.url.rstrip("/")
        return f"{root}/{quote(component_id, safe='')}/" if self.publisher == "iiif" else f"{root}/"


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """Limits of what a scan may cost: bytes of memory, seconds, pixels of a page, pages; and how many are done at once.

    Each process that reads scans is held to them by the system.
    """

    memory: int = 4 << 30
    seconds: float = 1800.0
    pixels: int = 2_000_000_000
    pages: int = 1000
    processes: int = 2


@dataclass(frozen=True, slots=True)
class DistillerySettings:
    """Everything that may be set.

    `scans` is the folder with a folder for each collection; `done` where a collection's folder goes when all of it is
    recorded (without it the scans stay); `users` the list of those who may use the form; `every` the seconds, or cron
    fields, after which the folder is looked at for collections named in `watched`.
    """

    scans: Path = Path()
    done: Path | None = None
    project: str = "distillery/scans"
    normalisation: Normalisation = "both"
    broken: Broken = "strict"
    users: Path | None = None
    every: str = ""
    watched: tuple[str, ...] = ()
    watched_to: tuple[str, ...] = ("cloud",)
    archivesspace: CatalogueSettings = field(default_factory=CatalogueSettings)
    cloud: StoreSettings = field(default_factory=StoreSettings)
    onsite: StoreSettings = field(default_factory=StoreSettings)
    access: AccessSettings = field(default_factory=AccessSettings)
    images: ImageSettings = field(default_factory=ImageSettings)

    @property
    def destinations(self) -> tuple[str, ...]:
        """The destinations that are set up."""
        stores = [each for each in STORES if self.store(each).address]
        return (*stores, *(["access"] if self.access.publisher else []))

    def store(self, destination: str) -> StoreSettings:
        """The settings of a destination that is a store."""
        return self.cloud if destination == "cloud" else self.onsite


_TABLES: Mapping[str, type] = {
    "archivesspace": CatalogueSettings,
    "cloud": StoreSettings,
    "onsite": StoreSettings,
    "access": AccessSettings,
    "images": ImageSettings,
}
_PATHS = frozenset(
    {
        "scans", "done", "users", "password_file", "access_key_file", "secret_key_file", "folder", "identity_file",
        "known_hosts_file",
    }
)  # fmt: skip
_NEEDED_TO_PUBLISH: Mapping[str, tuple[str, ...]] = {
    "iiif": ("folder", "url"),
    "islandora7": ("url", "ssh", "webroot"),
    "islandora2": ("url", "user", "password_file"),
}
_SSH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*@[A-Za-z0-9][A-Za-z0-9.-]*(:\d{1,5})?")
_WORDS: Mapping[str, tuple[str, ...]] = {
    "normalisation": get_args(Normalisation),
    "broken": get_args(Broken),
    "publisher": PUBLISHERS,
    "existing": ("refuse", "keep"),
}


def read_settings(path: Path) -> DistillerySettings:
    """The section `[distillery]` of a TOML file; paths in it count from the file's own folder.

    Raises:
        BadDistillerySetting: It cannot be read, or a setting cannot be used; all that is wrong is said at once.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadDistillerySetting(path=path, reason=f"it cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise BadDistillerySetting(path=path, reason=f"it is not TOML: {error}") from error
    section = document.get(_SECTION)
    if not isinstance(section, Mapping):
        raise BadDistillerySetting(path=path, reason=f"it has no section [{_SECTION}]")
    wrong: list[str] = []
    made = _table(DistillerySettings, section, "", path.absolute().parent, wrong)
    if not wrong:
        wrong += _impossible(made)
    if wrong:
        raise BadDistillerySetting(path=path, reason="; ".join(wrong))
    settings: DistillerySettings = made
    return settings


def read_secret(path: Path | None, what: str) -> str:
    """The first line of a file that holds a credential; '' where none is named.

    Raises:
        BadDistillerySetting: It cannot be read, or is empty.
    """
    if path is None:
        return ""
    try:
        with path.open(encoding="utf-8") as file:
            secret = file.readline(4096).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadDistillerySetting(path=path, reason=f"{what} cannot be read: {type(error).__name__}") from error
    if not secret:
        raise BadDistillerySetting(path=path, reason=f"its first line should be {what}, and is empty")
    return secret


def _table(kind: type, given: Mapping[str, object], where: str, folder: Path, wrong: list[str]) -> Any:
    known = {each.name: each for each in fields(kind)}
    wrong += [f"there is no setting {where}{name}" for name in given if name not in known]
    values: dict[str, object] = {}
    usual = kind()
    for name in known.keys() & given.keys():
        value, said = given[name], f"{where}{name}"
        if name in _TABLES and not where:
            if isinstance(value, Mapping):
                values[name] = _table(_TABLES[name], value, f"{name}.", folder, wrong)
            else:
                wrong.append(f"{said} is a table")
            continue
        try:
            values[name] = _value(name, value, getattr(usual, name), folder)
        except ValueError as error:
            wrong.append(f"{said} is {error}")
    return kind(**values)


def _value(name: str, value: object, usual: object, folder: Path) -> object:
    """A value of the kind its setting has.

    Raises:
        ValueError: It is of another; the message says which it should be.
    """
    if name in _PATHS:
        if not isinstance(value, str) or not value or "\0" in value:
            raise ValueError("a path")
        return folder / value
    if name in _WORDS and value not in _WORDS[name]:
        raise ValueError(f"one of {', '.join(_WORDS[name])}")
    if isinstance(usual, tuple):
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise ValueError("a list of texts")
        return tuple(value)
    if name == "every" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(usual, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not type(usual):
        raise ValueError({str: "a text", int: "a whole number", float: "a number"}.get(type(usual), "of another kind"))
    if isinstance(value, int | float) and value <= 0:
        raise ValueError("above 0")
    return value


def _impossible(made: DistillerySettings) -> list[str]:
    wrong = []
    if made.scans == Path():
        wrong.append("scans is needed: the folder with a folder for each collection")
    catalogue = made.archivesspace
    named = {"url": catalogue.url, "user": catalogue.user, "repository": catalogue.repository}
    named["password_file"] = str(catalogue.password_file or "")
    wrong += [f"archivesspace.{name} is needed" for name, value in named.items() if not value]
    if catalogue.url and not catalogue.url.startswith(("http://", "https://")):
        wrong.append("archivesspace.url is an http or https address")
    access = made.access
    needed = _NEEDED_TO_PUBLISH.get(access.publisher, ())
    wrong += [f"access.{name} is needed for {access.publisher}" for name in needed if not getattr(access, name)]
    if access.url and not access.url.startswith(("http://", "https://")):
        wrong.append("access.url is an http or https address")
    if access.ssh and not _SSH.fullmatch(access.ssh):
        wrong.append("access.ssh is user@host, or user@host:port")
    for name in STORES:
        store = made.store(name)
        if store.commands and not store.address.startswith("ltfs:"):
            wrong.append(f"{name}.{' and '.join(store.commands)} is for tapes (ltfs://…)")
    wrong += [f"watched_to knows no {each}" for each in made.watched_to if each not in DESTINATIONS]
    return wrong
