"""Two clients of one service, one that tries again and one that never does, and its errors under our names."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
)
from botocore.utils import determine_content_length, parse_timestamp

from muniment import __version__
from muniment.content.requests import RequestCounts
from muniment.errors.base import MunimentError
from muniment.errors.stores import (
    BadStore,
    ChangeRefused,
    KeyNotFound,
    KeyTaken,
    NoSuchBucket,
    StoreFailed,
    StoreFull,
    StoreNotReady,
    StoreRefused,
    StoreUnreachable,
)

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse
    from botocore.credentials import ReadOnlyCredentials
    from botocore.httpsession import URLLib3Session
    from mypy_boto3_s3 import S3Client  # types only: they are not shipped

_TRIES = 3
_GONE = frozenset({"404", "NoSuchKey", "NotFound", "NoSuchVersion"})
_TAKEN = frozenset({"412", "PreconditionFailed", "409", "ConditionalRequestConflict"})
_REFUSED = frozenset(
    {"401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "NoSuchBucket", "AllAccessDisabled"}
)
_FULL = frozenset({"QuotaExceeded", "507", "InsufficientStorage"})
_SKEWED = frozenset({"RequestTimeTooSkewed"})
_MOST_SKEW = 600.0
"""Seconds; services refuse from a quarter of an hour on, and some earlier."""
_COLD = frozenset({"InvalidObjectState"})
ASKS_FIRST = 1 << 20
"""Bytes of a body from which on the service is asked whether it wants it, before it is sent."""
_BUSY = frozenset({"500", "502", "503", "504", "InternalError", "SlowDown", "ServiceUnavailable", "RequestTimeout"})
UNKNOWN_CONDITION = frozenset({"501", "NotImplemented"})
"""How a service says that it does not know `If-None-Match`."""


@dataclass(frozen=True, slots=True)
class Service:
    """Where the bucket is and who asks. `keys` are `access_key` and `secret_key`, or empty for boto3's own."""

    keys: Mapping[str, str]
    endpoint: str | None = None
    region: str | None = None
    profile: str | None = None


class RequestCounter:
    """Counts the requests of clients, each try of them, and the bytes of bodies that came. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = RequestCounts()

    @property
    def counts(self) -> RequestCounts:
        """What was counted so far."""
        return self._counts

    def note(self, request: Any, event_name: str, **_: object) -> None:
        """Take note of a request that is about to be sent; called by the client."""
        listing = event_name.rpartition(".")[2].startswith("List")
        if request.method == "DELETE":
            made = RequestCounts(removals=1)
        elif request.method in {"PUT", "POST"} or listing:
            made = RequestCounts(writes=1)
        else:
            made = RequestCounts(reads=1)
        with self._lock:
            self._counts += made

    def receive(self, size: int) -> None:
        """Take note of bytes that came."""
        with self._lock:
            self._counts += RequestCounts(received=size)


class Clients:
    """Clients of one service.

    `reading` tries again what failed. `deciding` never does: were a put on the condition that nothing is there tried
    again because its answer was lost, the second try would be refused for the sake of the first. `sending` is for
    parts: it does not digest them once more to sign them, as the digests sent along are signed with the other headers.
    """

    def __init__(self, service: Service, name: str, counter: RequestCounter | None = None) -> None:
        """Connects to nothing yet; `name` is the store's, for messages. `counter` counts what is asked.

        Raises:
            BadStore: The profile, region or endpoint is not one.
        """
        self._name = name
        try:
            session = boto3.session.Session(
                botocore_session=_core(),
                aws_access_key_id=service.keys.get("access_key"),
                aws_secret_access_key=service.keys.get("secret_key"),
                region_name=service.region or (None if service.endpoint is None else "us-east-1"),
                profile_name=service.profile,
            )
            self.counter = counter
            self.reading: S3Client = self._counted(_client(session, service, _TRIES))
            self.deciding: S3Client = self._counted(_client(session, service, 1))
        except (BotoCoreError, ValueError) as error:
            raise BadStore(store=name, reason=str(error)) from error
        self._session, self._service = session, service
        self._lock = threading.Lock()
        self._sending: S3Client | None = None

    @property
    def sending(self) -> S3Client:
        """The client for parts, made when the first is sent."""
        with self._lock:
            if self._sending is None:
                self._sending = self._counted(_client(self._session, self._service, _TRIES, signed=False))
            return self._sending

    @property
    def region(self) -> str:
        """The region that requests are signed for."""
        return self.deciding.meta.region_name

    def credentials(self) -> ReadOnlyCredentials | None:
        """With which requests are signed now; None where none are known."""
        found = self._session.get_credentials()
        return None if found is None else found.get_frozen_credentials()

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Send once, over a connection of the deciding client's, what was signed elsewhere; it is counted as a put.

        Raises:
            BotoCoreError: No answer came.
        """
        if self.counter is not None:
            self.counter.note(request, "before-send.s3.PutObject")
        # The connections have no public name; they know proxies and certificates as the client does.
        session: URLLib3Session = self.deciding._endpoint.http_session  # type: ignore[attr-defined]  # noqa: SLF001
        return session.send(request)

    def _counted(self, client: S3Client) -> S3Client:
        if self.counter is not None:
            client.meta.events.register("before-send.s3", self.counter.note)
        return client

    @contextlib.contextmanager
    def trouble(self, key: str) -> Iterator[None]:
        """Give the client's errors our names.

        Raises:
            MunimentError: As the methods of `Store`.
        """
        try:
            yield
        except ClientError as error:
            raise self._named(error, key) from error
        except (EndpointConnectionError, HTTPClientError) as error:
            raise StoreUnreachable(store=self._name, reason=str(error)) from error
        except NoCredentialsError as error:
            reason = (
                "no credentials are known: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile in the "
                "address (?profile=…); of a store of copies, --keys FILE or MUNIMENT_STORE_KEYS will do too"
            )
            raise StoreRefused(store=self._name, key=key, reason=reason) from error
        except BotoCoreError as error:
            raise StoreFailed(store=self._name, key=key, reason=str(error)) from error

    def _named(self, error: ClientError, key: str) -> MunimentError:
        code, name = code_of(error), self._name
        reason = str(error.response.get("Error", {}).get("Message") or code)
        if code == "NoSuchBucket":
            return NoSuchBucket(store=name, key=key)
        if code in _GONE:
            return KeyNotFound(key=key, store=name)
        if code in _TAKEN:
            return KeyTaken(key=key, store=name)
        if code in _FULL:
            return StoreFull(store=name, key=key)
        if code in _SKEWED or (code in _REFUSED and _is_skewed(error)):  # an answer to HEAD has no body to say it
            reason = "this machine's clock and the service's differ too much: set them"
            return StoreRefused(store=name, key=key, reason=f"RequestTimeTooSkewed: {reason}")
        said = code if reason == code else f"{code}: {reason}"
        if code in _COLD:
            return StoreNotReady(store=name, key=key, until="it was restored", reason="it lies in a cold storage class")
        if code in _REFUSED:
            return StoreRefused(store=name, key=key, reason=said)
        return StoreFailed(store=name, key=key, reason=said)

    def kept(self, error: ClientError, key: str) -> MunimentError:
        """What a refusal to remove or to shorten a lock is: with the lock as its reason."""
        if code_of(error) in {"AccessDenied", "403", "InvalidRequest", "400", "ObjectLocked"}:
            said = str(error.response.get("Error", {}).get("Message") or code_of(error))
            return ChangeRefused(store=self._name, key=key, reason=f"the bucket refused ({said}): it is locked")
        return self._named(error, key)


def _core() -> botocore.session.Session:
    """A session that reads times the quick way: what it does by itself is a tenth of a small request."""
    core = botocore.session.get_session()
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_moment)
    return core


def _moment(text: str) -> datetime:
    """A time as services write them: in headers that of RFC 9110, in documents that of RFC 3339."""
    with contextlib.suppress(ValueError, TypeError):
        return parsedate_to_datetime(text) if "," in text else datetime.fromisoformat(text)
    return parse_timestamp(text)


def _client(session: boto3.session.Session, service: Service, tries: int, *, signed: bool = True) -> S3Client:
    config = Config(
        retries={"total_max_attempts": tries, "mode": "standard"},
        s3={
            "addressing_style": "path" if service.endpoint else "auto",
            **({} if signed else {"payload_signing_enabled": False}),
        },
        signature_version="s3v4",
        connect_timeout=15,
        read_timeout=120,
        max_pool_connections=32,
        # Its own name is put together anew for each request, and every parameter looked at; both together take a third
        # of what a small request does.
        user_agent=f"muniment/{__version__}",
        parameter_validation=False,
        # Some services refuse what newer clients send unasked; we send the checksum of each part ourselves.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    client = session.client("s3", endpoint_url=service.endpoint, config=config)
    client.meta.events.register_last("before-call.s3", _send_at_once)
    return client


def _send_at_once(params: dict[str, Any], **_: object) -> None:
    """Send a small body with its headers: asking first (`Expect: 100-continue`) is one more way there and back."""
    length = determine_content_length(params.get("body"))
    if length is not None and length < ASKS_FIRST:
        params["headers"].pop("Expect", None)


def code_of(error: ClientError) -> str:
    """The service's word for an error, or the HTTP status where it has none."""
    found = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return str(found or status)


def _now() -> datetime:
    return datetime.now(UTC)


def _is_skewed(error: ClientError) -> bool:
    """Whether the time a refusal bears differs from ours by more than services allow."""
    said = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    with contextlib.suppress(ValueError, TypeError):
        there = parsedate_to_datetime(said)
        return abs((there - _now()).total_seconds()) > _MOST_SKEW
    return False


def may_go_on(error: BaseException) -> bool:
    """Whether an upload that ended with this can be gone on with: the line or the service failed, and no more."""
    if isinstance(error, ClientError):
        return code_of(error) in _BUSY
    return isinstance(error, BotoCoreError)
