"""The session: one call to a service with its retries, redirects and limits, and what its failures are called."""

from __future__ import annotations

import json
import logging
import random
import socket
import ssl
from collections.abc import Mapping
from typing import BinaryIO, NoReturn, Self, cast
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

from muniment.errors.sources import (
    CertificateRefused,
    CredentialRefused,
    FileDiffers,
    FileUnavailable,
    NotAtService,
    RateLimited,
    RedirectRefused,
    ServiceFailed,
    ServiceRefused,
    ServiceUnreachable,
)
from muniment.session.account import Account, Origin
from muniment.session.body import Body
from muniment.session.clock import Clock, SystemClock
from muniment.session.coding import Decoded, coding_of
from muniment.session.connections import Pool, Sendable
from muniment.session.guard import Guard
from muniment.session.headers import as_address
from muniment.session.limits import Limits
from muniment.session.proxy import Proxy
from muniment.session.redaction import shown
from muniment.session.reply import Answer, Reply

_log = logging.getLogger(__name__)

_MOST_REDIRECTS = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({500, 502, 503, 504})
_LONGEST_PAUSE = 60.0
_QUOTED = 300
_JSON_LIMIT = 64 * 1024 * 1024

# Built once and not for each request: what a target may hold unescaped (RFC 3986 §3.3 and §3.4).
_TARGET_SAFE = frozenset("!$%&'()*+,-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~")


class Session:
    """Calls services for all sources; safe to use from many threads.

    `timeout` is how long a connection may be silent, in seconds; `attempts` how often a call is tried before its
    failure is raised. `agent` is how it introduces itself. `limits` may be shared by several sessions, so that they
    keep one budget. A `lenient` one, for links that anybody may have written, does as a browser does: it follows a
    redirect from https to http (no credential goes along), and takes an unreadable length for none. `proxy` is
    the address of an HTTP proxy that everything goes through.
    """

    def __init__(
        self,
        guard: Guard | None = None,
        *,
        clock: Clock | None = None,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
        timeout: float = 60.0,
        attempts: int = 5,
        agent: str = "Muniment",
        lenient: bool = False,
        proxy: str = "",
    ) -> None:
        self.guard = guard or Guard()
        self.clock = clock or SystemClock()
        self.limits = limits or Limits(self.clock)
        self.attempts = attempts
        self._agent = agent
        self._lenient = lenient
        self._pool = Pool(self.guard, tls, timeout, lenient=lenient, proxy=Proxy(proxy, self.guard) if proxy else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the idle connections."""
        self._pool.close()

    def get(
        self,
        account: Account,
        url: str,
        query: Mapping[str, str | int] | None = None,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: object = None,
        what: str = "such thing",
        field: str = "id",
        limit: int = _JSON_LIMIT,
    ) -> Answer:
        """A small answer, read whole; `body` is sent as JSON.

        `what` and `field` say what is asked for and where the submission names it, for the message when it is missing.

        Raises:
            CredentialRefused, NotAtService: The submission has to change.
            AddressRefused, RedirectRefused, CertificateRefused: The address may not be asked.
            RemoteError: The service failed.
        """
        url = with_query(url, query)
        sent = {"Accept": "application/json", **(headers or {})}
        payload = None if body is None else json.dumps(body).encode()
        if payload is not None:
            sent.setdefault("Content-Type", "application/json")
        for attempt in range(1, self.attempts + 1):
            reply = self.send(account, method, url, sent, payload)
            try:
                answer = Answer.of(reply, account.service, limit)
            except OSError as error:
                if attempt == self.attempts:
                    raise self._unreachable(account, url, error) from None
                self.pause(attempt)
                continue
            if answer.status < 300:  # noqa: PLR2004 - RFC 9110 §15.3: the class of success
                return answer
            if account.is_busy(answer.status, answer.body):
                self._close_for_a_while(account, answer.url, last=attempt == self.attempts)
                continue
            self._refused(account, answer, what, field)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def open(
        self,
        account: Account,
        url: str,
        path: str,
        *,
        offset: int = 0,
        size: int | None = None,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        immutable: bool = False,
    ) -> BinaryIO:
        """The body of a file from `offset` on, taken up again when the connection is cut.

        `path` names the file in messages; `size` is what the service announced, None if it did not. `immutable`
        says that the address names content which cannot change, so that a cut is taken up without a validator.

        Raises:
            FileUnavailable: The service does not give this file.
            FileDiffers: It is not as long as announced.
            CredentialRefused: The submission has to change.
            AddressRefused, RedirectRefused, CertificateRefused: The address may not be asked.
            RemoteError: The service failed.
        """
        body = Body(self, account, url, path, headers or {}, method, immutable=immutable)
        body.begin(offset)
        if coding := coding_of(body.headers, body.url, body.total, size):
            if offset:  # the ranges of a coded answer are not those of the file
                body.close()
                body = Body(self, account, url, path, headers or {}, method, immutable=immutable)
                body.begin(0)
            return cast("BinaryIO", Decoded(body, coding, path, account.service, offset))
        if size is not None and body.total is not None and body.total != size:
            body.close()
            raise FileDiffers(path=path, service=account.service, what="the size", expected=size, found=body.total)
        return cast("BinaryIO", body)

    def open_failed(self, account: Account, reply: Reply, path: str) -> NoReturn:
        """Say why a file's answer is none.

        Raises:
            CredentialRefused: The credential was refused.
            FileUnavailable: The service does not give this file.
            RateLimited: It is asked too often.
        """
        answer = Answer.of(reply, account.service, _JSON_LIMIT)
        if account.is_busy(answer.status, answer.body):
            self._close_for_a_while(account, answer.url, last=True)
        if answer.status == 401 and account.proof("GET", answer.url, {}):  # noqa: PLR2004 - Unauthorized
            raise CredentialRefused(service=account.service, field=account.credential_field, status=401, what=path)
        reason = f"status {answer.status}{self._quote(account, answer)}"
        raise FileUnavailable(path=path, service=account.service, reason=reason)

    def send(
        self,
        account: Account,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Sendable | None = None,
        *,
        once: bool = False,
    ) -> Reply:
        """An answer with its body still to come, after retries, waits and redirects; its status may be a refusal.

        With `once` a call goes out a single time, for it makes something: an answer that is lost may mean that it was
        made, and who asked has to look before asking again.

        Raises:
            RateLimited: The service wants to be left alone for longer than a call can wait.
            ServiceUnreachable, ServiceFailed: It did not answer, or only with its own failure.
            AddressRefused, RedirectRefused, CertificateRefused: The address may not be asked.
        """
        attempts = 1 if once else self.attempts
        for attempt in range(1, attempts + 1):
            try:
                reply, limited = self._follow(account, method, url, headers, body, once=once)
            except OSError as error:
                if attempt == attempts:
                    raise self._unreachable(account, url, error) from None
                self.pause(attempt)
                continue
            if not limited and reply.status not in _PASSING:
                return reply
            status = reply.status
            _log.info("%s answered %s to %s (attempt %s)", account.service, status, shown(reply.url), attempt)
            if attempt == attempts:
                self._gave_up(account, reply, limited=limited)
            reply.drain()
            if not limited:
                self.pause(attempt)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def pause(self, attempt: int) -> None:
        """Wait before the next attempt: 1, 2, 4 … seconds, each shortened at random so that callers spread."""
        self.clock.sleep(min(_LONGEST_PAUSE, 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0))  # noqa: S311 - no secret

    def _follow(
        self,
        account: Account,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Sendable | None,
        *,
        once: bool = False,
    ) -> tuple[Reply, bool]:
        """One attempt: the answer after its redirects, and whether it is a refusal because of a limit."""
        redirects: list[int] = []
        for _ in range(_MOST_REDIRECTS):
            origin = Origin.of(url)
            service = self._limit(account, url)
            self.limits.wait(service, account.hourly_calls)
            reply = self._call(account, origin, method, url, headers, body, idle=not once)
            limited = self.limits.note(service, reply.status, reply.headers, shown(url))
            target = reply.headers.get("location")
            if reply.status not in _REDIRECTS or target is None:
                reply.redirects = tuple(redirects)
                return reply, limited
            redirects.append(reply.status)
            reply.drain()
            onward = urljoin(url, as_address(target))
            if origin.scheme == "https" and urlsplit(onward).scheme != "https" and not self._lenient:
                raise RedirectRefused(service=account.service, where=shown(url), reason="it is not encrypted")
            if Origin.of(onward) != origin:
                headers = {
                    name: value for name, value in headers.items() if name.lower() not in {"authorization", "cookie"}
                }
            if reply.status == 303 or (reply.status in {301, 302} and method == "POST"):  # noqa: PLR2004 - RFC 9110 §15.4
                method, body = "GET", None
            url = onward
        raise RedirectRefused(
            service=account.service, where=shown(url), reason="one redirect leads to the next without end"
        )

    def _call(
        self,
        account: Account,
        origin: Origin,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Sendable | None,
        *,
        idle: bool = True,
    ) -> Reply:
        """One request on one connection. An idle connection that the service closed meanwhile is no failure."""
        target = _target(url)
        proof = account.proof(method, url, headers)
        # What a caller sends goes before what the account would: a download may bring a credential of its own.
        sent = {"User-Agent": self._agent, "Accept-Encoding": "identity", **proof, **headers}
        for fresh in (False, True) if idle else (True,):
            try:
                connection = self._pool.take(origin, fresh=fresh)
            except ssl.SSLCertVerificationError as error:
                raise CertificateRefused(host=origin.host, reason=error.verify_message) from None
            try:
                connection.send(method, target, sent, body)
            except OSError:
                connection.close()
                if connection.used:
                    continue
                raise
            except BaseException:
                connection.close()
                raise
            return Reply(connection, self._pool, url)
        raise AssertionError("unreachable: a fresh connection is not a used one")

    def _limit(self, account: Account, url: str) -> str:
        """The name of the limit that a call falls under."""
        return self.limits.name(account.service, Origin.of(url).host, account.credential_at(url))

    def _refused(self, account: Account, answer: Answer, what: str, field: str) -> NoReturn:
        if answer.status == 401:  # noqa: PLR2004 - Unauthorized
            raise CredentialRefused(service=account.service, field=account.credential_field, status=401, what=what)
        if answer.status in {404, 410}:
            raise NotAtService(service=account.service, what=what, where=shown(answer.url), field=field)
        if answer.status == 403:  # noqa: PLR2004 - Forbidden
            raise CredentialRefused(service=account.service, field=account.credential_field, status=403, what=what)
        reason = self._quote(account, answer).lstrip(": ") or "it gave no reason"
        raise ServiceRefused(service=account.service, where=shown(answer.url), status=answer.status, reason=reason)

    def _close_for_a_while(self, account: Account, url: str, *, last: bool) -> None:
        """Leave a service alone that said it is busy, and not for how long."""
        limit = self._limit(account, url)
        self.limits.note(limit, 429, {}, shown(url))
        if last:
            raise RateLimited(service=account.service, until=self.limits.opens(limit), limit=limit)

    def _gave_up(self, account: Account, reply: Reply, *, limited: bool) -> NoReturn:
        if limited:
            reply.drain()
            limit = self._limit(account, reply.url)
            raise RateLimited(service=account.service, until=self.limits.opens(limit), limit=limit)
        try:
            reason = self._quote(account, Answer.of(reply, account.service, _JSON_LIMIT)).lstrip(": ")
        except OSError:
            reason = ""
        reply.close()
        raise ServiceFailed(
            service=account.service, status=reply.status, where=shown(reply.url), reason=reason or "it gave no reason"
        )

    @staticmethod
    def _quote(account: Account, answer: Answer) -> str:
        """The beginning of what a service said, if it is readable, without secrets."""
        if answer.content_type not in {
            "application/json",
            "application/problem+json",
            "application/xml",
            "text/xml",
            "text/plain",
        }:
            return ""
        text = " ".join(answer.body[:_QUOTED].decode("utf-8", "replace").split())
        return f": {account.redact(text)}" if text and text.isprintable() else ""

    @staticmethod
    def _unreachable(account: Account, url: str, error: OSError) -> ServiceUnreachable:
        reason = "it was silent for too long" if isinstance(error, TimeoutError) else (error.strerror or str(error))
        if isinstance(error, socket.gaierror):
            reason = "its name cannot be resolved"
        return ServiceUnreachable(service=account.service, where=shown(url), reason=account.redact(reason))


def with_query(url: str, query: Mapping[str, str | int] | None) -> str:
    """`url` with more query fields."""
    if not query:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, urlencode(query))))))


def _target(url: str) -> str:
    """The path and query of a URL as a request line carries them; what may not stand there is escaped."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if _TARGET_SAFE.issuperset(target):
        return target
    return "".join(
        each if each in _TARGET_SAFE else "".join(f"%{byte:02X}" for byte in each.encode("utf-8", "surrogatepass"))
        for each in target
    )
