"""Constructs the background services: the ledger, its engine, and the context in which containers are registered."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from muniment.app.app import App
from muniment.archive import Agent
from muniment.archive import Archive as LocalArchive
from muniment.content.extras import need
from muniment.errors.base import BadInput, BadSetting
from muniment.settings.jobs import words

if TYPE_CHECKING:
    from muniment.content.archive import Archive
    from muniment.doors.ckan.context import CkanContext
    from muniment.doors.ckan.portals import PortalSettings
    from muniment.doors.distillery.context import DistilleryContext
    from muniment.doors.osf import Address, Foreman, RegistrationContext
    from muniment.jobs import CeleryEngine, Keyring, Ledger, LocalEngine, Registry, Step
    from muniment.sources import Session
    from muniment.stores import Store
    from muniment.workflows.control_backup import ControlBackupStep
    from muniment.workflows.copies.service import CopyService
    from muniment.workflows.copies.steps import CopyContext
    from muniment.workflows.fetch import Fetches
    from muniment.workflows.reports.steps import ReportWriter


_COMMAND_LEASE = 10.0
"""Seconds that a command which does its own work may be silent before that goes to others."""


class BackgroundServices:
    """The parts that do what was asked, made from an application's settings on first use."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._settings = app.settings

    # --- the ledger

    @cached_property
    def keyring(self) -> Keyring:
        """The keys that seal credentials.

        Raises:
            BadKeyFile: The key file cannot be used.
        """
        from muniment.jobs import Keyring  # noqa: PLC0415 - only who works needs it

        named = self._settings.secrets_file
        return Keyring.read(named) if named is not None else Keyring.create(self._app.state / "control.key")

    def ledger(self) -> Ledger:
        """The ledger in the application's control database.

        Raises:
            MunimentError: As `App.database`.
        """
        from muniment.jobs import Ledger  # noqa: PLC0415 - a database library

        return Ledger(self._app.database(), self.keyring)

    # --- registrations

    @cached_property
    def registration_context(self) -> RegistrationContext:
        """What the registration of containers works with.

        Raises:
            BadInput: A setting cannot be used.
        """
        from muniment.doors.osf import Parity, Policy, RegistrationContext, Signer  # noqa: PLC0415 - as above

        settings = self._settings
        try:
            calls = settings.calls()
        except ValueError:
            raise BadSetting(reason="MUNIMENT_HOURLY_CALLS is a list of name=number, with numbers above 0") from None
        addresses = self._addresses()
        key = settings.hmac_key.get_secret_value() if settings.hmac_key else ""
        if (addresses or settings.signed_submissions) and not key:
            what = "callbacks (MUNIMENT_CALLBACK_ADDRESSES) and signed submissions need a key"
            raise BadSetting(reason=f"{what}: set MUNIMENT_HMAC_KEY")
        policy = Policy(
            project=settings.osf_project,
            max_file_size=settings.max_file_size,
            hourly_calls=calls,
            rclone=self._rclone(),
            parity=Parity(make=settings.registration_parity, every_size=settings.parity_every_size),
            streams=settings.fetch_streams,
            silence=settings.fetch_silence,
        )
        return RegistrationContext(
            self._archive,
            self.ledger,
            lambda: self._session(60.0, attempts=5, together=True),
            self._stores,
            scratch=self._scratch(),
            policy=policy,
            callbacks=addresses,
            signer=Signer(key, legacy=settings.hmac_legacy, legacy_life=settings.hmac_legacy_life) if key else None,
            open_callback_session=lambda: self._session(30.0, attempts=1),
        )

    def foreman(self) -> Foreman:
        """The requesters' side.

        Raises:
            BadInput: A setting cannot be used.
        """
        from muniment.doors.osf import Foreman, Links  # noqa: PLC0415 - as above

        links = Links(self._derived("download links"), life=self._settings.link_life)
        return Foreman(self.registration_context, links, signed_submissions=self._settings.signed_submissions)

    def fetches(self) -> Fetches:
        """The requesters' side of fetching.

        Raises:
            BadInput: A setting cannot be used.
        """
        from muniment.workflows.fetch import Fetches  # noqa: PLC0415 - as above

        return Fetches(self.registration_context.fetching)

    @cached_property
    def ckan(self) -> CkanContext:
        """What the harvest of portals works with.

        Raises:
            BadInput: A setting cannot be used.
        """
        from muniment.doors.ckan.context import CkanContext  # noqa: PLC0415 - as above

        registration_context = self.registration_context
        return CkanContext(
            lambda: registration_context.archive,
            lambda: registration_context.ledger,
            lambda: self.keyring,
            self._portal_session,
            scratch=registration_context.scratch,
            public_url=self._settings.public_url,
            signer=registration_context.signer,
        )

    @cached_property
    def distillery(self) -> DistilleryContext:
        """What the Distillery works with.

        Raises:
            NoDistillery: None is set up.
            BadInput: A setting cannot be used.
        """
        from muniment.app.distillery import distillery_context  # noqa: PLC0415 - as above

        registration_context = self.registration_context
        return distillery_context(
            self._app,
            lambda: registration_context.archive,
            lambda: registration_context.ledger,
            lambda: self._session(60.0, attempts=5),
            registration_context.scratch,
        )

    # --- copies

    @cached_property
    def copies(self) -> CopyContext:
        """What the steps of copies work with."""
        from muniment.workflows.copies.steps import CopyContext  # noqa: PLC0415 - as above

        return CopyContext(self.copy_service, lambda: self.registration_context.ledger)

    def copy_service(self) -> CopyService:
        """The copies of the archive that the settings name.

        Raises:
            BadInput: It is behind a server, or a setting cannot be used.
            MunimentError: The archive or the control database cannot be opened.
        """
        from muniment.archive import Archive  # noqa: PLC0415 - as above
        from muniment.workflows.copies.registry import StoreFolders, StoreRegistry, keys_of  # noqa: PLC0415 - as above
        from muniment.workflows.copies.service import CopyService  # noqa: PLC0415 - as above
        from muniment.workflows.copies.table import CopyTable  # noqa: PLC0415 - as above

        archive = self.registration_context.archive
        if not isinstance(archive, Archive):
            raise BadInput(reason="copies are made where the archive's folder is, not from behind a server")
        database = self.registration_context.ledger.database
        given = self._settings.store_keys
        keys = keys_of(given.get_secret_value()) if given else {}
        scratch = self.registration_context.scratch("copies")
        folders = StoreFolders(archive.state / "stores", scratch)
        registry = StoreRegistry(database, lambda: self.keyring, archive.config.id, folders, keys)
        return CopyService(archive, registry, CopyTable(database), scratch)

    def report_writer(self, answers: Path | None = None) -> ReportWriter:
        """What computes reports, with `answers` in place of those that the settings name.

        Raises:
            MunimentError: As `copy_service`.
        """
        from muniment.access import AccessStore  # noqa: PLC0415 - as above
        from muniment.workflows.reports.steps import ReportSettings, ReportWriter  # noqa: PLC0415 - as above

        service = self.copy_service()
        settings = ReportSettings(self._settings.format_policy, answers or self._settings.ndsa_answers)
        return ReportWriter(service, lambda: AccessStore(service.table.database).snapshot().rules, settings)

    # --- the engines

    def registry(self) -> Registry:
        """Every step this Muniment knows."""
        from muniment.doors.ckan.harvest import steps as ckan_steps  # noqa: PLC0415 - as above
        from muniment.doors.osf import steps  # noqa: PLC0415 - as above
        from muniment.jobs import Registry  # noqa: PLC0415 - as above
        from muniment.workflows.copies.steps import steps as copy_steps  # noqa: PLC0415 - as above

        known = [
            *steps(self.registration_context),
            *ckan_steps(self.ckan),
            *self._fetch_steps(),
            *copy_steps(self.copies),
        ]
        if self._settings.distillery is not None:
            from muniment.doors.distillery.audit_jobs import AuditStep  # noqa: PLC0415 - as above
            from muniment.doors.distillery.steps import steps as distillery_steps  # noqa: PLC0415 - as above
            from muniment.doors.distillery.watching import WatchStep  # noqa: PLC0415 - as above

            known += [*distillery_steps(self.distillery), WatchStep(self.distillery), AuditStep(self.distillery)]
        known += [self._control_backup(), self._reports()]
        return Registry(known)

    def _fetch_steps(self) -> list[Step]:
        from muniment.workflows.fetch import steps  # noqa: PLC0415 - as above

        return steps(self.registration_context.fetching)

    def fetch_engine(self) -> LocalEngine:
        """Threads that fetch and do nothing else of what is owed, for a command that waits for them.

        Raises:
            MunimentError: As `local_engine`.
        """
        from muniment.jobs import LocalEngine, Registry  # noqa: PLC0415 - as above
        from muniment.jobs.local import Pace  # noqa: PLC0415 - as above

        # A command that is killed and typed again waits for so long until what it held is free.
        lease = min(_COMMAND_LEASE, self._settings.work_lease)
        pace = Pace(lease=lease, sweep=lease / 4)
        threads = self._settings.work_threads
        return LocalEngine(
            self.registration_context.ledger, Registry(self._fetch_steps()), threads=threads, reserve=0, pace=pace
        )

    def local_engine(self, *, threads: int | None = None, queues: Sequence[str] = ()) -> LocalEngine:
        """Threads that do what is owed.

        Raises:
            MunimentError: As `ledger`; or a setting cannot be used.
        """
        from muniment.jobs import LocalEngine, Priority  # noqa: PLC0415 - as above
        from muniment.jobs.local import Pace  # noqa: PLC0415 - as above

        self._schedule()
        chosen = tuple(Priority(name) for name in queues) or tuple(Priority)
        pace = Pace(lease=self._settings.work_lease, sweep=min(5.0, self._settings.work_lease / 2))
        ledger = self.registration_context.ledger
        return LocalEngine(
            ledger, self.registry(), threads=threads or self._settings.work_threads, queues=chosen, pace=pace
        )

    def celery_engine(self) -> CeleryEngine:
        """The engine of Celery workers.

        Raises:
            BadInput: No broker is named.
            ExtraMissing: Celery is not installed.
        """
        from muniment.jobs.local import Pace  # noqa: PLC0415 - as above

        if self._settings.broker is None:
            raise BadSetting(reason="no broker is named: set MUNIMENT_BROKER to a redis:// or amqp:// address")
        need("celery", "A broker")
        from muniment.jobs import CeleryEngine  # noqa: PLC0415 - Celery is an extra, and slow to import

        self._schedule()
        pace = Pace(lease=self._settings.work_lease, sweep=min(5.0, self._settings.work_lease / 2))
        return CeleryEngine(self._settings.broker.get_secret_value(), self.ledger, self.registry(), pace=pace)

    def rehearse(self) -> None:
        """Open and close all that working needs, so that what is wrong is said before anything begins.

        Raises:
            MunimentError: A setting, a key file, the ledger or the archive cannot be used, or a part is not installed.
        """
        from muniment.app import ledger_identity  # noqa: PLC0415 - a database library

        self.foreman()
        self.registry()
        if self._settings.broker is not None:
            self.celery_engine().close()
        try:
            if self._settings.registration_stores:
                _ = self.registration_context.stores
            named = bool(self._settings.registration_stores)
            stores = self._store_addresses() if named or not self._app.remote else []
            used = named or (bool(stores) and Path(stores[0]).exists())
            ledger_identity.check(
                self.registration_context.ledger.database,
                self.registration_context.archive.config.id,
                stores,
                used=used,
            )
            if stores:
                from muniment.doors.osf import check  # noqa: PLC0415 - as above

                check.schedule(self.registration_context, self._settings.registration_check)
        finally:
            self.close()

    def rehearse_fetching(self) -> None:
        """See that the ledger belongs to this archive, before something is put into it.

        Raises:
            MunimentError: It belongs to another, or one of them cannot be opened.
        """
        from muniment.app import ledger_identity  # noqa: PLC0415 - a database library

        ledger_identity.check(
            self.registration_context.ledger.database, self.registration_context.archive.config.id, [], used=False
        )

    def assign(self) -> None:
        """Say that the ledger belongs to the archive and the stores that the settings name.

        Raises:
            MunimentError: One of them cannot be reached.
        """
        from muniment.app import ledger_identity  # noqa: PLC0415 - a database library

        try:
            registration_context = self.registration_context
            ledger_identity.change(
                registration_context.ledger.database, registration_context.archive.config.id, self._store_addresses()
            )
        finally:
            self.close()

    def close(self) -> None:
        """Close all that was opened; what is needed again is opened again."""
        if "distillery" in self.__dict__:
            self.distillery.close()
        if "registration_context" in self.__dict__:
            self.registration_context.close()
        self._app.close()

    # --- inside

    def _schedule(self) -> None:
        """Have the ledger do again and again what the settings say."""
        if self._settings.distillery is not None:
            from muniment.doors.distillery.watching import schedule_watch  # noqa: PLC0415 - as above

            schedule_watch(self.distillery)
        self._keep_periods(self.registration_context.ledger)

    def _control_backup(self) -> ControlBackupStep:
        from muniment.workflows.control_backup import ControlBackupStep  # noqa: PLC0415 - as above

        registration_context = self.registration_context
        return ControlBackupStep(
            lambda: registration_context.archive,
            lambda: registration_context.ledger.database,
            lambda: self.keyring,
            registration_context.scratch,
        )

    def _reports(self) -> Step:
        from muniment.workflows.reports.steps import ReportStep  # noqa: PLC0415 - as above

        def clock() -> float:  # the ledger is opened when it is asked
            return self.registration_context.ledger.database.now()

        return ReportStep(self.report_writer, clock)

    def _keep_periods(self, ledger: Ledger) -> None:
        """Have the ledger submit what the settings want done again and again; what they do not say stays as it was."""
        from muniment.jobs import Call, Period  # noqa: PLC0415 - as above
        from muniment.workflows.control_backup import PERIOD, STEP  # noqa: PLC0415 - as above

        rule = self._settings.control_backup
        if rule == "never":
            ledger.unschedule(PERIOD)
        elif rule is not None:
            ledger.schedule(Period(PERIOD, rule, "control-backup", Call(STEP), "archive"))
        if not self._app.remote:
            from muniment.workflows.reports.steps import schedule_reports  # noqa: PLC0415 - as above

            schedule_reports(ledger, self._settings.reports)

    def _archive(self) -> Archive:
        """The archive in the hands of all workers as one: what one of them began another may finish."""
        archive = self._app.archive()
        if not isinstance(archive, LocalArchive):
            return archive  # a server knows who acts by the key
        name = self._settings.agent_name or "Muniment workers"
        return archive.acting_as(Agent(name, self._settings.agent_address or f"urn:uuid:{archive.config.id}"))

    def _addresses(self) -> list[Address]:
        from muniment.doors.osf import address_of  # noqa: PLC0415 - as above

        given = self._settings.callback_addresses
        return [address_of(word) for word in words(given.get_secret_value())] if given else []

    def _session(self, timeout: float, *, attempts: int, together: bool = False) -> Session:
        """A session; one that calls services keeps their limits `together` with all other workers."""
        from muniment.sources import Guard, Limits, Session, SystemClock  # noqa: PLC0415 - as above

        guard = Guard(allow_private_addresses=self._settings.allow_private_addresses)
        limits = None
        if together:
            limits = Limits(
                SystemClock(), shared=lambda: self.registration_context.ledger.limits, key=self._derived("limits")
            )
        return Session(guard, limits=limits, timeout=timeout, attempts=attempts)

    def _portal_session(self, settings: PortalSettings) -> Session:
        """A session for a portal's links: one try each, for the ledger tries again, and no harsher than a browser."""
        import ssl  # noqa: PLC0415 - as above

        from muniment.sources import Guard, Limits, Session, SystemClock  # noqa: PLC0415 - as above

        tls = None
        if not settings.verify_https:
            tls = ssl.create_default_context()
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        guard = Guard(allow_private_addresses=self._settings.allow_private_addresses)
        shared = lambda: self.registration_context.ledger.limits  # noqa: E731 - opened when it is used
        limits = Limits(SystemClock(), patience=0.0, shared=shared, key=self._derived("limits"))
        return Session(
            guard,
            limits=limits,
            tls=tls,
            timeout=settings.timeout,
            attempts=1,
            agent=settings.user_agent,
            lenient=True,
            proxy=settings.proxy,
        )

    def _stores(self) -> list[Store]:
        from muniment.stores import open_store  # noqa: PLC0415 - as above

        keys = self._keys() if self._settings.registration_stores else None
        return [open_store(word, keys=keys) for word in self._store_addresses()]

    def _rclone(self) -> dict[str, str]:
        config, word = self._settings.rclone_config, self._settings.rclone_config_password
        found = {} if config is None else {"config": str(config)}
        return found if word is None else {**found, "config_password": word.get_secret_value()}

    def existing_stores(self) -> list[Store]:
        """Where registrations are, to be looked at; nothing is made.

        Raises:
            BadStore: One of them is not there.
        """
        from muniment.errors.stores import BadStore  # noqa: PLC0415 - as above

        for address in self._store_addresses():
            if "://" not in address and not Path(address).is_dir():
                raise BadStore(store=address, reason="there is no such folder")
        return self._stores()

    def _store_addresses(self) -> list[str]:
        """Where registrations go: what was named, with folders in full, or else a folder beside archive or state."""
        named = [word.strip() for word in self._settings.registration_stores.split(",") if word.strip()]
        if not named and self._app.remote:
            raise BadSetting(reason="with an archive behind a server, name the stores: MUNIMENT_REGISTRATION_STORES")
        if not named:
            place = (self._app.state if self._app.in_bucket else self._app.place()).absolute()
            return [str(place.with_name(f"{place.name}-registrations"))]
        return [word if "://" in word else str(Path(word).absolute()) for word in named]

    def _keys(self) -> Mapping[str, str]:
        access, secret = self._settings.registration_access_key, self._settings.registration_secret_key
        if access is None or secret is None:
            return {}
        return {"access_key": access.get_secret_value(), "secret_key": secret.get_secret_value()}

    def _scratch(self) -> Path:
        if self._settings.scratch is not None:
            return self._settings.scratch
        archive = str(self._settings.archive)
        # The same for all processes that work for one archive, however they name it; another for each user.
        where = archive if self._app.remote or self._app.in_bucket else str(Path(archive).absolute())
        name = hashlib.sha256(f"{os.geteuid()} {where}".encode()).hexdigest()[:12]
        place = Path(tempfile.gettempdir()) / f"muniment-work-{name}"
        place.mkdir(mode=0o700, exist_ok=True)
        if place.is_symlink() or place.stat().st_uid != os.geteuid():
            raise BadSetting(reason=f"{place} belongs to somebody else: name a folder in MUNIMENT_SCRATCH")
        return place

    def _derived(self, purpose: str) -> bytes:
        """A key made from the key file, so that every process of a server knows it and nobody else does."""
        place = self._settings.secrets_file or self._app.state / "control.key"
        assert self.keyring is not None
        return hashlib.sha256(f"muniment {purpose}\n".encode() + place.read_bytes()).digest()
