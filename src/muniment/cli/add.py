"""The command that puts things in: `add`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from muniment.cli.context import detail, note, print_json, say, size_text, warn
from muniment.cli.options import Json, ProjectOption
from muniment.content import Finding
from muniment.content.portability import check_names
from muniment.errors.base import BadInput, MunimentError

if TYPE_CHECKING:
    from muniment.cli.context import Context
    from muniment.content.archive import Archive
    from muniment.content.exclusions import Exclusions, LeftOut
    from muniment.content.instance import Instance
    from muniment.content.progress import Progress
    from muniment.content.transaction import Transaction

_MANY = 1000
"""Instances of a resource above which a further one is worth a word: its records grow with their square."""
_SHOWN = 5
_INPUT = "-"


class _Wish(NamedTuple):
    """What is to be put in, and how."""

    paths: list[str]
    id: str | None
    project: str | None
    into: str | None
    name: str | None
    message: str
    metadata: str | None
    described: list[str]
    expect: list[str] | None
    remove: list[str]
    only: bool
    exclude: Exclusions | None
    as_json: bool

    def places(self) -> Iterator[tuple[str, str | None]]:
        """Each file or folder, and the name it gets in the package where that is not its own."""
        for path in self.paths:
            prefix = f"{self.into}/" if self.into else ""
            if path != _INPUT and Path(path).is_dir():
                yield path, f"{prefix}{self.name}" if self.name else self.into
            else:
                own = self.name or Path(path).name
                yield path, f"{prefix}{own}" if prefix or self.name else None

    def gone(self, there: Transaction | Instance) -> list[str]:
        """What of the instance before is left out."""
        return [entry.path for entry in there.files()] if self.only else self.remove


def add(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH]...", help="Files, folders for what is in them, - for standard input."),
    ] = None,
    id: Annotated[str | None, typer.Option("--id", help="The resource; a new UUID without it.")] = None,
    project: ProjectOption = None,
    into: Annotated[str | None, typer.Option(metavar="FOLDER", help="A folder in the package to put them in.")] = None,
    name: Annotated[
        str | None, typer.Option("--as", metavar="PATH", help="The name in the package of one file, folder or -.")
    ] = None,
    message: Annotated[str, typer.Option("--message", "-m", help="Why this instance is made.")] = "",
    metadata: Annotated[str | None, typer.Option(metavar="JSON", help="What to say about it, or @FILE.")] = None,
    describe: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="One thing to say about it; KEY= says nothing of it any more."),
    ] = None,
    expect: Annotated[
        list[str] | None, typer.Option(metavar="DIGEST", help="The digest a single file must have, as sha256:…")
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option(metavar="PATH", help="Leave this path out of the new instance.")
    ] = None,
    only: Annotated[bool, typer.Option("--only", help="Leave out everything that is not added now.")] = False,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Leave out of folders what matches, as in git's ignore files."),
    ] = None,
    exclude_from: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Patterns of what is left out, one a line.")
    ] = None,
    ignore_files: Annotated[bool, typer.Option(help="Leave out what .munimentignore files in the folders say.")] = True,
    system_files: Annotated[
        bool, typer.Option(help="Take in what systems leave behind: .DS_Store, Thumbs.db and their like.")
    ] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what would be stored.")] = False,
    no_parity: Annotated[bool, typer.Option("--no-parity", help="Make no parity now.")] = False,
    as_json: Json = False,
) -> None:
    """Add files: a new resource the first time, a new instance later. Prints the resource's id.

    Without a PATH the new instance only leaves out what --remove names, or says what --metadata and --describe do.
    """
    rules = _exclusions(exclude or [], exclude_from or [], ignore_files=ignore_files, system_files=system_files)
    wish = _Wish(
        [*(paths or ())], id, project, into, name, message, metadata, describe or [], expect, remove or [], only, rules,
        as_json,
    )  # fmt: skip
    _refuse_unclear(wish)
    shared: Context = context.obj
    with shared.archive(parity=not no_parity) as archive, shared.progress() as progress:
        existing = id is not None and (not wish.paths or archive.exists(id, project))
        if dry_run:
            _preview(archive, wish, progress, existing=existing)
        else:
            _add(shared, archive, wish, progress, existing=existing)


def _refuse_unclear(wish: _Wish) -> None:
    """Refuse what could not be done, before anything is.

    Raises:
        BadInput: A name or an id is missing, or one is given for several things.
    """
    if not wish.paths:
        if not (wish.remove or wish.metadata or wish.described):
            raise BadInput(reason="name what to add; without it, give --remove, --metadata or --describe")
        if wish.id is None:
            raise BadInput(reason="name the resource with --id: nothing is added from which a new one could be made")
        if wish.only:
            raise BadInput(reason="--only without a path would leave out everything; name what stays out with --remove")
    if wish.name is not None and len(wish.paths) != 1:
        raise BadInput(reason="--as names one file or folder in the package; give one PATH with it")
    if _INPUT in wish.paths and wish.name is None:
        raise BadInput(reason="standard input has no name of its own: give one with --as, such as --as letters.sql")


def _exclusions(patterns: list[str], files: list[Path], *, ignore_files: bool, system_files: bool) -> Exclusions:
    from muniment.content.exclusions import Exclusions

    rules = Exclusions(*patterns, ignore_files=ignore_files, system_files=not system_files)
    for path in files:
        rules.read(path)
    return rules


def _add(shared: Context, archive: Archive, wish: _Wish, progress: Progress, *, existing: bool) -> None:
    before = archive.instance(wish.id, project=wish.project) if existing and wish.id and shared.verbose else None
    transaction = _begin(archive, wish, existing=existing)
    try:
        with transaction:
            for path in wish.gone(transaction):
                transaction.delete(path)
            transaction.metadata.update(_metadata(wish.metadata))
            _describe(transaction.metadata, wish.described)
            for path, name in wish.places():
                source = sys.stdin.buffer if path == _INPUT else path
                transaction.add(source, name, digests=wish.expect, exclude=wish.exclude, progress=progress)
            # Asked before the commit, the names are at hand: the instance would read them all again.
            names = list(transaction)
            instance = transaction.commit(progress=progress)
    except KeyboardInterrupt:
        shared.interrupted = _how_it_ended(archive, transaction)
        raise
    if shared.verbose:
        _tell_changes(before, instance)
    _tell(wish, transaction, instance, names)


def _how_it_ended(archive: Archive, transaction: Transaction) -> str:
    """Whether it was committed, for somebody who broke it off: asked of the archive, which is what counts."""
    try:
        done = archive.instance(transaction.id, transaction.transaction, project=transaction.project)
    except MunimentError:
        return "nothing was stored"
    return f"instance {done.number} of {done.id} is committed; `muniment repair {done.id}` makes the parity it may lack"


def _tell_changes(before: Instance | None, after: Instance) -> None:
    from muniment.content.differences import differences

    old = before.files() if before else ()
    for line in differences(old, after.files(), before.metadata if before else {}, after.metadata).lines():
        detail(line)


def _tell(wish: _Wish, transaction: Transaction, instance: Instance, names: list[str]) -> None:
    links = instance.record.get("links", {})
    # An instance that nothing changed is the one before, with what that left out.
    left_out = instance.record.get("left_out", []) if instance.number == transaction.number else []
    if transaction.unprotected:
        warn(f"it is committed, but has no parity: {transaction.unprotected} Run `muniment repair` to make it")
    if links:
        note(f"{len(links)} symbolic links were recorded as links, not followed")
    if left_out:
        note(f"{len(left_out)} files and folders were left out; `muniment show {instance.id} --left-out` lists them")
    if instance.number > _MANY:
        warn(
            f"{instance.id} has {instance.number} instances, and each writes the records of all before it again:"
            " begin another resource for what comes often (docs/growth.md)"
        )
    warnings = list(check_names(names, resource=instance.id, instance=str(instance.number)))
    if wish.as_json:
        print_json(
            {
                "id": instance.id,
                "project": instance.project,
                "instance": instance.number,
                "instance_id": instance.instance,
                "files": len(names),
                "links": len(links),
                "left_out": left_out,
                "unprotected": transaction.unprotected,
                "warnings": [finding.as_json() for finding in warnings],
            }
        )
        return
    _warn(warnings)
    if wish.id is None:
        typer.echo(instance.id)
    else:
        say(instance.id)


def _preview(archive: Archive, wish: _Wish, progress: Progress, *, existing: bool) -> None:
    """Say what would be stored, and store nothing."""
    from muniment.errors.archive import PathTaken
    from muniment.workflows.preview import preview

    if _INPUT in wish.paths:
        raise BadInput(reason="standard input can be read only once; leave out --dry-run, or name a file")
    base = archive.instance(wish.id, project=wish.project) if existing and wish.id else None
    metadata = dict(base.metadata) if base else {}
    metadata.update(_metadata(wish.metadata))
    _describe(metadata, wish.described)
    gone = wish.gone(base) if base else []
    found = preview(
        wish.places(),
        base,
        archive.config.digests[0],
        remove=gone,
        metadata=metadata,
        exclude=wish.exclude,
        progress=progress,
    )
    if wish.as_json:
        print_json(found.as_json())
    else:
        for line in found.changes.lines():
            typer.echo(line)
        _tell_left_out(found.left_out)
        for paths in found.twice.values():
            typer.echo(f"= {', '.join(paths)}: one content, stored once")
        _warn(found.warnings)
        typer.echo(f"{size_text(found.stored)} would be stored; {len(found.same)} files are there as they are")
    for path in found.claimed:
        raise PathTaken(path=path)


def _tell_left_out(left_out: list[LeftOut]) -> None:
    for each in left_out:
        typer.echo(f"! {each.path}: left out by {each.rule} ({each.given})")


def _warn(warnings: list[Finding]) -> None:
    """Name the first few; a thousand lines of warnings are read by nobody."""
    for finding in warnings[:_SHOWN]:
        note(f"warning {finding.code}: {finding.message}")
    if len(warnings) > _SHOWN:
        note(f"… and {len(warnings) - _SHOWN} more names like these; `--json` lists all")


def _begin(archive: Archive, wish: _Wish, *, existing: bool) -> Transaction:
    if existing and wish.id is not None:
        return archive.get(wish.id, "a", project=wish.project, message=wish.message)
    return archive.new(wish.id, wish.project, message=wish.message)


def _metadata(text: str | None) -> dict[str, object]:
    """The JSON object given on the command line or in a file.

    Raises:
        BadInput: It is not a JSON object.
    """
    import json

    if not text:
        return {}
    try:
        found = json.loads(Path(text[1:]).read_text("utf-8") if text.startswith("@") else text)
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(reason=f"--metadata is not JSON ({error})") from error
    if not isinstance(found, dict):
        raise BadInput(reason='--metadata is not a JSON object, such as {"title": "…"}')
    return found


def _describe(metadata: dict[str, object], described: list[str]) -> None:
    """Change what is said about it by KEY=VALUE; a key that is given several times has a list of texts.

    Raises:
        BadInput: One has no key, or no `=`.
    """
    values: dict[str, list[str]] = {}
    for each in described:
        key, sign, value = each.partition("=")
        if not key or not sign:
            raise BadInput(reason=f"--describe {each!r} should be KEY=VALUE, such as title='Letters home'")
        values.setdefault(key, []).append(value)
    for key, texts in values.items():
        if texts == [""]:
            metadata.pop(key, None)
        else:
            metadata[key] = texts[0] if len(texts) == 1 else texts
