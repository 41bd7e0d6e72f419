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


def headers(root: str = "") -> dict[str, str]:
    """The headers of every page; `root` is the prefix a reverse proxy adds."""
    return {
        "Content-Security-Policy": "; ".join((*_SOURCES, f"report-uri {root}{REPORTS}")),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
        "Cache-Control": "private, no-store",
        "Vary": "Accept, Accept-Language, Cookie",
    }
