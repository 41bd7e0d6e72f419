"""The page of the reference that lists every source and its fields, written from the kinds themselves."""

from __future__ import annotations

from collections.abc import Iterator

from muniment.sources.options import Kind
from muniment.sources.registry import MODULES, find, submittable


def kinds_in_markdown() -> str:
    """Every source a submission may name, with its fields, as Markdown."""
    lines = [
        "# Sources",
        "",
        "What an element of a submission's `services` may be: an object with the name of a source as its only key,",
        "in any case of letters, and an object of fields as its value, such as",
        '`{"http": {"url": "https://example.org/data/"}}`. Unknown fields are ignored. Secret fields are encrypted',
        "while a job runs and erased when it ends. Besides its own fields every source takes `forceParity` (true or",
        "false): parity for its files under the size limit too.",
    ]
    for name in submittable():
        lines += ["", *_kind(find(name))]
    lines += ["", "# Sources for the keeper alone", "", "Only `muniment fetch` on an archive's own folder takes them."]
    for name in sorted(name for name in MODULES if not find(name).submitted):
        lines += ["", *_kind(find(name))]
    return "\n".join(lines)


def _kind(kind: Kind) -> Iterator[str]:
    yield f"## `{kind.name}`"
    yield ""
    yield kind.summary
    yield ""
    for verb, things in (("Takes", kind.takes), ("Does not take", kind.leaves)):
        yield f"{verb}:"
        yield ""
        yield from (f"- {thing}" for thing in things)
        yield ""
    yield "| field | needed | secret | meaning |"
    yield "| --- | --- | --- | --- |"
    for param in kind.params:
        aliases = f" Also taken as {' or '.join(f'`{alias}`' for alias in param.aliases)}." if param.aliases else ""
        needed, secret = ("yes" if param.required else "no"), ("yes" if param.secret else "no")
        yield f"| `{param.name}` | {needed} | {secret} | {param.help}{aliases} |"
    if kind.has_versions:
        yield "| `versions` | no | no | true for all versions, or how many of the newest; else only the present one. |"
    if kind.hourly_calls:
        yield ""
        yield f"At most {kind.hourly_calls:,} calls an hour are made unless the keeper sets another number."
