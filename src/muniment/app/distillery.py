"""Constructs what the Distillery works with, from the application's settings and its own TOML file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from muniment.app.app import App
from muniment.errors.distillery import NoDistillery

if TYPE_CHECKING:
    from muniment.catalogues.archivesspace import ArchivesSpace
    from muniment.content.archive import Archive
    from muniment.doors.distillery.context import DistilleryContext
    from muniment.doors.distillery.settings import DistillerySettings, StoreSettings
    from muniment.jobs import Ledger
    from muniment.publishers.protocol import Publisher
    from muniment.session import Session
    from muniment.stores import Store


def distillery_context(
    app: App,
    archive: Callable[[], Archive],
    ledger: Callable[[], Ledger],
    open_session: Callable[[], Session],
    scratch: Callable[..., Path],
) -> DistilleryContext:
    """What the Distillery's steps and routes are given.

    Raises:
        NoDistillery: None is set up.
        BadDistillerySetting: Its file cannot be used.
    """
    from muniment.doors.distillery.context import DistilleryContext  # noqa: PLC0415 - only who distills needs it
    from muniment.doors.distillery.settings import read_settings  # noqa: PLC0415 - as above

    if app.settings.distillery is None:
        raise NoDistillery
    settings = read_settings(app.settings.distillery)
    return DistilleryContext(
        settings,
        archive,
        ledger,
        lambda: _catalogue(settings, open_session()),
        lambda given, destination: _store(app, given, destination, scratch),
        scratch=scratch,
        open_publisher=lambda: _publisher(settings),
    )


def _catalogue(settings: DistillerySettings, session: Session) -> ArchivesSpace:
    from muniment.catalogues.archivesspace import ArchivesSpace  # noqa: PLC0415 - as above
    from muniment.doors.distillery.settings import read_secret  # noqa: PLC0415 - as above

    given = settings.archivesspace
    password = read_secret(given.password_file, "the password")
    return ArchivesSpace(session, given.url, given.user, password, given.repository)


def _publisher(settings: DistillerySettings) -> Publisher:
    from muniment.imaging import ImageProcess, ImagingLimits  # noqa: PLC0415 - as above
    from muniment.publishers.iiif import Iiif  # noqa: PLC0415 - as above

    given, images = settings.access, settings.images
    assert given.folder is not None
    limits = ImagingLimits(images.memory, images.seconds, images.pixels, images.pages)
    return Iiif(given.folder, given.url, lambda: ImageProcess(limits))


def _store(app: App, given: StoreSettings, destination: str, scratch: Callable[..., Path]) -> Store:
    from muniment.doors.distillery.settings import read_secret  # noqa: PLC0415 - as above
    from muniment.stores import open_store  # noqa: PLC0415 - as above

    access = read_secret(given.access_key_file, "the access key")
    secret = read_secret(given.secret_key_file, "the secret key")
    keys = {"access_key": access, "secret_key": secret} if access else {}
    # Which tape holds what must outlive the work: it lies with the ledger.
    records = app.state / f"tapes-{destination}" if given.address.startswith("ltfs:") else None
    return open_store(given.address, keys=keys, records=records, scratch=scratch("distillery", destination))
