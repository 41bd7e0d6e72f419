"""The portals that are harvested: their addresses, their settings, and their tokens, sealed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, delete, insert, select, update

from muniment.database.tables import ckan_datasets as datasets
from muniment.database.tables import ckan_portals as portals
from muniment.errors.base import MunimentError
from muniment.errors.catalogues import BadPortal, PortalExists, PortalNotFound
from muniment.jobs.keyring import Keyring
from muniment.jobs.ledger import Ledger
from muniment.jobs.model import from_text, to_text
from muniment.session.account import Origin

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_SEALED_AS = "ckan-portal"

DATA_TYPES_REFUSED = frozenset({"text/html", "application/xhtml+xml"})
"""What is a page for people and no data: its state is recorded and its bytes are not kept, unless a setting says so."""


@dataclass(frozen=True, slots=True)
class PostForm:
    """A form or licence page behind which a file lies: what is submitted to which address."""

    url: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PortalSettings:
    """What can be set for a portal. Sizes in bytes, times in seconds."""

    user_agent: str = "Muniment (archives what this portal links to)"
    verify_https: bool = True
    proxy: str = ""
    """The address of an HTTP proxy through which the portal and its links are asked."""
    max_content_length: int = 50_000_000
    timeout: float = 30.0
    total_time: float = 600.0
    """The longest that one download may take in all."""
    host_connections: int = 2
    """Requests to one host at a time, over all workers."""
    host_delay: float = 0.5
    """Between the beginnings of two requests to one host."""
    retry_after: float = 300.0
    """The wait before a failed link is tried a second time; doubled for the third."""
    poll_every: float = 300.0
    """Between two looks for changed datasets."""
    sweep: str = "0 1 * * 0"
    """When everything is checked: seconds, or five cron fields in UTC."""
    check_only: bool = False
    """Links are checked and nothing is kept."""
    check_only_organizations: tuple[str, ...] = ()
    keep_pages: bool = False
    """HTML pages are kept as well, and not only data."""
    follow_pages: bool = False
    """An HTML page is searched for links to data, which are then kept."""
    keep_warc: bool = False
    """A WARC record of request and answer is kept beside each copy."""
    copy_uploads: bool = False
    """Files uploaded to the portal itself are kept as well; otherwise they are only checked."""
    archive_cloud: bool = False
    """Uploads that the portal has on another host are kept as well."""
    write_back: bool = True
    cache_url_root: str = ""
    """The public address of this server; without it no cache_url can be written back."""
    token_header: str = "Authorization"  # noqa: S105 - the name of a header
    webhooks: tuple[str, ...] = ()
    """Addresses that are told of every attempt."""
    forms: Mapping[str, PostForm] = field(default_factory=dict)
    """Resource id to the form that has to be submitted for its file."""
    reread_after: float = 90 * 86400.0
    """A file whose server proves nothing but its length is read again after so long."""

    @classmethod
    def of(cls, name: str, given: Mapping[str, object]) -> Self:
        """Settings from plain data.

        Raises:
            BadPortal: One is unknown or cannot be used.
        """
        known = {each.name: each for each in fields(cls)}
        values: dict[str, Any] = {}
        for key, value in given.items():
            if key not in known:
                raise BadPortal(name=name, reason=f"there is no setting {key!r}; there are {', '.join(sorted(known))}")
            values[key] = _converted(name, key, value)
        made = cls(**values)
        _refuse_impossible(name, made)
        return made

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Portal:
    """One portal. `polled_to` is the newest `metadata_modified` that was looked at; times as the portal writes them."""

    name: str
    url: str
    settings: PortalSettings
    polled_to: str = ""
    swept_at: float = 0.0

    @property
    def project(self) -> str:
        """The project in which its resources are archived."""
        return f"ckan/{self.name}"


class Portals:
    """The portals in one control database."""

    def __init__(self, ledger: Ledger, keyring: Keyring | None) -> None:
        self._database = ledger.database
        self._keyring = keyring

    def add(self, name: str, url: str, settings: PortalSettings, token: str | None = None) -> Portal:
        """Know a portal.

        Raises:
            BadPortal: Name or address cannot be used.
            PortalExists: The name is taken.
        """
        if not _NAME.fullmatch(name):
            raise BadPortal(
                name=name, reason="a name is 1 to 40 of a-z, 0-9, - and _, and begins with a letter or digit"
            )
        try:
            Origin.of(url)
        except MunimentError as error:
            raise BadPortal(name=name, reason=error.message.rstrip(".")) from None
        row = {
            "name": name,
            "url": url.rstrip("/"),
            "settings": to_text(settings.as_json()),
            **self._sealed(name, token),
        }

        def work(connection: Connection) -> None:
            known = connection.execute(select(portals.c.url).where(portals.c.name == name)).scalar()
            if known is not None:
                raise PortalExists(name=name, url=known)
            connection.execute(insert(portals), {**row, "polled_to": "", "swept_at": 0.0})

        self._database.write(work)
        return self.get(name)

    def change(self, name: str, settings: PortalSettings | None = None, token: str | None = None) -> Portal:
        """Give a portal other settings, another token, or both; its next sweep looks at every dataset fully again.

        Raises:
            PortalNotFound: There is none such.
        """
        values: dict[str, Any] = {} if settings is None else {"settings": to_text(settings.as_json())}
        if token is not None:
            values |= self._sealed(name, token)
        self.get(name)

        def work(connection: Connection) -> None:
            connection.execute(update(portals).where(portals.c.name == name).values(values))
            connection.execute(update(datasets).where(datasets.c.portal == name).values(modified=""))

        self._database.write(work)
        return self.get(name)

    def remove(self, name: str) -> None:
        """Harvest a portal no more. What was archived and recorded of it stays.

        Raises:
            PortalNotFound: There is none such.
        """
        self.get(name)
        self._database.write(lambda c: c.execute(delete(portals).where(portals.c.name == name)))

    def get(self, name: str) -> Portal:
        """A portal by its name.

        Raises:
            PortalNotFound: There is none such.
        """
        rows = self._database.read(lambda c: c.execute(select(portals).where(portals.c.name == name)).mappings().all())
        if not rows:
            raise PortalNotFound(name=name, known=", ".join(each.name for each in self.all()) or "none")
        return _portal(rows[0])

    def all(self) -> list[Portal]:
        """All portals, by name."""
        query = select(portals).order_by(portals.c.name)
        return [_portal(row) for row in self._database.read(lambda c: c.execute(query).mappings().all())]

    def token(self, name: str) -> str | None:
        """A portal's token.

        Raises:
            SecretUnreadable: Its key is missing, or it was tampered with.
        """
        query = select(portals.c.key_id, portals.c.sealed).where(portals.c.name == name)
        row = self._database.read(lambda c: c.execute(query).first())
        if row is None or row.sealed is None or self._keyring is None:
            return None
        return str(self._keyring.unseal(_SEALED_AS, name, row.key_id, row.sealed))

    def note(self, name: str, **values: object) -> None:
        """Remember how far a portal was looked at."""
        self._database.write(lambda c: c.execute(update(portals).where(portals.c.name == name).values(values)))

    def _sealed(self, name: str, token: str | None) -> dict[str, Any]:
        if token is None:
            return {}
        if not token or not token.isascii() or not token.isprintable():
            raise BadPortal(name=name, reason="the token is empty, or holds what no HTTP header can carry")
        if self._keyring is None:
            raise BadPortal(name=name, reason="a token needs the key file of the ledger")
        return {"key_id": self._keyring.first, "sealed": self._keyring.seal(_SEALED_AS, name, token)}


def read_settings(name: str, path: Path) -> PortalSettings:
    """Settings from a TOML file, at its top level or below `[portal]`.

    Raises:
        BadPortal: It cannot be read, or a setting cannot be used.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadPortal(name=name, reason=f"{path} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise BadPortal(name=name, reason=f"{path} is not TOML: {error}") from error
    return PortalSettings.of(name, document.get("portal", document))


def _portal(row: Mapping[Any, Any]) -> Portal:
    settings: Any = from_text(row["settings"])
    known = {each.name for each in fields(PortalSettings)}
    kept = {key: value for key, value in settings.items() if key in known}
    return Portal(
        row["name"], row["url"], PortalSettings.of(row["name"], kept), row["polled_to"], float(row["swept_at"])
    )


def _converted(name: str, key: str, value: Any) -> object:
    """A value of the kind its setting has.

    Raises:
        BadPortal: It is of another kind.
    """
    usual = getattr(PortalSettings(), key)
    if key == "forms":
        return _forms(name, value)
    if isinstance(usual, tuple):
        if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
            raise BadPortal(name=name, reason=f"{key} is a list of texts")
        return tuple(value)
    if isinstance(usual, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if key == "sweep" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if type(value) is not type(usual):
        raise BadPortal(name=name, reason=f"{key} is {_kind(usual)}, not {value!r}")
    return value


def _forms(name: str, value: object) -> dict[str, PostForm]:
    made = {}
    for resource, given in value.items() if isinstance(value, Mapping) else [("", None)]:
        form = given if isinstance(given, Mapping) else {}
        sent = form.get("fields", {})
        if not isinstance(form.get("url"), str) or not isinstance(sent, Mapping):
            raise BadPortal(name=name, reason="forms gives for each resource id an url and the fields to submit")
        made[str(resource)] = PostForm(form["url"], {str(key): str(text) for key, text in sent.items()})
    return made


def _kind(value: object) -> str:
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    return words[type(value)]


def _refuse_impossible(name: str, made: PortalSettings) -> None:
    for key in ("max_content_length", "timeout", "total_time", "host_connections", "poll_every"):
        if not getattr(made, key) > 0:
            raise BadPortal(name=name, reason=f"{key} is above 0, not {getattr(made, key)!r}")
    if made.proxy:
        try:
            origin = Origin.of(made.proxy)
        except MunimentError as error:
            raise BadPortal(name=name, reason=f"proxy: {error.message.rstrip('.')}") from None
        if origin.scheme != "http":
            raise BadPortal(name=name, reason="a proxy is reached by http://host:port, also for https addresses")
    if made.host_delay < 0 or made.retry_after < 0:
        raise BadPortal(name=name, reason="host_delay and retry_after are not below 0")
    if not made.user_agent.isascii() or not made.user_agent.isprintable():
        raise BadPortal(name=name, reason="user_agent holds what no HTTP header can carry")
