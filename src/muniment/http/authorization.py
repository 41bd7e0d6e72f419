"""Who may see and do what: every route passes here first, and nobody learns what they may not see."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import Request
from structlog import get_logger

from muniment.access import Authority, Caller, sessions
from muniment.archive import Archive, Description, Instance
from muniment.errors.access import SessionEnded
from muniment.errors.archive import AmbiguousId, ResourceNotFound
from muniment.errors.base import Conflict, MunimentError
from muniment.errors.remote import TooManyFailures, WrongVersion
from muniment.http.browsers import refuse_other_sites, session_cookie
from muniment.http.metrics import Metrics
from muniment.http.throttling import Failures, Sparse, agent_of

_REFUSALS = {401, 403}
_MOST_RECORDED = 20
"""Refusals a minute that are written into the archive's log; of the others it says how many there were."""

_MOST_ACTING = 256


@dataclass(frozen=True, slots=True)
class AuthorizedRequest:
    """One request that was let in: who it is, and the archive in their hands."""

    caller: Caller
    archive: Archive
    authorizer: Authorizer

    def may(self, permission: str, project: str | None) -> bool:
        """Whether the caller has a right."""
        return self.authorizer.authority.allowed(self.caller, permission, project)

    def require(self, permission: str, project: str | None) -> None:
        """Refuse what the caller has no right to.

        Raises:
            MunimentError: 401 or 403.
        """
        try:
            self.authorizer.authority.require(self.caller, permission, project)
        except MunimentError as error:
            self.authorizer.refused(error, self.caller.agent, permission, project)
            raise

    def require_somewhere(self, permission: str) -> None:
        """Refuse who has a right nowhere.

        Raises:
            MunimentError: 401 or 403.
        """
        if not self.may_somewhere(permission):
            self.require(permission, None)

    def may_somewhere(self, permission: str) -> bool:
        """Whether the caller has a right anywhere."""
        # Rights are granted by rules, so who has one somewhere has it at the address of a rule.
        # A scope narrows that to its own places, which may have no rule.
        places = self.caller.scope.places if self.caller.scope is not None else ()
        addresses = (*self.authorizer.authority.snapshot().rules, *(place[1:] for place in places))
        return any(self.may(permission, address) for address in addresses)

    def project_of(self, id: str, project: str | None, permission: str) -> str:
        """The project of a resource the caller has a right to; what they may not see looks as if it were not there.

        Raises:
            ResourceNotFound, ResourcePurged, AmbiguousId: There is no such resource for this caller.
            MunimentError: 401 or 403, which do not depend on what there is.
        """
        if project:
            self.require(permission, project)
            return self.archive.project_of(id, project)
        if self.may(permission, None):
            return self.archive.project_of(id, None)
        self.require_somewhere(permission)
        try:
            found = self.archive.project_of(id, None)
        except AmbiguousId as error:
            seen = [place for place in error.details["projects"].split(", ") if self.may(permission, place)]
            if len(seen) == 1:
                return str(seen[0])
            raise (AmbiguousId(id=id, projects=", ".join(seen)) if seen else ResourceNotFound(id=id)) from None
        if not self.may(permission, found):
            raise ResourceNotFound(id=id)
        return found


class Authorizer:
    """What all routes share for letting requests in."""

    def __init__(
        self,
        archive: Archive,
        authority: Authority,
        metrics: Metrics,
        failures: int,
        session_life: float = sessions.LIFE_SECONDS,
    ) -> None:
        self.archive = archive
        self.authority = authority
        self.sessions = sessions.Sessions(authority, session_life)
        self.metrics = metrics
        self._failures = Failures(failures, authority.store.failures)
        self._recorded = Sparse(_MOST_RECORDED)
        self._acting: dict[tuple[str, str], Archive] = {}

    def access(self, request: Request) -> AuthorizedRequest:
        """Let a request in.

        Raises:
            TooManyFailures: Too many sign-ins failed from there.
            MunimentError: The credentials are wrong.
        """
        shown = [value for name, value in request.scope["headers"] if name == b"authorization"]
        caller = self.authority.holder(shown[0].decode("latin-1")) if len(shown) == 1 else None
        if caller is None:
            caller = self.identified(request, {name.lower(): value for name, value in request.headers.items()})
        request.state.caller = caller.agent
        return AuthorizedRequest(caller, self._in_the_hands_of(caller), self)

    def _in_the_hands_of(self, caller: Caller) -> Archive:
        """The archive as `caller` acts on it; the same few come again and again."""
        whose = (caller.agent_name, caller.agent_address)
        known = self._acting.get(whose)
        if known is None:
            known = self.archive.acting_as(agent_of(caller))
            if len(self._acting) >= _MOST_ACTING:
                self._acting.clear()
            self._acting[whose] = known
        return known

    def identified(self, request: Request, headers: dict[str, str]) -> Caller:
        """Who shows these headers; what fails is counted, by address and by what was shown.

        What is right is let in, however many failed before it from the same address: a key has 256 random bits,
        so there is nothing to guess, and whoever shares an address with a broken script must not be locked out.

        Raises:
            TooManyFailures: The credentials are wrong, and too many sign-ins failed from there.
            MunimentError: The credentials are wrong.
        """
        address = request.client.host if request.client else ""
        # A reverse proxy's word on who signed in counts by where the connection itself comes from.
        peer = getattr(request.state, "peer", address)
        try:
            return self._identify(request, headers, peer)
        except SessionEnded:
            raise  # sessions end by themselves: nothing was tried
        except MunimentError as error:
            # A database that is busy or an issuer that is down says nothing against who is asking.
            if error.http_status in _REFUSALS:
                whose = _whose(address, headers.get("authorization", ""))
                wait = self._failures.wait(*whose)
                if wait:
                    raise TooManyFailures(seconds=int(wait) + 1) from None
                self._failures.count(*whose)
            self.refused(error, "", "sign in", None)
            raise

    def _identify(self, request: Request, headers: dict[str, str], peer: str) -> Caller:
        """Who it is: by what the request shows, or by the session of a browser.

        Raises:
            CrossSiteRequest: Another site's page had the browser send it.
            MunimentError: As `Authority.identify`; or the session is over.
        """
        caller = self.authority.identify(headers, peer)
        shown = headers.get("authorization")
        token = "" if shown or not caller.anonymous else session_cookie(request)
        if token:
            caller = self.sessions.caller(token)
        # A browser shows its cookie, and a proxy its user, whichever page had it send the request.
        if not shown and not caller.anonymous:
            refuse_other_sites(request, program=not token)
        return caller

    def refused(self, error: MunimentError, caller: str, permission: str, project: str | None) -> None:
        """Count a refusal, and write it into the log unless there are too many of them."""
        if error.http_status not in _REFUSALS:
            return
        self.metrics.refused.labels(str(error.http_status)).inc()
        get_logger().warning("refused", caller=caller, permission=permission, project=project or "")
        before = self._recorded.take()
        if before is None or self._anonymous(caller, permission):
            return
        detail = {"caller": caller, "permission": permission, **({"not recorded before": before} if before else {})}
        # The refusal stands, whether or not the log could be written.
        with contextlib.suppress(MunimentError):
            self.archive.record_event("access refusal", project=project or "", outcome="failure", detail=detail)

    @staticmethod
    def _anonymous(caller: str, permission: str) -> bool:
        """Whether nobody in particular looked in; a log that anybody can fill is no log."""
        return permission != "sign in" and caller in {"", "anonymous"}


def _whose(address: str, shown: str) -> list[str]:
    """By what a failed sign-in is counted: where it came from, and what was shown; nothing where nothing was."""
    if not shown:
        return []
    # Enough of a digest to tell one from another, too little to find what was shown by trying.
    return [f"address {address}", f"key {hashlib.sha256(shown.encode('utf-8', 'replace')).hexdigest()[:8]}"]


def authorized(request: Request) -> AuthorizedRequest:
    """Let a request in: for use in a route.

    Raises:
        MunimentError: As `Authorizer.access`.
    """
    authorizer: Authorizer = request.app.state.authorizer
    return authorizer.access(request)


def etag_of(instance: Instance | Description) -> str:
    """The version of a resource, as a strong entity tag."""
    return f'"{instance.instance}"'


def refuse_other_version(request: Request, instance: Instance | Description) -> None:
    """Hold a request to the version it names in `If-Match`.

    Raises:
        WrongVersion: The resource is at another one.
    """
    wanted = request.headers.get("if-match")
    if wanted is None or wanted.strip() == "*":
        return
    found = etag_of(instance)
    if found not in {tag.strip() for tag in wanted.split(",")}:
        raise WrongVersion(id=instance.id, found=found, expected=wanted[:200])


@contextlib.contextmanager
def told(metrics: Metrics, end: str) -> Iterator[None]:
    """Count how a transaction ended, also when it failed."""
    try:
        yield
    except Conflict:
        metrics.transactions.labels("refused").inc()
        raise
    metrics.transactions.labels(end).inc()
