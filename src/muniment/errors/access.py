"""Errors of access: who somebody is, what they may do, and the rules about both."""

from __future__ import annotations

from muniment.errors.base import BadInput, Conflict, MissingThing, Refused, RemoteError, StorageError

_REALM = 'realm="muniment"'


class Unauthenticated(Refused):
    """This needs a key or a token: {reason}."""

    http_status = 401
    outage = True

    def challenges(self) -> tuple[str, ...]:
        """The values of `WWW-Authenticate`, one for each scheme (RFC 9110 §11.6.1)."""
        return (f"Bearer {_REALM}", f'Basic {_REALM}, charset="UTF-8"')


class AuthenticationFailed(Unauthenticated):
    """The supplied authentication is invalid."""


class InvalidAccessToken(AuthenticationFailed):
    """The provided token is invalid: {reason}."""

    def challenges(self) -> tuple[str, ...]:
        """Say which scheme failed and why (RFC 6750 §3); the description holds nothing of the token."""
        bearer, basic = super().challenges()
        return (f'{bearer}, error="invalid_token"', basic)


class InvalidAccessTokenFormat(InvalidAccessToken):
    """The provided token is not one that can be read: {reason}. A key begins with 'mun_'; any other token must be a signed JWT (RFC 7519)."""  # noqa: E501 - the docstring is the message


class UnknownAccessTokenIssuer(InvalidAccessToken):
    """The issuer of the provided token is not one this archive knows.

    `muniment access realms` lists them.
    """


class AccessTokenDoesNotContainAnIssuer(InvalidAccessToken):
    """The provided token does not contain an issuer ('iss')."""


class AccessTokenDoesNotContainSubject(InvalidAccessToken):
    """The provided token does not contain a subject ('sub' or 'preferred_username')."""


class Forbidden(Refused):
    """The supplied authentication is not authorized to access this resource."""

    outage = True


class AuthorizationFailed(Forbidden):
    """The permission '{permission}' required for accessing a resource at '{address}' is missing."""


class UserNotListed(Forbidden):
    """The user {user!r} is signed in but not on the list of users of this archive. Ask its keeper to be added."""


class SessionEnded(Unauthenticated):
    """Your session is over. Sign in again; what you were doing is kept."""


class CrossSiteRequest(Refused):
    """This request was sent by another site's page, so it was not done. Do it from the archive's own page."""


class SignInRefused(Refused):
    """The realm {realm!r} did not sign you in: {reason}. Ask whoever looks after it, or sign in otherwise."""


class RealmUnavailable(RemoteError):
    """The keys of the realm {realm!r} cannot be fetched from {url}: {reason}. Tokens of this realm cannot be checked until they can."""  # noqa: E501 - the docstring is the message

    http_status = 503
    outage = True


class BadUsersFile(StorageError):
    """The list of users {path} cannot be used: {reason}. It is CSV in UTF-8 with the columns email_address and display_name."""  # noqa: E501 - the docstring is the message

    http_status = 503
    retry = False


class BadAddress(BadInput):
    """Rules are set on '/', '/organisation' or '/organisation/project', with letters, digits, '-' and '_'; {address!r} is none of these."""  # noqa: E501 - the docstring is the message


class BadIdentity(BadInput):
    """{text!r} names nobody: {reason}. Write 'anonymous', 'REALM/authenticated', 'REALM/users/NAME' or 'REALM/groups/NAME'."""  # noqa: E501 - the docstring is the message


class UnknownPermissions(BadInput):
    """There are no permissions called {permissions}. Known are: {known}."""


class AclCannotContainEmptyPermissionCollection(BadInput):
    """Each identity of a rule needs at least one permission; {identities} had none."""


class NothingToBeUpdated(BadInput):
    """The rules on {address!r} already are as they would be after this, so nothing was changed."""


class AclIsEmpty(BadInput):
    """The rules on {address!r} were already removed."""


class AclNotFound(MissingThing):
    """There are no rules on {address!r}."""


class RevisionNotFound(MissingThing):
    """Revision {rev} is not there: the newest is {newest}."""


class IncorrectRev(Conflict):
    """Revision {provided} was given, but {expected} is the newest: somebody changed it in between. Look at it again, then repeat your change."""  # noqa: E501 - the docstring is the message


class KeyChanged(Conflict):
    """Somebody gave the key {key!r} another secret in between, on {at} UTC. Look at the keys again; that secret is with whoever made it."""  # noqa: E501 - the docstring is the message


class ApiKeyNotFound(MissingThing):
    """There is no key {key!r}.

    `muniment key list` lists what there is.
    """


class KeyNameTaken(Conflict):
    """The name {name!r} belongs to a key already, or did, and rules may name it.

    Choose another, or give it a new secret with `muniment key renew`.
    """


class BadKeyName(BadInput):
    """A key cannot be called {name!r}: {reason}."""


class RealmNotFound(MissingThing):
    """There is no realm {realm!r}.

    `muniment access realms` lists what there is.
    """


class RealmTaken(Conflict):
    """There is a realm {realm!r} already, or one with the same issuer."""


class BadRealm(BadInput):
    """The realm {realm!r} cannot be used: {reason}."""


class BadProxy(BadInput):
    """The reverse proxy cannot be trusted as configured: {reason}."""
