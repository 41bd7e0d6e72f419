"""Stores, as an administrator adds and changes them: each step of using one is tried first, and shows its result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from muniment.errors.access import IncorrectRev
from muniment.errors.base import BadInput, MunimentError
from muniment.errors.copies import WrongStore
from muniment.errors.stores import BadStore
from muniment.http.browsers import refuse_other_sites
from muniment.http.throttling import ADMIN
from muniment.server.pages.copies import TRIAL_SHAPES, TRIAL_WORDS
from muniment.server.pages.page import Page
from muniment.server.pages.revisions import RevisionRow
from muniment.workflows.copies.registry import StoreChange, StoreRecord, StoreRevision, parse_keys
from muniment.workflows.copies.trials import NewStore, TrialResult, try_changed, try_new

router = APIRouter(include_in_schema=False)
_HERE = "/admin/stores"
_LONGEST = 2000
_LONGEST_KEYS = 20_000
KEY_WORDS = {"none": "none", "given": "given with this change", "kept": "as before"}
"""How pages say what a revision did with credentials."""


@dataclass(frozen=True, slots=True)
class StoreForm:
    """What was typed into the form of a store, without its credentials: they are shown nowhere again."""

    name: str = ""
    address: str = ""
    request_price: str = ""
    read_price: str = ""

    @classmethod
    def of(cls, known: StoreRecord) -> StoreForm:
        """A store as its form has it."""
        return cls(known.name, known.address, _as_typed(known.request_price), _as_typed(known.read_price))


@router.get(_HERE, operation_id="page_stores")
def stores(request: Request) -> Response:
    """The stores that are known, and the form: for another one, or for the one that is asked for."""
    page = Page(request)
    page.access.require(ADMIN, None)
    name = page.asked("store", 40)
    return _stores(page, page.jobs.copy_service.registry.get(name) if name else None)


@router.post(_HERE, operation_id="page_store_add")
def add_store(
    request: Request,
    name: Annotated[str, Form()] = "",
    address: Annotated[str, Form()] = "",
    keys: Annotated[str, Form()] = "",
    request_price: Annotated[str, Form()] = "",
    read_price: Annotated[str, Form()] = "",
    rev: Annotated[int, Form()] = 0,
    drop: Annotated[str, Form()] = "",
    do: Annotated[str, Form()] = "try",
) -> Response:
    """Try a store step by step; with `do` as `add` or `save` it is known so from then on.

    With `rev` it is one that is known, and was so when its form was shown. Credentials are never shown again: left
    empty they stay what they are, and with `drop` there are none any more.
    """
    refuse_other_sites(request)
    page = Page(request)
    page.access.require(ADMIN, None)
    typed = StoreForm(name[:40], address[:_LONGEST], request_price[:20], read_price[:20])
    known = page.jobs.copy_service.registry.get(name.strip()) if rev else None
    try:
        place = _address(address.strip()[:_LONGEST])
        given = parse_keys(keys[:_LONGEST_KEYS].splitlines(), "the credentials")
        prices = _price(request_price), _price(read_price)
    except MunimentError as error:
        return _stores(page, known, typed=typed, wrong=error.message, status=error.http_status)
    if known is not None:
        change = StoreChange(known.name, place, *prices, given or ({} if drop else None))
        return _change(page, known, change, rev, typed, save=do == "save")
    wanted = NewStore(name.strip(), place, given, *prices)
    found = try_new(page.jobs.copy_service, wanted, add=do == "add", by=page.access.caller.agent)
    if do == "add" and _failed(found) is None:
        return page.go(f"/copies/stores/{wanted.name}")
    return _stores(page, None, typed=typed, tried=found, status=_status(found))


def _change(page: Page, known: StoreRecord, change: StoreChange, rev: int, typed: StoreForm, *, save: bool) -> Response:
    service = page.jobs.copy_service
    try:
        found = try_changed(service, change, rev, save=save, by=page.access.caller.agent)
        if isinstance(failed := _failed(found), IncorrectRev):
            raise failed
    except IncorrectRev as error:
        newest = service.registry.get(known.name)
        return _stores(page, newest, typed=typed, clash=True, status=error.http_status)
    if save and failed is None:
        return page.go(f"{_HERE}?store={known.name}")
    return _stores(page, known, typed=typed, tried=found, status=_status(found))


def _failed(found: Sequence[TrialResult]) -> MunimentError | None:
    return next((each.error for each in found if each.error is not None), None)


def _status(found: Sequence[TrialResult]) -> int:
    failed = _failed(found)
    # Of a store as it is known it would be our fault; this was typed in just now.
    return 200 if failed is None else 400 if isinstance(failed, BadStore | WrongStore) else failed.http_status


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


def _as_typed(price: float) -> str:
    return f"{price:g}" if price else ""


def _shown(page: Page, each: StoreRevision, known: StoreRecord) -> RevisionRow:
    t = page.texts
    prices = _as_typed(each.request_price), _as_typed(each.read_price)
    fields = (
        (t("Address"), each.address),
        (t("Credentials"), t(KEY_WORDS[each.credentials])),
        (t("Price of a thousand requests"), prices[0]),
        (t("Price of a gigabyte read"), prices[1]),
    )
    undo = {
        "name": known.name,
        "rev": str(known.rev),
        "address": each.address,
        "request_price": prices[0],
        "read_price": prices[1],
        "do": "save",
    }
    return RevisionRow(
        each.rev,
        each.changed_at,
        each.changed_by,
        fields=tuple((str(name), str(value)) for name, value in fields),
        undo=None if each.rev == known.rev else undo,
    )


def _stores(
    page: Page,
    chosen: StoreRecord | None,
    *,
    typed: StoreForm | None = None,
    tried: Sequence[TrialResult] = (),
    wrong: str = "",
    clash: bool = False,
    status: int = 200,
) -> Response:
    registry = page.jobs.copy_service.registry
    known = registry.all()
    n, t = page.texts.counted, page.texts
    heading = n(len(known), "One store is known|{n} stores are known") if known else t("No store is known")
    revisions = [_shown(page, each, chosen) for each in registry.revisions(chosen.name)] if chosen else []
    return page.show(
        "stores.html",
        t("Stores"),
        _HERE,
        status=status,
        heading=heading,
        known=known,
        chosen=chosen,
        typed=typed or (StoreForm.of(chosen) if chosen else StoreForm()),
        tried=tried,
        failed=any(each.state == "failed" for each in tried),
        trial_shapes=TRIAL_SHAPES,
        trial_words=TRIAL_WORDS,
        credentials=registry.credentials_from(chosen.name) if chosen else "",
        now=revisions[0] if revisions else None,
        revisions=revisions,
        clash=clash,
        wrong=wrong,
    )
