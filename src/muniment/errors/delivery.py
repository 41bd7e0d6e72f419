"""Errors of handing out: members that cannot be sent, selections and JSON-LD that cannot be understood.

Errors a Nexus client sees carry its name for them in `nexus_type`, and their message is the `reason`
that client expects; whoever speaks that protocol writes `{"@type": error.nexus_type, "reason": str(error)}`.
"""

from __future__ import annotations

from muniment.errors.base import BadInput, Conflict, StorageError


class MemberDamaged(StorageError):
    """{name} is damaged: {reason}. The transfer was broken off.

    Check the resource with `muniment audit`.
    """

    http_status = 500
    retry = False


class MemberUnreadable(StorageError):
    """{name} could not be read: {reason}. The transfer was broken off; try again, then look at the storage."""

    http_status = 500


class MembersCollide(Conflict):
    """Two members of one archive would be {name!r}: {reason}. Give one of them another path."""


class RangeOutside(BadInput):
    """The bytes {start} to {stop} are not inside the archive, which has {length} bytes."""

    http_status = 416


class NexusRefusal(BadInput):
    """{reason}"""  # noqa: D415 - the sentence and its stop come whole from the one who refuses

    nexus_type: str = "UnexpectedError"


class DecodingFailed(NexusRefusal):
    """{reason}"""  # noqa: D415 - see NexusRefusal

    nexus_type = "DecodingFailed"


class BothRevAndTag(DecodingFailed):
    """An archive {kind} reference cannot use both 'rev' and 'tag' fields."""


class BothSourceAndFormat(DecodingFailed):
    """An archive resource reference cannot use both 'originalSource' and 'format' fields."""


class UnknownEntryType(DecodingFailed):
    """Unable to find type discriminator for 'ReferenceInput'. Use the @type 'Resource', 'File' or 'FileSelf'."""


class InvalidFileAddress(DecodingFailed):
    """The value '{value}' of a 'FileSelf' entry is no address of a file here. Those begin with '{stem}'."""


class UnknownFormat(DecodingFailed):
    """Could not convert '{value}' to 'Format'. Use one of: {known}."""


class WrongFieldType(DecodingFailed):
    """Could not extract a '{wanted}' from the path '{where}'."""


class BadTag(DecodingFailed):
    """The tag {value!r} cannot be used. A tag has 1 to 64 printable ASCII characters."""


class BadProjectReference(DecodingFailed):
    """The project {value!r} cannot be used. Write it as 'organisation/project'."""


class EmptySelection(DecodingFailed):
    """The field 'resources' needs at least one entry, the current set is empty."""


class TooManyEntries(DecodingFailed):
    """The field 'resources' has {count} entries, which is over the limit of {limit}. Split the archive in several."""


class PathRefused(DecodingFailed):
    """The provided path '{path}' cannot be used: {reason}."""


class PathTooLong(DecodingFailed):
    """The paths '{path}' must have a file path prefix less than 154 characters long and a file path name less
    than 99 characters long.
    """  # noqa: D205 - one sentence over two lines, joined when it is shown


class PathsRepeated(DecodingFailed):
    """The paths '{paths}' have been used multiple times in the archive."""


class PathBelowFile(DecodingFailed):
    """The path '{path}' lies below '{parent}', which is the path of another entry. Give one of them another path."""


class FilenameTooLong(NexusRefusal):
    """The file '{id}' in project '{project}' has a file name over 99 characters. Give the entry a path."""

    nexus_type = "FilenameTooLong"


class InvalidSegment(NexusRefusal):
    """{kind} identifier '{id}' cannot be expanded to an Iri."""

    def __init__(self, *, kind: str, id: str) -> None:
        """Name the error after the kind of thing: InvalidArchiveId, InvalidResourceId, InvalidFileId."""
        super().__init__(kind=kind, id=id)
        self.nexus_type = f"Invalid{kind}Id"


class UnexpectedArchiveId(NexusRefusal):
    """The provided Archive '{id}' does not match the id '{found}' in the source document."""

    nexus_type = "UnexpectedArchiveId"


class InvalidJsonLd(NexusRefusal):
    """The payload is not JSON-LD that can be used here: {reason}."""

    nexus_type = "InvalidJsonLdFormat"


class NotJson(NexusRefusal):
    """The request content was malformed."""

    nexus_type = "MalformedRequestContentRejection"
