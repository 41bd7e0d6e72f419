"""What a batch was asked to do beside its collection: with which folders, what is made of scans, what a bad one does.

It goes from the form through the preview into every step, so that a run is what was previewed, whatever the settings
have become since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast, get_args

from muniment.doors.distillery.settings import Broken, DistillerySettings, Normalisation
from muniment.errors.distillery import NotReadyToDistill

if TYPE_CHECKING:
    from muniment.jobs import Json

_MOST_FOLDERS = 10_000


@dataclass(frozen=True, slots=True)
class BatchPolicy:
    """What is asked of a batch; `folders` are names, none at all means all of the collection."""

    normalisation: Normalisation
    broken: Broken
    folders: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: DistillerySettings, asked: Mapping[str, Any]) -> BatchPolicy:
        """The policy that a batch, a form or a document asks for; what it does not say is as the settings have it.

        Raises:
            NotReadyToDistill: It asks for what there is not.
        """
        normalisation = str(asked.get("normalisation") or settings.normalisation)
        broken = str(asked.get("broken") or settings.broken)
        collection = repr(str(asked.get("collection", ""))[:80])
        for name, value, known in (
            ("normalisation", normalisation, get_args(Normalisation)),
            ("broken", broken, get_args(Broken)),
        ):
            if value not in known:
                problems = f"{name} is one of {', '.join(known)}, not {value[:40]!r}"
                raise NotReadyToDistill(collection=collection, problems=problems)
        folders = _names(asked.get("folders") or ())
        if len(folders) > _MOST_FOLDERS:
            problems = f"at most {_MOST_FOLDERS} folders can be named; name none to take all"
            raise NotReadyToDistill(collection=collection, problems=problems)
        return cls(cast("Normalisation", normalisation), cast("Broken", broken), folders)

    def as_json(self) -> dict[str, Json]:
        """The policy as a batch keeps it, and each of its steps."""
        found: dict[str, Json] = {"normalisation": self.normalisation, "broken": self.broken}
        return found | ({"folders": list(self.folders)} if self.folders else {})


def _names(given: Sequence[object] | str) -> tuple[str, ...]:
    """Names of folders, one a line or one each, in the order of their names and each once."""
    lines = [given] if isinstance(given, str) else [str(each) for each in given]
    return tuple(sorted({name.strip() for line in lines for name in line.splitlines() if name.strip()}))
