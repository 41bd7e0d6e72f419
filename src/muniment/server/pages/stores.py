"""Stores, as an administrator adds one: each step of using it is tried first, and its result stands beside it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from muniment.errors.base import BadInput, MunimentError
from muniment.errors.stores import BadStore
from muniment.http.browsers import refuse_other_sites
from muniment.http.throttling import ADMIN
from muniment.server.pages.copies import TRIAL_SHAPES, TRIAL_WORDS
from muniment.server.pages.page import Page
from muniment.workflows.copies.registry import parse_keys
from muniment.workflows.copies.trials import NewStore, TrialResult, try_new

router = APIRouter(include_in_schema=False)
_HERE = "/admin/stores"
_LONGEST = 2000
_LONGEST_KEYS = 20_000


@router.get(_HERE, operation_id="page_stores")
def stores(request: Request) -> Response:
    """The stores that are known, and the form for another."""
    page = Page(request)
    page.access.require(ADMIN, None)
    return _stores(page)


@router.post(_HERE, operation_id="page_store_add")
def add_store(
    request: Request,
    name: Annotated[str, Form()] = "",
    address: Annotated[str, Form()] = "",
    keys: Annotated[str, Form()] = "",
    request_price: Annotated[str, Form()] = "",
    read_price: Annotated[str, Form()] = "",
    do: Annotated[str, Form()] = "try",
) -> Response:
    """Try a store step by step; with `do` as `add` it is known from then on. Credentials are never shown again."""
    refuse_other_sites(request)
    page = Page(request)
    page.access.require(ADMIN, None)
    typed = {
        "name": name[:40],
        "address": address[:_LONGEST],
        "request_price": request_price[:20],
        "read_price": read_price[:20],
    }
    try:
        wanted = NewStore(
            name.strip(),
            _address(address.strip()[:_LONGEST]),
            parse_keys(keys[:_LONGEST_KEYS].splitlines(), "the credentials"),
            _price(request_price),
            _price(read_price),
        )
    except MunimentError as error:
        return _stores(page, typed=typed, wrong=error.message, status=error.http_status)
    found = try_new(page.jobs.copy_service, wanted, add=do == "add")
    failed = next((each.error for each in found if each.error is not None), None)
    if failed is None and do == "add":
        return page.go(f"/copies/stores/{wanted.name}")
    status = 200 if failed is None else failed.http_status
    # Of a store that is known it would be our fault; this one was typed in just now.
    return _stores(page, typed=typed, tried=found, status=400 if isinstance(failed, BadStore) else status)


def _address(text: str) -> str:
    if not text:
        raise BadInput(reason="there is no address: a folder's path, s3://bucket/prefix, ltfs:///mnt/tape, rclone://…")
    if "://" not in text and not text.startswith("/"):
        raise BadInput(reason=f"{text[:80]!r} is no address: a folder is named by its whole path, from / on")
    return text


def _price(text: str) -> float:
    try:
        value = float(text.strip().replace(",", ".") or 0)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:  # noqa: PLR2004 - whatever money, no store costs that
        raise BadInput(reason=f"{text[:20]!r} is no price")
    return value


def _stores(
    page: Page,
    *,
    typed: dict[str, str] | None = None,
    tried: list[TrialResult] | None = None,
    wrong: str = "",
    status: int = 200,
) -> Response:
    known = page.jobs.copy_service.registry.all()
    n, t = page.texts.counted, page.texts
    heading = n(len(known), "One store is known|{n} stores are known") if known else t("No store is known")
    failed = next((each for each in tried or () if each.state == "failed"), None)
    return page.show(
        "stores.html",
        t("Stores"),
        _HERE,
        status=status,
        heading=heading,
        known=known,
        typed=typed or {"name": "", "address": "", "request_price": "", "read_price": ""},
        tried=tried or [],
        failed=failed,
        trial_shapes=TRIAL_SHAPES,
        trial_words=TRIAL_WORDS,
        wrong=wrong,
    )
