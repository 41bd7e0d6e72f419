"""Any names, ids and sizes give archives that other readers list alike, from every range of bytes."""

from __future__ import annotations

import io
import subprocess
import tarfile
import zipfile
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muniment.archive import Agent, Archive
from muniment.content import LogicalPath
from muniment.database import Database
from muniment.doors.nexus.changes import Actor
from muniment.doors.nexus.delivery import TAR, ZIP
from muniment.doors.nexus.files import Upload
from muniment.doors.nexus.nexus import Nexus, Options
from muniment.errors.content import UnsafePath

BY = Actor("anonymous", Agent("a", "mailto:a@example.org"))
SIZES = [0, 1, 511, 512, 513, 5_000]


@pytest.fixture(scope="module")
def nexus(tmp_path_factory: pytest.TempPathFactory) -> Any:
    home = tmp_path_factory.mktemp("any")
    with Archive.init(home / "archive", parity=False) as archive, Database.open(home / "control.db") as database:
        made = Nexus(archive, Options(base="http://example.org/v1"), database=database)
        made.projects.create_organization("o", None, BY)
        project = made.projects.create("o/p", {"base": "http://x/"}, BY)
        for size in SIZES:
            upload = Upload(f"same name {size % 2}.bin", "a/b", iter([bytes(size)]))
            made.files.create(project, f"http://x/file-{size}", upload, BY)
        for iri in ("http://x/a", "http://x/a?b=c#d", "urn:x:é~*", "http://x/" + "l" * 200):
            made.resources.create(project, iri, b"{}", {"@context": {"@vocab": "http://v/"}, "v": iri}, BY)
        with archive.new("package", "o/p") as transaction:
            transaction.add(b"in", "folder/ä ö.txt")
        yield made
        made.close()


def safe(path: str) -> bool:
    try:
        LogicalPath.parse(path)
    except UnsafePath:
        return False
    return "\\" not in path


segments = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="/\\"), min_size=1, max_size=40
)
paths = st.lists(segments, min_size=1, max_size=4).map("/".join).filter(safe)
files = st.sampled_from(SIZES).map(lambda size: {"@type": "File", "resourceId": f"file-{size}"})
documents = st.tuples(
    st.sampled_from(["a", "http://x/a?b=c#d", "urn:x:é~*", "http://x/" + "l" * 200]),
    st.sampled_from(["source", "compacted", "expanded", "n-triples", "dot"]),
).map(lambda found: {"@type": "Resource", "resourceId": found[0], "format": found[1]})
entries = st.lists(
    st.one_of(files, documents, st.just({"@type": "File", "resourceId": "package"})), min_size=1, max_size=8
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=entries, given_paths=st.lists(paths, max_size=3), cut=st.integers(0, 10_000), later=st.integers(0, 10_000))
def test_readers_agree_at_every_range(
    nexus: Nexus, tmp_path_factory: pytest.TempPathFactory, asked: list[dict[str, Any]], given_paths: list[str],
    cut: int, later: int,
) -> None:  # fmt: skip
    asked = [dict(entry) for entry in asked]
    taken: set[str] = set()
    for entry, path in zip(asked, given_paths, strict=False):
        parents = set(LogicalPath(path).parents())
        if path in taken or parents & taken or any(other.startswith(f"{path}/") for other in taken):
            continue
        taken.add(path)
        entry["path"] = path
    definition = nexus.select(nexus.projects.project("o/p"), None, {"resources": asked}, "anonymous")
    tar = nexus.delivering.plan(definition, lambda _: True, TAR)
    packed = b"".join(tar.read())
    assert len(packed) == tar.length
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        held = {each.name: archive.extractfile(each).read() for each in archive}  # type: ignore[union-attr] # all are files
    names = sorted(held)
    assert [member.name for member in tar.members] == names
    assert not any(name.startswith("/") or ".." in name.split("/") for name in names)
    plan = nexus.delivering.plan(definition, lambda _: True, ZIP)
    zipped = b"".join(plan.read())
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive_2:
        assert {name: archive_2.read(name) for name in archive_2.namelist()} == held
    for whole, made in ((packed, tar), (zipped, plan)):
        low, high = sorted((cut % (len(whole) + 1), later % (len(whole) + 1)))
        assert b"".join(made.read(low, high, prove=True)) == whole[low:high]
    for command in (["tar", "-tf", "-", "--quoting-style=literal"], ["bsdtar", "-tf", "-"]):
        listed = subprocess.run(
            command, input=packed, capture_output=True, check=True, env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}
        )
        assert len(listed.stdout.splitlines()) == len(names)
