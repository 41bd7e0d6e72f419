"""What the server does beside answering: the foreman for its routes, and the engine that does what the ledger owes."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING

from muniment.app import App
from muniment.app.background import BackgroundServices
from muniment.app.operations import OperationsControl
from muniment.doors.osf import Foreman

if TYPE_CHECKING:
    from muniment.doors.ckan.context import CkanContext
    from muniment.doors.distillery.context import DistilleryContext
    from muniment.jobs import CeleryEngine, Ledger, LocalEngine  # Celery is an extra
    from muniment.workflows.copies.service import CopyService
    from muniment.workflows.fetch import Fetches


class BackgroundJobs:
    """The foreman and the engine beside the server. Nothing is opened before `start` or the first request."""

    def __init__(self, app: App) -> None:
        self._settings = app.settings
        self._working = BackgroundServices(app)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._local: LocalEngine | None = None
        self._celery: CeleryEngine | None = None
        self._dispatcher: threading.Thread | None = None

    @property
    def project(self) -> str:
        """The project that containers are archived in; rights on it are what counts here."""
        return self._settings.osf_project

    @cached_property
    def _foreman(self) -> Foreman:
        return self._working.foreman()

    @property
    def foreman(self) -> Foreman:
        """The foreman, put together on first use.

        Raises:
            MunimentError: A setting cannot be used, or the ledger cannot be opened.
        """
        with self._lock:
            return self._foreman

    @cached_property
    def operations(self) -> OperationsControl:
        """What an operator sees of the ledger and may do with it."""
        return OperationsControl(self._working)

    @cached_property
    def ledger(self) -> Ledger:
        """What was asked, is done and is owed.

        Raises:
            MunimentError: The control database cannot be opened.
        """
        return self._working.ledger()

    @cached_property
    def copy_service(self) -> CopyService:
        """The copies of the archive, and what is owed of them.

        Raises:
            MunimentError: A setting cannot be used, or the control database cannot be opened.
        """
        return self._working.copy_service()

    @cached_property
    def ckan(self) -> CkanContext:
        """What the CKAN door's routes work with.

        Raises:
            MunimentError: A setting cannot be used.
        """
        return self._working.ckan

    @cached_property
    def fetches(self) -> Fetches:
        """What the routes that fetch work with.

        Raises:
            MunimentError: A setting cannot be used.
        """
        return self._working.fetches()

    @cached_property
    def distillery(self) -> DistilleryContext:
        """What the Distillery's routes work with.

        Raises:
            NoDistillery: None is set up.
            MunimentError: A setting cannot be used.
        """
        return self._working.distillery

    def start(self) -> None:
        """Begin to do what the ledger owes, or to send it to the workers of a broker.

        Raises:
            MunimentError: As `foreman`.
        """
        if not self._settings.serve_work:
            return
        if self._settings.broker is None:
            self._local = self._working.local_engine()
            self._local.start()
            return
        self._celery = self._working.celery_engine()
        self._dispatcher = threading.Thread(
            target=self._celery.keep_dispatching, args=(self._stop,), name="dispatcher", daemon=True
        )
        self._dispatcher.start()

    def close(self) -> None:
        """Let what is under way end for a while, give the rest back, and close everything."""
        self._stop.set()
        if self._local is not None:
            self._local.stop(self._settings.serve_grace)
        if self._dispatcher is not None:
            self._dispatcher.join(10)
        if self._celery is not None:
            self._celery.close()
        if "distillery" in self._working.__dict__:
            self._working.distillery.close()
        self._working.registration_context.close()
