"""A request to fetch: its sources checked before anything is asked of anybody, and their credentials taken out."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from muniment.errors.base import BadInput
from muniment.errors.sources import FieldWrong, UnknownSource
from muniment.jobs.keyring import Redaction
from muniment.sources import faults, find

Service = dict[str, Any]
"""`{"label", "service", "fields", "secret", "secret_fields", "force_parity"}`: plain JSON without credentials."""


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """What is to be fetched, and where to. `sources` are services without their `secrets`, which are kept by label.

    With `again`, files that look unchanged since the instance before are fetched too.
    """

    sources: Sequence[Service]
    secrets: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    id: str | None = None
    project: str | None = None
    message: str = ""
    again: bool = False

    @property
    def resource(self) -> str:
        """The id that was given; else one that follows from the sources, so that the same ones mean the same one."""
        if self.id is not None:
            return self.id
        said = repr([(each["service"], sorted(each["fields"].items())) for each in self.sources])
        return f"{self.sources[0]['service']}-{hashlib.sha256(said.encode()).hexdigest()[:16]}"

    def as_json(self, project: str) -> dict[str, Any]:
        """What the ledger is given, without credentials."""
        return {
            "id": self.resource,
            "project": project,
            "sources": [dict(each) for each in self.sources],
            "message": self.message,
            "again": self.again,
        }


def source_faults(elements: Sequence[Any], *, keeper: bool = False) -> Iterator[tuple[str, BadInput]]:
    """What is wrong with a list of sources, `{"github": {…}}` each: the place within the list, and the error.

    `keeper` allows the sources that only the keeper of the archive may use, such as a folder of this machine.
    """
    for number, given in enumerate(elements):
        name = next(iter(given)) if isinstance(given, Mapping) and len(given) == 1 else None
        for fault in faults(given, keeper=keeper):
            known = fault.details.get("field")
            place = ".".join(str(part) for part in (name, known if known != name else None) if part)
            yield f".{number}" + (f".{place}" if place else ""), fault
    if not any(True for each in elements for _ in faults(each, keeper=keeper)):
        yield from ((f".{number}.{fault.details['field']}", fault) for number, fault in shown_secrets(elements))


def shown_secrets(elements: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, BadInput]]:
    """Open fields of checked elements in which one of their credentials stands: the element's number, and the error."""
    services, secrets = split_secrets(elements)
    redaction = Redaction({name: list(values) for name, values in secrets.items()})
    for number, service in enumerate(services):
        for name, value in service["fields"].items():
            if redaction.in_json(value):
                reason = "a credential stands in it, which belongs into its own field alone"
                yield number, FieldWrong(service=service["service"], field=name, reason=reason)


def read_sources(elements: Sequence[Any], *, keeper: bool = False) -> tuple[list[Service], dict[str, list[str]]]:
    """Sources apart from their credentials: these by the label of theirs. `keeper` is as in `source_faults`.

    Raises:
        UnknownSource, BadService, FieldMissing, FieldEmpty, FieldWrong: The first thing that is wrong.
    """
    for _, fault in source_faults(elements, keeper=keeper):
        raise fault
    if not elements:
        raise UnknownSource(service="(none)", known="the names in docs/reference/sources.md")
    return split_secrets(elements)


def split_secrets(
    elements: Iterable[Mapping[str, Any]], within: str = ""
) -> tuple[list[Service], dict[str, list[str]]]:
    """Checked elements as services with a label each, and their credentials under the names used in them.

    Only known fields are kept: among unknown ones a credential may stand. `within` goes before the credentials' names.
    """
    services: list[Service] = []
    secrets: dict[str, list[str]] = {}
    counts: Counter[str] = Counter()
    for element in elements:
        ((name, fields),) = element.items()
        kind = find(name)
        counts[kind.name] += 1
        label = kind.name if counts[kind.name] == 1 else f"{kind.name}-{counts[kind.name]}"
        hidden = kind.secret_fields()
        known = {alias for param in kind.params for alias in param.names} | {"versions"}
        sealed = sorted(field for field in known & hidden & set(fields) if fields[field] not in (None, ""))
        reference = f"{within}{label}" if sealed else None
        if reference:
            # The values alone: what is sealed is looked for in all that is written, and a field's name is no secret.
            secrets[reference] = [str(fields[field]) for field in sealed]
        services.append(
            {
                "label": label,
                "service": kind.name,
                "fields": {field: value for field, value in fields.items() if field in known - hidden},
                "secret": reference,
                "secret_fields": sealed,
                "force_parity": fields.get("forceParity", False),
            }
        )
    return services, secrets
