"""Negotiation: which form of an answer a client takes (RFC 9110 §12.5.1), with Nexus' preference for archives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from muniment.doors.nexus.delivery import TAR, ZIP
from muniment.errors.nexus import NothingAcceptable

JSON_LD = "application/ld+json"
JSON = "application/json"
N_TRIPLES = "application/n-triples"
N_QUADS = "application/n-quads"
DOT = "text/vnd.graphviz"
DOCUMENTS = (JSON_LD, JSON, N_TRIPLES, N_QUADS, DOT)
"""The media types of a resource's forms, the preferred one first."""

_MOST_RANGES = 64


@dataclass(frozen=True, slots=True)
class Accept:
    """The media ranges of an `Accept` header, lower-case, with their weights; no header takes everything."""

    ranges: tuple[tuple[str, float], ...]

    @classmethod
    def parse(cls, header: str | None) -> Accept:
        """Read the header; what cannot be read in it counts as not there."""
        found = []
        for part in (header or "*/*").split(",")[:_MOST_RANGES]:
            name, *parameters = (word.strip() for word in part.split(";"))
            if "/" in name:
                found.append((name.lower(), _weight(parameters)))
        return cls(tuple(found))

    def weight(self, media_type: str) -> float:
        """How welcome a media type is: by the most exact range that matches it, 0 for not at all."""
        kind = media_type.partition("/")[0]
        for wanted in (media_type.lower(), f"{kind.lower()}/*", "*/*"):
            weights = [weight for name, weight in self.ranges if name == wanted]
            if weights:
                return max(weights)
        return 0.0

    def names(self, media_type: str) -> bool:
        """Whether it is asked for by its own name."""
        return any(name == media_type and weight > 0 for name, weight in self.ranges)

    def best(self, offered: Sequence[str]) -> str | None:
        """The most welcome of what is offered; of equals the one named first, else the first offered."""
        order = [name for name, _ in self.ranges]
        welcome = [(self.weight(each), each) for each in offered]
        top = max((weight for weight, _ in welcome), default=0.0)
        if top <= 0:
            return None
        equals = [each for weight, each in welcome if weight == top]
        named = [each for each in order if each in equals]
        return (named or equals)[0]

    def document(self) -> str:
        """The form of a document.

        Raises:
            NothingAcceptable: None is welcome.
        """
        return self.require(DOCUMENTS)

    def require(self, offered: Sequence[str]) -> str:
        """The most welcome of what is offered.

        Raises:
            NothingAcceptable: None is.
        """
        found = self.best(offered)
        if found is None:
            raise NothingAcceptable(types=", ".join(f"'{each}'" for each in offered))
        return found

    def selection(self) -> str:
        """The form in which a selection is fetched: an archive wherever one is welcome, else a document.

        Raises:
            NothingAcceptable: Nothing of it is welcome.
        """
        found = self.packed()
        return found or self.require((TAR, ZIP, *DOCUMENTS))

    def packed(self) -> str | None:
        """The kind of archive that is welcome: zip if named and tar is not, tar if any range takes it."""
        if self.names(ZIP) and not self.names(TAR):
            return ZIP
        return TAR if self.weight(TAR) > 0 else None

    def names_packed(self) -> bool:
        """Whether an archive is asked for by name."""
        return self.names(TAR) or self.names(ZIP)


def _weight(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
