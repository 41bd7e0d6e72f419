"""Content paths in themselves: their elements, their uniqueness (OCFL 1.1 §3.5.2)."""

from __future__ import annotations

from collections.abc import Mapping

from muniment.content import Finding
from muniment.validation.findings import say


def check_content_paths(
    block: Mapping[str, list[str]], where: str, troubled: set[str], findings: list[Finding], *, fixity: bool
) -> None:
    """Add a finding to `findings` for each unusable or colliding path and the path to `troubled`.

    The paths of a fixity block may name one file under several digests of the same spelling, so
    collisions (E101) are looked for in the manifest alone.
    """
    seen: dict[str, str] = {}
    for digest, paths in block.items():
        here: set[str] = set()
        for path in paths:
            before = len(findings)
            findings += _form(path, where)
            if len(findings) > before:
                troubled.add(path)
            if fixity:
                continue
            if path in here or seen.get(path, digest.lower()) != digest.lower():
                findings.append(say("E101", where, path, path))
            here.add(path)
            seen[path] = digest.lower()
    findings += [say("E101", where, above, path) for path, above in collisions(seen)]


def _form(path: str, where: str) -> list[Finding]:
    findings = []
    if path.startswith("/") or path.endswith("/"):
        findings.append(say("E100", where, found=path))
    if any(element in {"", ".", ".."} for element in path.strip("/").split("/")) or "//" in path:
        findings.append(say("E099", where, found=path))
    if "/" not in path and "\\" in path:
        findings.append(say("E035", where, found=path))
    return findings


def collisions(paths: Mapping[str, object]) -> list[tuple[str, str]]:
    """Pairs of a path and another of `paths` that it would need as a folder."""
    found = []
    checked: set[str] = set()
    for path in paths:
        above = path.rpartition("/")[0]
        while above and above not in checked:
            checked.add(above)
            if above in paths:
                found.append((path, above))
            above = above.rpartition("/")[0]
    return found


def tidy(path: str) -> str:
    """Where a faulty path most likely meant to point, so that one fault is not told twice."""
    elements: list[str] = []
    for element in path.split("/"):
        if element == ".." and elements:
            elements.pop()
        elif element not in {"", ".", ".."}:
            elements.append(element)
    return "/".join(elements)
