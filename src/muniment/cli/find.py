"""The command `find`: where a file is, by its name, its content, or what is said about what it is in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from muniment.cli.context import print_json_list
from muniment.cli.options import Json, ProjectOption
from muniment.errors.base import EXIT_FINDINGS, BadInput

if TYPE_CHECKING:
    from muniment.cli.context import Context


def find(
    context: typer.Context,
    pattern: Annotated[
        str | None,
        typer.Argument(metavar="[GLOB]", help="A file's name, or its path if there is a / in it, as '*.tif'."),
    ] = None,
    digest: Annotated[
        str | None, typer.Option(metavar="DIGEST", help="The digest of its content, or @FILE for a file's own.")
    ] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="KEY=GLOB", help="What is said about its resource; repeat it for more.")
    ] = None,
    every: Annotated[bool, typer.Option("--every-instance", help="Look in earlier instances, too.")] = False,
    project: ProjectOption = None,
    as_json: Json = False,
) -> None:
    """Find files in all resources; exit 1 when there is none.

    With --metadata alone it finds resources.
    """
    from muniment.workflows.finding import Query, find_files

    if pattern is None and digest is None and not metadata:
        raise BadInput(reason="say what to find: a GLOB, --digest or --metadata")
    pairs = [each.partition("=") for each in metadata or ()]
    if wrong := [key for key, sign, _ in pairs if not (key and sign)]:
        raise BadInput(reason=f"--metadata {wrong[0]!r} should be KEY=GLOB, such as title='*Letters*'")
    wanted = Query(pattern, _digests(digest), {key: value for key, _, value in pairs}, every)
    shared: Context = context.obj
    found = 0
    with shared.archive() as archive, shared.progress() as progress:
        hits = find_files(archive, wanted, project, progress)
        if as_json:
            rows = [hit.as_json() for hit in hits]
            found = len(rows)
            print_json_list(rows)
        else:
            for hit in hits:
                found += 1
                typer.echo(f"{hit.id}  v{hit.instance}  {hit.path}".rstrip())
    if not found:
        raise typer.Exit(EXIT_FINDINGS)


def _digests(given: str | None) -> dict[str, str]:
    """The digests that were given, by algorithm.

    Raises:
        BadInput: It is none, or the file cannot be read.
    """
    from muniment.content import Hashers, parse_expected

    lengths = {128: "sha512", 64: "sha256", 40: "sha1", 32: "md5"}
    if given is None:
        return {}
    if given.startswith("@"):
        hashers = Hashers(["sha512", "sha256"])
        try:
            with Path(given[1:]).open("rb") as file:
                while piece := file.read(1 << 20):
                    hashers.update(piece)
        except OSError as error:
            raise BadInput(reason=f"{given[1:]} cannot be read ({error.strerror})") from error
        return hashers.values()
    return parse_expected(given if ":" in given else f"{lengths.get(len(given), 'sha256')}:{given}")
