"""Calls to the issuers of OIDC realms, at addresses that an administrator has set: keys, and tokens for codes."""

from __future__ import annotations

from collections.abc import Mapping

_LARGEST = 1 << 20
_SECONDS = 10.0


def fetch_keys(url: str) -> bytes:
    """The body of a document; redirects are not followed, and private addresses are allowed on purpose.

    Raises:
        OSError: It cannot be had, or is larger than 1 MiB.
    """
    return _asked("GET", url, None, {}, refused=True)


def exchange_code(url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> bytes:
    """The body of the answer to a form that was posted, also of one that says what is wrong (RFC 6749 §5.2).

    Raises:
        OSError: There is no answer, or one larger than 1 MiB.
    """
    return _asked("POST", url, form, {"Accept": "application/json", **headers}, refused=False)


def _asked(
    method: str, url: str, form: Mapping[str, str] | None, headers: Mapping[str, str], *, refused: bool
) -> bytes:
    import httpx2  # noqa: PLC0415 - only realms need it

    try:
        with httpx2.stream(
            method,
            url,
            data=dict(form) if form else None,
            headers=dict(headers),
            timeout=_SECONDS,
            follow_redirects=False,
            trust_env=False,
        ) as answer:
            if refused:
                answer.raise_for_status()
            body = bytearray()
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > _LARGEST:
                    raise OSError(f"{url} answers with more than {_LARGEST} bytes")
            return bytes(body)
    except httpx2.HTTPError as error:
        raise OSError(f"{url}: {error}") from error
