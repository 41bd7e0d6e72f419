"""Templates made into pages: every value is escaped, and a name that nobody gave is an error."""

from __future__ import annotations

from functools import cache
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from muniment.server.pages import assets, names, policy
from muniment.server.pages.texts import Texts


@cache
def environment() -> Environment:
    """The one environment of all templates."""
    made = Environment(
        loader=PackageLoader("muniment.server.pages", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "name": names.name,
        "commands": names.commands,
        "contact": names.contact,
        "title_of": names.title,
        "shown": names.shown,
        "lines": names.lines,
        "time": names.moment,
        "digest": names.digest,
        "segment": segment,
    }
    made.globals |= {"asset": assets.address, "query": query}
    return made


def render(template: str, texts: Texts, **given: object) -> bytes:
    """A page's bytes."""
    words = {
        "t": texts,
        "n": texts.counted,
        "number": texts.number,
        "bytes": texts.bytes,
        "language": texts.language,
    }
    text = environment().get_template(template).render(**words, **given)
    return text.encode("utf-8", "replace")


def segment(text: str) -> str:
    """A text as one segment of a path."""
    return quote(text, safe="")


def query(**given: object) -> Markup:
    """The query of an address from what is not empty, with its question mark; safe in an attribute."""
    pairs = [(name, str(value)) for name, value in given.items() if value not in {None, ""}]
    text = urlencode(pairs)
    return Markup("?{}").format(text) if text else Markup("")


def headers(root: str, *, viewer: bool = False, media: bool = False) -> dict[str, str]:
    """What every page carries; one with the viewer of large pictures, or with sound, has a policy of its own."""
    return policy.headers(root, viewer=viewer, media=media)
