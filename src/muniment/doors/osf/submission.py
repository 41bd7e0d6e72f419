"""A submission: its whole tree checked before anything is asked of anybody, and its credentials taken out of it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from muniment.errors.base import BadInput
from muniment.errors.registration import ContainerField, SubmissionNotJson
from muniment.sources import faults
from muniment.workflows.fetch.request import shown_secrets, split_secrets

LONGEST_ID = 61
DEEPEST = 50
_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.~-]*\Z")
_PARTS = ("metadata", "children", "services")


@dataclass(frozen=True, slots=True)
class Submission:
    """A checked submission. `tree` is plain JSON without credentials; `secrets` are they, by the name used in it.

    ```
    {"metadata": {id, title, description, contributors},
     "services": [{"label", "service", "fields", "secret", "secret_fields", "force_parity"}],
     "children": [ the same again ]}
    ```
    """

    tree: Mapping[str, Any]
    secrets: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The outermost container's id."""
        return str(self.tree["metadata"]["id"])

    def ids(self) -> list[str]:
        """The ids of all containers, the outermost first."""
        return list(ids_of(self.tree))


def ids_of(tree: Mapping[str, Any]) -> Iterator[str]:
    """The ids of all containers of a tree, the outermost first."""
    yield str(tree["metadata"]["id"])
    for child in tree["children"]:
        yield from ids_of(child)


def read_body(body: bytes) -> Any:
    """A body as JSON.

    Raises:
        SubmissionNotJson: It is none.
    """
    try:
        return json.loads(body)
    except RecursionError:
        raise SubmissionNotJson(reason="it is nested too deeply") from None
    except ValueError as error:
        raise SubmissionNotJson(reason=str(error)) from None


def read_submission(value: Any) -> Submission:
    """Check a submission whole. The error is about its first fault; `error.details["errors"]` lists them all.

    Raises:
        ContainerField: Something in it cannot be used.
    """
    found = [(_printable(where), _printable(why)) for where, why in _wrapped(value, "", 1)] or list(_doubled(value))
    if found:
        field, reason = found[0]
        errors = [{"field": where, "reason": why} for where, why in found]
        raise ContainerField(field=field, reason=reason, errors=errors)
    secrets: dict[str, object] = {}
    return Submission(_tree(value["container"], secrets), secrets)


Faults = Iterator[tuple[str, str]]


def _wrapped(value: object, where: str, depth: int) -> Faults:
    """A container in its wrapper, as the body and each child is."""
    field = f"{where}.container" if where else "container"
    if not isinstance(value, Mapping):
        yield where or "the body", f"it is {_kind(value)}, not an object"
    elif "container" not in value:
        yield field, "No container field: it is missing"
    elif not isinstance(value["container"], Mapping):
        yield field, f"it is {_kind(value['container'])}, not an object"
    elif depth > DEEPEST:
        yield field, f"containers are nested more than {DEEPEST} deep"
    else:
        yield from _container(value["container"], field, depth)


def _container(given: Mapping[str, Any], where: str, depth: int) -> Faults:
    kinds = {"metadata": Mapping, "children": list, "services": list}
    for part in _PARTS:
        if part not in given:
            yield f"{where}.{part}", f"the container is missing the field {part}"
        elif not isinstance(given[part], kinds[part]):
            wanted = "an object" if part == "metadata" else "a list"
            yield f"{where}.{part}", f"it is {_kind(given[part])}, not {wanted}"
        elif part == "metadata":
            yield from _metadata(given["metadata"], f"{where}.metadata")
        elif part == "children":
            for number, child in enumerate(given["children"]):
                yield from _wrapped(child, f"{where}.children[{number}]", depth + 1)
        else:
            yield from _services(given["services"], f"{where}.services")


def _metadata(given: Mapping[str, Any], where: str) -> Faults:
    for name in ("id", "title", "contributors"):
        if name not in given:
            yield f"{where}.{name}", "it is missing"
    for name in ("id", "title"):
        if name in given and not isinstance(given[name], str):
            yield f"{where}.{name}", f"it is {_kind(given[name])}, not text"
    if isinstance(given.get("id"), str):
        yield from _id(given["id"], f"{where}.id")
    if isinstance(given.get("title"), str):
        yield from _text(given["title"], f"{where}.title")
    description = given.get("description")
    if isinstance(description, str):
        yield from _text(description, f"{where}.description")
    elif description is not None:
        yield f"{where}.description", f"it is {_kind(description)}, not text"
    if "contributors" in given:
        people = given["contributors"]
        if not isinstance(people, list) or not all(isinstance(person, str) for person in people):
            yield f"{where}.contributors", "it is not a list of texts"
        else:
            for number, person in enumerate(people):
                yield from _text(person, f"{where}.contributors[{number}]")


def _id(id: str, where: str) -> Faults:
    if not id:
        yield where, "it is empty"
    elif len(id) > LONGEST_ID:
        yield where, f"it has {len(id)} characters, at most {LONGEST_ID} are possible"
    elif not _ID.match(id):
        yield where, "it may hold letters a-z, digits and _ . ~ - alone, and not begin with a dot"


def _text(text: str, where: str) -> Faults:
    try:
        text.encode()
    except UnicodeEncodeError:
        yield where, "it is not valid Unicode"
    else:
        if "\0" in text:
            yield where, "it holds a NUL character"


def _services(given: list[Any], where: str) -> Faults:
    found = [fault for number, service in enumerate(given) for fault in _service(service, f"{where}[{number}]")]
    yield from found
    if not found:
        for number, fault in shown_secrets(given):
            name = next(iter(given[number]))
            yield f"{where}[{number}].{name}.{fault.details['field']}", _without_place(fault)


def _service(given: object, where: str) -> Faults:
    for fault in faults(given):
        name = next(iter(given)) if isinstance(given, Mapping) and len(given) == 1 else None
        field = fault.details.get("field")
        place = ".".join(str(part) for part in (where, name, field if field != name else None) if part)
        yield place, _without_place(fault)


def _without_place(fault: BadInput) -> str:
    return fault.message.rstrip(".")


def _doubled(value: Mapping[str, Any]) -> Faults:
    """Each id may be there once; and, for file systems that do not tell them apart, once in any case of letters."""
    seen: Counter[str] = Counter()

    def walk(container: Mapping[str, Any], where: str) -> Faults:
        id = container["metadata"]["id"]  # noqa: A001 - the field's name
        seen[id.lower()] += 1
        if seen[id.lower()] == 2:  # noqa: PLR2004 - told once, however often it comes
            yield f"{where}.metadata.id", f"the id {id!r} is there twice in this submission"
        for number, child in enumerate(container["children"]):
            yield from walk(child["container"], f"{where}.children[{number}].container")

    yield from walk(value["container"], "container")


def _tree(given: Mapping[str, Any], secrets: dict[str, object]) -> dict[str, object]:
    """What the ledger is given: the known fields alone, for among unknown ones a credential may stand."""
    about = given["metadata"]
    metadata = {name: about.get(name) for name in ("id", "title", "description", "contributors")}
    services, sealed = split_secrets(given["services"], f"{about['id']}/")
    secrets.update(sealed)
    children = [_tree(child["container"], secrets) for child in given["children"]]
    return {"metadata": metadata, "services": services, "children": children}


def _printable(text: str) -> str:
    """Text that an answer can hold: halves of characters are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def _kind(value: object) -> str:
    names = {str: "text", list: "a list", dict: "an object", bool: "a boolean", int: "a number", float: "a number"}
    return "null" if value is None else names.get(type(value), type(value).__name__)
