"""Callbacks: telling each address that a container is done or could not be, until it has taken it.

Each address has a job of its own, so that one that is slow holds nobody up, and the job is the log of its delivery.
An address may carry a user name and a password for Basic authentication. They stay in the settings: the ledger knows
an address by what can be shown of it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit, urlunsplit

from muniment.errors.base import BadInput, MunimentError
from muniment.errors.jobs import KeyUsed
from muniment.errors.registration import CallbackAddressGone, CallbackFailed, NoCallbackKey
from muniment.errors.sources import AddressRefused, RateLimited
from muniment.jobs import Again, Call, Context, Deadlines, Done, Job, Json, Priority, State
from muniment.session import Account
from muniment.workflows.signing import CALLBACK

if TYPE_CHECKING:
    from muniment.doors.osf.context import RegistrationContext
    from muniment.jobs import Ledger  # a database library comes with it

STEP = "osf.callback"
_KIND = "osf-callback"
_TAKEN = range(200, 300)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a callback goes. `url` has no credentials; `shown` is all that is written anywhere."""

    url: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def shown(self) -> str:
        """The address without query, in which a token may stand."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(query="", fragment=""))

    @property
    def reference(self) -> str:
        """What the ledger calls it: it tells addresses apart and gives nothing away."""
        return hashlib.sha256(f"{self.url}\n{self.user}".encode()).hexdigest()[:16]

    def account(self) -> Account:
        """As the session knows it."""
        basic = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        known = bool(self.user or self.password)
        return Account(
            "callback",
            (self.url,),
            headers={"Authorization": f"Basic {basic}"} if known else {},
            secrets=tuple(word for word in (self.password, basic) if word) if known else (),
        )


def address_of(text: str) -> Address:
    """Read an address from the settings: `https://user:password@host/path`, the password optional.

    Raises:
        BadInput: It is none.
    """
    try:
        parts = urlsplit(text.strip())
        name, port = parts.hostname or "", parts.port
    except ValueError:
        raise BadInput(reason="a callback address cannot be read") from None
    if parts.scheme not in {"http", "https"} or not name:
        raise BadInput(reason="a callback address is not an http or https address")
    host = f"[{name}]" if ":" in name else name
    place = host if port is None else f"{host}:{port}"
    url = urlunsplit(parts._replace(netloc=place, fragment=""))
    return Address(url, unquote(parts.username or ""), unquote(parts.password or ""))


def success(id: str, failures: Sequence[Mapping[str, str]]) -> dict[str, object]:
    """What is told of a container that was registered; `failures` are the files that could not be taken."""
    return {"status": "success", "id": id, "failures": [dict(failure) for failure in failures]}


def failed(id: str, reasons: Sequence[str]) -> dict[str, object]:
    """What is told of a container that was not registered."""
    return {"status": "failed", "id": id, "reasons": list(reasons)}


def tell(registration_context: RegistrationContext, job: str, payload: Mapping[str, Any]) -> None:
    """Owe every address a callback; what was told of a container in a job is told once.

    Raises:
        DatabaseUnavailable: Not all of it was recorded; do it again.
    """
    for address in registration_context.callbacks:
        call = Call(
            STEP,
            cast("Json", {"address": address.reference, "shown": address.shown, "payload": dict(payload)}),
            failures=registration_context.policy.callback_failures,
        )
        given: Json = {"id": str(payload["id"]), "job": job, "address": address.shown, "status": payload["status"]}
        try:
            registration_context.ledger.submit(
                _KIND,
                call,
                requester="osf",
                given=given,
                priority=Priority.PRIORITY,
                key=_key(job, str(payload["id"]), address),
            )
        except KeyUsed:
            continue  # something else was told already; the first word stands


def told(ledger: Ledger, job: str, id: str, addresses: Sequence[Address]) -> bool:
    """Whether every address is owed or has had its callback."""
    return all(ledger.find(_KIND, _key(job, id, address)) is not None for address in addresses)


def deliveries(ledger: Ledger, job: str, id: str, addresses: Sequence[Address]) -> list[dict[str, object]]:
    """The log of each address: how it stands, how often it was tried, what came of it, and when it is tried again."""
    found = []
    for address in addresses:
        known = ledger.find(_KIND, _key(job, id, address))
        found.append(_delivery(ledger, address, known))
    return found


def _delivery(ledger: Ledger, address: Address, job: Job | None) -> dict[str, object]:
    if job is None:
        nothing = {"attempts": 0, "reason": "", "status": None, "again": None, "job": None, "log": []}
        return {"address": address.shown, "state": "not yet owed", **nothing}
    steps = list(ledger.steps(job.id))
    step = steps[0] if steps else None
    result = step.result if step and isinstance(step.result, Mapping) else {}
    lines = ledger.history(job.id)
    return {
        "address": address.shown,
        "state": "delivered" if step and step.state is State.DONE else str(job.state),
        "attempts": step.attempt if step else 0,
        "reason": (step.reason if step else "") or job.reason,
        "status": result.get("status"),
        "again": step.next_at if step and step.state is State.READY and step.attempt else None,
        "job": job.id,
        "log": [{"at": line.at, "what": line.what, "detail": line.detail} for line in lines],
    }


def _key(job: str, id: str, address: Address) -> str:
    return f"{job}:{id}:{address.reference}"


class CallbackStep:
    """Send one callback to one address."""

    name = STEP
    deadlines = Deadlines(total=600.0, silence=600.0)

    def __init__(self, registration_context: RegistrationContext) -> None:
        self._office = registration_context

    def run(self, given: Json, context: Context) -> Done | Again:
        """Send it; anything but a status of success is tried again with growing waits.

        Raises:
            CallbackFailed: It was not taken.
            CallbackAddressGone: The settings do not know the address any more.
            AddressRefused: The address is private, and private ones are not allowed.
            NoCallbackKey: There is no key to sign with.
        """
        assert isinstance(given, Mapping)
        payload = given["payload"]
        assert isinstance(payload, Mapping)
        id = str(payload["id"])  # noqa: A001 - the field's name
        address = next((each for each in self._office.callbacks if each.reference == given["address"]), None)
        if address is None:
            raise CallbackAddressGone(id=id, address=given["shown"])
        if self._office.signer is None:
            raise NoCallbackKey
        body = json.dumps(self._office.signer.sign_document(payload, CALLBACK)).encode()
        headers = {
            "Content-Type": "application/json",
            "Accept": "text/plain",
            # Should the answer be lost, the same callback comes again under the same name.
            "X-Muniment-Delivery": context.key,
            **self._office.signer.headers(body),
        }
        status = self._send(address, headers, body, id)
        return Done({"status": status})

    def _send(self, address: Address, headers: Mapping[str, str], body: bytes, id: str) -> int:
        account = address.account()
        try:
            reply = self._office.callback_session.send(account, "POST", address.url, headers, body)
        except (AddressRefused, RateLimited):
            raise
        except MunimentError as error:
            if error.outage:
                raise
            reason = account.redact(error.message).rstrip(".")
            raise CallbackFailed(address=address.shown, id=id, reason=reason) from None
        try:
            if reply.status not in _TAKEN:
                raise CallbackFailed(address=address.shown, id=id, reason=f"it answered with status {reply.status}")
            return reply.status
        finally:
            reply.close()
