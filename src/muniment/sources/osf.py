"""A project, component or registration on OSF: the files of all its storage providers, and what OSF says of it.

Checked against OSF's API v2 (listings, JSON:API) and WaterButler's API v1 (bytes).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO
from urllib.parse import quote, urljoin

from muniment.content import ALGORITHMS
from muniment.errors.sources import CredentialRefused, FileUnavailable, ListingEndless, NotAtService, UnexpectedAnswer
from muniment.session import Account, shown
from muniment.session.account import Origin
from muniment.sources.documents import document, json_list, json_object
from muniment.sources.naming import Names
from muniment.sources.options import ALL_VERSIONS, Kind, Param, SourceContext, web_address
from muniment.sources.paging import Visited, as_object, follow
from muniment.sources.protocol import Failure, Item, Page, SourceEntry, about, original_name, segment, version_path
from muniment.sources.times import rfc3339

SERVICE = "osffiles"
_API = "https://api.osf.io"
_FILES = "https://files.osf.io"
_DEEPEST = 60
_PROVIDER = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ABOUT = (
    "contributors", "children", "comments", "identifiers", "linked_nodes", "linked_registrations", "logs",
    "schema_responses", "wikis",
)  # fmt: skip
"""What is asked of a node beside itself; each becomes a document if the node has it."""


class OsfSource:
    """One node; each of its storage providers is an item, and the documents about it are one more."""

    service = SERVICE

    def __init__(self, given: Mapping[str, Any], means: SourceContext) -> None:
        self._id: str = given["id"]
        self._api = given.get("host", _API).rstrip("/")
        self._files = given.get("host", _FILES).rstrip("/")
        self._versions: int = given["versions"]
        self._session = means.session
        token: str = given["access_token"]
        self._account = Account(
            SERVICE,
            (self._api, self._files),
            {"Authorization": f"Bearer {token}"},
            (token,),
            hourly_calls=means.hourly_calls,
        )
        self._found: str | None = None

    @property
    def resource(self) -> str:
        """The node's id."""
        return self._id

    def pages(self, after: str | None = None) -> Iterator[Page]:
        """The providers, page by page, and the documents last.

        Raises:
            CredentialRefused, NotAtService: The submission has to change.
            RemoteError: OSF failed.
        """
        first = self._here(after) if after else f"{self._node()}files/?page[size]=100"
        for listed, following in follow(SERVICE, self._api, first, self._page):
            items = [
                Item(f"{self._id}:{name}", name, {"provider": name, "url": f"{self._node()}files/{name}/"})
                for name in (str(each["attributes"]["provider"]) for each in listed)
                if _PROVIDER.fullmatch(name)
            ]
            if following is None:
                items.append(Item(f"{self._id}:about", "about", {"url": self._node()}))
            yield Page(tuple(items), following)

    def entries(self, item: Item) -> Iterator[SourceEntry | Failure]:
        """The files of a provider, folder by folder, each followed by its earlier versions; or the documents.

        Raises:
            CredentialRefused, NotAtService: The submission has to change.
            RemoteError: OSF failed.
        """
        if "provider" not in item.details:
            yield from self._about(item.details["url"])
            return
        provider = item.details["provider"]
        names = Names()  # a drive may hold two files of one name in one folder
        folders = [(item.details["url"], "", 0)]
        visited = Visited(SERVICE, item.details["url"])
        while folders:
            url, where, depth = folders.pop()
            visited.go(url)
            if depth > _DEEPEST:
                raise ListingEndless(service=SERVICE, where=shown(url), reason=f"it is over {_DEEPEST} folders deep")
            try:
                for line in self._lines(f"{url}?page[size]=100"):
                    if line["attributes"].get("kind") == "folder":
                        below = line["relationships"]["files"]["links"]["related"]["href"]
                        folders.append((self._here(below), _place(line["attributes"]).strip("/"), depth + 1))
                    else:
                        yield from self._file(provider, line, names)
            except (NotAtService, CredentialRefused) as error:
                if not where:
                    raise
                reason = f"The folder cannot be listed (status {error.details.get('status', 404)})."
                yield Failure(f"{provider}/{where}/", reason, SERVICE)

    def open(self, item: Item, entry: SourceEntry, offset: int = 0) -> BinaryIO:  # noqa: ARG002 - the locator suffices
        """The bytes of an entry.

        Raises:
            FileUnavailable: OSF does not give this file.
            CredentialRefused: The submission has to change.
            RemoteError: OSF failed.
        """
        kind, _, rest = entry.locator.partition(":")
        if kind == "node":
            return json_object(self._session.get(self._account, self._here(rest), what="project").object(), offset)
        if kind == "wiki":
            return self._session.open(self._account, self._here(rest), entry.path, offset=offset)
        if kind == "list":
            return json_list(self._lines(f"{self._here(rest)}?page[size]=100"), offset)
        if kind != "file":
            raise FileUnavailable(path=entry.path, service=SERVICE, reason="it is not of this project")
        url = f"{self._files}/v1/resources/{self._id}/providers/{rest}"
        immutable = "?version=" in rest
        return self._session.open(self._account, url, entry.path, offset=offset, size=entry.size, immutable=immutable)

    def _node(self) -> str:
        """The node's address: projects and components are nodes, frozen ones registrations."""
        if self._found is None:
            for kind in ("nodes", "registrations"):
                url = f"{self._api}/v2/{kind}/{self._id}/"
                try:
                    self._session.get(self._account, url, what="project, component or registration")
                except NotAtService:
                    continue
                self._found = url
                break
            else:
                what = "project, component or registration"
                raise NotAtService(service=SERVICE, what=what, where=self._id, field="id")
        return self._found

    def _about(self, node: str) -> Iterator[SourceEntry | Failure]:
        """The documents about a node, and the texts of its wiki with their history."""
        yield document("node.json", f"node:{node}")
        for name in _ABOUT:
            if self._has(f"{node}{name}/"):
                yield document(f"{name.replace('_', '-')}.json", f"list:{node}{name}/")
                if name == "wikis":
                    yield from self._wikis(f"{node}{name}/?page[size]=100")
        # What the answers of a registration are answers to.
        described = self._session.get(self._account, node, what="project").object().get("data") or {}
        schema = _related(described, "registration_schema")
        if schema is not None:
            yield document("registration-schema.json", f"node:{self._here(schema)}")
            blocks = f"{schema.rstrip('/')}/schema_blocks/"
            if self._has(self._here(blocks)):
                yield document("registration-schema-blocks.json", f"list:{blocks}")

    def _wikis(self, url: str) -> Iterator[SourceEntry]:
        """Every page of a wiki and every version of it. The sizes OSF states are not those of the texts."""
        names = Names()
        for wiki in self._lines(url):
            key = str(wiki["id"])
            path = about(names.path(f"wikis/{segment(str(wiki['attributes'].get('name') or key))}.md", key))
            base = f"{self._api}/v2/wikis/{quote(key, safe='')}/versions/"
            listed = sorted(self._lines(f"{base}?page[size]=100"), key=lambda each: _number(each["id"]), reverse=True)
            for number, version in enumerate(listed):
                label = str(version["id"])
                yield SourceEntry(
                    version_path(path, label) if number else path,
                    None,
                    modified=rfc3339(version["attributes"].get("date_created")),
                    locator=f"wiki:{base}{quote(label, safe='')}/content/",
                    version=label if number else None,
                    of=path if number else None,
                    present=None if number else label,
                )

    def _file(self, provider: str, line: Mapping[str, Any], names: Names) -> Iterator[SourceEntry | Failure]:
        facts = line["attributes"]
        name = f"{provider}/{_place(facts)}"
        path = names.path(name, str(facts["path"]).strip("/"))
        hashes = (facts.get("extra") or {}).get("hashes") or {}
        digests = {
            name: str(value).lower() for name, value in hashes.items() if ALGORITHMS.get(name) == len(str(value or ""))
        }
        size = facts.get("size")
        at = f"file:{provider}/{quote(str(facts['path']).lstrip('/'))}"
        modified = rfc3339(facts.get("date_modified"))
        newest = str(facts.get("current_version") or "")
        # OSF's own storage numbers versions: with the number the very one comes that was listed.
        there = f"{at}?version={newest}" if provider == "osfstorage" and newest.isdecimal() else at
        whole = size if isinstance(size, int) else None
        yield SourceEntry(
            path,
            whole,
            digests,
            modified,
            locator=there,
            original=original_name(name, path),
            present=newest or None,
        )
        for version in self._earlier(str(line["id"]), newest) if self._versions not in {0, 1} else ():
            facts = version["attributes"]
            number = str(version["id"])
            yield SourceEntry(
                version_path(path, number),
                facts.get("size"),
                modified=rfc3339(facts.get("date_created")),
                locator=f"{at}?version={quote(number, safe='')}",
                version=number,
                of=path,
            )

    def _earlier(self, id: str, newest: str) -> Iterator[Mapping[str, Any]]:
        """The versions before the present one that were asked for, the newest first.

        OSF lists them by their time of change, which is that of their record. Its own storage counts them, so there
        the number decides; other providers name theirs as they like, and the first is taken for the present one.
        """
        versions = list(self._lines(f"{self._api}/v2/files/{quote(id, safe='')}/versions/?page[size]=100"))
        if all(str(each["id"]).isdecimal() for each in versions) and newest in {str(each["id"]) for each in versions}:
            versions = sorted(versions, key=lambda each: int(each["id"]), reverse=True)
            versions = [each for each in versions if int(each["id"]) < int(newest)]
        else:
            versions = versions[1:]
        return iter(versions if self._versions == ALL_VERSIONS else versions[: self._versions - 1])

    def _has(self, url: str) -> bool:
        try:
            self._session.get(self._account, f"{url}?page[size]=1", what="list")
        except (NotAtService, CredentialRefused):
            return False  # registrations and nodes do not have the same lists, and not all are everybody's
        return True

    def _lines(self, url: str) -> Iterator[dict[str, Any]]:
        for listed, _ in follow(SERVICE, url, url, self._page):
            yield from listed

    def _page(self, url: str) -> tuple[list[dict[str, Any]], str | None]:
        """One page of a listing, and the address of the next."""
        answer = self._session.get(self._account, url, what="project, component or registration")
        value = answer.object()
        listed, links = value.get("data"), value.get("links") or {}
        if not isinstance(listed, list):
            raise UnexpectedAnswer(service=SERVICE, where=shown(url), reason="it has no list of data")
        following = links.get("next") or (links.get("meta") or {}).get("next")
        lines = [as_object(each, SERVICE, url) for each in listed]
        return lines, self._here(urljoin(answer.url, str(following))) if following else None

    def _here(self, url: str) -> str:
        """An address OSF gave, which has to be one of OSF's API."""
        if Origin.of(url) != Origin.of(self._api):
            raise UnexpectedAnswer(service=SERVICE, where=shown(url), reason="it leads away from OSF")
        return url


def _related(described: Mapping[str, Any], name: str) -> str | None:
    """The address of a thing that a described one is related to."""
    found = ((described.get("relationships") or {}).get(name) or {}).get("links") or {}
    href = (found.get("related") or {}).get("href")
    return href if isinstance(href, str) else None


def _number(text: object) -> int:
    return int(str(text)) if str(text).isdecimal() else 0


def _place(facts: Mapping[str, object]) -> str:
    """Where a file or folder is within its provider, by names and not by ids."""
    return str(facts.get("materialized_path") or facts.get("materialized") or facts["name"]).lstrip("/")


def _id(value: str) -> str | None:
    return None if re.fullmatch(r"[A-Za-z0-9]{3,32}", value) else "it is not an id of OSF, such as abc12"


KIND = Kind(
    name=SERVICE,
    summary="The files of an OSF project, component or registration, from all its storage providers.",
    takes=(
        "the files of every storage provider",
        "the metadata of the node, its contributors, components, links, identifiers, comments and log",
        "wikis with every version of their texts",
        "the answers of a registration with every earlier one, and what they are answers to",
        "earlier versions of files, where they are asked for",
    ),
    leaves=(
        "settings of add-ons and view-only links",
        "files that were deleted",
        "draft registrations, requests and usage",
        "components, which are containers of their own",
    ),
    params=(
        Param("access_token", "A personal access token with the scope osf.full_read.", secret=True),
        Param("id", "The project's id: the five characters in its address.", aliases=("node", "nid"), check=_id),
        Param("host", "The address of the API, where it is another.", required=False, check=web_address),
    ),
    build=OsfSource,
    has_versions=True,
    hourly_calls=3600,
)
