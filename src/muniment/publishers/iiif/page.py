"""The page of a publication that people look at: plain images for whoever has no script, tiles where the viewer is.

It refers to two scripts at most, the viewer's and `view.js`, which lie once in the site, and lets no other run.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from urllib.parse import urlsplit

from muniment.imaging.viewer import viewer
from muniment.publishers.iiif.image import Image
from muniment.publishers.iiif.manifest import MANIFEST
from muniment.publishers.protocol import Publication

SHARED = "@viewer"
"""The folder of what all pages share. No publication's folder is called so: there, `@` is written `%40`."""
SEARCH = "text.json"
_STAMP = 12
# The attribute of the style element keeps the viewer from writing one of its own, which the policy refuses.
_STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1c1c1c;
background: #fff; }
ul { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fill, minmax(12rem, 1fr)); list-style: none;
padding: 0; }
figure { margin: 0; } img { max-width: 100%; height: auto; } dt { font-weight: 600; }
a[aria-current] img { outline: 3px solid #0b57d0; outline-offset: 2px; }
#scan { height: 70vh; min-height: 20rem; background: #2b2b2b; }
#tools { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; }
button, input { font: inherit; padding: .3rem .7rem; }
#hits { list-style: none; padding: 0; max-height: 14rem; overflow: auto; } #hits button { text-align: start; }
.found { outline: 3px solid #d93025; background: rgb(255 220 0 / 25%); }
"""


def page_of(publication: Publication, images: Sequence[Image], site: str) -> str:
    """The page as HTML; `site` is the address of the whole site."""
    title, rights = html.escape(publication.title), html.escape(publication.rights)
    rows = "".join(
        f"<dt>{html.escape(label)}</dt>" + "".join(f"<dd>{html.escape(value)}</dd>" for value in values)
        for label, values in publication.metadata.items()
        if values
    )
    scripts = "".join(
        f'<script defer src="../{SHARED}/{name}"></script>\n' for name in shared() if name.endswith(".js")
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{html.escape(_policy(site))}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="alternate" type="application/ld+json" href="{MANIFEST}">
<style data-openseadragon-mobile-css>{_STYLE}</style>
{scripts}</head>
<body>
<main>
<h1>{title}</h1>
{_STAGE if viewer() is not None else ""}{_search(images)}<dl>{rows}</dl>
<p>{rights}</p>
<p><a href="{MANIFEST}">IIIF manifest</a></p>
<ul>
{_figures(publication, images)}
</ul>
</main>
</body>
</html>
"""


_STAGE = """<section id="stage" aria-label="Pages" hidden>
<div id="scan"></div>
<p id="tools"><button type="button" id="previous">Previous page</button>
<button type="button" id="next">Next page</button>
<button type="button" id="closer">Zoom in</button>
<button type="button" id="farther">Zoom out</button>
<button type="button" id="all">Whole page</button>
<output id="which"></output></p>
</section>
"""


@cache
def shared() -> Mapping[str, bytes]:
    """What all pages share, in the order in which scripts are read: names that change with their content."""
    found = viewer()
    files: dict[str, bytes] = {}
    if found is not None:
        files[f"openseadragon-{found.version}.js"] = found.script
        files[f"openseadragon-{found.version}.LICENSE.txt"] = found.license
    ours = (resources.files("muniment.publishers.iiif") / "view.js").read_bytes()
    files[f"view-{hashlib.sha256(ours).hexdigest()[:_STAMP]}.js"] = ours
    return files


def search_text(images: Sequence[Image]) -> bytes | None:
    """The lines of all pages for the search on the page; None where there are none."""
    if not any(image.lines for image in images):
        return None
    pages = [[[each.x, each.y, each.width, each.height, each.text] for each in image.lines] for image in images]
    return json.dumps({"pages": pages}, ensure_ascii=False, separators=(",", ":")).encode()


def _search(images: Sequence[Image]) -> str:
    if not any(image.lines for image in images):
        return ""
    return f"""<form id="search" role="search" data-lines="{SEARCH}" hidden>
<label for="words">Words on the pages</label> <input id="words" type="search">
<button type="submit">Find</button> <output id="count"></output>
<ol id="hits"></ol>
</form>
"""


def _figures(publication: Publication, images: Sequence[Image]) -> str:
    return "\n".join(
        f'<li><figure><a href="{html.escape(image.whole(image.sizes[-1]))}" '
        f'data-image="images/{html.escape(image.name)}/info.json" data-title="{html.escape(page.title)}">'
        f'<img src="{html.escape(image.whole(image.sizes[0]))}" alt="{html.escape(page.title)}" loading="lazy"></a>'
        f"<figcaption>{html.escape(page.title)}</figcaption></figure></li>"
        for page, image in zip(publication.pages, images, strict=True)
    )


def _policy(site: str) -> str:
    """What a browser may do with the page: its own scripts, its own style, images of the site's own address."""
    parts = urlsplit(site)
    style = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    here = f"'self' {parts.scheme}://{parts.netloc}"
    return (
        f"default-src 'none'; script-src 'self'; style-src 'sha256-{style}'; img-src {here}; connect-src {here}; "
        "base-uri 'none'; form-action 'none'"
    )
