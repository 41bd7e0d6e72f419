"""The kinds of sources there are. A new one is a module and its line here."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from muniment.errors.base import BadInput
from muniment.errors.sources import BadService, UnknownSource
from muniment.sources.limited import Limited
from muniment.sources.naming import UniquePaths
from muniment.sources.options import Kind, SourceContext
from muniment.sources.protocol import Source

MODULES: Mapping[str, str] = {
    "dataverse": "muniment.sources.dataverse",
    "dropbox": "muniment.sources.dropbox",
    "figshare": "muniment.sources.figshare",
    "git": "muniment.sources.git",
    "github": "muniment.sources.github",
    "gitlab": "muniment.sources.gitlab",
    "http": "muniment.sources.http",
    "local": "muniment.sources.local",
    "osffiles": "muniment.sources.osf",
    "s3": "muniment.sources.s3",
    "zenodo": "muniment.sources.zenodo",
}
"""Name in submissions to module; each module has a `KIND`. Imported when first asked for."""

NOT_SUBMITTED = frozenset({"local"})
"""Kinds that only the keeper of the archive may use: a submission from outside cannot name them."""


def find(name: str) -> Kind:
    """The kind called `name`, in any case of letters.

    Raises:
        UnknownSource: There is none.
    """
    module = MODULES.get(name.lower())
    if module is None:
        raise UnknownSource(service=name, known=", ".join(submittable()))
    kind: Kind = importlib.import_module(module).KIND
    return kind


def submittable() -> list[str]:
    """The kinds a submission may name."""
    return sorted(set(MODULES) - NOT_SUBMITTED)


def faults(service: object) -> Iterator[BadInput]:
    """What is wrong with one element of a submission's `services`: `{"github": {...}}`."""
    if not isinstance(service, Mapping) or len(service) != 1 or not isinstance(next(iter(service)), str):
        yield BadService(service=_shown(service), reason="it is not an object with exactly one key, the service's name")
        return
    ((name, given),) = service.items()
    if name.lower() not in submittable():
        yield UnknownSource(service=name, known=", ".join(submittable()))
        return
    yield from find(name).faults(given)


def open_source(name: str, given: Mapping[str, Any], means: SourceContext) -> Source:
    """A source of the kind `name`, built from a submission's fields.

    No file beyond the size limit comes from it, and no two at one path.

    Raises:
        UnknownSource, FieldMissing, FieldEmpty, FieldWrong: The submission has to change.
    """
    kind = find(name)
    if means.hourly_calls is None:
        means = replace(means, hourly_calls=kind.hourly_calls)
    source = kind.build(kind.fields(given), means)
    return UniquePaths(source if means.max_file_size is None else Limited(source, means.max_file_size))


def _shown(service: object) -> str:
    """The keys alone: the values may be secrets."""
    return ", ".join(map(str, service)) if isinstance(service, Mapping) else type(service).__name__
