"""A person with a browser, as far as one can be without: it keeps cookies, asks for pages, and reads what they say."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

HTML = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"
_EMPTY = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


@dataclass
class Element:
    """One element of a page."""

    name: str
    attributes: dict[str, str]
    inside: list[Element] = field(default_factory=list)
    text: str = ""


class Reading(HTMLParser):
    """A page taken apart."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(text)
        self.close()
        assert not self._open, f"never closed: {[each.name for each in self._open]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, {name: value or "" for name, value in attrs})
        assert len(made.attributes) == len(attrs), f"an attribute twice: {tag} {attrs}"
        self.elements.append(made)
        if self._open:
            self._open[-1].inside.append(made)
        if tag not in _EMPTY and self.get_starttag_text() is not None:
            self._open.append(made)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _EMPTY:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1].name == tag, f"</{tag}> closes <{self._open[-1].name}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for each in self._open:
            each.text += data

    def every(self, name: str) -> Iterator[Element]:
        return (each for each in self.elements if each.name == name)

    def the(self, name: str) -> Element:
        found = list(self.every(name))
        assert len(found) == 1, f"{len(found)} of <{name}>"
        return found[0]


@dataclass(frozen=True)
class Answer:
    """An answer with its page."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    cookies: list[str]

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    @property
    def page(self) -> Reading:
        assert self.headers["content-type"].startswith("text/html"), self.headers["content-type"]
        return Reading(self.text)

    @property
    def heading(self) -> str:
        return " ".join(self.page.the("h1").text.split())

    @property
    def words(self) -> str:
        return " ".join(self.page.the("main").text.split())


class Visitor:
    """Somebody with a browser at a server."""

    def __init__(self, url: str, language: str = "en") -> None:
        self.url = url.rstrip("/")
        self.cookies: dict[str, str] = {}
        self.headers = {"Accept": HTML, "Accept-Language": language}

    def get(self, path: str, /, **headers: str) -> Answer:
        """A page, after whatever it redirects to."""
        answer = self.ask("GET", path, **headers)
        for _ in range(5):
            if answer.status not in {302, 303}:
                return answer
            answer = self.ask("GET", urljoin(answer.url, answer.headers["location"]), **headers)
        raise AssertionError("redirected without end")

    def post(self, path: str, form: Mapping[str, str] | None = None, /, **headers: str) -> Answer:
        """A form that was sent, without following where it leads."""
        sent = {"Content_Type": "application/x-www-form-urlencoded", "Sec_Fetch_Site": "same-origin", **headers}
        given = {name: value for name, value in sent.items() if value}
        return self.ask("POST", path, urlencode(form or {}).encode(), **given)

    def ask(self, method: str, path: str, body: bytes | None = None, /, **headers: str) -> Answer:
        """One request."""
        target = path if "://" in path else self.url + path
        parts = urlsplit(target)
        connection = http.client.HTTPConnection(parts.netloc, timeout=30)
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), body, sent)
        reply = connection.getresponse()
        data = reply.read()
        cookies = reply.headers.get_all("set-cookie") or []
        connection.close()
        for cookie in cookies:
            name, _, value = cookie.partition(";")[0].partition("=")
            if value.strip('"'):
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        return Answer(
            target, reply.status, {name.lower(): value for name, value in reply.headers.items()}, data, cookies
        )

    def sign_in(self, key: str) -> Visitor:
        answer = self.post("/sign-in", {"key": key, "next": "/"})
        assert answer.status == 303, answer.text
        return self
