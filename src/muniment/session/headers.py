"""Header values as their senders meant them: text beyond ASCII, and the name of a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote, unquote_to_bytes, urlsplit

_PARAMETER = re.compile(r';\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^";]*)')
_ESCAPED = re.compile(r"\\(.)")


def as_sent(value: str) -> str:
    """A header value that came as bytes and was read as ISO 8859-1: as UTF-8 where it is that, else unchanged."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


def as_address(value: str) -> str:
    """The address in a header, such as `Location`: bytes that are no UTF-8 are escaped, so that they arrive again."""
    sent = as_sent(value)
    if sent != value:
        return sent
    return "".join(each if each.isascii() else f"%{ord(each):02X}" for each in value)


def file_name(headers: Mapping[str, str], url: str) -> str | None:
    """The name a file goes by: of `Content-Disposition` (RFC 6266), else the last part of its address; None for none.

    Never more than one segment: a folder in it is left out (RFC 6266 §4.3). Bytes that are no UTF-8 come as lone
    surrogates, as from `os.fsdecode`.
    """
    stated = dict(_parameters(headers.get("content-disposition", "")))
    for name in (_extended(stated.get("filename*", "")), as_sent(stated.get("filename", ""))):
        last = re.split(r"[/\\]", name)[-1].strip()
        if last and last.strip("."):
            return last
    return unquote(urlsplit(url).path.rpartition("/")[2], errors="surrogateescape") or None


def _parameters(value: str) -> Iterator[tuple[str, str]]:
    for match in _PARAMETER.finditer(value):
        word = match[2].strip()
        yield match[1].lower(), _ESCAPED.sub(r"\1", word[1:-1]) if word.startswith('"') else word


def _extended(value: str) -> str:
    """The text of `filename*` (RFC 8187 §3.2): a charset, a language, percent-encoded bytes; nothing if it is wrong."""
    charset, _, rest = value.strip('"').partition("'")
    _, quote, encoded = rest.partition("'")
    try:
        return unquote_to_bytes(as_sent(encoded)).decode(charset) if quote else ""
    except (LookupError, UnicodeError):
        return ""
