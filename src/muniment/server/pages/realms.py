"""Realms: which issuers say who people are; each change is a revision, and each issuer can be tried step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Form, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from muniment.access import Authority, Realm
from muniment.access.realms import RealmRecord, RealmRevision
from muniment.errors.access import IncorrectRev, RealmNotFound
from muniment.errors.base import BadInput, MunimentError
from muniment.http.browsers import refuse_other_sites
from muniment.server.pages.copies import TRIAL_SHAPES, TRIAL_WORDS
from muniment.server.pages.page import REALMS, Page
from muniment.server.pages.revisions import RevisionRow

router = APIRouter(include_in_schema=False)
_HERE = "/admin/realms"
WRITE_REALMS = "realms/write"
_LONGEST = 2000
LABELS = {
    "label": "Label",
    "config_url": "Address of its description",
    "name": "Name for people",
    "audiences": "Audiences",
    "groups_claim": "Claim with the groups",
    "subject_claims": "Claims with the user",
    "algorithms": "Signatures that count",
    "leeway": "Seconds its clock may differ",
    "logo": "Address of its logo",
}
FIELDS = tuple(LABELS)
"""What the form asks for. The issuer's own name comes from its description."""
ISSUER_STEPS = ("description", "issuer", "keys")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class IssuerTrial:
    """One step of using an issuer: `ok`, `failed` or `not tried`, and what was found."""

    step: str
    state: str
    says: str = ""


@router.get(_HERE, operation_id="page_realms")
def realms(request: Request) -> Response:
    """The realms, and the form: for a new one, or for the one that is asked for."""
    page = Page(request)
    page.access.require(REALMS, None)
    label = page.asked("realm", 64)
    return _realms(page, label, typed=_as_typed(_authority(page).store.realms.fetch(label).realm) if label else None)


@router.post(_HERE, operation_id="page_realm_change")
async def change_realm(request: Request) -> Response:
    """Trust an issuer, or change how far, if nobody changed it since it was shown."""
    refuse_other_sites(request)
    async with request.form(max_files=0, max_fields=30) as form:
        typed = {name: str(form.get(name, ""))[:_LONGEST].strip() for name in FIELDS}
        rev = str(form.get("rev", ""))
    return await run_in_threadpool(_change, request, typed, rev)


@router.post(f"{_HERE}/{{label}}/try", operation_id="page_realm_try")
def try_realm(request: Request, label: str) -> Response:
    """Try an issuer: is its description there, does it name itself, are its keys there."""
    refuse_other_sites(request)
    page = Page(request)
    page.access.require(WRITE_REALMS, None)
    realm = _authority(page).store.realms.fetch(label).realm
    return _realms(page, label, typed=_as_typed(realm), tried=try_issuer(_authority(page), realm))


@router.post(f"{_HERE}/{{label}}/end", operation_id="page_realm_end")
def end_realm(
    request: Request, label: str, rev: Annotated[int, Form()] = 0, sure: Annotated[str, Form()] = ""
) -> Response:
    """Trust an issuer no longer; its name stays taken, since rules may hold it.

    Raises:
        BadInput: It was not confirmed.
    """
    refuse_other_sites(request)
    page = Page(request)
    page.access.require(WRITE_REALMS, None)
    if not sure:
        raise BadInput(reason="that the realm is to be trusted no longer was not confirmed")
    try:
        _authority(page).store.realms.deprecate(label, rev, by=page.access.caller.agent)
    except IncorrectRev as error:
        return _realms(page, label, clash=True, status=error.http_status)
    return page.go(f"{_HERE}?realm={label}")


def _change(request: Request, typed: dict[str, str], rev: str) -> Response:
    page = Page(request)
    page.access.require(WRITE_REALMS, None)
    authority, by = _authority(page), page.access.caller.agent
    store, label = authority.store.realms, typed["label"]
    try:
        known = store.fetch(label) if rev.isdecimal() else None
        realm = _realm(authority, typed, known.realm if known is not None else None)
        if known is None:
            store.create(realm, by=by)
        else:
            store.update(realm, int(rev[:9]), by=by)
    except IncorrectRev as error:
        return _realms(page, label, typed=typed, clash=True, status=error.http_status)
    except MunimentError as error:
        return _realms(page, label if rev else "", typed=typed, wrong=error.message, status=error.http_status)
    return page.go(f"{_HERE}?realm={label}")


def _realm(authority: Authority, typed: dict[str, str], known: Realm | None) -> Realm:
    """The realm that the form speaks of; its issuer is asked for its own name, unless it is known already."""
    if not typed["leeway"].isdecimal():
        raise BadInput(reason="the leeway is a number of seconds")
    settings: dict[str, Any] = {
        "name": typed["name"],
        "audiences": _words(typed["audiences"]),
        "groups_claim": typed["groups_claim"],
        "subject_claims": _words(typed["subject_claims"]),
        "algorithms": _words(typed["algorithms"]),
        "leeway": int(typed["leeway"][:4]),
        "logo": typed["logo"],
    }
    if known is not None and typed["config_url"] == known.discovery:
        return replace(known, **settings)
    return authority.discover(typed["label"], typed["config_url"], **settings)


def try_issuer(authority: Authority, realm: Realm) -> list[IssuerTrial]:
    """Each step of using an issuer, up to the first that fails."""
    found: list[IssuerTrial] = []

    def tried(step: str, do: Callable[[], Result], says: Callable[[Result], str]) -> Result | None:
        if any(each.state == "failed" for each in found):
            found.append(IssuerTrial(step, "not tried"))
            return None
        try:
            result = do()
        except MunimentError as error:
            found.append(IssuerTrial(step, "failed", error.message))
            return None
        found.append(IssuerTrial(step, "ok", says(result)))
        return result

    seen = tried("description", lambda: authority.discover(realm.label, realm.discovery), lambda _: realm.discovery)
    tried("issuer", lambda: _same_issuer(realm, seen), lambda _: realm.issuer)
    tried("keys", lambda: authority.keys_of(realm).count(), str)
    return found


def _same_issuer(realm: Realm, seen: Realm | None) -> None:
    if seen is None or seen.issuer != realm.issuer:
        raise BadInput(reason=f"its description names {seen.issuer if seen else 'none'}, not {realm.issuer}")


def _realms(
    page: Page,
    label: str = "",
    *,
    typed: dict[str, str] | None = None,
    tried: list[IssuerTrial] | None = None,
    wrong: str = "",
    clash: bool = False,
    status: int = 200,
) -> Response:
    store = _authority(page).store.realms
    known = store.all()
    chosen = next((each for each in known if each.realm.label == label), None)
    if label and chosen is None:
        raise RealmNotFound(realm=label[:64])
    may_write = page.access.may(WRITE_REALMS, None)
    revisions = [_shown(page, each, chosen, may_write=may_write) for each in store.revisions(label)] if chosen else []
    living = sum(not each.deprecated for each in known)
    n, t = page.texts.counted, page.texts
    heading = n(living, "One issuer is trusted|{n} issuers are trusted") if known else t("No issuer is trusted yet")
    return page.show(
        "realms.html",
        t("Realms"),
        _HERE,
        status=status,
        heading=heading,
        known=known,
        chosen=chosen,
        now=revisions[0] if revisions else None,
        typed=typed or _as_typed(chosen.realm if chosen is not None else Realm("", "")),
        tried=tried or [],
        revisions=revisions,
        trial_shapes=TRIAL_SHAPES,
        trial_words=TRIAL_WORDS,
        fields=FIELDS,
        labels={name: t(label) for name, label in LABELS.items()},
        may_write=may_write,
        wrong=wrong,
        clash=clash,
    )


def _shown(page: Page, each: RealmRevision, chosen: RealmRecord | None, *, may_write: bool) -> RevisionRow:
    typed, t = _as_typed(each.realm), page.texts
    newest = chosen.rev if chosen is not None else 0
    again = may_write and not each.deprecated and each.rev != newest
    return RevisionRow(
        each.rev,
        each.changed_at,
        each.changed_by,
        fields=tuple((str(t(LABELS[name])), value) for name, value in typed.items()),
        undo={"rev": str(newest), **typed} if again else None,
        remark=str(t("Trusted no longer")) if each.deprecated else "",
    )


def _as_typed(realm: Realm) -> dict[str, str]:
    """A realm as the form has it."""
    values = asdict(realm)
    texts = {name: ", ".join(each) if isinstance(each := values[name], tuple | list) else str(each) for name in FIELDS}
    return texts | {"config_url": realm.discovery if realm.issuer else ""}


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _authority(page: Page) -> Authority:
    found: Authority = page.access.authorizer.authority
    return found
