"""The state of a version: which digest stands at which logical path (OCFL 1.1 §3.5.3.1)."""

from __future__ import annotations

from collections.abc import Mapping

from muniment.content import Finding
from muniment.validation.findings import kind_of, say
from muniment.validation.ocfl.content_paths import collisions
from muniment.validation.ocfl.jsontext import keys_twice


def check_state(
    raw: object, place: str, manifest: Mapping[str, list[str]] | None
) -> tuple[dict[str, list[str]] | None, list[Finding]]:
    """Digest to logical paths and what is wrong with them; None when it is no state at all."""
    if not isinstance(raw, dict):
        return None, [say("E050", place, found=f"the state, {kind_of(raw)},")]
    findings = [say("E033", place, found=f"the digest {key!r} occurs twice") for key in keys_twice(raw)]
    state: dict[str, list[str]] = {}
    seen: dict[str, None] = {}
    for digest, paths in raw.items():
        if manifest is not None and digest not in manifest:
            findings.append(say("E050", place, found=digest))
        if not isinstance(paths, list):
            findings.append(say("E051", place, found=kind_of(paths)))
            continue
        state[digest] = [path for path in paths if isinstance(path, str)]
        if len(state[digest]) != len(paths):
            findings.append(say("E051", place, found="a list with something else than texts"))
        for path in state[digest]:
            if path in seen:
                findings.append(say("E095", place, path, path))
            seen[path] = None
            findings += _form(path, place)
    findings += [say("E095", place, above, path) for path, above in collisions(seen)]
    return state, findings


def _form(path: str, place: str) -> list[Finding]:
    findings = []
    if path.startswith("/") or path.endswith("/"):
        findings.append(say("E053", place, found=path))
    if any(element in {"", ".", ".."} for element in path.strip("/").split("/")) or "//" in path:
        findings.append(say("E052", place, found=path))
    return findings
