"""What a package's own JSON-LD says of it: an RO-Crate 1.x, or the OAI-ORE map of a Dataverse bag."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from muniment.validation.ocfl.jsontext import NotJson, TooLarge, parse, read_bounded

CRATE = "ro-crate-metadata.json"
LEGACY = "ro-crate-metadata.jsonld"
ORE = "metadata/oai-ore.jsonld"
_LARGEST = 64 * 1024 * 1024
_REQUIRED = ("name", "description", "datePublished", "license")
_SCHEMA = ("http://schema.org/", "https://schema.org/")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_TERMS = "http://purl.org/dc/terms/"


@dataclass(slots=True)
class Described:
    """What is said of a package: words for its metadata, files it names, and what is wrong with the description."""

    metadata: dict[str, Any] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    """Relative paths of the files that it lists, from the folder it describes."""
    folders: list[str] = field(default_factory=list)
    """As `files`, of folders."""
    unreadable: list[str] = field(default_factory=list)
    """Why nothing could be read."""
    unlinked: list[str] = field(default_factory=list)
    """Files and folders that no chain of hasPart leads to from the root."""
    wrong: list[str] = field(default_factory=list)
    """What the root lacks."""


def read_crate(place: str) -> Described:
    """The RO-Crate in the file `place`, read by its descriptor's `about` and never by its first data set."""
    graph = _document(place).get("@graph")
    if not isinstance(graph, list):
        return Described(unreadable=["it is no JSON-LD with a @graph"])
    entities = {each["@id"]: each for each in graph if isinstance(each, dict) and isinstance(each.get("@id"), str)}
    # Names of the document that were ever used; newer ones first (RO-Crate 1.2, finding the root data entity).
    descriptors = (entities.get(f"{start}{name}") for name in (CRATE, LEGACY) for start in ("", "./"))
    descriptor = next((each for each in descriptors if each), {})
    root = entities.get(_reference(descriptor.get("about")))
    if root is None:
        return Described(unreadable=["no descriptor says what the crate is about"])
    found = Described(wrong=[f"the root has no {name}" for name in _REQUIRED if not root.get(name)])
    found.wrong += [] if "Dataset" in _each(root.get("@type")) else ["the root is no Dataset"]
    found.metadata = _words(
        title=_text(root.get("name")),
        description=_text(root.get("description")),
        creator=[_named(each, entities) for each in _each(root.get("author") or root.get("creator"))],
        date=_text(root.get("datePublished")),
        license=[_named(each, entities) for each in _each(root.get("license"))],
        parts=[_named(each, entities) for each in _each(root.get("hasPart"))],
        conforms_to=[_reference(each) for each in _each(descriptor.get("conformsTo"))],
    )
    reached = _reached(root, entities)
    for name, entity in entities.items():
        kinds = _each(entity.get("@type"))
        if entity is root or not {"File", "Dataset"} & set(map(str, kinds)) or not _is_inside(name):
            continue
        path = unquote(name).removeprefix("./")
        (found.files if "File" in kinds else found.folders).append(path)
        if name not in reached:
            found.unlinked.append(path)
    return found


def _is_inside(name: str) -> bool:
    """Whether an entity's identifier is a path in the crate: no address, and nothing that is only named there."""
    return not _SCHEME.match(name) and not name.startswith(("#", "_:", "/"))


def _reached(root: Mapping[str, Any], entities: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Every identifier that a chain of hasPart leads to."""
    reached: set[str] = set()
    waiting = [root]
    while waiting:
        for part in _each(waiting.pop().get("hasPart")):
            name = _reference(part)
            if name not in reached:
                reached.add(name)
                waiting += [entities[name]] if name in entities else []
    return reached


def read_ore(place: str) -> Described:
    """The map of a Dataverse bag; its labels are read through the document's own @context."""
    document = _document(place)
    context = document.get("@context")
    terms = dict(_terms(context))
    described = {terms.get(key, key): value for key, value in document.items()}
    inner = described.get("ore:describes") or described.get("http://www.openarchives.org/ore/terms/describes")
    if not isinstance(inner, dict):
        return Described(unreadable=["it describes no aggregation"])
    said = {_expanded(key, terms): value for key, value in inner.items()}

    def of(*names: str) -> Any:
        return next((said[name] for name in names if said.get(name)), None)

    title = of(f"{_TERMS}title", *(f"{each}name" for each in _SCHEMA))
    people = of(f"{_TERMS}creator", *(f"{each}creator" for each in _SCHEMA))
    found = Described()
    found.metadata = _words(
        title=_text(title),
        creator=[text for each in _each(people) for text in _strings(each)],
        date=_text(of(*(f"{each}datePublished" for each in _SCHEMA), f"{_TERMS}issued")),
        license=[_text(each) for each in _each(of(*(f"{each}license" for each in _SCHEMA), f"{_TERMS}license"))],
        identifier=_text(inner.get("@id")),
        subjects=[_text(each) for each in _each(of(f"{_TERMS}subject"))],
    )
    return found


def _document(place: str) -> Mapping[str, Any]:
    try:
        found = parse(read_bounded(place, _LARGEST))
    except (TooLarge, OSError, ValueError, NotJson):
        return {}
    return found if isinstance(found, dict) else {}


def _terms(context: object) -> Iterator[tuple[str, str]]:
    for each in _each(context):
        if isinstance(each, dict):
            for name, value in each.items():
                target = value.get("@id") if isinstance(value, dict) else value
                if isinstance(target, str):
                    yield name, target


def _expanded(key: str, terms: Mapping[str, str]) -> str:
    """A label as its IRI: a term of the context, or a prefix of it and the rest."""
    whole = terms.get(key, key)
    prefix, colon, rest = whole.partition(":")
    return f"{terms[prefix]}{rest}" if colon and prefix in terms else whole


def _each(value: object) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _reference(value: object) -> str:
    return value["@id"] if isinstance(value, dict) and isinstance(value.get("@id"), str) else _text(value)


def _named(value: object, entities: Mapping[str, Mapping[str, Any]]) -> str:
    """An entity's name, else its identifier."""
    name = _reference(value)
    return _text(entities.get(name, {}).get("name")) or (unquote(name) if _is_inside(name) else name)


def _text(value: object) -> str:
    if isinstance(value, dict):
        value = value.get("@value") or value.get("@id")
    return value if isinstance(value, str) else ""


def _strings(value: object) -> Iterator[str]:
    """Names in a compound field, which Dataverse gives as an object of labels."""
    if isinstance(value, dict):
        names = [each for key, each in value.items() if key.lower().endswith("name") and isinstance(each, str)]
        yield from names[:1]
    elif text := _text(value):
        yield text


def _words(**words: Any) -> dict[str, Any]:
    kept = {
        name: [each for each in value if each] if isinstance(value, list) else value for name, value in words.items()
    }
    return {name: value for name, value in kept.items() if value}
