"""Catalogs of THREDDS data servers: XML that names datasets and the services by which they are had.

After Unidata's specification of client catalogs, version 1.0. Files come by the service of the type HTTPServer.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote, urljoin, urlsplit
from xml.etree import ElementTree  # noqa: ICN001 - the module's own name says more than ET

from muniment.sources.listing.lines import Listed, plain
from muniment.sources.times import rfc3339

_SPACE = "{http://www.unidata.ucar.edu/namespaces/thredds/InvCatalog/v1.0}"
_LINK = "{http://www.w3.org/1999/xlink}"
_FILES = "httpserver"
_NO_FILES = frozenset({"resolver", "catalog", "querycapability"})
"""Types of services that stand for other datasets and are none themselves."""


def catalog_beside(url: str) -> str | None:
    """The catalog that a page of a data server shows, if its address is one's: `…/catalog.html`."""
    parts = urlsplit(url)
    if not parts.path.endswith("/catalog.html"):
        return None
    return parts._replace(path=f"{parts.path[:-4]}xml", query="").geturl()


def read_catalog(url: str, body: bytes) -> list[Listed] | None:
    """The datasets and further catalogs of a catalog; None where it is other XML."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        return None
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - without declarations nothing can expand
    except ElementTree.ParseError:
        return None
    if root.tag != f"{_SPACE}catalog":
        return None
    return list(_children(root, url, _services(root), None, ""))


def _services(root: ElementTree.Element) -> dict[str, dict[str, str]]:
    """The base of each type of service, by the name of the service or of the compound it belongs to."""
    found: dict[str, dict[str, str]] = {}
    for service in root.iter(f"{_SPACE}service"):
        kinds = found.setdefault(service.get("name", ""), {})
        for each in service.iter(f"{_SPACE}service"):
            kinds.setdefault(each.get("serviceType", "").lower(), each.get("base", ""))
    return found


def _children(
    parent: ElementTree.Element, url: str, services: dict[str, dict[str, str]], service: str | None, folder: str
) -> Iterator[Listed]:
    """The lines of a catalog or dataset; `folder` is the way to it within the catalog."""
    # The outermost dataset is the folder itself: what is right in the catalog makes no step.
    waiting = [(iter(parent), service, folder, parent.tag == f"{_SPACE}catalog")]
    while waiting:
        children, service, folder, outermost = waiting[-1]
        for child in children:
            name = child.get("name") or ""
            if child.tag == f"{_SPACE}catalogRef":
                target = urljoin(url, child.get(f"{_LINK}href") or "")
                yield Listed(target, _step(folder, child.get(f"{_LINK}title") or name), folder=True)
            elif child.tag == f"{_SPACE}dataset":
                mine, inherited = _service_of(child, service)
                if child.get("urlPath"):
                    yield from _file(child, url, services, mine, _step(folder, name))
                waiting.append((iter(child), inherited, folder if outermost else _step(folder, name), False))
                break
        else:
            waiting.pop()


def _file(
    dataset: ElementTree.Element, url: str, services: dict[str, dict[str, str]], service: str | None, name: str
) -> Iterator[Listed]:
    kinds = services.get(service or "", {})
    if not kinds and len(services) == 1:
        (kinds,) = services.values()
    if kinds and set(kinds) <= _NO_FILES:
        return
    if _FILES not in kinds:
        yield Listed("", name, folder=False, missing="The catalog names no service that gives it as a file.")
        return
    target = urljoin(url, f"{kinds[_FILES]}{quote(dataset.get('urlPath') or '', safe='/:?&=%+')}")
    modified = next((each.text for each in dataset.iterfind(f"{_SPACE}date") if each.get("type") == "modified"), None)
    # The size is rounded for readers and says nothing exactly.
    yield Listed(target, name, folder=False, modified=rfc3339((modified or "").strip()))


def _service_of(dataset: ElementTree.Element, above: str | None) -> tuple[str | None, str | None]:
    """The name of the service for a dataset itself, and for those in it."""
    inherited = above
    own = dataset.get("serviceName") or dataset.findtext(f"{_SPACE}serviceName")
    for metadata in dataset.iterfind(f"{_SPACE}metadata"):
        said = metadata.findtext(f"{_SPACE}serviceName")
        if said:
            own = own or said
            inherited = said if metadata.get("inherited") == "true" else inherited
    return (own or above), inherited


def _step(folder: str, name: str) -> str:
    """A name within the catalog's own folders; a slash in it is no step."""
    step = plain(name.strip())
    return f"{folder}/{step}" if folder else step
