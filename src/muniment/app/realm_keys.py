"""Getting the public keys of OIDC realms: small documents from addresses that an administrator has set."""

from __future__ import annotations

_LARGEST = 1 << 20
_SECONDS = 10.0


def fetch_keys(url: str) -> bytes:
    """The body of a document; redirects are not followed, and private addresses are allowed on purpose.

    Raises:
        OSError: It cannot be had, or is larger than 1 MiB.
    """
    import httpx2  # noqa: PLC0415 - only realms need it

    try:
        with httpx2.stream("GET", url, timeout=_SECONDS, follow_redirects=False, trust_env=False) as answer:
            answer.raise_for_status()
            body = bytearray()
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > _LARGEST:
                    raise OSError(f"{url} answers with more than {_LARGEST} bytes")
            return bytes(body)
    except httpx2.HTTPError as error:
        raise OSError(f"{url}: {error}") from error
