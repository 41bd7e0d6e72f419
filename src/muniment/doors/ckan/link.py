"""The check of one link: whether it can be asked, what its server says, and what it gives, within bounds.

Nothing is recorded and nothing is archived here: the answer is a `Checked`, with the bytes in a temporary file.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote, unquote, urlencode, urlsplit, urlunsplit

from muniment.doors.ckan.portals import DATA_TYPES_REFUSED, PortalSettings, PostForm
from muniment.doors.ckan.statuses import Status
from muniment.errors.base import MunimentError
from muniment.errors.sources import (
    AddressRefused,
    CertificateRefused,
    HostUnknown,
    RateLimited,
    RedirectRefused,
    ServiceFailed,
    ServiceUnreachable,
)
from muniment.session import Account, Session
from muniment.session.reply import Reply

_CHUNK = 65_536
_SHORTEST = 2
_OGC_LOOKED_AT = 250
_OGC_ERRORS = (b"<ServiceExceptionReport", b"<ows:ExceptionReport")
_LONGEST_FRESH = 365 * 86400.0
_UNSUPPORTED = frozenset({405, 501})
_ENCODINGS = frozenset({"gzip", "x-gzip", "deflate"})
_SAFE_PATH = "/%:@!$&'()*+,;=-._~"
_SAFE_QUERY = _SAFE_PATH + "?"
_BAD_NAME = re.compile(r"[\x00-\x1f\x7f/\\]")
_LONGEST_NAME = 200
CAPABILITIES = (
    {"service": "WMS", "request": "GetCapabilities", "version": "1.3"},
    {"service": "WMS", "request": "GetCapabilities", "version": "1.1.1"},
    {"service": "WFS", "request": "GetCapabilities", "version": "2.0"},
)
"""What a map service is asked when its bare address gives an error, in this order."""


@dataclass(frozen=True, slots=True)
class EarlierAttempt:
    """What an earlier attempt found out about a link; nothing of it when there was none."""

    url: str = ""
    etag: str = ""
    last_modified: str = ""
    size: int | None = None
    mimetype: str = ""
    fresh_until: float = 0.0
    fetched_at: float = 0.0
    kept: bool = False
    working: bool = False
    """Whether the latest attempt ended well."""


@dataclass(frozen=True, slots=True)
class Checked:
    """How a check ended. `body` is the file that came, to be removed by whoever asked; digests are of its bytes."""

    status: Status
    reason: str = ""
    address: str = ""
    """What was asked, as it could be asked."""
    redirected_to: str = ""
    moved_to: str = ""
    mimetype: str = ""
    size: int | None = None
    etag: str = ""
    last_modified: str = ""
    fresh_until: float = 0.0
    filename: str = ""
    body: Path | None = None
    md5: str = ""
    sha256: str = ""
    transient: bool = False
    """Whether trying again soon may help."""
    unreachable: bool = False
    """Whether no connection to the host came about, or it took more time than any file may."""
    retry_at: float = 0.0
    """When the host wants to be asked again, in seconds since 1970 UTC; nothing is recorded then."""
    notes: Mapping[str, object] = field(default_factory=dict)
    head: bytes = b""
    """The answer's status line and headers, for a web archive."""


FRESH = "still fresh by its own cache headers"
_TOO_SLOW = "Connection timed out: it came too slowly"


class LinkChecker:
    """Checks links with one portal's settings. `now` gives seconds since 1970 UTC.

    `watch` is told how many bytes of a file have come, and whatever it raises ends the check.
    """

    def __init__(
        self, session: Session, settings: PortalSettings, scratch: Path, watch: Callable[[int], None] = lambda _: None
    ) -> None:
        self._session = session
        self._settings = settings
        self._scratch = scratch
        self._watch = watch

    def check(
        self,
        url: str,
        known: EarlierAttempt,
        *,
        now: float,
        account: Account | None = None,
        keep: bool = True,
        form: PostForm | None = None,
    ) -> Checked:
        """Check a link, and fetch what it gives where `keep` says so.

        `account` carries the portal's token for its own uploads. `form` is what is submitted to get the file.
        """
        try:
            address = tidy(url)
        except ValueError as error:
            return Checked(Status.URL_INVALID, str(error))
        if keep and known.url == address and known.working and known.kept and known.fresh_until > now:
            return Checked(Status.UNCHANGED, FRESH, fresh_until=known.fresh_until)
        who = account or Account("the link", (address,))
        found = self._attempt(who, address, known, now, keep=keep, form=form)
        if found.status is Status.DOWNLOAD_ERROR and not found.unreachable and keep and form is None:
            found = self._capabilities(who, address, found, now)
        return found

    def revalidate(self, url: str, known: EarlierAttempt, *, now: float) -> Checked | None:
        """That a kept link did not change, where headers alone say so in one request; else None: look at it fully.

        Raises:
            MunimentError, OSError: The host gave no answer.
        """
        if not (known.working and known.kept):
            return None
        try:
            address = tidy(url)
        except ValueError:
            return None
        if known.url != address:
            return None
        if known.fresh_until > now:
            return Checked(Status.UNCHANGED, FRESH, fresh_until=known.fresh_until)
        account = Account("the link", (address,))
        if self._length_may_tell(known, now, same=True):
            return self._head(account, address, known, now, keep=True)
        if not (known.etag or known.last_modified):
            return None
        reply = self._session.send(account, "GET", address, {"Accept": "*/*", **_conditions(known)})
        with _closing(reply):
            if reply.status != HTTPStatus.NOT_MODIFIED:
                return None
            said = self._said(reply, address, now)
            return replace(said, status=Status.UNCHANGED, reason="the server says that it did not change")

    def _capabilities(self, account: Account, address: str, failed: Checked, now: float) -> Checked:
        """Ask an address that failed as a map service is asked; the first that answers is the resource."""
        if failed.transient and not urlsplit(address).query:
            return failed
        parts = urlsplit(address)
        for asked in CAPABILITIES:
            url = urlunsplit(parts._replace(query=urlencode(asked), fragment=""))
            found = self._attempt(account, url, EarlierAttempt(), now, keep=True)
            if found.unreachable:
                break
            if found.status is Status.ARCHIVED and "xml" in found.mimetype:
                return replace(found, notes={**found.notes, "asked_as": f"{asked['service']} {asked['version']}"})
            if found.body is not None:
                found.body.unlink(missing_ok=True)
        return failed

    def _attempt(
        self,
        account: Account,
        address: str,
        known: EarlierAttempt,
        now: float,
        *,
        keep: bool,
        form: PostForm | None = None,
    ) -> Checked:
        try:
            return self._ask(account, address, known, now, keep=keep, form=form)
        except RateLimited as error:
            return Checked(Status.DOWNLOAD_ERROR, error.message, retry_at=_time_of(str(error.details["until"]), now))
        except AddressRefused as error:
            return Checked(Status.URL_INVALID, f"Address refused: {error.details['reason']}")
        except (HostUnknown, ServiceUnreachable, CertificateRefused, RedirectRefused, ServiceFailed) as error:
            return self._failed(error)
        except _Ended as end:
            return end.checked
        except OSError as error:
            reason = "it was silent for too long" if isinstance(error, TimeoutError) else (error.strerror or str(error))
            return Checked(Status.DOWNLOAD_ERROR, f"Error with the download: {reason}", transient=True)

    def _failed(self, error: MunimentError) -> Checked:
        if isinstance(error, ServiceFailed):
            status = int(error.details["status"])
            return Checked(Status.DOWNLOAD_ERROR, _server_error(status), transient=True)
        if isinstance(error, RedirectRefused):
            return Checked(
                Status.DOWNLOAD_ERROR, f"Too many redirects, or to a place not followed: {error.details['reason']}"
            )
        if isinstance(error, CertificateRefused):
            return Checked(Status.DOWNLOAD_ERROR, f"Connection error: certificate refused: {error.details['reason']}")
        reason = str(error.details["reason"])
        if isinstance(error, ServiceUnreachable) and "silent" in reason:
            text = f"Connection timed out after {self._settings.timeout:g}s"
            return Checked(Status.DOWNLOAD_ERROR, text, transient=True, unreachable=True)
        return Checked(Status.DOWNLOAD_ERROR, f"Connection error: {reason}", transient=True, unreachable=True)

    # --- one request

    def _ask(
        self, account: Account, address: str, known: EarlierAttempt, now: float, *, keep: bool, form: PostForm | None
    ) -> Checked:
        same = known.url == address
        if not keep or self._length_may_tell(known, now, same=same):
            found = self._head(account, address, known, now, keep=keep)
            if found is not None:
                return found
        headers = {"Accept": "*/*"}
        if same and known.kept:
            headers |= _conditions(known)
        method, sent = "GET", None
        if form is not None:
            method, sent = "POST", urlencode(form.fields).encode()
            address = form.url
            headers = {"Accept": "*/*", "Content-Type": "application/x-www-form-urlencoded"}
        reply = self._session.send(account, method, address, headers, sent)
        with _closing(reply):
            return self._answered(reply, address, known, now, keep=keep)

    def _length_may_tell(self, known: EarlierAttempt, now: float, *, same: bool) -> bool:
        """Whether only the length can say that nothing changed; once in a while the bytes are read all the same."""
        recent = now - known.fetched_at < self._settings.reread_after
        return same and known.kept and known.size is not None and recent and not (known.etag or known.last_modified)

    def _head(self, account: Account, address: str, known: EarlierAttempt, now: float, *, keep: bool) -> Checked | None:
        """What HEAD says; None where a GET has to be sent after all."""
        reply = self._session.send(account, "HEAD", address, {"Accept": "*/*"})
        with _closing(reply):
            if reply.status in _UNSUPPORTED or (keep and reply.status >= HTTPStatus.BAD_REQUEST):
                return None
            if keep and _length(reply) != known.size:
                return None
            if reply.status >= HTTPStatus.BAD_REQUEST:
                return self._refused(reply, address)
            said = self._said(reply, address, now)
            if keep:
                return replace(said, status=Status.UNCHANGED, reason="its length is the same")
            return replace(said, status=Status.ARCHIVED, reason="the link works; nothing is kept here")

    def _answered(self, reply: Reply, address: str, known: EarlierAttempt, now: float, *, keep: bool) -> Checked:
        if reply.status == HTTPStatus.NOT_MODIFIED:
            said = self._said(reply, address, now)
            return replace(said, status=Status.UNCHANGED, reason="the server says that it did not change")
        if not HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
            return self._refused(reply, address)
        said = self._said(reply, address, now)
        if not keep:
            return replace(said, status=Status.ARCHIVED, reason="the link works; nothing is kept here")
        if known.url == address and known.kept and known.etag and known.etag == said.etag:
            return replace(said, status=Status.UNCHANGED, reason="its entity tag is the same")
        page = said.mimetype in DATA_TYPES_REFUSED
        if page and not (self._settings.keep_pages or self._settings.follow_pages):
            soft = bool(known.mimetype) and known.mimetype not in DATA_TYPES_REFUSED
            notes = {"soft_404": True} if soft else {}
            reason = f"Of content type {said.mimetype}, not downloading"
            reason += "; a file of data was here before" if soft else ""
            return replace(said, status=Status.NOT_CHOSEN, reason=reason, notes=notes)
        most = self._settings.max_content_length
        length = _length(reply)
        if length is not None and length > most:
            reason = f"Content-length {length} exceeds maximum allowed value {most}"
            return replace(said, status=Status.NOT_CHOSEN, reason=reason, size=length)
        return self._download(reply, said)

    def _refused(self, reply: Reply, address: str) -> Checked:
        later = reply.status in {408, 425}
        elsewhere = reply.url if reply.url != address else ""
        return Checked(
            Status.DOWNLOAD_ERROR,
            _server_error(reply.status, reply.reason),
            redirected_to=elsewhere,
            transient=later,
            head=_head_of(reply),
        )

    def _said(self, reply: Reply, address: str, now: float) -> Checked:
        """What the headers say, before the body."""
        return Checked(
            Status.ARCHIVED,
            address=address,
            redirected_to=reply.url if reply.url != address else "",
            moved_to=_moved(reply, address),
            mimetype=reply.headers.get("content-type", "").partition(";")[0].strip().lower(),
            size=_length(reply),
            etag=reply.headers.get("etag", "").strip(),
            last_modified=reply.headers.get("last-modified", "").strip(),
            fresh_until=fresh_until(reply.headers, now),
            filename=file_name(reply.headers.get("content-disposition", ""), reply.url, address),
            head=_head_of(reply),
        )

    def _download(self, reply: Reply, said: Checked) -> Checked:
        """Read the body into a file of at most the allowed size; what does not end well leaves nothing."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        place = self._scratch / "body"
        most, until = self._settings.max_content_length, time.monotonic() + self._settings.total_time
        md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        size, beginning = 0, b""
        try:
            with place.open("wb") as file:
                for piece in _decoded(reply, until):
                    size += len(piece)
                    if size > most:
                        reason = f"Content-length {size} or more exceeds maximum allowed value {most}"
                        raise _Ended(replace(said, status=Status.NOT_CHOSEN, reason=reason, size=None))  # noqa: TRY301 - as below
                    beginning = (beginning + piece)[:_OGC_LOOKED_AT] if len(beginning) < _OGC_LOOKED_AT else beginning
                    md5.update(piece)
                    sha256.update(piece)
                    file.write(piece)
                    self._watch(size)
            if (bad := self._unfit(reply, said, size, beginning)) is not None:
                raise _Ended(bad)  # noqa: TRY301 - one way out, on which the file goes
        except BaseException:
            place.unlink(missing_ok=True)
            raise
        return replace(said, size=size, body=place, md5=md5.hexdigest(), sha256=sha256.hexdigest())

    @staticmethod
    def _unfit(reply: Reply, said: Checked, size: int, beginning: bytes) -> Checked | None:
        """What is wrong with a body that came whole, or None."""
        announced = _length(reply) if not reply.headers.get("content-encoding") else None
        if any(mark in beginning for mark in _OGC_ERRORS):
            text = " ".join(beginning.decode("utf-8", "replace").split())
            reason = f"Server content contained an API error message: {text}"
            return replace(said, status=Status.DOWNLOAD_ERROR, reason=reason)
        if size < _SHORTEST:
            reason = f"Content-length after streaming was {size}"
            return replace(said, status=Status.DOWNLOAD_ERROR, reason=reason, size=size)
        if announced is not None and size != announced:
            reason = f"Error with the download: {announced} bytes were announced, {size} came"
            return replace(said, status=Status.DOWNLOAD_ERROR, reason=reason, transient=True)
        return None


def _conditions(known: EarlierAttempt) -> dict[str, str]:
    """The headers that ask only for what changed since (RFC 9110 §13.1.2, §13.1.3)."""
    given = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
    return {name: value for name, value in given.items() if value}


class _Ended(Exception):
    """A download that ends here, and how."""

    def __init__(self, checked: Checked) -> None:
        super().__init__(checked.reason)
        self.checked = checked


@contextlib.contextmanager
def _closing(reply: Reply) -> Iterator[None]:
    try:
        yield
    finally:
        reply.close()


def _decoded(reply: Reply, until: float) -> Iterator[bytes]:
    """The bytes of the body, unpacked where they come compressed unasked, a piece at a time whatever it unfolds to.

    Raises:
        _Ended: It comes too slowly, or is not compressed as it says.
    """
    machine = zlib.decompressobj(wbits=47) if reply.headers.get("content-encoding", "").lower() in _ENCODINGS else None
    buffer = memoryview(bytearray(_CHUNK))
    while count := reply.readinto(buffer):
        if time.monotonic() > until:
            raise _Ended(Checked(Status.DOWNLOAD_ERROR, _TOO_SLOW, transient=True, unreachable=True))
        data = bytes(buffer[:count])
        if machine is None:
            yield data
            continue
        try:
            while data:
                yield machine.decompress(data, _CHUNK)
                data = machine.unconsumed_tail
        except zlib.error:
            raise _Ended(Checked(Status.DOWNLOAD_ERROR, "Error with the download: not compressed as it says")) from None


def tidy(url: str) -> str:
    """An address as it can be asked for: blanks stripped, what may not stand there escaped, escapes left alone.

    Raises:
        ValueError: It is no http or https address with a host; the message says why, with its number or name.
    """
    given = url.strip()
    try:
        parts = urlsplit(given)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        message = f"URL parsing failure: {error}"
        raise ValueError(message) from None
    if parts.scheme.lower() not in {"http", "https"}:
        message = f"Invalid url scheme {parts.scheme!r}. Please use one of: http, https"
        raise ValueError(message)
    if not host:
        message = "URL parsing failure: did not find a host name"
        raise ValueError(message)
    if parts.username is not None or parts.password is not None:
        message = "URL parsing failure: a user name or password does not belong into an address"
        raise ValueError(message)
    path = quote(_bad_percents(parts.path), safe=_SAFE_PATH)
    query = quote(_bad_percents(parts.query), safe=_SAFE_QUERY)
    return urlunsplit(parts._replace(scheme=parts.scheme.lower(), path=path or "/", query=query, fragment=""))


def _bad_percents(text: str) -> str:
    """A percent sign that begins no escape stands for itself."""
    return re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", text)


def file_name(content_disposition: str, url: str, asked: str) -> str:
    """A file's name: what the server calls it (RFC 6266), else the last part of its address, else `resource`."""
    for name in (_disposition_name(content_disposition), _last_part(url), _last_part(asked)):
        clean = _BAD_NAME.sub("_", name).strip().strip(".").strip()
        if clean:
            stem, dot, ending = clean[-_LONGEST_NAME:].rpartition(".")
            return clean if len(clean) <= _LONGEST_NAME else f"{stem[: _LONGEST_NAME - len(ending) - 1]}{dot}{ending}"
    return "resource"


def _disposition_name(text: str) -> str:
    if not text:
        return ""
    message = Message()
    message["Content-Disposition"] = text.encode("latin-1", "replace").decode("latin-1")
    with contextlib.suppress(ValueError, LookupError, TypeError):
        return (message.get_filename() or "").replace("\\", "/").rpartition("/")[2]
    return ""


def _last_part(url: str) -> str:
    return unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2]


def fresh_until(headers: Mapping[str, str], now: float) -> float:
    """Until when an answer may be used without asking (RFC 9111 §4.2): by max-age, else by Expires; 0 for no time."""
    control = headers.get("cache-control", "").lower()
    directives = {part.partition("=")[0].strip(): part.partition("=")[2].strip(' "') for part in control.split(",")}
    if "no-store" in directives or "no-cache" in directives:
        return 0.0
    age = headers.get("age", "0").strip()
    passed = float(age) if age.isascii() and age.isdecimal() and len(age) < 10 else 0.0  # noqa: PLR2004 - more digits are no age
    for name in ("s-maxage", "max-age"):
        value = directives.get(name, "")
        if value.isascii() and value.isdecimal():
            return now + max(0.0, min(float(value[:12]), _LONGEST_FRESH) - passed)
    expires = headers.get("expires")
    if expires:
        until, said = _http_date(expires), _http_date(headers.get("date", ""))
        if until:
            return now + max(0.0, min(until - (said or now), _LONGEST_FRESH) - passed)
    return 0.0


def _http_date(text: str) -> float:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return 0.0


def _time_of(text: str, now: float) -> float:
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(text).timestamp()
    return now + 60.0


def _length(reply: Reply) -> int | None:
    """The announced length: the first where several are given, none where it is no number."""
    first = reply.headers.get("content-length", "").partition(",")[0].strip()
    return int(first) if first.isascii() and first.isdecimal() and len(first) < 19 else None  # noqa: PLR2004 - 64 bits


def _moved(reply: Reply, address: str) -> str:
    """Where a permanent redirect leads, if every redirect on the way was one (RFC 9110 §15.4.2, §15.4.9)."""
    statuses = reply.redirects
    return reply.url if statuses and reply.url != address and all(each in {301, 308} for each in statuses) else ""


def _server_error(status: int, phrase: str = "") -> str:
    with contextlib.suppress(ValueError):
        phrase = phrase or HTTPStatus(status).phrase
    return f"Server reported status error: {status} {phrase}".rstrip()


def _head_of(reply: Reply) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} {reply.reason}", *(f"{name}: {value}" for name, value in reply.headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "replace")
