"""What a browser may do with a page: the content security policy and what goes with it."""

from __future__ import annotations

REPORTS = "/-/reports"
"""Where browsers tell of what the policy refused."""

_SOURCES = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types muniment",
)


def headers(root: str = "", *, viewer: bool = False, media: bool = False) -> dict[str, str]:
    """The headers of every page; `root` is the prefix a reverse proxy adds, `media` lets a page play sound and film.

    A page with the viewer of large pictures knows one policy for trusted types more: the viewer empties elements by
    their `innerHTML`, and only the empty text gets through it.
    """
    sources = [f"{each} default" if viewer and each.startswith("trusted-types") else each for each in _SOURCES]
    sources += ["media-src 'self'"] if media else []
    return {
        "Content-Security-Policy": "; ".join((*sources, f"report-uri {root}{REPORTS}")),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
        "Cache-Control": "private, no-store",
        "Vary": "Accept, Accept-Language, Cookie",
    }
