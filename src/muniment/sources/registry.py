"""The kinds of sources there are. A new one is a module and its line here, or a package of its own.

A package that is installed beside Muniment brings a source by an entry point of the group `muniment.sources`, whose
name is the kind's and whose object is its `Kind`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint

from muniment.content.entry_points import broken, brought, load, names
from muniment.errors.base import BadInput
from muniment.errors.extensions import ExtensionBroken
from muniment.errors.sources import BadService, UnknownSource
from muniment.sources.limited import Limited
from muniment.sources.naming import UniquePaths
from muniment.sources.options import Kind, SourceContext
from muniment.sources.protocol import Source
from muniment.sources.unexpected import UnexpectedAnswers

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
    "rclone": "muniment.sources.rclone",
    "s3": "muniment.sources.s3",
    "zenodo": "muniment.sources.zenodo",
}
"""Name in submissions to module; each module has a `KIND`. Imported when first asked for."""

GROUP = "muniment.sources"
"""The group of entry points by which other packages bring sources."""


def find(name: str) -> Kind:
    """The kind called `name`, in any case of letters.

    Raises:
        UnknownSource: There is none.
        ExtensionBroken: A package brings it, and it cannot be used.
    """
    module = MODULES.get(name.lower())
    if module is not None:
        kind: Kind = importlib.import_module(module).KIND
        return kind
    entry = brought(GROUP).get(name.lower())
    if entry is None:
        raise UnknownSource(service=_printable(name), known=", ".join(submittable()))
    return _loaded(entry)


def submittable() -> list[str]:
    """The kinds a submission may name."""
    return sorted(name for name in {*MODULES, *installed()} if _submitted(name))


def installed() -> list[str]:
    """The kinds that other packages bring."""
    return names(GROUP, MODULES)


def _submitted(name: str) -> bool:
    try:
        return find(name).submitted
    except ExtensionBroken:
        return False  # who asks for it by its name is told why


def _loaded(entry: EntryPoint) -> Kind:
    """The kind that a package brings.

    Raises:
        ExtensionBroken: It cannot be imported, or is none.
    """
    kind = load(entry, "source")
    if not isinstance(kind, Kind):
        raise broken(entry, "source", f"{entry.value} is {type(kind).__name__}, and no muniment.sources.Kind")
    if kind.name != entry.name.lower():
        reason = f"the name of its kind is {kind.name!r}, and that of its entry point {entry.name!r}"
        raise broken(entry, "source", reason)
    return kind


def faults(service: object, *, keeper: bool = False) -> Iterator[BadInput]:
    """What is wrong with one element of a submission's `services`: `{"github": {...}}`.

    `keeper` allows the kinds that only the keeper of the archive may use.
    """
    if not isinstance(service, Mapping) or len(service) != 1 or not isinstance(next(iter(service)), str):
        yield BadService(service=_shown(service), reason="it is not an object with exactly one key, the service's name")
        return
    ((name, given),) = service.items()
    try:
        kind = find(name)
    except (UnknownSource, ExtensionBroken) as error:
        yield error
        return
    if not keeper and not kind.submitted:
        yield UnknownSource(service=_printable(name), known=", ".join(submittable()))
        return
    yield from kind.faults(given)


def open_source(name: str, given: Mapping[str, object], means: SourceContext) -> Source:
    """A source of the kind `name`, built from a submission's fields.

    No file beyond the size limit comes from it, no two at one path, and no error but ours when a service answers
    with something else than it should.

    Raises:
        UnknownSource, FieldMissing, FieldEmpty, FieldWrong: The submission has to change.
    """
    kind = find(name)
    if means.hourly_calls is None:
        means = replace(means, hourly_calls=kind.hourly_calls)
    source: Source = UnexpectedAnswers(kind.build(kind.fields(given), means))
    return UniquePaths(source if means.max_file_size is None else Limited(source, means.max_file_size))


def _shown(service: object) -> str:
    """The keys alone: the values may be secrets."""
    return _printable(", ".join(map(str, service))) if isinstance(service, Mapping) else type(service).__name__


def _printable(text: str) -> str:
    """Text that an answer can hold: halves of characters are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()
