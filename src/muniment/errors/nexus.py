"""Errors of the Nexus API, by the names its clients know: what they ask for and cannot have.

`nexus_type` is the `@type` of the answer, the message its `reason`, and those of the details named in
`shown` stand beside them.
"""

from __future__ import annotations

from typing import ClassVar

from muniment.errors.base import BadInput, Conflict, MissingThing


class BodyExpected(BadInput):
    """Request entity expected but not supplied"""  # noqa: D415 - clients compare the whole reason

    nexus_type: ClassVar[str] = "RequestEntityExpectedRejection"


class ContentTypeUnsupported(BadInput):
    """The request's Content-Type is not supported. Expected: {expected}"""  # noqa: D415 - see BodyExpected

    http_status = 415
    nexus_type: ClassVar[str] = "UnsupportedRequestContentTypeRejection"


class VersionNotHeld(Conflict):
    """What is at this address is not as {header} has it: its version is {found} now. Ask for it anew."""

    http_status = 412


class NothingAcceptable(BadInput):
    """Resource representation is only available with these types: {types}"""  # noqa: D415 - see BodyExpected

    http_status = 406
    nexus_type: ClassVar[str] = "UnacceptedResponseContentTypeRejection"


class MethodNotSupported(BadInput):
    """HTTP method not allowed, supported methods: {allowed}"""  # noqa: D415 - see BodyExpected

    http_status = 405
    nexus_type: ClassVar[str] = "HttpMethodNotAllowed"


class AddressUnknown(MissingThing):
    """The requested resource does not exist."""

    nexus_type: ClassVar[str] = "ResourceNotFound"


class QueryRefused(BadInput):
    """The query parameter '{name}' was malformed: {reason}."""

    nexus_type: ClassVar[str] = "MalformedQueryParamRejection"


class QueryValueUnknown(MissingThing):
    """Request is missing required value '{expected}' for query parameter '{name}'"""  # noqa: D415 - see BodyExpected

    nexus_type: ClassVar[str] = "InvalidRequiredValueForQueryParamRejection"


class TooManyToFilter(BadInput):
    """There are {count} resources to look through, and a list with filters looks through {most} at most. List one project, or without filters by pages."""  # noqa: E501 - the docstring is the message

    nexus_type: ClassVar[str] = "MalformedQueryParamRejection"


class FieldsReserved(BadInput):
    """The fields {fields} begin with '_', as metadata do, which are not the client's to set. Leave them out."""

    nexus_type: ClassVar[str] = "InvalidJsonLdFormat"


class FieldsRefused(BadInput):
    """The request content was malformed."""

    nexus_type: ClassVar[str] = "MalformedRequestContentRejection"
    shown: ClassVar[tuple[str, ...]] = ("details",)


class LabelRefused(BadInput):
    """The label '{label}' cannot be used: {reason}. Use 1 to 64 letters, digits, '_' or '-'."""

    nexus_type: ClassVar[str] = "MalformedRequestContentRejection"


class OrganizationNotFound(MissingThing):
    """Organization '{label}' not found."""

    nexus_type: ClassVar[str] = "OrganizationNotFound"


class OrganizationIsDeprecated(BadInput):
    """Organization '{label}' is deprecated."""

    nexus_type: ClassVar[str] = "OrganizationIsDeprecated"


class OrganizationExists(Conflict):
    """Organization '{label}' already exists."""

    nexus_type: ClassVar[str] = "OrganizationAlreadyExists"


class ProjectNotFound(MissingThing):
    """Project '{project}' not found."""

    nexus_type: ClassVar[str] = "ProjectNotFound"


class ProjectIsDeprecated(BadInput):
    """Project '{project}' is deprecated."""

    nexus_type: ClassVar[str] = "ProjectIsDeprecated"


class ProjectExists(Conflict):
    """Project '{project}' already exists."""

    nexus_type: ClassVar[str] = "ProjectAlreadyExists"


class RevIsStale(Conflict):
    """Incorrect revision '{provided}' provided, expected '{expected}', the resource may have been updated since last seen."""  # noqa: E501 - the docstring is the message

    nexus_type: ClassVar[str] = "IncorrectRev"
    shown: ClassVar[tuple[str, ...]] = ("provided", "expected")


class RevNotThere(MissingThing):
    """Revision requested '{provided}' not found, last known revision is '{current}'."""

    nexus_type: ClassVar[str] = "RevisionNotFound"
    shown: ClassVar[tuple[str, ...]] = ("provided", "current")


class TagNotFound(MissingThing):
    """Tag requested '{tag}' not found."""

    nexus_type: ClassVar[str] = "TagNotFound"


class SelectionNotFound(MissingThing):
    """Archive '{id}' not found in project '{project}'."""

    nexus_type: ClassVar[str] = "ResourceNotFound"


class NamedNotFound(MissingThing):
    """{kind} '{id}' not found in project '{project}'."""

    nexus_type: ClassVar[str] = "ResourceNotFound"


class EntryNotFound(MissingThing):
    """The resource '{id}' was not found in project '{project}'."""

    nexus_type: ClassVar[str] = "ResourceNotFound"


class IdTaken(Conflict):
    """Resource '{id}' already exists in project '{project}'."""

    nexus_type: ClassVar[str] = "ResourceAlreadyExists"


class NotMadeHere(Conflict):
    """'{id}' in project '{project}' was not made through this API, which can only read it."""

    nexus_type: ClassVar[str] = "ResourceAlreadyExists"


class ThingIsNotDeprecated(BadInput):
    """{kind} '{id}' is not deprecated."""

    def __init__(self, *, kind: str, id: str) -> None:
        """Name the error after the kind of thing: ResourceIsNotDeprecated, FileIsNotDeprecated."""
        super().__init__(kind=kind, id=id)
        self.nexus_type = f"{kind}IsNotDeprecated"


class ThingIsDeprecated(BadInput):
    """{kind} '{id}' is deprecated."""

    def __init__(self, *, kind: str, id: str) -> None:
        """Name the error after the kind of thing: ResourceIsDeprecated, FileIsDeprecated."""
        super().__init__(kind=kind, id=id)
        self.nexus_type = f"{kind}IsDeprecated"


class UnexpectedId(BadInput):
    """The provided resource '{id}' does not match the id '{found}' in the payload."""

    nexus_type: ClassVar[str] = "UnexpectedResourceId"


class SchemaUnknown(MissingThing):
    """Schema '{schema}' could not be resolved in '{project}'. Only unconstrained resources are kept: use '_'."""

    nexus_type: ClassVar[str] = "InvalidSchemaRejection"


class UploadTooLarge(BadInput):
    """File size is over the limit of {limit} bytes."""

    http_status = 413
    nexus_type: ClassVar[str] = "FileTooLarge"


class MultipartRefused(BadInput):
    """The form is not multipart/form-data that can be read: {reason}."""

    nexus_type: ClassVar[str] = "MalformedRequestContentRejection"


class FilePartMissing(BadInput):
    """File '{id}' payload a Multipart/Form-Data without a 'file' part."""

    nexus_type: ClassVar[str] = "InvalidMultipartFieldName"


class StorageUnknown(MissingThing):
    """Storage '{storage}' not found in project '{project}'. There is one storage, the default one."""

    nexus_type: ClassVar[str] = "StorageNotFound"
