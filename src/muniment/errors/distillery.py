"""Errors of scanning folders on their way to preservation: settings, names, scans, and batches that are not whole."""

from __future__ import annotations

from muniment.errors.base import BadInput, Conflict, MissingThing, RemoteError


class BadFolderName(BadInput):
    """The folder {folder!r} cannot be matched with an archival object: {reason}."""


class BadImageName(BadInput):
    """{folder}/{name} cannot be placed: {reason}."""


class BadDistillerySetting(BadInput):
    """The Distillery's settings in {path} cannot be used: {reason}."""

    http_status = 500


class NoDistillery(BadInput):
    """No Distillery is set up.

    Name its TOML file with MUNIMENT_DISTILLERY; docs/howto/distillery.md shows one.
    """

    http_status = 404


class NotReadyToDistill(BadInput):
    """{collection} cannot be run as it is: {problems}.

    `muniment distill preview` shows all of it.
    """


class NoDestination(BadInput):
    """Say where to: one or more of onsite, cloud and access. {reason}."""


class BadScan(BadInput):
    """The scan {name} cannot be used: {reason}."""


class NotLossless(BadInput):
    """The scan {name} and the JPEG 2000 made of it differ: {reason}. The JPEG 2000 was not kept."""


class ImagingFailed(RemoteError):
    """The process that reads scans ended at {name}: {reason}."""

    retry = False


class ImagingLibraryMissing(BadInput):
    """Reading scans needs the system library libvips 8.14 or later (Debian: libvips42): {reason}."""

    http_status = 500


class CopyNotVerified(Conflict):
    """{store} was sent {key!r} and keeps something else: {reason} Nothing is recorded of it. See to the store first."""

    http_status = 502
    retry = False


class BatchNotFound(MissingThing):
    """There is no batch {batch!r}.

    `muniment distill batches` lists them.
    """


class BatchIncomplete(Conflict):
    """Of {all} archival objects {failed} were not distilled: {names}. The log of the batch says why."""

    retry = False


class PublishingFailed(RemoteError):
    """The access copy of {id} could not be published: {reason}."""


class PublishedInPart(PublishingFailed):
    """{id} is published in part, and cannot be completed from here: {reason}."""

    retry = False


class PublisherUnreachable(PublishingFailed):
    """{id} cannot be reached, or does not answer: {reason}."""

    outage = True
