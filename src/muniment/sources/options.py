"""Options are data: what each kind of source may be given, from which checking, redaction and help come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from muniment.errors.base import BadInput, MunimentError
from muniment.errors.sources import FieldEmpty, FieldMissing, FieldWrong
from muniment.session import Session
from muniment.session.account import Origin
from muniment.sources.protocol import Source


def web_address(value: str) -> str | None:
    """What is wrong with the address of a service, or None: for `Param.check`."""
    try:
        Origin.of(value)
    except MunimentError as error:
        return str(error.details.get("reason"))
    parts = urlsplit(value)
    return "it may have no query or fragment" if parts.query or parts.fragment else None


ALL_VERSIONS = -1
"""What `versions: true` becomes: every version there is."""

HIDDEN = "[hidden]"


@dataclass(frozen=True, slots=True)
class Param:
    """One field of a submission's service: text, unless `kind` says otherwise.

    `aliases` are older names of the same field; `check` returns what is wrong with a value, or None.
    """

    name: str
    help: str
    required: bool = True
    secret: bool = False
    aliases: tuple[str, ...] = ()
    check: Callable[[str], str | None] | None = None
    lines: bool = False
    """Whether the text may have several lines, as a private key has."""

    @property
    def names(self) -> tuple[str, ...]:
        """The name and its aliases."""
        return (self.name, *self.aliases)


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What a source is given to work with.

    `scratch` is an empty or earlier used folder of this source alone, which its caller removes at the end.
    `max_file_size` is in bytes; None means no limit.
    """

    session: Session
    scratch: Path
    max_file_size: int | None = None
    hourly_calls: int | None = None
    rclone: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What `rclone` is run with: its configuration file under `config`, and the word that opens it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of source: its name in submissions, its fields, and how one is built.

    `build` gets the checked fields by their own names, `versions` as a number (0: the newest alone), and opens
    nothing: the first call of `pages` does.
    """

    name: str
    summary: str
    params: tuple[Param, ...]
    build: Callable[[Mapping[str, object], SourceContext], Source]
    has_versions: bool = False
    hourly_calls: int | None = None
    takes: tuple[str, ...] = ()
    """What it takes of a service, each in a few words."""
    leaves: tuple[str, ...] = ()
    """What the service holds and this does not take; a registration records it."""
    check: Callable[[Mapping[str, object]], Iterator[BadInput]] | None = None
    """What is wrong with the fields as they stand beside each other; called with those that are given."""
    submitted: bool = True
    """Whether a submission from outside may name it; otherwise it is for the keeper of the archive alone."""

    def faults(self, given: object) -> Iterator[BadInput]:
        """What is wrong with a submission's fields, one error for each; fields nobody knows are ignored."""
        if not isinstance(given, Mapping):
            yield FieldWrong(service=self.name, field=self.name, reason="its value is not an object of fields")
            return
        for param in self.params:
            yield from self._param_faults(param, given)
        if self.check is not None:
            yield from self.check(self._named(given))
        versions = given.get("versions", False)
        if not isinstance(versions, bool) and not (isinstance(versions, int) and versions > 0):
            yield FieldWrong(
                service=self.name, field="versions", reason="it is neither true, false nor a number above 0"
            )
        if not isinstance(given.get("forceParity", False), bool):
            yield FieldWrong(service=self.name, field="forceParity", reason="it is neither true nor false")

    def _param_faults(self, param: Param, given: Mapping[str, object]) -> Iterator[BadInput]:
        named = [each for each in param.names if given.get(each) not in (None, "")]
        if any(given[each] != given[named[0]] for each in named):
            both = f"{' and '.join(named)} are one field, and here they differ"
            yield FieldWrong(service=self.name, field=named[1], reason=both)
            return
        written = [each for each in (*named, *param.names) if each in given]
        if not written:
            if param.required:
                yield FieldMissing(service=self.name, field=param.name, help=param.help)
            return
        name, value = written[0], given[written[0]]
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)  # ids are often written as numbers
        if value is None or (isinstance(value, str) and not value.strip()):
            if param.required:
                yield FieldEmpty(service=self.name, field=name, help=param.help)
        elif not isinstance(value, str):
            yield FieldWrong(service=self.name, field=name, reason="it is not text")
        elif any("\ud800" <= character <= "\udfff" for character in value):
            yield FieldWrong(service=self.name, field=name, reason="it is not valid Unicode")
        elif _has_controls(value.replace("\n", "") if param.lines else value):
            yield FieldWrong(service=self.name, field=name, reason="it holds a control character")
        elif param.check is not None and (reason := param.check(value)):
            yield FieldWrong(service=self.name, field=name, reason=reason)

    def fields(self, given: Mapping[str, object]) -> dict[str, object]:
        """The checked fields by their own names, `versions` as a number.

        Raises:
            FieldMissing, FieldEmpty, FieldWrong: A field cannot be used; `faults` lists all of them.
        """
        for fault in self.faults(given):
            raise fault
        found: dict[str, object] = self._named(given)
        versions = given.get("versions", False)
        found["versions"] = (ALL_VERSIONS if versions else 0) if isinstance(versions, bool) else versions
        return found

    def _named(self, given: Mapping[str, object]) -> dict[str, object]:
        """The fields that hold something, by their own names."""
        found: dict[str, object] = {}
        for param in self.params:
            for name in param.names:
                if given.get(name) not in (None, ""):
                    found.setdefault(param.name, str(given[name]))
        return found

    def secret_fields(self) -> frozenset[str]:
        """The names of the fields to encrypt and never to show, aliases included."""
        return frozenset(name for param in self.params if param.secret for name in param.names)

    def redacted(self, given: Mapping[str, object]) -> dict[str, object]:
        """The fields as they may be shown."""
        hidden = self.secret_fields()
        return {name: HIDDEN if name in hidden else value for name, value in given.items()}


def _has_controls(text: str) -> bool:
    return any(ord(character) < 0x20 or character == "\x7f" for character in text)  # noqa: PLR2004 - below it: controls
