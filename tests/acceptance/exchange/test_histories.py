"""Random histories go out in every layout and come in equal at every instance."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muniment.archive import Archive
from muniment.content import LogicalPath
from muniment.errors.base import MunimentError
from muniment.workflows.export import export
from muniment.workflows.imports import import_package
from muniment.workflows.migrate import migrate
from tests.acceptance.exchange.making import judged_by_bagit, judged_by_ocfl, new_archive, views

ODD = [
    "instance.json",
    "INSTANCE.JSON",
    "=m=instance.json",
    "=m==3D",
    "%25",
    "%0A",
    " a",
    "a ",
    "\\",
    "ä",
    "a\u0308",
    "x" * 255,
    "\n",
    "\u2028",
    "data",
    "resource.json",
    "A",
    "a",
    "b",
    "*",
    "~",
    ".",
    "-",
]
SEGMENT = st.one_of(
    st.sampled_from(ODD),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=8),
)
PATH = st.lists(SEGMENT, min_size=1, max_size=3).map("/".join)
CONTENT = st.sampled_from([b"", b"a", b"b", b"same", bytes(range(256)) * 9])
STEP = st.tuples(st.sampled_from(["add", "delete"]), PATH, CONTENT)
INSTANCE = st.fixed_dictionaries(
    {
        "steps": st.lists(STEP, max_size=6),
        "message": st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
        "metadata": st.dictionaries(
            st.text(max_size=3).filter(str.isprintable), st.integers() | st.booleans(), max_size=2
        ),
    }
)
ID = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


def lived(archive: Archive, id: str, history: list[dict[str, Any]]) -> None:
    for number, instance in enumerate(history):
        transaction = archive.get(id, "a") if number else archive.new(id)
        with transaction:
            for step, path, content in instance["steps"]:
                try:
                    LogicalPath.parse(path)
                    if step == "add":
                        transaction.add(content, path)
                    else:
                        transaction.delete(path)
                except MunimentError:
                    continue  # a path twice, or one that is no path: not what is tried here
            transaction.metadata.update(instance["metadata"])
            transaction.provenance.append({"step": number})
            if instance["message"]:
                transaction.commit(message=instance["message"])


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ID, st.lists(INSTANCE, min_size=1, max_size=4))
def test_every_history_survives_every_way(id: str, history: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder, new_archive(Path(folder, "archive")) as archive:
        lived(archive, id, history)
        before = views(archive, id)
        for layout in ("instances", "ocfl"):
            for name in (f"{layout}.tar", layout):
                export(archive, id, layout, Path(folder, name))
            judge = judged_by_ocfl if layout == "ocfl" else judged_by_bagit
            assert judge(Path(folder, layout)) == ""
            with new_archive(Path(folder, f"from-{layout}")) as other:
                import_package(other, Path(folder, f"{layout}.tar"))
                assert views(other, id) == before
        export(archive, id, "bag", Path(folder, "bag"))
        assert judged_by_bagit(Path(folder, "bag")) == ""
        with new_archive(Path(folder, "migrated"), digests=("sha256",)) as other:
            migrate(archive, other)
            assert [item["bytes"] for item in views(other, id)] == [item["bytes"] for item in before]
