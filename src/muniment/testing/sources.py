"""The contract of every source. Subclass `SourceContract`, name a server and a submission, and run it with pytest.

    class TestFigshare(SourceContract):
        kind = "figshare"
        bodies = r"/files/"

        @pytest.fixture
        def server(self) -> Iterator[Figshare]:
            with Figshare() as server:
                server.hold(...)
                yield server

        def given(self, server): return {"id": "1", "access_token": server.token}
        def files(self, server): return {"data.csv": b"..."}

What a service does not have (credentials, digests, bodies over HTTP) is switched off by its attribute, and the tests
about it are then not collected at all.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from muniment.content import ALGORITHMS
from muniment.errors.base import MunimentError, RemoteError
from muniment.errors.sources import (
    AddressRefused,
    CredentialRefused,
    FileDiffers,
    FileError,
    FileTooLarge,
    ListingEndless,
    NotAtService,
)
from muniment.session import body, reply
from muniment.sources import (
    Failure,
    Guard,
    Item,
    Page,
    Session,
    Source,
    SourceContext,
    SourceEntry,
    checked,
    find,
    open_source,
    paging,
)
from muniment.testing.clock import FakeClock
from muniment.testing.connections import attempted_connections

Listed = list[tuple[Item, SourceEntry]]


def _changed(kind: type, make: Callable[[Any], object]) -> Callable[[bytes], bytes]:
    """What changes an answer in JSON: `make` of everything in it that is of the `kind`; no JSON is left as it is."""

    def walk(value: object) -> object:
        if isinstance(value, dict):
            value = {name: walk(each) for name, each in value.items()}
        elif isinstance(value, list):
            value = [walk(each) for each in value]
        return make(value) if isinstance(value, kind) else value

    def change(given: bytes) -> bytes:
        try:
            return json.dumps(walk(json.loads(given))).encode()
        except ValueError:
            return given

    return change


CHANGES: Mapping[str, Callable[[bytes], bytes]] = {
    "a page": lambda _: b"<html><body>Sorry</body></html>",
    "null": lambda _: b"null",
    "a number": lambda _: b"7",
    "an empty object": lambda _: b"{}",
    "an empty list": lambda _: b"[]",
    "lists for objects": _changed(dict, lambda found: list(found.values())),
    "objects for lists": _changed(list, lambda found: {str(n): each for n, each in enumerate(found)}),
    "numbers for text": _changed(str, len),
    "text for numbers": _changed(int, lambda found: f"{found}!"),
    "nothing for text": _changed(str, lambda _: None),
    "first fields missing": _changed(dict, lambda found: dict(list(found.items())[1:])),
    "last fields missing": _changed(dict, lambda found: dict(list(found.items())[:-1])),
}
"""How an answer may be other than its service promises."""


class SourceContract:
    """What any source must do; `server` is a fixture, the rest are attributes and two methods."""

    kind: ClassVar[str]
    bodies: ClassVar[str | None] = None
    """A regular expression for the paths from which the server sends files; None if they do not come over HTTP."""
    calls: ClassVar[str | None] = None
    """A regular expression for the paths of its listing calls; None if there are none."""
    resumes: ClassVar[bool] = True
    has_sizes: ClassVar[bool] = True
    has_credential: ClassVar[bool] = True
    remote: ClassVar[bool] = True
    has_digests: ClassVar[bool] = True
    paged: ClassVar[bool] = True
    """Whether it has listings that a server could make endless (see `Loopback.paging`)."""
    lists_by_program: ClassVar[bool] = False
    """Whether another program lists, and watches over slow answers in its own way."""

    def __init_subclass__(cls) -> None:
        """Take away the tests about what this service does not have, so that none of them passes by doing nothing."""
        for test, applies in (
            ("a_refused_credential_is_named_without_being_shown", cls.has_credential),
            ("private_addresses_are_refused_by_default_and_not_connected_to", cls.remote),
            ("a_busy_service_is_not_asked_before_its_time", cls.calls is not None),
            ("a_passing_failure_is_tried_again", cls.calls is not None),
            ("a_cut_body_is_taken_up_where_it_broke_off", cls.bodies is not None),
            ("a_file_that_is_refused_is_its_own_trouble", cls.bodies is not None),
            ("damage_on_the_way_is_seen_where_the_service_gives_digests", cls.bodies is not None and cls.has_digests),
            ("an_error_page_in_place_of_a_file_is_refused", cls.bodies is not None and cls.has_sizes),
            ("a_listing_without_end_is_an_error", cls.paged),
            ("a_page_that_leads_back_is_an_error", cls.paged),
            ("a_cut_listing_is_asked_for_again_and_never_short", cls.calls is not None),
            (
                "a_listing_that_is_not_as_promised_is_named_and_not_asked_for_again",
                cls.calls is not None and not cls.lists_by_program,
            ),
            ("a_listing_that_only_trickles_is_given_up", cls.calls is not None and not cls.lists_by_program),
            ("a_length_that_is_too_small_is_seen", cls.bodies is not None and (cls.has_sizes or cls.has_digests)),
            ("a_length_that_is_too_large_is_seen", cls.bodies is not None),
            ("a_body_that_only_trickles_is_given_up", cls.bodies is not None),
            ("a_service_without_ranges_gives_the_middle_and_the_rest_of_a_cut_too", cls.bodies is not None),
        ):
            if not applies:
                setattr(cls, f"test_{test}", None)

    def given(self, server: Any) -> dict[str, object]:
        """A submission's fields that read everything the server holds."""
        raise NotImplementedError

    def files(self, server: Any) -> dict[str, bytes]:
        """Path to content of every file that must come, documents of our own (`@about/…`) left out."""
        raise NotImplementedError

    def refused(self, server: Any) -> dict[str, str]:
        """The fields to change so that the service refuses the credential."""
        raise NotImplementedError

    def missing(self, server: Any) -> dict[str, str]:
        """The fields to change so that there is no such thing."""
        raise NotImplementedError

    # --- what the tests stand on

    @pytest.fixture
    def clock(self) -> FakeClock:
        """Time that passes only by sleeping."""
        return FakeClock()

    @pytest.fixture
    def session(self, clock: FakeClock) -> Iterator[Session]:
        """A session that may reach loopback."""
        with Session(Guard(allow_private_addresses=True), clock=clock, timeout=10) as session:
            yield session

    @pytest.fixture
    def source(self, server: object, session: Session, tmp_path: Path) -> Source:
        """The source under test."""
        return self.make(server, session, tmp_path)

    def make(
        self, server: object, session: Session, folder: Path, limit: int | None = None, /, **changed: object
    ) -> Source:
        """A source of its own, as another process would make it."""
        scratch = folder / "scratch"
        scratch.mkdir(exist_ok=True)
        return open_source(self.kind, {**self.given(server), **changed}, SourceContext(session, scratch, limit))

    # --- listing

    def test_every_file_comes_whole_and_as_announced(self, source: Source, server: object) -> None:
        found = {entry.path: read(source, item, entry) for item, entry in listed(source) if not ours(entry)}
        assert found == self.files(server)

    def test_no_path_comes_twice_and_sizes_are_true(self, source: Source) -> None:
        everything = listed(source)
        paths = [str(entry.path) for _, entry in everything]
        assert len(paths) == len(set(paths))
        for item, entry in everything:
            data = read(source, item, entry)
            assert entry.size in {None, len(data)}
            assert not self.has_sizes or ours(entry) or entry.size is not None
            for name, value in entry.digests.items():
                assert name in ALGORITHMS
                assert hashlib.new(name, data).hexdigest() == value

    def test_a_source_read_twice_says_the_same(self, server: object, session: Session, tmp_path: Path) -> None:
        first, second = (listed(self.make(server, session, tmp_path)) for _ in range(2))
        assert first == second
        assert first

    def test_reading_goes_on_after_any_cursor(self, server: object, session: Session, tmp_path: Path) -> None:
        pages = list(self.make(server, session, tmp_path).pages())
        assert pages[-1].after is None
        for number, page in enumerate(pages[:-1], start=1):
            assert page.after is not None
            rest = list(self.make(server, session, tmp_path).pages(page.after))
            assert [item.id for each in rest for item in each.items] == [
                item.id for each in pages[number:] for item in each.items
            ]

    def test_what_is_listed_can_be_written_down_and_opened_elsewhere(
        self, server: object, session: Session, tmp_path: Path
    ) -> None:
        written = [
            json.dumps([dataclasses.asdict(item), dataclasses.asdict(entry)])
            for item, entry in listed(self.make(server, session, tmp_path))
        ]
        for secret in self.secrets(server):
            assert secret not in "".join(written)
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        source = self.make(server, session, elsewhere)
        assert written
        for text in written[:5]:
            item, entry = json.loads(text)
            assert isinstance(read(source, Item(**item), SourceEntry(**entry)), bytes)

    def test_a_file_can_be_opened_in_its_middle(self, source: Source) -> None:
        some = listed(source)[:5]
        assert some
        for item, entry in some:
            whole = read(source, item, entry)
            with source.open(item, entry, len(whole) // 2) as stream:
                assert stream.read() == whole[len(whole) // 2 :]

    def test_a_file_over_the_limit_is_a_failure_and_the_rest_comes(
        self, server: object, session: Session, tmp_path: Path
    ) -> None:
        sizes = sorted(len(data) for data in self.files(server).values())
        limit = sizes[-1] - 1
        source = self.make(server, session, tmp_path, limit)
        failures, taken = set(), {}
        for item in (item for page in source.pages() for item in page.items):
            for entry in source.entries(item):
                if isinstance(entry, Failure):
                    assert entry.reason == "File is too large."
                    assert entry.service == self.kind
                    failures.add(entry.file)
                    continue
                try:
                    taken[str(entry.path)] = read(source, item, entry)
                except FileTooLarge:
                    failures.add(entry.path)
        expected = self.files(server)
        assert {name for name, data in expected.items() if len(data) > limit} <= failures
        assert {name: data for name, data in taken.items() if name in expected} == {
            name: data for name, data in expected.items() if len(data) <= limit
        }

    def test_the_folder_of_a_registration_has_a_name(self, source: Source) -> None:
        assert isinstance(source, Source)
        assert source.service == self.kind
        assert source.resource.strip()

    # --- refusals

    def test_a_refused_credential_is_named_without_being_shown(
        self, server: object, session: Session, tmp_path: Path
    ) -> None:
        source = self.make(server, session, tmp_path, None, **self.refused(server))
        with pytest.raises(CredentialRefused) as refusal:
            listed(source)
        assert self.kind in str(refusal.value)
        assert refusal.value.details["field"] in {name for param in find(self.kind).params for name in param.names}
        for secret in self.refused(server).values():
            assert secret not in str(refusal.value)

    def test_a_thing_that_is_not_there_names_its_field(self, server: object, session: Session, tmp_path: Path) -> None:
        source = self.make(server, session, tmp_path, None, **self.missing(server))
        with pytest.raises(NotAtService) as refusal:
            listed(source)
        assert refusal.value.details["field"] in {param.name for param in find(self.kind).params}

    def test_private_addresses_are_refused_by_default_and_not_connected_to(
        self, server: object, clock: FakeClock, tmp_path: Path
    ) -> None:
        with attempted_connections() as attempts, Session(Guard(), clock=clock) as session:
            with pytest.raises(AddressRefused):
                listed(self.make(server, session, tmp_path))
            assert attempts == []

    def test_no_secret_is_shown_or_logged(
        self, server: object, session: Session, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        source = self.make(server, session, tmp_path)
        for item, entry in listed(source)[:3]:
            read(source, item, entry)
        for secret in self.secrets(server):
            assert secret not in caplog.text
            assert secret not in repr(source) + repr(vars(source))
        for secret in self.secrets(server):
            assert not [path for path in tmp_path.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]

    # --- faults

    def test_a_busy_service_is_not_asked_before_its_time(
        self, server: Any, session: Session, clock: FakeClock, tmp_path: Path
    ) -> None:
        assert self.calls is not None
        server.fail(self.calls, status=429, headers={"Retry-After": "40"})
        source = self.make(server, session, tmp_path)
        before = len(server.asked(self.calls))
        assert listed(source)
        assert max(clock.sleeps) >= 39.9
        assert len(server.asked(self.calls)) > before + 1

    def test_a_passing_failure_is_tried_again(
        self, server: Any, session: Session, clock: FakeClock, tmp_path: Path
    ) -> None:
        assert self.calls is not None
        server.fail(self.calls, status=503, times=2)
        assert listed(self.make(server, session, tmp_path))
        assert clock.sleeps

    def test_a_cut_body_is_taken_up_where_it_broke_off(self, source: Source, server: Any) -> None:
        assert self.bodies is not None
        item, entry, data = self.largest(source, server)
        fault = server.fail(self.bodies, cut_after=len(data) // 3)
        if self.resumes:
            assert read(source, item, entry) == data
            assert server.asked(self.bodies)[-1].headers["range"] == f"bytes={len(data) // 3}-"
        else:
            with pytest.raises(FileError) as cut:
                read(source, item, entry)
            assert type(cut.value).retry
        assert fault.times == 0

    def test_a_file_that_is_refused_is_its_own_trouble(self, source: Source, server: Any) -> None:
        assert self.bodies is not None
        item, entry, _ = self.largest(source, server)
        for status in (403, 404, 410, 451):
            server.fail(self.bodies, status=status, headers={"Content-Type": "text/html"}, body=b"<p>No</p>")
            with pytest.raises(FileError) as trouble:
                read(source, item, entry)
            assert trouble.value.details["path"] == entry.path

    def test_damage_on_the_way_is_seen_where_the_service_gives_digests(self, source: Source, server: Any) -> None:
        assert self.bodies is not None
        item, entry, _ = self.largest(source, server)
        assert entry.digests or entry.checks
        server.fail(self.bodies, damage=True)
        with pytest.raises(FileDiffers):
            read(source, item, entry)

    def test_an_error_page_in_place_of_a_file_is_refused(self, source: Source, server: Any) -> None:
        assert self.bodies is not None
        item, entry, _ = self.largest(source, server)
        server.fail(self.bodies, status=200, headers={"Content-Type": "text/html"}, body=b"<p>Sorry</p>")
        with pytest.raises(FileError):
            read(source, item, entry)

    # --- listings and bodies that are not what they should be

    def test_a_listing_without_end_is_an_error(
        self, server: Any, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(paging, "MOST_PAGES", 20)
        server.paging = "endless"
        with pytest.raises(ListingEndless):
            self.everything(self.make(server, session, tmp_path))

    def test_a_page_that_leads_back_is_an_error(
        self, server: Any, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(paging, "MOST_PAGES", 20)
        server.paging = "repeated"
        with pytest.raises(ListingEndless):
            self.everything(self.make(server, session, tmp_path))

    def test_a_cut_listing_is_asked_for_again_and_never_short(
        self, server: Any, session: Session, tmp_path: Path
    ) -> None:
        assert self.calls is not None
        expected = listed(self.make(server, session, tmp_path))
        (tmp_path / "cut").mkdir()
        server.fail(self.calls, cut_after=20)
        assert listed(self.make(server, session, tmp_path / "cut")) == expected
        (tmp_path / "always").mkdir()
        server.fail(self.calls, cut_after=20, times=9999)
        with pytest.raises(RemoteError):
            listed(self.make(server, session, tmp_path / "always"))

    @pytest.mark.parametrize("change", CHANGES)
    def test_a_listing_that_is_not_as_promised_is_named_and_not_asked_for_again(
        self, server: Any, session: Session, clock: FakeClock, tmp_path: Path, change: str
    ) -> None:
        assert self.calls is not None
        server.fail(self.calls, change=CHANGES[change], times=9999)
        source = self.make(server, session, tmp_path)
        said: MunimentError | None = None
        try:
            for item in (item for page in source.pages() for item in page.items):
                list(source.entries(item))
        except MunimentError as error:
            said = error
        assert said is None or isinstance(said, RemoteError | NotAtService | CredentialRefused)
        assert said is None or not said.retry
        assert clock.sleeps == []

    def test_a_listing_that_only_trickles_is_given_up(
        self, server: Any, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert self.calls is not None
        monkeypatch.setattr(reply, "_LONGEST", 0.1)
        session.attempts = 2
        server.fail(self.calls, trickle=0.05, times=9999)
        with pytest.raises(RemoteError):
            listed(self.make(server, session, tmp_path))

    def test_a_length_that_is_too_small_is_seen(self, source: Source, server: Any) -> None:
        assert self.bodies is not None
        item, entry, data = self.largest(source, server)
        server.fail(self.bodies, headers={"Content-Length": str(len(data) // 2)})
        with pytest.raises(FileError):
            read(source, item, entry)

    def test_a_length_that_is_too_large_is_seen(self, source: Source, server: Any) -> None:
        assert self.bodies is not None
        item, entry, data = self.largest(source, server)
        server.fail(self.bodies, headers={"Content-Length": str(len(data) + 7)}, cut_after=len(data))
        with pytest.raises(FileError):
            read(source, item, entry)

    def test_a_body_that_only_trickles_is_given_up(
        self, source: Source, server: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert self.bodies is not None
        item, entry, _ = self.largest(source, server)
        monkeypatch.setattr(body, "_WATCHED_SECONDS", 0.1)
        server.fail(self.bodies, trickle=0.3, times=9999)
        with pytest.raises(FileError):
            read(source, item, entry)

    def test_a_service_without_ranges_gives_the_middle_and_the_rest_of_a_cut_too(
        self, source: Source, server: Any
    ) -> None:
        assert self.bodies is not None
        item, entry, data = self.largest(source, server)
        server.ranges = False
        with source.open(item, entry, len(data) // 2) as stream:
            assert stream.read() == data[len(data) // 2 :]
        if self.resumes:
            server.fail(self.bodies, cut_after=len(data) // 3)
            assert read(source, item, entry) == data

    # --- words of the tests

    @staticmethod
    def everything(source: Source) -> None:
        """List and read everything; documents are listings that end when they are read."""
        for page in source.pages():
            for item in page.items:
                for entry in source.entries(item):
                    if isinstance(entry, SourceEntry) and ours(entry):
                        read(source, item, entry)

    def secrets(self, server: object) -> list[str]:
        """The values of the secret fields."""
        hidden = find(self.kind).secret_fields()
        return [str(value) for name, value in self.given(server).items() if name in hidden and value]

    def largest(self, source: Source, server: object) -> tuple[Item, SourceEntry, bytes]:
        """The largest of the expected files."""
        files = self.files(server)
        name = max(files, key=lambda each: len(files[each]))
        item, entry = next((item, entry) for item, entry in listed(source) if entry.path == name)
        return item, entry, files[name]


def listed(source: Source) -> Listed:
    """Every entry with its item; no failure is expected."""
    found: Listed = []
    for page in source.pages():
        assert isinstance(page, Page)
        assert not page.failures
        for item in page.items:
            for entry in source.entries(item):
                assert isinstance(entry, SourceEntry), entry
                found.append((item, entry))
    return found


def read(source: Source, item: Item, entry: SourceEntry) -> bytes:
    """The bytes of an entry, held against what was announced."""
    with checked(source.open(item, entry), entry, source.service) as stream:
        return stream.read()


def ours(entry: SourceEntry) -> bool:
    """Whether the source makes this document itself, when it is opened: such have no size before."""
    return entry.path.startswith(("@about/", "@versions/@about/")) and entry.size is None
