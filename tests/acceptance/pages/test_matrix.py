"""Every page empty, as usual, long and in error, light and dark, narrow and wide: it fits, is for everybody, and quiet.

A person's path leads to each page: from the page that is named with it, by a link that is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.pages.conftest import Look, Looking
from tests.acceptance.pages.places import begin, build
from tests.servers.native.running import Running, make_archive, serving

MAPS = "project=rivermark/maps"
ODD = "/resources/a%2Fb%20%3Ci%3E%26%E2%80%AE"
BASKET = "e=%5B%22rivermark%2Fmaps%22%2C%22harbour%22%2C0%2C%22%22%5D"

USUAL = {
    "home": ("", "/"),
    "find": ("home", "/find"),
    "found": ("", "/find?q=survey"),
    "projects": ("home", "/projects"),
    "project": ("projects", "/projects/rivermark/maps"),
    "resource": ("project", f"/resources/harbour?{MAPS}"),
    "resource-odd": ("", ODD),
    "resource-damaged": ("home", f"/resources/damaged?{MAPS}"),
    "file": ("", f"{ODD}/files/data.json?project=rivermark/odd"),
    "file-drawing": ("", f"{ODD}/files/drawing.svg?project=rivermark/odd"),
    "file-table": ("", f"/resources/harbour/files/soundings.csv?{MAPS}"),
    "choose": ("resource", f"/resources/harbour/choose?{MAPS}&instance=2"),
    "changes": ("resource", f"/resources/harbour/changes?{MAPS}&from=1&to=2"),
    "changes-lines": ("changes", f"/resources/harbour/changes?{MAPS}&from=1&to=2&path=soundings.csv"),
    "receipt": ("", f"/resources/harbour/receipt?{MAPS}"),
    "events": ("home", "/events"),
    "event": ("events", "{event}"),
    "deposit": ("home", "/deposit"),
    "deposit-open": ("deposit", "{deposit}"),
    "source": ("deposit", "/deposit/source"),
    "source-form": ("", "/deposit/source?kind=github"),
    "fetched": ("", "{fetch}"),
    "containers": ("home", "/containers"),
    "container": ("containers", "/containers/r0001"),
    "container-open": ("containers", "/containers/under1"),
    "container-failed": ("containers", "/containers/failed1"),
    "portals": ("home", "/portals"),
    "portal": ("portals", "/portals/city"),
    "broken": ("portal", "/portals/city/broken"),
    "broken-open": ("broken", "/portals/city/broken?org=office-00#links"),
    "link": ("", "/portals/city/links/parks-000"),
    "selections": ("home", "/selections"),
    "selection-new": ("selections", "/selections/new"),
    "selection-chosen": ("", f"/selections/new?q=harbour&{BASKET}"),
    "selection": ("selections", "{selection}"),
    "fixity": ("home", "/fixity"),
    "copies": ("home", "/copies"),
    "store": ("copies", "/copies/stores/vault"),
    "store-silent": ("copies", "/copies/stores/frankfurt"),
    "retention": ("copies", "/copies/retention"),
    "evidence": ("home", "/evidence"),
    "evidence-cell": ("evidence", "/evidence?cell=storage-1#facts"),
    "jobs": ("home", "/jobs"),
    "job": ("jobs", "{job}"),
    "policies": ("home", "/admin/policies"),
    "policy": ("policies", "/admin/policies?project=rivermark%2Fmaps"),
    "access": ("home", "/admin/access"),
    "access-who": ("", "/admin/access?who=keys/users/keeper"),
    "keys": ("home", "/admin/keys"),
    "realms": ("home", "/admin/realms"),
    "realm": ("realms", "/admin/realms?realm=library"),
    "stores": ("home", "/admin/stores"),
    "store-changed": ("stores", "/admin/stores?store=vault"),
    "ledger": ("home", "/admin/ledger"),
    "purge": ("resource-damaged", f"/resources/damaged/purge?{MAPS}"),
    "purge-second": ("retention", f"{ODD}/purge?project=rivermark/odd"),
    "about": ("home", "/about"),
    "docs": ("home", "/docs"),
    "docs-operation": ("docs", "/docs/put_file"),
    "docs-document": ("docs-operation", "/docs/documents/FileOut"),
}
"""Each page as it usually is: the page that links to it, if one of these does, and its path."""

EMPTY = {
    name: USUAL[name][1]
    for name in (
        "home", "find", "projects", "events", "deposit", "source", "containers", "portals", "selections",
        "selection-new", "fixity", "copies", "retention", "evidence", "jobs", "policies", "access", "keys", "realms",
        "stores", "ledger",
    )
} | {"found": "/find?q=nothing+of+the+kind"}  # fmt: skip
"""What there is to see in an archive with nothing in it."""

LONG = {
    "find": "/find",
    "found": "/find?q=leaf",
    "files": "/find?q=0&kind=file",
    "project": "/projects/rivermark/leaves",
    "resource": f"/resources/many?{MAPS}&folder=sheets",
    "resource-instances": "/resources/leaf-000?project=rivermark/leaves",
    "choose": f"/resources/many/choose?{MAPS}",
    "receipt": f"/resources/many/receipt?{MAPS}",
    "events": "/events?verb=ingestion",
    "containers": "/containers?after=r0010",
    "broken": "/portals/city/broken",
    "broken-open": "/portals/city/broken?org=waterways",
    "store": "/copies/stores/frankfurt",
    "retention": "/copies/retention",
    "jobs": "/jobs",
    "policies": "/admin/policies",
    "tapes": "/copies",
}
"""Pages of lists that are longer than a page of them."""

MISSING = {
    "project": "/projects/no/thing",
    "project-odd": "/projects/no/%0A",
    "resource": "/resources/none",
    "resource-gone": f"/resources/gone?{MAPS}",
    "file": f"/resources/harbour/files/none?{MAPS}",
    "choose": "/resources/none/choose",
    "changes": f"/resources/harbour/changes?{MAPS}&from=7&to=9",
    "receipt": "/resources/none/receipt",
    "event": "/events/999999",
    "deposit-open": "/deposit/none",
    "source": "/deposit/source?kind=none",
    "fetched": "/deposit/source/none",
    "container": "/containers/none",
    "portal": "/portals/none",
    "broken": "/portals/none/broken",
    "link": "/portals/city/links/none",
    "selection": "/selections/rivermark/maps/none",
    "fixity-day": "/fixity/yesterday",
    "store": "/copies/stores/none",
    "store-changed": "/admin/stores?store=none",
    "job": "/jobs/none",
    "policy": "/admin/policies?project=x",
    "access": "/admin/access?address=nonsense",
    "realm": "/admin/realms?realm=none",
    "purge": "/resources/none/purge",
    "docs-operation": "/docs/none",
    "docs-document": "/docs/documents/None",
    "nowhere": "/no/such/page",
}
"""What is not there, as the one sees it who may see everything."""

REFUSED = ("events", "deposit", "containers", "selections", "fixity", "copies", "retention", "evidence",
           "policies", "access", "keys", "realms", "stores", "ledger", "purge")  # fmt: skip
"""Pages that somebody who may only read the maps is refused."""

UPGRADED = """Promise.all([...document.querySelectorAll("*")].map((each) => each.localName)
    .filter((name) => name.startsWith("m-")).map((name) => customElements.whenDefined(name))).then(() => true)"""
"""Waits until the elements of a page that are ours are what scripts make of them."""
FAILURES_LOOKED_AT = 3
LOOKS = [("light", 1280), ("dark", 360), ("light", 360), ("dark", 1280)]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, dict[str, str]]]:
    place = tmp_path_factory.mktemp("full") / "archive"
    key = build(place)
    with serving(place, key=key, serve_title="Rivermark Library", serve_work=False) as running:
        yield running, begin(running)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("bare") / "archive"
    with serving(place, key=make_archive(place), serve_title="Rivermark Library", serve_work=False) as running:
        yield running


class Faults:
    """What is wrong with pages, all of it at once; a picture is taken of each page."""

    def __init__(self, reader: Looking, scheme: str, width: int, pictures: Path, *, axe: bool) -> None:
        self.reader = reader
        self.found: dict[str, object] = {}
        self._look = f"{width}-{scheme}"
        self._width = width
        self._pictures = pictures
        self.axe = axe

    def see(self, name: str, *, refused: bool = False) -> None:
        page = self.reader.page
        page.evaluate(UPGRADED)
        if self.axe and (found := self.reader.axe()):
            self.found[f"{name}: axe"] = found
        if refused:
            # The browser itself says in the console that the answer was an error, and nothing else may be there.
            said = [each for each in self.reader.wrong if "Failed to load resource" not in each]
            self.reader.wrong[:] = said
        violations = page.evaluate("window.violations ?? []")
        if self.reader.wrong or violations:
            self.found[f"{name}: console"] = [*self.reader.wrong, *violations]
            self.reader.wrong.clear()
        # At last: what scripts show is there by now.
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > self._width:
            self.found[f"{name}: wide"] = wide
        page.screenshot(path=str(self._pictures / f"{name}-{self._look}.png"), full_page=True)


Begin = tuple[Running, dict[str, str]]


def _reader(look: Look, running: Running, scheme: str, width: int, key: str = "") -> Looking:
    size = {"width": width, "height": 900}
    return look(running.url, key or running.key, color_scheme=scheme, viewport=size, reduced_motion="reduce")


@pytest.mark.timeout(900)  # some fifty pictures, beside whatever else the machine does
@pytest.mark.parametrize(
    ("scheme", "width", "axe"),
    [(*LOOKS[0], True), (*LOOKS[1], True), (*LOOKS[2], False), (*LOOKS[3], False),
     pytest.param(*LOOKS[2], True, marks=pytest.mark.nightly),
     pytest.param(*LOOKS[3], True, marks=pytest.mark.nightly)],
)  # fmt: skip
def test_every_page_as_it_usually_is(
    look: Look, full: Begin, pictures: Path, scheme: str, width: int, *, axe: bool
) -> None:
    # Contrast depends on the scheme, all else on the width: two of the four looks see every rule.
    running, begun = full
    reader = _reader(look, running, scheme, width)
    faults = Faults(reader, scheme, width, pictures, axe=axe)
    for name, (_, path) in USUAL.items():
        answer = reader.page.goto(reader.url + path.format(**begun))
        assert answer is None or answer.status == 200, name
        faults.see(name)
    assert faults.found == {}


def test_a_person_gets_to_every_page_by_links(look: Look, full: Begin) -> None:
    running, begun = full
    reader = _reader(look, running, "light", 1280)
    for name, (by, path) in USUAL.items():
        if not by:
            continue
        page = reader.go(USUAL[by][1].format(**begun))
        wanted = path.format(**begun)
        link = page.locator(f'a[href="{wanted}"], a[href^="{wanted}?"]').first
        assert link.count() == 1, f"no link to {name} on {by}"
        link.click()
        page.wait_for_url(f"**{wanted}*")
        reader.nothing_is_wrong()


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("scheme", "width"),
    [LOOKS[1], *(pytest.param(*each, marks=pytest.mark.nightly) for each in (LOOKS[0], *LOOKS[2:]))],
)
@pytest.mark.parametrize("state", ["empty", "long", "missing", "refused"])
def test_every_page_empty_long_and_in_error(
    look: Look, full: Begin, bare: Running, pictures: Path, state: str, scheme: str, width: int
) -> None:
    running, _ = full
    key = ""
    if state == "refused":
        key = running.new_key(f"guest-{scheme}-{width}", _rivermark_maps={"resources/read"})
    pages = {"empty": EMPTY, "long": LONG, "missing": MISSING}.get(state) or {n: USUAL[n][1] for n in REFUSED}
    reader = _reader(look, bare if state == "empty" else running, scheme, width, key)
    faults = Faults(reader, scheme, width, pictures, axe=True)
    for number, (name, path) in enumerate(pages.items()):
        # What is not there, and what is refused, is one page with other words in it.
        faults.axe = state in {"empty", "long"} or number < FAILURES_LOOKED_AT
        answer = reader.page.goto(reader.url + path)
        expected = {"missing": {400, 404, 410, 422}, "refused": {403}}.get(state, {200})
        if answer is not None and answer.status not in expected:
            faults.found[f"{name}: status"] = answer.status
        faults.see(f"{name}-{state}", refused=state in {"missing", "refused"})
    assert faults.found == {}


DAILY = ("home", "resource", "broken", "jobs", "policy", "sign-in")
"""Pages that are also looked at daily without scripts and by keyboard; all of them are at night."""
_NIGHTLY = pytest.param(True, marks=pytest.mark.nightly, id="all")
KEYBOARD = """() => {
  const seen = document.activeElement;
  const box = seen.getBoundingClientRect();
  const head = document.querySelector("header.top").getBoundingClientRect();
  const inHead = seen.closest("header.top") || seen.className === "skip";
  return {
    body: seen === document.body,
    mark: `${seen.localName} ${seen.getAttribute("href") ?? seen.name ?? ""} ${seen.textContent.trim().slice(0, 40)}`,
    outline: getComputedStyle(seen).outlineWidth,
    hidden: !inHead && box.height > 0 && box.bottom <= head.bottom,
    empty: box.width === 0 || box.height === 0,
  };
}"""
"""What has the focus: how it is marked, and whether somebody sees it."""
REACHABLE = """() => [...document.querySelectorAll(
  "a[href], button:enabled, input:enabled:not([type=hidden]), select, textarea, summary, [tabindex='0']",
)].filter((each) => each.checkVisibility({ visibilityProperty: true })).length"""
_MOST_KEYS = 150


def _chosen(begun: dict[str, str], *, every: bool) -> dict[str, str]:
    paths = {name: path.format(**begun) for name, (_, path) in USUAL.items()} | {"sign-in": "/sign-in?next=/"}
    return paths if every else {name: paths[name] for name in DAILY}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("every", [pytest.param(False, id="some"), _NIGHTLY])
def test_every_page_works_without_scripts(look: Look, full: Begin, *, every: bool) -> None:
    running, begun = full
    reader = look(running.url, "-", java_script_enabled=False, viewport={"width": 360, "height": 900})
    page = reader.go("/sign-in")
    page.fill("#given", running.key)
    page.click("text=Sign in with this key")
    wrong: dict[str, str] = {}
    for name, path in _chosen(begun, every=every).items():
        answer = page.goto(reader.url + path)
        assert answer is not None
        if answer.status != 200 or not page.inner_text("h1").strip():
            wrong[name] = f"{answer.status}"
        # What only scripts could do is not there, and what is there does something by itself.
        for button in page.locator("main button:visible").all():
            if button.evaluate("each => !each.form"):
                wrong[f"{name}: a button without a form"] = button.inner_text()
    assert wrong == {}
    assert reader.wrong == []


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("every", [pytest.param(False, id="some"), _NIGHTLY])
def test_every_page_can_be_used_by_keyboard_alone(look: Look, full: Begin, *, every: bool) -> None:
    running, begun = full
    reader = _reader(look, running, "light", 1280)
    wrong: dict[str, object] = {}
    for name, path in _chosen(begun, every=every).items():
        page = reader.go(path.partition("#")[0])  # a fragment is where the keys begin, past what stands before it
        page.evaluate(UPGRADED)
        wanted = min(page.evaluate(REACHABLE), _MOST_KEYS)
        reached: list[str] = []
        for _ in range(_MOST_KEYS):
            page.keyboard.press("Tab")
            now = page.evaluate(KEYBOARD)
            if now["body"]:
                break
            reached.append(now["mark"])
            if now["outline"] != "3px":
                wrong[f"{name}: no ring"] = now["mark"]
            if now["hidden"] or now["empty"]:
                wrong[f"{name}: not to be seen"] = now["mark"]
        # Radio buttons of one name are one stop, and arrows go between them.
        if len(reached) < 0.9 * wanted - 2:
            wrong[f"{name}: not reached"] = f"{len(reached)} of {wanted}, the last {reached[-1:]}"
    assert wrong == {}
