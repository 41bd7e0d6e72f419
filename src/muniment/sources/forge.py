"""A repository on a forge: the mirrored repository and its wiki, and the lists its API gives, each as a document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from muniment.errors.sources import CredentialRefused, FileUnavailable, NotAtService, ServiceRefused
from muniment.session import Account, Session
from muniment.sources.documents import document, json_list, json_object
from muniment.sources.git_mirror import Repository
from muniment.sources.paging import linked_pages, number_of
from muniment.sources.protocol import Failure, Item, SourceEntry, about

FILES, WIKI, LISTS = "files", "wiki", "lists"
KEYSET = "pagination=keyset&"
"""In the address of a listing of GitLab's: pages by the last item and not by number, which ends at 50,000 items."""
_NO_SUCH_PAGING = 405


@dataclass(frozen=True, slots=True)
class Threads:
    """What is said on each issue, or the like: a listing of those, and for each a listing of its own.

    `key` is the field that numbers them, `of` gives the address for a number.
    """

    items: str
    key: str
    of: Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Forge:
    """What a forge has of one repository.

    `about` is the address of the repository's own description; `lists` are document name to address of a listing,
    `threads` folder name to what is said on each item. `assets`, where the forge keeps files beside its releases and
    issues, lists them; `open_asset` opens one.
    """

    session: Session
    account: Account
    repository: Repository
    wiki: Repository
    about: str
    field: str
    lists: Mapping[str, str]
    threads: Mapping[str, Threads]
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
            for name, threads in self.threads.items():
                yield from self._threads(name, threads)
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
            return json_list((value for page in self._pages(self.lists[rest], rest) for value in page), offset)
        if kind == "threads":
            name, _, numbers = rest.partition(":")
            return json_list((self._thread(name, int(number)) for number in numbers.split(",")), offset)
        return self.repository.open(entry, offset)

    def _threads(self, name: str, threads: Threads) -> Iterator[SourceEntry]:
        """A document for each page of items, so that none takes more calls than a forge allows in an hour."""
        for page in self._pages(threads.items, name):
            numbers = [number_of(item, threads.key, self.account.service, threads.items) for item in page]
            if numbers:
                locator = f"threads:{name}:{','.join(map(str, numbers))}"
                yield document(f"{name}/{numbers[0]}-{numbers[-1]}.json", locator)

    def _thread(self, name: str, number: int) -> dict[str, object]:
        url = self.threads[name].of(number)
        try:
            said = [value for page in self._pages(url, name) for value in page]
        except (NotAtService, ServiceRefused, CredentialRefused) as error:
            return {"number": number, "missing": f"status {error.details.get('status', 404)}"}  # deleted meanwhile
        return {"number": number, "said": said}

    def _pages(self, url: str, what: str) -> Iterator[Sequence[dict[str, object]]]:
        """The pages of a listing; by number where it does not know pages by the last item."""
        begun = False
        try:
            for page in linked_pages(self.session, self.account, url, what=what, field=self.field):
                begun = True
                yield page
        except ServiceRefused as error:
            if begun or error.details["status"] != _NO_SUCH_PAGING or KEYSET not in url:
                raise
            plain = url.replace(KEYSET, "")
            yield from linked_pages(self.session, self.account, plain, what=what, field=self.field)

    def describe(self) -> dict[str, object]:
        """The repository as the forge describes it; at once a test of the credential.

        Raises:
            CredentialRefused, NotAtService: The submission has to change.
            RemoteError: The forge failed.
        """
        return self.session.get(self.account, self.about, what="repository", field=self.field).object()
