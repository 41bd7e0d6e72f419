"""Constructs what the Distillery works with, from the application's settings and its own TOML file."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from muniment.app.app import App
from muniment.errors.distillery import NoDistillery

if TYPE_CHECKING:
    from muniment.catalogues.archivesspace import ArchivesSpace
    from muniment.content.archive import Archive
    from muniment.doors.distillery.context import DistilleryContext
    from muniment.doors.distillery.settings import DistillerySettings, StoreSettings
    from muniment.imaging import ImageProcess
    from muniment.imaging.text import ReadText
    from muniment.jobs import Ledger
    from muniment.publishers.protocol import Publisher, Remembered
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
        open_publisher=lambda: _publisher(settings, ledger, open_session, scratch),
    )


def _catalogue(settings: DistillerySettings, session: Session) -> ArchivesSpace:
    from muniment.catalogues.archivesspace import ArchivesSpace  # noqa: PLC0415 - as above
    from muniment.doors.distillery.settings import read_secret  # noqa: PLC0415 - as above

    given = settings.archivesspace
    password = read_secret(given.password_file, "the password")
    return ArchivesSpace(session, given.url, given.user, password, given.repository)


def _publisher(
    settings: DistillerySettings,
    ledger: Callable[[], Ledger],
    open_session: Callable[[], Session],
    scratch: Callable[..., Path],
) -> Publisher:
    from muniment.doors.distillery.batches import Batches  # noqa: PLC0415 - as above
    from muniment.doors.distillery.settings import read_secret  # noqa: PLC0415 - as above
    from muniment.imaging import ImageProcess, ImagingLimits  # noqa: PLC0415 - as above

    given, images = settings.access, settings.images
    limits = ImagingLimits(images.memory, images.seconds, images.pixels, images.pages)

    def open_images() -> ImageProcess:
        return ImageProcess(limits)

    def place() -> Path:
        return scratch("distillery", "access")

    if given.publisher == "islandora7":
        return _islandora7(settings, open_images, place, Batches(ledger().database))
    if given.publisher == "islandora2":
        from muniment.publishers.islandora2 import Islandora2, Islandora2Site  # noqa: PLC0415 - as above

        password = read_secret(given.password_file, "the password")
        site = Islandora2Site(given.url, given.user, password, given.lookup)
        remembered = Batches(ledger().database)
        return Islandora2(open_session(), site, open_images, remembered, place, _reader(settings))
    from muniment.publishers.iiif import Iiif  # noqa: PLC0415 - as above

    assert given.folder is not None
    return Iiif(given.folder, given.url, open_images, _reader(settings))


def _islandora7(
    settings: DistillerySettings,
    open_images: Callable[[], ImageProcess],
    place: Callable[[], Path],
    remembered: Remembered,
) -> Publisher:
    from muniment.publishers.islandora7 import Islandora7, Islandora7Site  # noqa: PLC0415 - as above
    from muniment.publishers.islandora7.ssh import SshMachine  # noqa: PLC0415 - as above

    given = settings.access
    target, _, port = given.ssh.partition(":")
    machine = SshMachine(target, int(port or 22), identity=given.identity_file, known_hosts=given.known_hosts_file)
    site = Islandora7Site(given.webroot, given.url, given.namespace, given.drush)
    return Islandora7(machine, site, open_images, _reader(settings), place, remembered)


def _reader(settings: DistillerySettings) -> ReadText:
    """What reads the text on pages, as the settings say."""
    from muniment.imaging.text import read_text  # noqa: PLC0415 - as above

    given = settings.access
    return partial(read_text, seconds=given.text_seconds, language=given.language)


def _store(app: App, given: StoreSettings, destination: str, scratch: Callable[..., Path]) -> Store:
    from muniment.doors.distillery.settings import read_secret  # noqa: PLC0415 - as above
    from muniment.stores import open_store  # noqa: PLC0415 - as above

    access = read_secret(given.access_key_file, "the access key")
    secret = read_secret(given.secret_key_file, "the secret key")
    keys = {"access_key": access, "secret_key": secret} if access else {}
    files = {"identity": given.identity_file, "known_hosts": given.known_hosts_file}
    keys |= {name: str(path) for name, path in files.items() if path is not None}
    # Which tape holds what must outlive the work: it lies with the ledger.
    records = app.state / f"tapes-{destination}" if given.address.startswith("ltfs:") else None
    place = scratch("distillery", destination)
    return open_store(given.address, keys=keys, records=records, scratch=place, commands=given.commands)
