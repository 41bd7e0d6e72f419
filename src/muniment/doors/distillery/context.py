"""What the steps of the Distillery work with: settings, archive, ledger, catalogue, stores, publisher, scratch."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from muniment.catalogues.archivesspace import ArchivesSpace
from muniment.doors.distillery.batches import Batches
from muniment.doors.distillery.settings import DistillerySettings, StoreSettings
from muniment.errors.distillery import NoDestination
from muniment.errors.stores import BadStore
from muniment.imaging import ImageProcess, ImagingLimits
from muniment.publishers.protocol import Publisher
from muniment.stores import Store

if TYPE_CHECKING:
    from muniment.content.archive import Archive
    from muniment.jobs import Ledger  # a database library comes with it

OpenStore = Callable[[StoreSettings, str], Store]


class DistilleryContext:
    """One process's way to everything; each part is made when it is first asked for."""

    def __init__(
        self,
        settings: DistillerySettings,
        archive: Callable[[], Archive],
        ledger: Callable[[], Ledger],
        open_catalogue: Callable[[], ArchivesSpace],
        open_store: OpenStore,
        *,
        scratch: Callable[..., Path],
        open_publisher: Callable[[], Publisher] | None = None,
    ) -> None:
        self.settings = settings
        self.scratch = scratch
        self.tape_wait = 60.0
        """Seconds between looks whether the next tape is in the drive."""
        self._archive = archive
        self._ledger = ledger
        self._open_catalogue = open_catalogue
        self._open_store = open_store
        self._open_publisher = open_publisher
        self._catalogue: ArchivesSpace | None = None
        self._publisher: Publisher | None = None
        self._stores: dict[str, Store] = {}
        self._lock = threading.Lock()

    @property
    def archive(self) -> Archive:
        """The archive."""
        return self._archive()

    @property
    def ledger(self) -> Ledger:
        """The ledger."""
        return self._ledger()

    @property
    def batches(self) -> Batches:
        """The log of each batch, and what was verified where."""
        return Batches(self._ledger().database)

    @property
    def catalogue(self) -> ArchivesSpace:
        """ArchivesSpace.

        Raises:
            BadDistillerySetting: The password's file cannot be read.
        """
        with self._lock:
            if self._catalogue is None:
                self._catalogue = self._open_catalogue()
            return self._catalogue

    def store(self, destination: str) -> Store:
        """The store that a destination stands for.

        Raises:
            NoDestination: The settings name none.
            BadStore: It cannot be used, or its folder is not there: a mount that is missing must not be made anew.
        """
        settings = self.settings.store(destination)
        if not settings.address:
            raise NoDestination(reason=f"{destination} is not set up: its address is missing")
        if "://" not in settings.address and not Path(settings.address).is_dir():
            raise BadStore(store=settings.address, reason="there is no such folder")
        with self._lock:
            if destination not in self._stores:
                self._stores[destination] = self._open_store(settings, destination)
            return self._stores[destination]

    def publisher(self) -> Publisher:
        """What publishes access copies.

        Raises:
            NoDestination: The settings name none.
        """
        if self._open_publisher is None or not self.settings.access.publisher:
            raise NoDestination(reason="access is not set up: its publisher is missing")
        with self._lock:
            if self._publisher is None:
                self._publisher = self._open_publisher()
            return self._publisher

    def images(self) -> ImageProcess:
        """A new process that reads scans; who takes it closes it."""
        return ImageProcess(self.limits())

    def limits(self) -> ImagingLimits:
        """What one scan may cost."""
        given = self.settings.images
        return ImagingLimits(given.memory, given.seconds, given.pixels, given.pages)

    def uri(self, destination: str, key: str, place: str) -> str:
        """The address of a key as the catalogue records it: `s3://bucket/key`, `tape://indicator/key`, `file:///…`."""
        address = self.settings.store(destination).address
        if place:
            return f"tape://{place}/{key}"
        parts = urlsplit(address)
        if "://" not in address:
            return Path(address).absolute().joinpath(key).as_uri()
        path = parts.path.strip("/")
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/{f'{path}/' if path else ''}{key}"

    def close(self) -> None:
        """Close the connections to the catalogue; what is needed again is opened again."""
        with self._lock:
            catalogue, self._catalogue = self._catalogue, None
        if catalogue is not None:
            catalogue.close()

    def now(self) -> float:
        """The ledger's time, in seconds since 1970 UTC."""
        return self._ledger().database.now()
