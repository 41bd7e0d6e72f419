"""Telling others what was archived: signed requests, each a job of its own, so that no listener can stop a harvest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

from muniment.doors.ckan.context import CkanContext
from muniment.doors.ckan.portals import Portal
from muniment.errors.base import MunimentError
from muniment.errors.catalogues import ListenerFailed, ListenerGone
from muniment.errors.sources import AddressRefused, RateLimited
from muniment.jobs import Again, Call, Context, Deadlines, Done, Json
from muniment.session import Account

STEP = "ckan.webhook"
KIND = "ckan-webhook"
_TAKEN = range(200, 300)
_FAILURES = 12


def tell(given: CkanContext, portal: Portal, occasion: str, event: Mapping[str, object]) -> None:
    """Owe every listener of a portal an event; the same occasion is told once.

    Raises:
        LedgerUnavailable: Not all of it was recorded; do it again.
    """
    for url in portal.settings.webhooks:
        reference = hashlib.sha256(url.encode()).hexdigest()[:16]
        sent = {"portal": portal.name, "address": reference, "shown": _shown(url), "event": dict(event)}
        given.ledger.submit(
            KIND,
            Call(STEP, cast("Json", sent), failures=_FAILURES),
            requester="ckan",
            given={"portal": portal.name, "address": _shown(url), "operation": str(event["operation"])},
            key=f"{occasion}:{reference}"[:200],
        )


class WebhookStep:
    """Send one event to one listener."""

    name = STEP
    deadlines = Deadlines()

    def __init__(self, given: CkanContext) -> None:
        self._given = given

    def run(self, given: Json, context: Context) -> Done | Again:
        """Send it; anything but a status of success is tried again with growing waits.

        Raises:
            ListenerFailed: It was not taken.
            ListenerGone: The portal's settings do not know the address any more.
            AddressRefused: The address is private, and private ones are not allowed.
        """
        wanted = cast("Mapping[str, Any]", given)
        portal = self._given.portals.get(wanted["portal"])
        known = {hashlib.sha256(url.encode()).hexdigest()[:16]: url for url in portal.settings.webhooks}
        url = known.get(wanted["address"])
        if url is None:
            raise ListenerGone(address=wanted["shown"], portal=portal.name)
        body = json.dumps(wanted["event"], sort_keys=True).encode()
        signed = self._given.signer.headers(body) if self._given.signer else {}
        headers = {"Content-Type": "application/json", "X-Muniment-Delivery": context.key, **signed}
        try:
            reply = self._given.session(portal.settings).send(Account("a webhook", (url,)), "POST", url, headers, body)
        except (AddressRefused, RateLimited):
            raise
        except MunimentError as error:
            raise ListenerFailed(address=wanted["shown"], reason=error.message) from None
        try:
            if reply.status not in _TAKEN:
                raise ListenerFailed(address=wanted["shown"], reason=f"it answered with status {reply.status}")
            return Done({"status": reply.status})
        finally:
            reply.close()


def _shown(url: str) -> str:
    """The address without its query, in which a token may stand."""
    return urlunsplit(urlsplit(url)._replace(query="", fragment=""))
