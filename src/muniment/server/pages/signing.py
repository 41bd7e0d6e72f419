"""Signing in and out: by an API key, at an OIDC issuer, or as the user a reverse proxy names."""

from __future__ import annotations

import contextlib
import hmac
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from muniment.access import Caller
from muniment.access.keys import looks_like_key
from muniment.access.sessions import SIGN_IN_SECONDS
from muniment.access.sign_in import CodeFlow
from muniment.errors.access import AuthenticationFailed, SessionEnded, SignInRefused
from muniment.errors.base import MunimentError
from muniment.errors.remote import TooManyFailures
from muniment.http.authorization import Authorizer
from muniment.http.browsers import give_session, refuse_other_sites, session_cookie, take_session
from muniment.http.problems import problem, say_when
from muniment.server.pages.page import framed, language_of

router = APIRouter(include_in_schema=False)
_LONGEST = 2000


@router.get("/sign-in", operation_id="page_sign_in")
def sign_in(request: Request) -> Response:
    """The form, with a button for each realm."""
    authorizer: Authorizer = request.app.state.authorizer
    onward = local_path(request.query_params.get("next", ""))
    try:
        caller = authorizer.access(request).caller
    except MunimentError:
        caller = None
    if caller is not None and not caller.anonymous:
        return RedirectResponse(_root(request) + onward, 303)
    return _form(request, onward)


@router.post("/sign-in", operation_id="page_sign_in_with_key")
def sign_in_with_key(
    request: Request, key: Annotated[str, Form()] = "", onward: Annotated[str, Form(alias="next")] = ""
) -> Response:
    """Begin a session for who shows a key."""
    refuse_other_sites(request)
    onward = local_path(onward)
    token = key.strip()
    if not looks_like_key(token):
        return _form(request, onward, refused=AuthenticationFailed())
    try:
        caller = request.app.state.authorizer.identified(request, {"authorization": f"Bearer {token}"})
    except (AuthenticationFailed, TooManyFailures) as error:
        return _form(request, onward, refused=error)
    return _begin(request, caller, onward, key=token.split("_")[1])


@router.get("/sign-in/{realm}", operation_id="page_sign_in_at_issuer")
def sign_in_at_issuer(request: Request, realm: str) -> Response:
    """Send somebody to the issuer; a link, since browsers hold the target of a form to our own origin."""
    flow: CodeFlow = request.app.state.sign_in
    onward = local_path(request.query_params.get("next", ""))
    state, made = request.app.state.authorizer.sessions.send_away(realm, onward)
    try:
        place = flow.address(realm, state, made, _back(request, realm))
    except MunimentError as error:
        return _form(request, onward, refused=error)
    answer = RedirectResponse(place, 303)
    answer.set_cookie(
        _state_name(request),
        state,
        max_age=int(SIGN_IN_SECONDS),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
    return answer


@router.get("/sign-in/{realm}/return", operation_id="page_sign_in_return")
def come_back(request: Request, realm: str) -> Response:
    """Begin a session for who comes back from the issuer with a code."""
    flow: CodeFlow = request.app.state.sign_in
    authorizer: Authorizer = request.app.state.authorizer
    state = request.query_params.get("state", "")
    kept = request.cookies.get(_state_name(request), "")
    try:
        # The state has to come back in the browser that took it along: else somebody could sign another one in as
        # themselves, and wait for what is deposited.
        if not state or not hmac.compare_digest(state.encode(), kept.encode()):
            raise SessionEnded
        made = authorizer.sessions.come_back(state)
        if made.realm != realm:
            raise SessionEnded
        if said := request.query_params.get("error", ""):
            raise SignInRefused(realm=realm[:64], reason=said[:100] if said.isprintable() else "it gives no reason")
        caller = flow.caller(made, request.query_params.get("code", "")[:_LONGEST], _back(request, realm))
    except MunimentError as error:
        answer = _form(request, "/", refused=error)
    else:
        answer = _begin(request, caller, made.onward)
    answer.delete_cookie(_state_name(request), path="/", secure=request.url.scheme == "https", httponly=True)
    return answer


@router.post("/sign-out", operation_id="page_sign_out")
def sign_out(request: Request, everywhere: Annotated[str, Form()] = "") -> Response:
    """End the session, or all sessions of this person."""
    refuse_other_sites(request)
    authorizer: Authorizer = request.app.state.authorizer
    token = session_cookie(request)
    if token and everywhere:
        with contextlib.suppress(SessionEnded):
            authorizer.sessions.end_all(authorizer.sessions.caller(token))
    if token:
        authorizer.sessions.end(token)
    answer = RedirectResponse(f"{_root(request)}/sign-in", 303)
    take_session(request, answer)
    return answer


def local_path(text: str) -> str:
    """A page of ours to go on to; anything else is the first page."""
    parts = urlsplit(text)
    plain = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable() and len(text) < _LONGEST
    if not plain or parts.scheme or parts.netloc or "\\" in text or parts.path.startswith("/sign-"):
        return "/"
    return text


def _form(request: Request, onward: str, *, refused: MunimentError | None = None) -> Response:
    flow: CodeFlow = request.app.state.sign_in
    title = language_of(request)("Who are you?")
    realms = [{"label": realm.label, "name": realm.name or realm.label} for realm in flow.realms()]
    answer = framed(
        request,
        "sign_in.html",
        title,
        status=200 if refused is None else refused.http_status,
        onward=onward,
        refused="" if refused is None else problem(refused, root=str(request.app.state.archive.path))["detail"],
        too_many=isinstance(refused, TooManyFailures),
        realms=realms,
    )
    if refused is not None:
        say_when(answer, refused)
    return answer


def _begin(request: Request, caller: Caller, onward: str, key: str = "") -> Response:
    authorizer: Authorizer = request.app.state.authorizer
    # What was signed in here before ends: its cookie is about to be written over.
    if before := session_cookie(request):
        authorizer.sessions.end(before)
    answer = RedirectResponse(_root(request) + local_path(onward), 303)
    give_session(request, answer, authorizer.sessions.begin(caller, key))
    return answer


def _back(request: Request, realm: str) -> str:
    public = str(request.app.state.app.settings.public_url).rstrip("/")
    base = public or f"{request.url.scheme}://{request.url.netloc}{_root(request)}"
    return f"{base}/sign-in/{realm}/return"


def _state_name(request: Request) -> str:
    return "__Host-muniment-sign-in" if request.url.scheme == "https" else "muniment-sign-in"


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", ""))
