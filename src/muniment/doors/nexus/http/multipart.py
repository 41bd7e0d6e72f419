"""Forms: finds the part called `file` in multipart/form-data (RFC 7578) and gives its bytes as they come."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from muniment.doors.nexus.files import Upload
from muniment.errors.nexus import ContentTypeUnsupported, FilePartMissing, MultipartRefused, UploadTooLarge

_LONGEST_HEADER = 16 * 1024
_LONGEST_NAME = 1024
_DEFAULT_TYPE = "application/octet-stream"


class Form:
    """A form that is being received; everything but the part `file` is dropped."""

    def __init__(self, content_type: str, pieces: Iterator[bytes], *, limit: int | None = None) -> None:
        """Begin to read; `limit` is the most bytes the file may have.

        Raises:
            ContentTypeUnsupported: It is no form.
            MultipartRefused: It names no boundary.
        """
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data":
            raise ContentTypeUnsupported(expected="multipart/form-data")
        boundary = options.get(b"boundary")
        if not boundary:
            raise MultipartRefused(reason="its Content-Type names no boundary")
        self._pieces = pieces
        self._limit = limit
        self._events: deque[tuple[str, bytes]] = deque()
        self._ended = False
        self._parser = MultipartParser(boundary, self._callbacks(), max_header_size=_LONGEST_HEADER)

    def upload(self, id: str) -> Upload:
        """The file: its name, its media type and its bytes, which are to be read at once.

        Raises:
            FilePartMissing: The form has no part `file`.
            MultipartRefused: It cannot be read.
        """
        headers: dict[bytes, bytes] = {}
        name = value = b""
        for event, data in self._read():
            if event == "begin":
                headers = {}
            elif event == "header":
                name = value = b""
            elif event == "name":
                name += data
            elif event == "value":
                value += data
            elif event == "header end":
                headers[name.lower()] = value
            elif event == "headers":
                _, options = parse_options_header(headers.get(b"content-disposition", b""))
                if options.get(b"name") == b"file":
                    filename = _text(options.get(b"filename", b"")) or "file"
                    media_type = _text(headers.get(b"content-type", b"")).strip()
                    return Upload(_checked_name(filename), _checked_type(media_type), self._file())
        raise FilePartMissing(id=id)

    def _file(self) -> Iterator[bytes]:
        size = 0
        inside = True
        for event, data in self._read():
            if event == "end":
                inside = False
            elif event == "data" and inside:
                size += len(data)
                if self._limit is not None and size > self._limit:
                    raise UploadTooLarge(limit=self._limit)
                yield data

    def _read(self) -> Iterator[tuple[str, bytes]]:
        """What the form consists of, in order.

        Raises:
            MultipartRefused: It is damaged, or ends before its end.
        """
        while True:
            while self._events:
                yield self._events.popleft()
            piece = next(self._pieces, None)
            if piece is None:
                if not self._ended:
                    raise MultipartRefused(reason="it ends before its last boundary")
                return
            try:
                self._parser.write(piece)
            except FormParserError as error:
                raise MultipartRefused(reason=str(error)) from error

    def _callbacks(self) -> Any:
        def on(event: str) -> object:
            return lambda: self._events.append((event, b""))

        def on_data(event: str) -> object:
            # The parser hands out its buffer with the place of the data in it.
            return lambda data, start, end: self._events.append((event, bytes(data[start:end])))

        def ended() -> None:
            self._ended = True

        return {
            "on_part_begin": on("begin"),
            "on_header_begin": on("header"),
            "on_header_field": on_data("name"),
            "on_header_value": on_data("value"),
            "on_header_end": on("header end"),
            "on_headers_finished": on("headers"),
            "on_part_data": on_data("data"),
            "on_part_end": on("end"),
            "on_end": ended,
        }


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _checked_name(filename: str) -> str:
    if len(filename) > _LONGEST_NAME:
        raise MultipartRefused(reason=f"the file's name has more than {_LONGEST_NAME} characters")
    return "".join(character if character.isprintable() else "_" for character in filename)


def _checked_type(media_type: str) -> str:
    kind = media_type.partition(";")[0].strip()
    # It becomes a header of ours when the file is fetched.
    if not media_type.isascii() or not media_type.isprintable() or kind.count("/") != 1 or len(media_type) > 255:  # noqa: PLR2004 - as RFC 6838 §4.2 has it, twice 127 and the slash
        return _DEFAULT_TYPE
    return media_type
