"""A server with something to look at, and Debian's Chromium to look with."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, sync_playwright

from muniment.archive import Archive
from tests.servers.browser.conftest import fill
from tests.servers.native.running import Running, make_archive, serving

BROWSER = "/usr/bin/chromium-headless-shell"
WATCH = (
    "window.violations = []; addEventListener('securitypolicyviolation', e => violations.push(e.violatedDirective));"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("looked-at") / "archive"
    key = make_archive(place)
    fill(place)
    with Archive(place) as archive:
        with archive.new("many", "rivermark/maps") as made:
            made.metadata["title"] = "A title that goes on " * 30
            for number in range(260):
                made.add(b"%d\n" % number, f"sheets/{number:04}-{'long-name-' * 8}.txt")
        list(archive.audit())
    with serving(place, key=key, serve_title="Rivermark Library") as running:
        yield running


Look = Callable[..., "Looking"]


class Looking:
    """A person at a page, with a note of everything that went wrong behind it."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url.rstrip("/")
        self.key = ""
        self.context = context
        self.wrong: list[str] = []
        context.add_init_script(WATCH)
        self.page: Page = context.new_page()
        self.page.on("console", lambda message: self.wrong.append(f"console: {message.text}"))
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("dialog", self._refuse)

    def _refuse(self, dialog: Dialog) -> None:
        """No page of ours asks with a dialog of the browser's: something ran that must not."""
        self.wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def go(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def sign_in(self, key: str) -> Looking:
        self.key = key
        self.go("/sign-in")
        self.page.fill("#given", key)
        self.page.click("text=Sign in with this key")
        self.page.wait_for_selector("text=Sign out")
        return self

    def nothing_is_wrong(self) -> None:
        violations = self.page.evaluate("window.violations ?? []")
        assert (self.wrong, violations) == ([], []), self.page.url

    def axe(self) -> list[str]:
        """What axe-core finds: WCAG 2.2 AA and best practice."""
        source = (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
        self.page.evaluate(source + "; undefined")
        found: dict[str, Any] = self.page.evaluate("axe.run()")
        return [
            f"{each['id']}: {json.dumps([node['html'][:160] for node in each['nodes']][:3])}"
            for each in found["violations"]
        ]


@pytest.fixture
def look(browser: Browser, site: Running) -> Iterator[Look]:
    opened: list[BrowserContext] = []

    def begin(url: str = "", key: str = "", **settings: Any) -> Looking:
        context = browser.new_context(**{"locale": "en-GB", "timezone_id": "Europe/Berlin", **settings})
        context.set_default_timeout(30_000)
        opened.append(context)
        found = Looking(context, url or site.url)
        return found.sign_in(key or site.key) if key != "-" else found

    yield begin
    for context in opened:
        context.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of the pages go: a folder of the run, or the one that MUNIMENT_PICTURES names."""
    named = os.environ.get("MUNIMENT_PICTURES")
    place = Path(named) if named else tmp_path_factory.mktemp("pictures")
    place.mkdir(parents=True, exist_ok=True)
    return place
