"""Errors of stores: places that take keys and bytes, and prove that they have them."""

from __future__ import annotations

from muniment.errors.base import BadInput, Conflict, MissingThing, Refused, RemoteError, StorageError


class BadStore(BadInput):
    """The store {store!r} cannot be used: {reason}."""

    http_status = 500
    outage = True


class BadKey(BadInput):
    """The key {key!r} cannot be used in {store}: {reason}."""


class KeyNotFound(MissingThing, KeyError):
    """There is nothing under the key {key!r} in {store}."""


class KeyTaken(Conflict):
    """The key {key!r} is taken in {store}, and what is there is never overwritten."""


class KeyHeld(Conflict):
    """The key {key!r} holds other content in {store} than was to be written there, and is never overwritten. See what put it there."""  # noqa: E501 - the docstring is the message


class StoredWrong(StorageError):
    """{store} gave back something else than was put under the key {key!r}: {what} is {found}, not {expected}."""

    http_status = 500


class StoreFull(StorageError):
    """There is no room left in {store}; {key!r} was not written."""


class CapacityExceeded(StoreFull):
    """{store} has no room for {key!r}: it needs {needed} bytes, {available} are free beside a reserve of {reserve}."""


class StoreReadOnly(StoreFull):
    """{store} can only be read: {reason}. {key!r} was not written."""


class StoreFailed(StorageError):
    """{store} did not do what was asked with {key!r}: {reason}."""

    http_status = 502


class StoreUnreachable(RemoteError):
    """{store} cannot be reached: {reason}."""

    outage = True


class StoreRefused(RemoteError):
    """{store} refused this for {key!r}: {reason}. Check its keys and their rights."""

    retry = False
    outage = True


class NoSuchBucket(StoreRefused):
    """{store} cannot be used: its service has no such bucket. Make it there, or correct the address: the bucket's name, or the endpoint."""  # noqa: E501 - the docstring is the message


class StoreNotReady(StorageError):
    """{key!r} in {store} is not ready until {until}: {reason}."""

    http_status = 503


class ConditionsIgnored(BadStore):
    """{store} does not put a key only where nothing is ({key!r} was tried), so that two writers could both believe that they were first: an archive there can only be read. Put one server in front of a folder, or copy to the bucket from an archive in a folder."""  # noqa: E501 - the docstring is the message


class TapeMissing(StoreUnreachable):
    """{store} has no tape: {reason}. Mount one; nothing was written beside it."""


class TapeUnlabelled(BadStore):
    """The tape in {store!r} cannot be told from others: {reason}. Label it; that is never done here."""


class ChangeRefused(Refused):
    """{store} keeps {key!r}: {reason}."""
