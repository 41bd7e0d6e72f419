"""A BagIt profile read from its JSON file; a key of the wrong shape is told and left out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from muniment.content import Finding
from muniment.validation.findings import kind_of, say, why
from muniment.validation.ocfl.jsontext import NotJson, TooLarge, parse, read_bounded

_LARGEST = 4 * 1024 * 1024
_LISTS = (
    "Manifests-Required",
    "Manifests-Allowed",
    "Tag-Manifests-Required",
    "Tag-Manifests-Allowed",
    "Tag-Files-Required",
    "Tag-Files-Allowed",
    "Payload-Files-Required",
    "Payload-Files-Allowed",
    "Accept-BagIt-Version",
    "Accept-Serialization",
)
SHIPPED = ("btr", "aptrust", "aptrust-2.2")
"""Names of the profiles that come with Muniment; `aptrust` is APTrust 2.3."""
_SWITCHES = ("Allow-Fetch.txt", "Fetch.txt-Required", "Data-Empty")
_SERIALISATIONS = {"forbidden", "required", "optional"}


@dataclass(frozen=True, slots=True)
class Element:
    """What a profile asks of one element of bag-info.txt."""

    required: bool = False
    repeatable: bool = True
    values: tuple[str, ...] = ()
    """The values allowed; empty when any is."""


@dataclass(slots=True)
class Profile:
    """A profile's demands; what it does not mention is absent here too."""

    name: str
    identifier: str = ""
    elements: dict[str, Element] = field(default_factory=dict)
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    switches: dict[str, bool] = field(default_factory=dict)
    serialization: str = ""


def read_profile(given: str | os.PathLike[str]) -> tuple[Profile | None, list[Finding]]:
    """The profile that is meant, None when it is none, and what is wrong with it (B904).

    `given` is a JSON file, the name of a shipped profile (`SHIPPED`), or `URI=FILE`: the file, for bags that name
    the profile by that URI.
    """
    name, named = _place(os.fspath(given))
    try:
        raw = parse(read_bounded(name, _LARGEST))
    except TooLarge as error:
        return None, [say("B904", name, found=f"it has {error} bytes, at most {_LARGEST} are read")]
    except FileNotFoundError:
        return None, [say("B904", name, found=_why_not_there(name))]
    except (OSError, ValueError) as error:
        return None, [say("B904", name, found=why(error))]
    except NotJson as error:
        return None, [say("B904", name, found=f"it is not JSON: {error}")]
    if not isinstance(raw, dict) or not isinstance(raw.get("BagIt-Profile-Info"), dict):
        return None, [say("B904", name, found="it has no BagIt-Profile-Info")]
    profile = Profile(name)
    identifier = raw["BagIt-Profile-Info"].get("BagIt-Profile-Identifier")
    profile.identifier = named or (identifier if isinstance(identifier, str) else "")
    wrong = list(_fill(profile, raw))
    return profile, [say("B904", name, found=f"{key} is {found}") for key, found in wrong]


def _place(given: str) -> tuple[str, str]:
    """The file, and the URI it stands for where one was given."""
    if os.path.exists(given):
        return given, ""
    if given in SHIPPED:
        return os.path.join(os.path.dirname(__file__), "profiles", f"{given}.json"), ""
    uri, equals, file = given.partition("=")
    # A URI may hold '=' itself; the file is what exists.
    while equals and not os.path.exists(file) and "=" in file:
        more, _, file = file.partition("=")
        uri = f"{uri}={more}"
    return (file, uri) if equals and ":" in uri else (given, "")


def _why_not_there(given: str) -> str:
    if "://" in given:
        return "nothing is fetched: give the file for the address, too, as URI=FILE"
    return f"there is neither a file of that name nor a profile that is shipped ({', '.join(SHIPPED)})"


def _fill(profile: Profile, raw: Mapping[str, Any]) -> list[tuple[str, str]]:
    wrong = []
    for key in _LISTS:
        value = raw.get(key)
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            profile.lists[key] = tuple(value)
        elif key in raw:
            wrong.append((key, f"{kind_of(value)} instead of a list of texts"))
    for key in _SWITCHES:
        if isinstance(raw.get(key), bool):
            profile.switches[key] = raw[key]
        elif key in raw:
            wrong.append((key, f"{kind_of(raw[key])} instead of true or false"))
    serialization = raw.get("Serialization")
    if isinstance(serialization, str) and serialization in _SERIALISATIONS:
        profile.serialization = serialization
    elif "Serialization" in raw:
        wrong.append(("Serialization", "none of forbidden, required and optional"))
    elements = raw.get("Bag-Info", {})
    if not isinstance(elements, dict):
        return [*wrong, ("Bag-Info", kind_of(elements))]
    for label, element in elements.items():
        read = _element(element)
        if read:
            profile.elements[label] = read
        else:
            wrong.append((f"Bag-Info.{label}", "not what an element can be"))
    return wrong


def _element(raw: object) -> Element | None:
    if not isinstance(raw, dict):
        return None
    required, repeatable, values = raw.get("required", False), raw.get("repeatable", True), raw.get("values", [])
    if not isinstance(required, bool) or not isinstance(repeatable, bool) or not isinstance(values, list):
        return None
    return Element(required, repeatable, tuple(str(value) for value in values))
