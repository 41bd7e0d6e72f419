"""Addresses: the IRIs by which the Nexus API calls what it serves, all below one public base."""

from __future__ import annotations

from dataclasses import dataclass

from muniment.access import Identity
from muniment.content.jsonld import IdSpace, encode_segment
from muniment.errors.access import BadIdentity

UNCONSTRAINED = "https://bluebrain.github.io/nexus/schemas/unconstrained.json"
FILE_SCHEMA = "https://bluebrain.github.io/nexus/schemas/files.json"
ARCHIVE_SCHEMA = "https://bluebrain.github.io/nexus/schemas/archives.json"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Makes addresses; `root` is the public base with its `/v1`, as `https://archive.example.org/v1`."""

    root: str

    def organization(self, label: str) -> str:
        """Of an organisation."""
        return f"{self.root}/orgs/{label}"

    def project(self, project: str) -> str:
        """Of a project, `org/project`."""
        return f"{self.root}/projects/{project}"

    def base(self, project: str) -> str:
        """What a project's relative ids are resolved against, where it names no base."""
        return f"{self.root}/resources/{project}/_/"

    def vocab(self, project: str) -> str:
        """The vocabulary of a project's plain terms, where it names none."""
        return f"{self.root}/vocabs/{project}/"

    def resource(self, project: str, space: IdSpace, iri: str, schema: str = UNCONSTRAINED) -> str:
        """Of a resource, by the shortest name."""
        return f"{self.root}/resources/{project}/{space.shorten(schema)}/{space.shorten(iri)}"

    def file(self, project: str, space: IdSpace, iri: str) -> str:
        """Of a file, by the shortest name."""
        return f"{self.root}/files/{project}/{space.shorten(iri)}"

    def selection(self, project: str, space: IdSpace, iri: str) -> str:
        """Of a selection, by the shortest name."""
        return f"{self.root}/archives/{project}/{space.shorten(iri)}"

    def location(self, project: str, iri: str) -> str:
        """Where a selection is downloaded: its address by the full IRI."""
        return f"{self.root}/archives/{project}/{encode_segment(iri)}"

    def access_list(self, path: str) -> str:
        """Of the access rules on `/`, `/org` or `/org/project`."""
        return f"{self.root}/acls{path.rstrip('/')}"

    def agent(self, name: str) -> str:
        """Of who did something: an identity as text, or the address of an agent outside of Nexus."""
        try:
            return f"{self.root}/{Identity.parse(name).path}"
        except BadIdentity:
            return name
