"""Errors of catalogues: what a portal or catalogue refused, and what it has not."""

from __future__ import annotations

from muniment.errors.base import BadInput, Conflict, MissingThing, Refused, RemoteError


class PortalRefused(Refused):
    """The portal {portal} refused {action}: {reason}. The same request would be refused again: see to it there."""

    http_status = 502


class PortalAnswerUnusable(RemoteError):
    """The portal {portal} answered {action} with something that is not CKAN's Action API: {reason}."""


class NotInPortal(MissingThing):
    """The portal {portal} has no {what} {id!r} that may be seen with the token given."""


class BadPortal(BadInput):
    """The portal {name!r} cannot be set so: {reason}."""


class PortalNotFound(MissingThing):
    """No portal is called {name!r}. Known are: {known}.

    Add one with `muniment ckan add NAME URL`.
    """


class PortalExists(Conflict):
    """There is a portal {name!r} already, at {url}. Change its settings, or take another name."""


class LinkNotFound(MissingThing):
    """Nothing is known of a resource {id!r} in the portal {portal}: it was not harvested yet, or is not there."""


class ListenerFailed(RemoteError):
    """The webhook at {address} did not take the event: {reason}."""


class ListenerGone(RemoteError):
    """The portal {portal} has no webhook at {address} any more. The event was not sent."""

    retry = False


class CatalogueRefusedUser(Refused):
    """ArchivesSpace does not let {user} {what}: {reason}."""


class CatalogueRefused(Refused):
    """ArchivesSpace refused {where}: {reason}."""

    http_status = 502


class CatalogueAnswerUnusable(RemoteError):
    """ArchivesSpace answered {where} with something else than it should: {reason}."""


class CatalogueUnreachable(RemoteError):
    """ArchivesSpace at {url} gives no answer about {where}: {reason}."""

    outage = True


class NotInCatalogue(MissingThing):
    """ArchivesSpace has no {what} {id!r}.{near}"""  # noqa: D415 - what is near it ends the sentence


class AmbiguousInCatalogue(Conflict):
    """ArchivesSpace has several of {what} {id!r}: {uris}. Exactly one is needed."""


class RecordBusy(RemoteError):
    """The record {uri} of ArchivesSpace was changed by others {tries} times while it was being changed. Try again."""


class FieldsLost(RemoteError):
    """ArchivesSpace took {uri} and dropped the fields {fields}. Its version may not know them."""

    retry = False
