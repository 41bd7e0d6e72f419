"""Errors of fetching a resource from sources: what was asked wrongly, and what came of it."""

from __future__ import annotations

from muniment.errors.base import BadInput, Conflict, MissingThing, RemoteError


class SecretInCommand(BadInput):
    """The field {field} of {service} is a secret, and others can read a command line. Put it into a file and give {field}=@FILE, or {field}=@- for standard input."""  # noqa: E501 - the docstring is the message


class FetchRunning(Conflict):
    """{id!r} is being fetched already (job {job}), from other sources or in another way. Wait for its end, or cancel it."""  # noqa: E501 - the docstring is the message


class FetchNotFound(MissingThing, KeyError):
    """There is no fetch {job!r}, or none for you."""


class FetchFailed(RemoteError):
    """{id!r} could not be fetched: {reason} Ask again for the same: what has come is kept for a week and not fetched twice."""  # noqa: E501 - the docstring is the message

    retry = False


class NothingFetched(RemoteError):
    """The sources of {id!r} gave no file ({failures} could not be had), so no instance was made of them."""

    retry = False
