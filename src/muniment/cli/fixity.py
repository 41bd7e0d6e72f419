"""Commands that check and repair: `audit`, `repair`, `validate`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from muniment.cli.context import note, print_json, read_small, say
from muniment.cli.options import (
    BudgetOption,
    EstimateOption,
    Json,
    NotSinceOption,
    OptionalId,
    ProjectOption,
    SampleOption,
)
from muniment.content.findings import Severity
from muniment.errors.base import EXIT_FINDINGS, BadInput

if TYPE_CHECKING:
    from muniment.cli.context import Context
    from muniment.content import Finding
    from muniment.content.archive import Repair
    from muniment.content.events import Head


def audit(
    context: typer.Context,
    id: OptionalId = None,
    project: ProjectOption = None,
    fast: Annotated[bool, typer.Option("--fast", help="Compare names and sizes only; read no content.")] = False,
    every_digest: Annotated[
        bool, typer.Option("--every-digest", help="Compare all recorded digests, not sha256 alone.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the last audit was broken off.")] = False,
    since: Annotated[
        str | None,
        typer.Option(metavar="HEAD", help="What `muniment head` printed once, or @FILE: nothing before it changed."),
    ] = None,
    stamp: Annotated[
        Path | None, typer.Option(metavar="FILE", help="An authority's time stamp for that head (RFC 3161).")
    ] = None,
    authority: Annotated[
        Path | None, typer.Option(metavar="PEM", help="The certificates of the authority that is trusted.")
    ] = None,
    budget: BudgetOption = None,
    not_since: NotSinceOption = None,
    sample: SampleOption = None,
    estimate: EstimateOption = False,
    as_json: Json = False,
) -> None:
    """Check that everything recorded is there and right, and everything there is recorded.

    With --budget, --not-since or --sample: archive and copies, those verified longest ago first.
    """
    if budget or not_since or sample or estimate:
        from muniment.cli.verification import VerificationRequest, verify

        limits = budget or ()
        verify(
            context,
            VerificationRequest(
                limits, not_since, sample, None, id, project, estimate=estimate, repair=False, as_json=as_json
            ),
        )
        return
    shared: Context = context.obj
    if id is None:
        shared.interrupted = "`muniment audit --resume` goes on where it was"
    noted = _head(since)
    if stamp is not None:
        _check_stamp(noted, stamp, authority)
    with shared.archive() as archive, shared.progress() as progress:
        findings = archive.audit(
            id,
            project=project,
            fast=fast,
            every_digest=every_digest,
            resume=resume,
            since=noted,
            progress=progress,
        )
        _report(findings, as_json=as_json, good="Everything is as it was recorded.")


def _head(given: str | None) -> Head | None:
    """The head that is given, or that stands in the file which is.

    Raises:
        BadHead: It is none.
        BadInput: The file cannot be read.
    """
    from muniment.content.events import Head

    if given is None:
        return None
    return Head.parse(read_small(Path(given[1:])).decode("utf-8", "replace") if given.startswith("@") else given)


def _check_stamp(noted: Head | None, stamp: Path, authority: Path | None) -> None:
    """Say when the head was stamped.

    Raises:
        BadInput: An option or a file is missing.
        ExtraMissing: The library is not installed.
        StampRefused: The stamp is not one of this authority over this head.
    """
    from muniment.content.extras import need

    need("timestamps", "The check of a time stamp")
    from muniment.workflows.timestamps import check_stamp

    if noted is None or authority is None:
        raise BadInput(reason="--stamp takes --since, for the head it is about, and --authority, for whom to trust")
    time = check_stamp(noted, read_small(stamp), read_small(authority))
    note(f"the log had reached event {noted.seq} by {time.isoformat().replace('+00:00', 'Z')}, says the authority")


def repair(context: typer.Context, id: OptionalId = None, project: ProjectOption = None, as_json: Json = False) -> None:
    """Repair what an audit finds, from parity and then from copies in stores; name what cannot be repaired."""
    shared: Context = context.obj
    from muniment.cli.verification import climb

    done: list[Repair] = []
    with shared.archive() as archive, shared.progress() as progress:
        for each in archive.repair(id, project=project, progress=progress):
            done.append(each)
            if not as_json and each.repaired:
                say(f"repaired: {each.where}: {each.how}")
    from_copies = climb(context, done, id)
    done = [each for each in done if each.repaired or not from_copies.settles(each)]
    done += from_copies.repairs
    failed = not all(each.repaired for each in done)
    rows = [{name: getattr(each, name) for name in each.__slots__} for each in done]
    if not as_json:
        for each in (
            *(each for each in done if not each.repaired),
            *(each for each in from_copies.repairs if each.repaired),
        ):
            typer.echo(f"{'repaired' if each.repaired else 'NOT REPAIRED'}: {each.where}: {each.how}")
    if as_json:
        print_json({"ok": not failed, "repairs": rows})
    elif not rows:
        say("Nothing to repair.")
    if failed:
        raise typer.Exit(EXIT_FINDINGS)


def validate(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="A bag, an OCFL object or root, or an RO-Crate; a folder, tar or zip.")],
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="PROFILE",
            help="A BagIt profile to follow: btr, aptrust, aptrust-2.2, a FILE, or URI=FILE.",
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse what is tolerated, too: deviations from a MUST.")
    ] = False,
    fix_copy: Annotated[
        Path | None,
        typer.Option("--fix-copy", metavar="OUT", help="Write a copy of the bag without deviations to a new folder."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Judge any bag, OCFL object, storage root or RO-Crate, also one that is not Muniment's."""
    from muniment.validation import validate_path

    shared: Context = context.obj
    if (path / "muniment.json").is_file() and (path / "objects").is_dir():
        path = path / "objects"  # an archive of ours: what others can judge of it is its storage root
    with shared.progress() as progress:
        if fix_copy is not None:
            from muniment.workflows.fix_bag import fix_copy as write_copy

            write_copy(path, fix_copy, progress=progress)
            note(f"{fix_copy} is a copy without deviations")
        findings = validate_path(path, profile=profile, progress=progress)
        _report(findings, as_json=as_json, good=f"{path} is valid.", strict=strict)


def _report(findings: Iterable[Finding], *, as_json: bool, good: str, strict: bool = False) -> None:
    """Print findings as they come, count them, and say it with the exit status."""
    counts: Counter[str] = Counter()
    failed = False
    separator = '{"findings": [\n'
    for finding in findings:
        counts[finding.severity] += 1
        failed = failed or finding.failed or (strict and finding.severity is Severity.DEVIATION)
        if as_json:
            typer.echo(separator + json.dumps(finding.as_json(), ensure_ascii=False), nl=False)
            separator = ",\n"
        else:
            typer.echo(f"{finding.severity:>7}  {finding.code}  {finding.message}")
    if as_json:
        opening = separator if not counts else "\n"
        summary = json.dumps({"ok": not failed, "counts": dict(counts)})
        typer.echo(f"{opening}], {summary[1:]}")
    elif failed:
        note(", ".join(_counted(count, severity) for severity, count in counts.items()))
    elif deviations := counts[Severity.DEVIATION]:
        say(f"{good.removesuffix('.')}, but for {_counted(deviations, Severity.DEVIATION)} that --strict would refuse.")
    else:
        say(good)
    if failed:
        raise typer.Exit(EXIT_FINDINGS)


def _counted(count: int, severity: str) -> str:
    return f"{count} {severity}{'s' if count > 1 and severity != Severity.UNKNOWN else ''}"
