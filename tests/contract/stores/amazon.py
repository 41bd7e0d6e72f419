"""moto as a server: what Amazon S3 does in buckets with versions and Object Lock, which Ceph's gateway does not.

Where moto differs from Amazon's documents:

- It handles requests side by side, and looks for a key before it stores one: nothing makes the two one act. Here one
  request is handled after the other, as conditions on a put are worth nothing otherwise.
- It lets go of a lock asked for with an upload in parts; Amazon keeps it. That is left as it is: a store that loses a
  lock silently is what has to be noticed.
- It lets a retention in compliance be shortened; Amazon refuses. It is refused here.
- It sets a default retention on an empty bucket only, and checks no signatures.
"""

from __future__ import annotations

import io
import secrets
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from urllib.parse import unquote

import boto3
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import WSGIRequestHandler, make_server

from muniment.stores.s3.client import Service
from muniment.stores.s3.keys import S3Keys

KEYS = {"access_key": "AKTEST", "secret_key": "SKTEST"}
_CODES = {409: "ConditionalRequestConflict", 503: "SlowDown", 403: "AccessDenied"}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is answered in place of what was asked, with a status and S3's code for it; 0 breaks the connection.

    With `done` it is done all the same.
    """

    status: int
    code: str = ""
    done: bool = False


class _Silent(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Nothing is logged."""


class Amazon:
    """A service for the length of a `with` block. Sixteen connect at once; one is answered at a time."""

    def __init__(self) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)
        self._mutex = threading.Lock()
        self.requests: list[tuple[str, str]] = []
        """Each request's method and path with its query."""
        self.fault: Callable[[str, str, str], Fault | None] = lambda *_: None
        """What happens to a request by its method, path and query."""
        self.remember: list[dict[str, Any]] | None = None
        """Where the puts are kept that came, for `repeat`."""

    def __enter__(self) -> Self:
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Silent)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def client(self) -> Any:
        """A client of its own, that does behind the archive's back what anybody may."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=KEYS["access_key"],
            aws_secret_access_key=KEYS["secret_key"],
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
        )

    def bucket(self, *, locks: bool = True) -> str:
        """A new bucket."""
        name = f"bucket-{secrets.token_hex(6)}"
        self.client().create_bucket(Bucket=name, ObjectLockEnabledForBucket=locks)
        return name

    def keys(self, bucket: str, prefix: str = "archive") -> S3Keys:
        """The keys below a prefix of a bucket."""
        return S3Keys(bucket, prefix, Service(KEYS, self.url))

    def repeat(self, request: dict[str, Any]) -> None:
        """Do once more what was asked, as a network that delivers twice."""
        with self._mutex:
            list(self._app({**request, "wsgi.input": io.BytesIO(request["body"])}, lambda *_: None))

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        method, path, query = environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("QUERY_STRING", "")
        with self._mutex:
            self.requests.append((method, f"{path}?{query}" if query else path))
            shortens = method == "PUT" and query == "retention" and _shortens(path, body)
            fault = Fault(403, "AccessDenied") if shortens else self.fault(method, path, query)
            if fault is not None and not fault.done:
                return _broken(fault, environ, start)
            if self.remember is not None and method == "PUT":
                self.remember.append({**environ, "body": body})
            environ["wsgi.input"] = io.BytesIO(body)
            if fault is None:
                return list(self._app(environ, start))
            list(self._app(environ, lambda *_: None))
            return _broken(fault, environ, start)


def _broken(fault: Fault, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    if not fault.status:
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    code = fault.code or _CODES.get(fault.status, "InternalError")
    said = f"<Error><Code>{code}</Code><Message>As was asked for.</Message></Error>".encode()
    start(f"{fault.status or 500} x", [("Content-Type", "application/xml"), ("Content-Length", str(len(said)))])
    return [said]


def _shortens(path: str, body: bytes) -> bool:
    bucket, _, key = unquote(path).removeprefix("/").partition("/")
    found = s3_backends["123456789012"]["aws"].get_object(bucket, key)
    if found is None or found.lock_mode != "COMPLIANCE" or not found.lock_until:
        return False
    wanted = body.decode().partition("<RetainUntilDate>")[2].partition("<")[0]
    return datetime.fromisoformat(wanted) < datetime.fromisoformat(found.lock_until)
