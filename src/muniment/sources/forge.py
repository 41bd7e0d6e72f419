"""A repository on a forge: the mirrored repository and its wiki, and the lists its API gives, each as a document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from muniment.errors.sources import CredentialRefused, FileUnavailable, NotAtService
from muniment.session import Account, Session
from muniment.sources.documents import document, json_list, json_object
from muniment.sources.git_mirror import Repository
from muniment.sources.paging import linked_values
from muniment.sources.protocol import Failure, Item, SourceEntry, about

FILES, WIKI, LISTS = "files", "wiki", "lists"


@dataclass(frozen=True, slots=True)
class Forge:
    """What a forge has of one repository.

    `about` is the address of the repository's own description; `lists` are document name to address of a listing.
    `assets`, where the forge keeps files beside its releases, lists them; `open_asset` opens one.
    """

    session: Session
    account: Account
    repository: Repository
    wiki: Repository
    about: str
    field: str
    lists: Mapping[str, str]
    assets: Callable[[], Iterator[SourceEntry | Failure]] | None = None
    open_asset: Callable[[SourceEntry, int], BinaryIO] | None = None

    def items(self, *, has_wiki: bool) -> tuple[Item, ...]:
        """The repository, its wiki if it has one, and the lists."""
        head = self.repository.item().details
        found = [Item(FILES, "files and history", head)]
        if has_wiki:
            found.append(Item(WIKI, "wiki"))
        return (*found, Item(LISTS, "releases, issues and other lists"))

    def entries(self, item: Item) -> Iterator[SourceEntry | Failure]:
        """The entries of one of the items.

        Raises:
            CredentialRefused, NotAtService: The submission has to change.
            RemoteError: The forge or git failed.
        """
        if item.id == FILES:
            yield from self.repository.entries(item)
        elif item.id == WIKI:
            try:
                refs = self.wiki.mirror().refs()
            except (NotAtService, CredentialRefused):
                return  # forges say that there is a wiki also where nobody ever wrote in it
            if refs:
                yield SourceEntry(about("wiki.bundle"), None, locator="wiki:")
        else:
            yield document("description.json", "description:")
            for name in self.lists:
                yield document(f"{name}.json", f"list:{name}")
            if self.assets is not None:
                yield from self.assets()

    def open(self, entry: SourceEntry, offset: int = 0) -> BinaryIO:
        """The bytes of an entry.

        Raises:
            FileError: This file cannot be had.
            RemoteError: The forge or git failed.
        """
        kind, _, rest = entry.locator.partition(":")
        if kind == "asset" and self.open_asset is not None:
            return self.open_asset(entry, offset)
        if kind == "wiki":
            stream = self.wiki.mirror().bundle().open("rb")
            stream.seek(offset)
            return stream
        if kind == "description":
            return json_object(self.describe(), offset)
        if kind == "list":
            if rest not in self.lists:
                raise FileUnavailable(path=entry.path, service=self.account.service, reason="there is no such list")
            values = linked_values(self.session, self.account, self.lists[rest], what=rest, field=self.field)
            return json_list(values, offset)
        return self.repository.open(entry, offset)

    def describe(self) -> dict[str, Any]:
        """The repository as the forge describes it; at once a test of the credential.

        Raises:
            CredentialRefused, NotAtService: The submission has to change.
            RemoteError: The forge failed.
        """
        return self.session.get(self.account, self.about, what="repository", field=self.field).object()
