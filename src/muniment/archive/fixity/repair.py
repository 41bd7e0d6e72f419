"""Repair: mending what an audit found, from parity, verified before it takes the damaged file's place.

What cannot be mended is left exactly as it was and named. The damaged bytes are not thrown away: they
go to quarantine. In worm mode nothing published is touched; mended bytes are put beside, in quarantine.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from muniment.archive.config import Mode
from muniment.archive.context import ArchiveContext
from muniment.archive.disk.durable import make_folder, remove_tree, rename, sync_folder, sync_tree, write_file
from muniment.archive.disk.locks import exclusive
from muniment.archive.fixity.audit import audit
from muniment.archive.ingest.commit import finish_root
from muniment.archive.ingest.recovery import file_digest
from muniment.archive.package.inventory import NAME, sidecar
from muniment.archive.package.objects import head_of, newest_inventory, versions_on_disk
from muniment.archive.parity import PACK, pack_members, repair_file, repair_pack
from muniment.archive.parity.protect import file_set_folder, pack_folder, protect
from muniment.archive.parity.sidecar import set_files, sidecar_path
from muniment.content import Finding, Progress, quiet
from muniment.content.events import Event
from muniment.errors.archive import DamagedRecord, ReadFailed
from muniment.errors.base import MunimentError

_FILE_CODES = {"M101", "M102", "M103", "M104"}
_PARITY_CODES = {"M401", "M402"}
_PASSES = 3
"""Mended records show what else is damaged, and mended files what parity can be made of them."""


@dataclass(frozen=True, slots=True)
class Repair:
    """What was done about one place: `mended`, or the reason why not."""

    where: str
    mended: bool
    how: str
    instance: str = ""

    @classmethod
    def done(cls, where: str, how: str, *, instance: str = "") -> Self:
        """Something was mended."""
        return cls(where, mended=True, how=how, instance=instance)

    @classmethod
    def left(cls, where: str, how: str) -> Self:
        """Something could not be mended and was left as it was."""
        return cls(where, mended=False, how=how)


def repair(context: ArchiveContext, roots: list[Path] | None = None, *, progress: Progress = quiet) -> Iterator[Repair]:
    """Audit, mend what can be mended, and say of each place what was done.

    Raises:
        DiskFull, WriteFailed: The storage refused; what was mended so far stays mended.
    """
    findings: list[Finding] = []
    said: set[tuple[str, bool]] = set()
    # In worm mode what is mended lies beside the damage, which the next pass would find again.
    for _ in range(1 if context.config.mode is Mode.WORM else _PASSES):
        findings = list(audit(context, roots=roots, progress=progress))
        objects: dict[Path, list[Finding]] = {}
        for finding in findings:
            root = _object_of(context, finding)
            if root:
                objects.setdefault(root, []).append(finding)
        mended = False
        for root, found in objects.items():
            for done in _mend_object(context, root, found):
                mended = mended or done.mended
                if (done.where, done.mended) not in said:
                    said.add((done.where, done.mended))
                    yield done
        if not mended:
            break
    if context.config.mode is Mode.DYNAMIC:
        yield from _drop_idle_parity(context, findings)


def _object_of(context: ArchiveContext, finding: Finding) -> Path | None:
    if finding.code in _PARITY_CODES:
        place = finding.expected if finding.code == "M401" else finding.where
        if finding.resource:
            return next(iter(_roots_of(context, finding, place)), None)
        return None
    parts = Path(finding.where).parts
    if len(parts) >= 4 and parts[0] == "objects":  # noqa: PLR2004 - objects, two tuples, the object
        return context.layout.root.joinpath(*parts[:4])
    return None


def _roots_of(context: ArchiveContext, finding: Finding, place: str) -> Iterable[Path]:
    parts = Path(place).parts
    if parts[:2] == ("parity", "packs"):
        yield context.layout.objects.joinpath(*parts[2:5])
    for project in {context.config.project, *context.index.projects_of(finding.resource)}:
        root = context.layout.object(project, finding.resource)
        if root.is_dir():
            yield root


def _mend_object(context: ArchiveContext, root: Path, findings: list[Finding]) -> Iterator[Repair]:
    with exclusive(context.object_lock(root)):
        records = [finding for finding in findings if _is_record(context, root, finding)]
        # The versions' own records first: the root's are copied from them.
        names = {_name(context, root, finding) for finding in records}
        for name in sorted(names, key=lambda name: ("/" not in name, name)):
            yield _mend_record(context, root, name)
        try:
            inventory, _ = newest_inventory(root, context.config.digests[0])
        except (FileNotFoundError, DamagedRecord, ReadFailed) as error:
            for finding in findings:
                if finding not in records and finding.code in _FILE_CODES:
                    yield Repair.left(finding.where, f"the object's records are lost ({error})")
            return
        # A finding about a whole version says only that its records were lost: the next pass looks again.
        damaged = [
            finding
            for finding in findings
            if finding.code in _FILE_CODES and finding not in records and "/" in _name(context, root, finding)
        ]
        wanted = dict.fromkeys(_name(context, root, finding) for finding in damaged)
        recorded = inventory.digests_of(wanted.keys())
        for name in wanted:
            yield _mend_file(context, root, recorded.get(name, {}), name)
        if any(finding.code == "M203" for finding in findings):
            finish_root(context, root, head_of(root))
            yield Repair.done(
                f"{root.relative_to(context.layout.root)}/{NAME}", "written anew from the newest instance"
            )
    if any(finding.code in _PARITY_CODES for finding in findings):
        yield from _renew_parity(context, root, findings)


def _is_record(context: ArchiveContext, root: Path, finding: Finding) -> bool:
    name = Path(finding.where).name
    inside = Path(finding.where).is_relative_to(root.relative_to(context.layout.root))
    depth = len(Path(finding.where).parts) - len(root.relative_to(context.layout.root).parts)
    return finding.code in _FILE_CODES and inside and depth <= 2 and name.startswith(NAME)  # noqa: PLR2004 - vN/name


def _name(context: ArchiveContext, root: Path, finding: Finding) -> str:
    return str(Path(finding.where).relative_to(root.relative_to(context.layout.root)))


def _mend_record(context: ArchiveContext, root: Path, name: str) -> Repair:
    """Mend an inventory or its sidecar: from the pack, or from the intact copy in or of the root."""
    folder = Path(name).parent
    where = f"{root.relative_to(context.layout.root)}/{name}"
    algorithm = context.config.digests[0]
    if str(folder) == ".":
        head = 1 if context.config.mode is Mode.WORM else head_of(root)
        return _copy_records(context, root, root / f"v{head}", root, where, algorithm)
    mended = _from_pack(context, root, int(folder.name[1:]), [f"{folder}/{NAME}", f"{folder}/{NAME}.{algorithm}"])
    if isinstance(mended, Repair):
        if versions_on_disk(root)[-1:] == [int(folder.name[1:])]:
            return _copy_records(context, root, root, root / folder, where, algorithm)
        return mended
    return Repair.done(where, "mended from parity")


def _copy_records(
    context: ArchiveContext, root: Path, source: Path, target: Path, where: str, algorithm: str
) -> Repair:
    try:
        data = (source / NAME).read_bytes()
        recorded = (source / f"{NAME}.{algorithm}").read_bytes()
    except OSError as error:
        return Repair.left(where, f"its other copy cannot be read ({error.strerror})")
    if recorded.split()[:1] != sidecar(data, algorithm).split()[:1]:
        return Repair.left(where, "its other copy is damaged too")
    scratch = context.layout.scratch / f"repair-{secrets.token_hex(8)}"
    make_folder(scratch)
    try:
        for name, content in ((NAME, data), (f"{NAME}.{algorithm}", sidecar(data, algorithm))):
            write_file(scratch / name, content, sync=True)
            _put_back(context, root, scratch / name, str((target / name).relative_to(root)))
    finally:
        remove_tree(scratch)
    return Repair.done(where, "copied from its other copy")


def _mend_file(context: ArchiveContext, root: Path, digests: Mapping[str, str], name: str) -> Repair:
    where = f"{root.relative_to(context.layout.root)}/{name}"
    if not digests or not name.startswith("v"):
        return Repair.left(where, "no record says what it should be")
    version = int(name.split("/", 1)[0][1:])
    sha256 = digests["sha256"]
    if file_digest(root / name, "sha256") == sha256:
        return Repair.done(where, "nothing to do: it is right")
    if sidecar_path(file_set_folder(context.layout, sha256), sha256).exists():
        return _from_set(context, root, name, sha256)
    found = _from_pack(context, root, version, [name])
    return found if isinstance(found, Repair) else Repair.done(where, "mended from parity", instance=str(version))


def _from_set(context: ArchiveContext, root: Path, name: str, sha256: str) -> Repair:
    where = f"{root.relative_to(context.layout.root)}/{name}"
    scratch = context.layout.scratch / f"repair-{secrets.token_hex(8)}"
    make_folder(scratch)
    try:
        folder = file_set_folder(context.layout, sha256)
        mended = repair_file(root / name, sha256, folder, scratch, scratch / "mended")
        how = _put_back(context, root, mended, name)
        return Repair.done(where, how, instance=name.split("/", 1)[0][1:])
    except MunimentError as error:
        return Repair.left(where, str(error))
    finally:
        remove_tree(scratch)


def _from_pack(context: ArchiveContext, root: Path, version: int, names: list[str]) -> Repair | None:
    """Mend small files of one version, or say why it cannot be done."""
    where = f"{root.relative_to(context.layout.root)}/{names[0]}"
    folder = pack_folder(context.layout, root, version)
    scratch = context.layout.scratch / f"repair-{secrets.token_hex(8)}"
    make_folder(scratch)
    try:
        members = pack_members(folder)
        present = {member.name: root / member.name for member in members}
        inside = [name for name in names if name in present]
        if len(inside) < len(names):
            return Repair.left(where, "its parity does not hold it")
        wanted = {name: scratch / f"mended-{number}" for number, name in enumerate(inside)}
        repair_pack(folder, present, wanted, scratch)
        for name, path in wanted.items():
            _put_back(context, root, path, name)
    except MunimentError as error:
        return Repair.left(where, str(error))
    finally:
        remove_tree(scratch)
    return None


def _put_back(context: ArchiveContext, root: Path, mended: Path, name: str) -> str:
    """Let verified bytes take the damaged file's place, and record it."""
    where = f"{root.relative_to(context.layout.root)}/{name}"
    sync_tree(mended.parent)
    if context.config.mode is Mode.WORM:
        make_folder(context.layout.quarantine)
        kept = context.layout.quarantine / f"mended-{secrets.token_hex(4)}-{Path(name).name}"
        rename(mended, kept)
        how = f"mended beside it, as worm mode asks: staging/quarantine/{kept.name}"
    else:
        kept_name = _swap(context, root, mended, root / name)
        how = (
            f"mended from parity; the damaged bytes are in staging/quarantine/{kept_name}"
            if kept_name
            else ("restored from parity")
        )
    detail = {"path": where, "note": how}
    context.log.append([Event("recovery", f"{context.agent.name} <{context.agent.address}>", detail=detail)])
    return how


def _swap(context: ArchiveContext, root: Path, fresh: Path, target: Path) -> str:
    """Move what is at `target` to quarantine and `fresh` into its place."""
    kept_name = ""
    make_folder(target.parent)
    if target.exists():
        make_folder(context.layout.quarantine)
        kept_name = f"damaged-{secrets.token_hex(4)}-{target.name}"[:200]
        rename(target, context.layout.quarantine / kept_name)
    rename(fresh, target)
    sync_folder(target.parent)
    sync_folder(root)
    return kept_name


def _renew_parity(context: ArchiveContext, root: Path, findings: list[Finding]) -> Iterator[Repair]:
    """Make missing parity, and damaged parity anew, from files that are intact."""
    scratch = context.layout.scratch / f"old-parity-{secrets.token_hex(8)}"
    make_folder(scratch)
    try:
        for finding in findings:
            if finding.code == "M402":
                path = context.layout.root / finding.where
                for file in _set_of(path):
                    if file.exists():
                        rename(file, scratch / f"{secrets.token_hex(4)}-{file.name}"[:200])
        for version in versions_on_disk(root):
            try:
                made = protect(context, root, version)
            except (MunimentError, FileNotFoundError) as error:
                yield Repair.left(f"{root.relative_to(context.layout.root)}/v{version}", f"no parity made: {error}")
                continue
            if made:
                where = f"{root.relative_to(context.layout.root)}/v{version}"
                yield Repair.done(where, f"{len(made)} parity sets made", instance=str(version))
    finally:
        remove_tree(scratch)


def _set_of(path: Path) -> list[Path]:
    """All files of the parity set one of whose files is `path`."""
    name = PACK if path.name.startswith(PACK) else path.name.split(".", 1)[0]
    return [*set_files(path.parent, name), sidecar_path(path.parent, name)]


def _drop_idle_parity(context: ArchiveContext, findings: list[Finding]) -> Iterator[Repair]:
    for finding in findings:
        if finding.code == "M403":
            remove_tree(context.layout.root / finding.where)
            yield Repair.done(finding.where, "parity that protected nothing was removed")
