"""Commands of the CKAN door: portals, harvests, reports."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from muniment.cli.context import note, print_json, size_text
from muniment.cli.options import Json

if TYPE_CHECKING:
    from muniment.doors.ckan.context import CkanContext
    from muniment.doors.ckan.portals import Portal

ckan = typer.Typer(
    help="Archive the resources of CKAN portals, and report which links are broken.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the portal is called here.")]
TokenFile = Annotated[
    Path | None, typer.Option("--token-file", metavar="FILE", help="A file whose first line is an API token.")
]
SettingsFile = Annotated[
    Path | None, typer.Option("--settings", metavar="FILE", help="A TOML file with the portal's settings.")
]
_LOOK_EVERY = 0.5


@ckan.command()
def add(
    context: typer.Context,
    name: Name,
    url: Annotated[str, typer.Argument(help="The portal's address.")],
    token_file: TokenFile = None,
    settings: SettingsFile = None,
    check: Annotated[bool, typer.Option(help="Ask the portal whether it answers, and what the token may do.")] = True,
) -> None:
    """Know a portal, and keep looking at it: often for changes, and now and then at everything."""
    from muniment.doors.ckan.harvest import schedule
    from muniment.doors.ckan.portals import PortalSettings, read_settings

    given = _given(context)
    chosen = read_settings(name, settings) if settings else PortalSettings()
    portal = given.portals.add(name, url, chosen, _token(name, token_file))
    try:
        if check:
            _tell_access(given, portal)
        schedule(given, portal)
    except BaseException:
        given.portals.remove(name)
        raise
    note(f"{name} is known; `muniment work` or `muniment serve` looks at it every {chosen.poll_every:g} s")


@ckan.command("set")
def change(context: typer.Context, name: Name, settings: SettingsFile = None, token_file: TokenFile = None) -> None:
    """Give a portal other settings, another token, or both."""
    from muniment.doors.ckan.harvest import schedule
    from muniment.doors.ckan.portals import read_settings

    given = _given(context)
    chosen = read_settings(name, settings) if settings else None
    portal = given.portals.change(name, chosen, _token(name, token_file))
    schedule(given, portal)
    note(f"{name} is changed")


@ckan.command()
def remove(context: typer.Context, name: Name) -> None:
    """Look at a portal no more. What was archived and recorded of it stays."""
    from muniment.doors.ckan.harvest import unschedule

    given = _given(context)
    given.portals.remove(name)
    unschedule(given, name)
    note(f"{name} is looked at no more")


@ckan.command()
def ls(context: typer.Context, as_json: Json = False) -> None:
    """List the portals."""
    from muniment.doors.ckan.report import iso

    found = _given(context).portals.all()
    if as_json:
        print_json([{"name": each.name, "url": each.url, "swept": iso(each.swept_at or None)} for each in found])
        return
    for each in found:
        typer.echo(f"{each.name}  {each.url}  swept {iso(each.swept_at or None) or 'never'}")


@ckan.command()
def harvest(
    context: typer.Context,
    name: Name,
    organization: Annotated[str | None, typer.Option(help="Only the datasets of one organisation.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Only one dataset, by id or name.")] = None,
    resource: Annotated[str | None, typer.Option(help="Only one resource, by id.")] = None,
    broken: Annotated[bool, typer.Option("--broken", help="Only the links that are known to be broken.")] = False,
    check_only: Annotated[bool, typer.Option("--check-only", help="Check the links and keep nothing.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Do it here, and return when it is done.")] = False,
    as_json: Json = False,
) -> None:
    """Check all links of a portal, and archive what is new or changed."""
    from muniment.doors.ckan.harvest import sweep

    background = _background(context)
    given = background.ckan
    portal = given.portals.get(name)
    job = sweep(
        given,
        portal,
        requester="the command line",
        organization=organization,
        dataset=dataset,
        resource=resource,
        broken=broken,
        check_only=check_only,
    )
    if wait:
        _do(background, job)
    if as_json:
        found = given.ledger.job(job)
        print_json({"job": job, "state": str(found.state), "reason": found.reason, **_totals(given, name)})
        return
    note(f"job {job}" + ("" if wait else "; follow it with `muniment job show --follow`"))
    if wait:
        _print_totals(given, name)


@ckan.command()
def status(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """Show how a portal is: its links, what is kept, what is being done."""
    from muniment.doors.ckan.harvest import KIND_SWEEP
    from muniment.doors.ckan.report import Reports, iso
    from muniment.jobs import JobState

    given = _given(context)
    portal = given.portals.get(name)
    reports = Reports(given.ledger)
    running = [
        job for job in given.ledger.jobs(kind=KIND_SWEEP, state=JobState.RUNNING, limit=100) if _of(job.given, name)
    ]
    record = {
        "name": name,
        "url": portal.url,
        "swept": iso(portal.swept_at or None),
        "polled_to": portal.polled_to or None,
        "running": [{"job": job.id, "steps": job.steps, "steps_done": job.steps_done} for job in running],
        **_totals(given, name),
        "hosts": reports.by(name, "host")[:20],
        "statuses": reports.by(name, "status"),
    }
    if as_json:
        print_json(record)
        return
    typer.echo(f"{portal.url}  swept {record['swept'] or 'never'}")
    _print_totals(given, name)
    for job in running:
        typer.echo(f"  runs: {job.id}  {job.steps_done} of {job.steps} steps")


@ckan.command()
def report(
    context: typer.Context,
    name: Name,
    organization: Annotated[str | None, typer.Option(help="The broken links of one organisation.")] = None,
    format: Annotated[str, typer.Option(metavar="table|csv|json", help="How it is printed.")] = "table",
) -> None:
    """Report the broken links: by organisation, or each link of one."""
    from muniment.doors.ckan.report import Reports, as_csv, broken_row
    from muniment.doors.ckan.write_back import cache_url
    from muniment.errors.base import BadInput

    if format not in {"table", "csv", "json"}:
        raise BadInput(reason=f"there is no format {format!r}; there are table, csv and json")
    given = _given(context)
    portal = given.portals.get(name)
    reports, root = Reports(given.ledger), given.cache_url_root(portal)

    def line(row: dict[str, object]) -> dict[str, object]:
        return broken_row(row, cache_url(root, row) if row["kept_as"] else "")

    if format == "csv":
        for text in as_csv(line(row) for row in reports.every_broken(name, organization)):
            sys.stdout.write(text)
        return
    if organization is None:
        figures = reports.by(name, "organization")
        if format == "json":
            print_json({"portal": name, "totals": reports.totals(name), "organizations": figures})
            return
        _print_totals(given, name)
        for each in figures:
            typer.echo(
                f"{each['name'] or '(none)'}: {each['broken_datasets']}/{each['datasets']} datasets, "
                f"{each['broken']}/{each['links']} links broken ({each['broken_percent']:g} %), "
                f"{each['broken_kept']} of them kept here"
            )
        return
    found = (line(row) for row in reports.every_broken(name, organization))
    if format == "json":
        print_json({"portal": name, "organization": organization, "broken": list(found)})
        return
    for row in found:
        since = f"since {row['first_failure']}, {row['failure_count']} times"
        kept = "  (kept here, from before it was broken)" if row["cache_url"] else ""
        typer.echo(f"{row['dataset_name']}  {row['resource_url']}  {row['reason']}  {since}{kept}")


@ckan.command()
def show(
    context: typer.Context,
    name: Name,
    resource: Annotated[str, typer.Argument(help="The resource's id.")],
    as_json: Json = False,
) -> None:
    """Show what is known of a link: the latest attempt, its copy, its failures."""
    from muniment.doors.ckan.report import iso, resource_record
    from muniment.doors.ckan.write_back import cache_url

    given = _given(context)
    portal = given.portals.get(name)
    row = given.links.get(name, resource)
    root = given.cache_url_root(portal)
    record = resource_record(row, cache_url(root, row) if row["kept_as"] else "")
    history = [
        {"at": iso(line["at"]), "status_id": line["status"], "reason": line["reason"], "kept_as": line["kept_as"]}
        for line in given.links.history(name, resource)
    ]
    if as_json:
        same = given.links.same_content(name, resource, row["sha256"]) if row["sha256"] else []
        print_json({"url": row["url"], **record, "same_content": [list(each) for each in same], "history": history})
        return
    typer.echo(f"{row['url']}\n{record['status'] or 'not yet checked'}: {record['reason']}")
    if record["failure_count"]:
        typer.echo(f"failed {record['failure_count']} times in a row since {record['first_failure']}")
    if row["kept_as"]:
        before = ", from before it was broken" if record["cached_before_broken"] else ""
        typer.echo(f"kept{before}: {row['kept_as']}  {size_text(row['size'] or 0)}  md5 {row['md5']}")
    for line in history:
        typer.echo(f"  {line['at']}  {line['status_id']}  {line['reason']}")


@ckan.command()
def purge(
    context: typer.Context,
    name: Name,
    orphans: Annotated[bool, typer.Option("--orphans", help="Copies that the portal links to no more.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be purged, and do nothing.")] = False,
) -> None:
    """Remove copies for ever, in dynamic mode."""
    from muniment.doors.ckan.purge import orphans as find_orphans
    from muniment.doors.ckan.purge import purge as purge_one
    from muniment.errors.base import BadInput

    if not orphans:
        raise BadInput(reason="say what is to be purged: --orphans")
    given = _given(context)
    portal = given.portals.get(name)
    count = size = 0
    for orphan in list(find_orphans(given, portal)):
        if not dry_run:
            purge_one(given, portal, orphan)
        count, size = count + 1, size + orphan.bytes
        typer.echo(f"{orphan.resource}  {size_text(orphan.bytes)}  {orphan.why}")
    note(f"{count} copies, {size_text(size)}, {'would be' if dry_run else 'were'} purged")


@ckan.command("sizes")
def sizes(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """Show how many copies there are of which size."""
    from muniment.doors.ckan.report import Reports

    given = _given(context)
    given.portals.get(name)
    bins = Reports(given.ledger).sizes(name)
    if as_json:
        print_json(bins)
        return
    for each in bins:
        typer.echo(f"up to {size_text(each['up_to'])}: {each['copies']}")


def _background(context: typer.Context) -> Any:
    from muniment.app.background import BackgroundServices

    return BackgroundServices(context.obj.app())


def _given(context: typer.Context) -> CkanContext:
    given: CkanContext = _background(context).ckan
    return given


def _token(name: str, path: Path | None) -> str | None:
    from muniment.errors.catalogues import BadPortal

    if path is None:
        return None
    try:
        lines = path.read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadPortal(name=name, reason=f"the file with the token cannot be read: {error}") from error
    return lines[0].strip() if lines else ""


def _tell_access(given: CkanContext, portal: Portal) -> None:
    access = given.client(portal).access()
    for problem in access.problems:
        note(f"{portal.name}: {problem}")
    if access.may_write:
        note(f"{portal.name}: the token may edit {len(access.organizations)} organisations")
    if access.may_write and not access.sysadmin:
        note(f"{portal.name}: it is no sysadmin's: task_status is left out")
    if access.may_write and not given.cache_url_root(portal):
        note(f"{portal.name}: nothing is written back before cache_url_root, or MUNIMENT_PUBLIC_URL, is set")


def _do(background: Any, job: str) -> None:
    """Work here until a job has ended."""
    engine = background.local_engine()
    engine.start()
    try:
        while not background.ckan.ledger.job(job).ended:
            progress = background.ckan.ledger.progress(job)
            context_line = f"{progress.job.steps_done} of {progress.job.steps} steps"
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{context_line}\x1b[K")
            time.sleep(_LOOK_EVERY)
    finally:
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
        engine.stop()


def _totals(given: CkanContext, name: str) -> dict[str, Any]:
    from muniment.doors.ckan.report import Reports

    return Reports(given.ledger).totals(name)


def _print_totals(given: CkanContext, name: str) -> None:
    figures = _totals(given, name)
    typer.echo(
        f"{figures['broken']} of {figures['links']} links are broken; {figures['broken_kept']} of them are kept here. "
        f"{figures['kept']} copies, {size_text(figures['bytes'])}."
    )


def _of(given: object, name: str) -> bool:
    return isinstance(given, dict) and given.get("portal") == name
