"""Nexus: organisations, projects, resources, files and selections, as its clients know them, on an archive."""

from __future__ import annotations

from muniment.workflows.nexus.addresses import Addresses
from muniment.workflows.nexus.changing import Actor
from muniment.workflows.nexus.files import Upload
from muniment.workflows.nexus.nexus import Nexus, Options
from muniment.workflows.nexus.projects import Organization, Project
from muniment.workflows.nexus.records import Content, Revision
from muniment.workflows.nexus.selections import Definition, Selections

__all__ = [
    "Actor",
    "Addresses",
    "Content",
    "Definition",
    "Nexus",
    "Options",
    "Organization",
    "Project",
    "Revision",
    "Selections",
    "Upload",
]
