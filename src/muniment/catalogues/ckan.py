"""A CKAN portal through its Action API (version 3): reading datasets and resources, and writing back what is kept.

CKAN treats a token it does not know as no token at all: public reads go on, private datasets vanish, and the
first write is refused. `access` finds that out before anything is begun.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from muniment.errors.catalogues import NotInPortal, PortalAnswerUnusable, PortalRefused
from muniment.errors.sources import CredentialRefused, NotAtService, ServiceRefused, UnexpectedAnswer
from muniment.session import Account, Session

Record = dict[str, object]
"""A dataset, resource or organisation as the portal's JSON has it."""

_PAGE = 100
_NAMES = 1000
_MOST_PAGES = 100_000
"""More pages than the largest portal has: a portal that repeats itself for ever ends here."""
_EDITOR = "update_dataset"


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a search: the datasets, how many there are in all, and where the next page begins."""

    datasets: tuple[Record, ...]
    count: int
    start: int

    @property
    def next_start(self) -> int | None:
        """Where the next page begins, counted by what came, not by what was asked; None after the last."""
        reached = self.start + len(self.datasets)
        return reached if self.datasets and reached < self.count else None


@dataclass(frozen=True, slots=True)
class Access:
    """What a token may do: the organisations whose datasets it may edit, and whether it is a sysadmin's."""

    organizations: tuple[str, ...] = ()
    sysadmin: bool = False
    problems: tuple[str, ...] = field(default=())

    @property
    def may_write(self) -> bool:
        """Whether anything may be written back."""
        return bool(self.organizations) or self.sysadmin


class CkanPortal:
    """One portal. `token` is sent in `header`, to the portal's own origin only, and never shown.

    Raises from every method:
        NotInPortal: There is no such thing for this token.
        PortalRefused: The portal refused the request; it would again.
        PortalAnswerUnusable: What came is not the Action API's answer.
        RemoteError: The portal failed, or cannot be reached.
    """

    def __init__(
        self, session: Session, name: str, url: str, *, token: str | None = None, header: str = "Authorization"
    ) -> None:
        self.name = name
        self.url = url.rstrip("/")
        self._session = session
        headers = {header: token} if token else {}
        secrets = (token,) if token else ()
        self._account = Account(
            f"the portal {name}", (self.url,), headers=headers, secrets=secrets, credential_field="token"
        )

    @property
    def has_token(self) -> bool:
        """Whether a token is sent at all."""
        return bool(self._account.headers)

    # --- reading

    def access(self) -> Access:
        """What the token may do, as the portal says; that it answers as a portal is found out first."""
        self.search(rows=1)
        if not self._account.headers:
            return Access(problems=("no token is given: nothing can be written back",))
        permitted = self._call("organization_list_for_user", {"permission": _EDITOR})
        names = tuple(str(each.get("name")) for each in permitted if isinstance(each, Mapping))
        everything = set(self.organization_names())
        sysadmin = bool(everything) and everything <= set(names)
        if names:
            return Access(names, sysadmin)
        return Access(
            problems=("the portal does not know the token, or it may edit no organisation: nothing can be written",)
        )

    def search(self, *, start: int = 0, rows: int = _PAGE, fq: str = "", sort: str = "id asc") -> Found:
        """One page of the datasets that `fq` matches."""
        asked: Record = {"start": start, "rows": rows, "sort": sort}
        if fq:
            asked["fq"] = fq
        if self._account.headers:
            asked["include_private"] = True
        result = self._call("package_search", asked)
        if not isinstance(result, Mapping) or not isinstance(result.get("results"), list):
            raise PortalAnswerUnusable(portal=self.name, action="package_search", reason="it has no list of results")
        datasets = tuple(each for each in result["results"] if isinstance(each, dict) and each.get("id"))
        count = result.get("count")
        return Found(datasets, count if isinstance(count, int) else start + len(datasets), start)

    def dataset_names(self) -> Iterator[str]:
        """The names of all public, active datasets, from the portal's database: what its index may lack."""
        yield from self._names("package_list")

    def organization_names(self) -> Iterator[str]:
        """The names of all organisations."""
        yield from self._names("organization_list")

    def dataset(self, id: str) -> Record:
        """A dataset with its resources, by id or name."""
        return self._object("package_show", {"id": id}, "dataset", id)

    def resource(self, id: str) -> Record:
        """One resource."""
        return self._object("resource_show", {"id": id}, "resource", id)

    # --- writing

    def patch_resource(self, id: str, fields: Mapping[str, object]) -> Record:
        """Change some fields of a resource; the resource as it is then.

        CKAN reads and writes the whole dataset for it, without a lock: one call at a time for a dataset.
        """
        return self._object("resource_patch", {"id": id, **fields}, "resource", id)

    def update_task_status(self, entity: str, key: str, value: str, *, error: str, updated: str) -> None:
        """Say how the archiving of a resource ended; sysadmins only. The same entity and key are the same row."""
        self._call(
            "task_status_update",
            {
                "entity_id": entity,
                "entity_type": "resource",
                "task_type": "archiver",
                "key": key,
                "value": value,
                "error": error,
                "last_updated": updated,
            },
        )

    # --- inside

    def _names(self, action: str) -> Iterator[str]:
        offset, seen = 0, set[str]()
        for _ in range(_MOST_PAGES):
            names = self._call(action, {"limit": _NAMES, "offset": offset})
            fresh = [str(name) for name in names if str(name) not in seen] if isinstance(names, list) else []
            if not fresh:
                return
            yield from fresh
            seen.update(fresh)
            offset += len(names)

    def _object(self, action: str, asked: Record, what: str, id: str) -> Record:
        try:
            result = self._call(action, asked)
        except NotAtService:
            raise NotInPortal(portal=self.name, what=what, id=id) from None
        if not isinstance(result, dict):
            raise PortalAnswerUnusable(portal=self.name, action=action, reason="its result is no object")
        return result

    def _call(self, action: str, asked: Record) -> Any:
        url = f"{self.url}/api/3/action/{action}"
        try:
            answer = self._session.get(self._account, url, method="POST", body=asked, what=action, field="url")
            document = answer.object()
        except CredentialRefused as error:
            reason = f"the token may not do that (status {error.details['status']})"
            raise PortalRefused(portal=self.name, action=action, reason=reason) from None
        except ServiceRefused as error:
            reason = f"status {error.details['status']}: {error.details['reason']}"
            raise PortalRefused(portal=self.name, action=action, reason=reason) from None
        except UnexpectedAnswer as error:
            raise PortalAnswerUnusable(portal=self.name, action=action, reason=error.details["reason"]) from None
        if document.get("success") is not True or "result" not in document:
            told = self._account.redact(str(document.get("error", "it does not say that it succeeded"))[:300])
            raise PortalAnswerUnusable(portal=self.name, action=action, reason=told)
        return document["result"]
