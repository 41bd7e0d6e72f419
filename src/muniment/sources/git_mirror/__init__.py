"""Git repositories as a source: mirrored with every ref, read out of the mirror, never checked out.

Nothing of a repository is ever a name, a link or a program on this machine's disk: trees and files are read as
objects, so that hooks, filters, submodules and hostile names have nothing to act on.
"""

from __future__ import annotations

from muniment.sources.git_mirror.command import GitCommand, Login
from muniment.sources.git_mirror.repository import Mirror
from muniment.sources.git_mirror.source import Repository, login_headers

__all__ = ["GitCommand", "Login", "Mirror", "Repository", "login_headers"]
