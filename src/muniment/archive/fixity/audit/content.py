"""Content against its recorded digests: many files by the digesting processes, or one by itself."""

from __future__ import annotations

from collections.abc import Iterator

from muniment.archive.context import ArchiveContext
from muniment.archive.copying import Failed, Hashed, HashJob
from muniment.archive.fixity.audit.resource import ObjectCheck
from muniment.content import Finding, Hashers
from muniment.content.pieces import PIECE
from muniment.content.regular import open_regular


def check_content(
    context: ArchiveContext, group: list[ObjectCheck], *, every_digest: bool
) -> Iterator[tuple[ObjectCheck, Finding | None, int]]:
    """Digest every file of the objects of `group`: the object, what is wrong with a file of it, and its bytes.

    The pieces of large files that nobody knows yet are found in the same pass.
    """

    def jobs() -> Iterator[HashJob]:
        for check in group:
            for name, expected in check.files.items():
                if name in check.irregular:
                    continue  # said already, and a pipe would be waited for
                # Of a tag file the one digest may be all there is.
                every = every_digest or "sha256" not in expected.digests
                algorithms = tuple(expected.digests) if every else ("sha256",)
                size, sha256 = expected.size or 0, expected.digests.get("sha256", "")
                unknown = size > PIECE and context.pieces.known(sha256) is None
                yield HashJob((check, name), str(check.root / name), size, algorithms, unknown)

    for answer in context.copier.hash(jobs()):
        check, name = answer.key
        finding = _judge(check, name, answer)
        if finding is None and isinstance(answer, Hashed) and answer.pieces:
            context.pieces.keep(answer.digests["sha256"], answer.pieces)
        yield check, finding, answer.size if isinstance(answer, Hashed) else 0


def _judge(check: ObjectCheck, name: str, answer: Hashed | Failed) -> Finding | None:
    if not isinstance(answer, Failed):
        return _compare(check, name, answer.digests)
    if answer.kind == "missing":
        return None  # said already by the comparison with the disk
    return check.finding("M104", name, "", answer.reason, _instance(name))


def judge_file(check: ObjectCheck, name: str) -> Finding | None:
    """What is wrong with one file now, by all its recorded digests."""
    # As in an audit of many, what is said is said of sha256 where that differs.
    hashers = Hashers(sorted(check.files[name].digests))
    try:
        with open_regular(check.root / name) as file:
            while data := file.read(1 << 20):
                hashers.update(data)
    except FileNotFoundError:
        return None  # as in `_judge`
    except OSError as error:
        return check.finding("M104", name, "", error.strerror or str(error), _instance(name))
    return _compare(check, name, hashers.values())


def _compare(check: ObjectCheck, name: str, found: dict[str, str]) -> Finding | None:
    expected = check.files[name].digests
    for algorithm, value in found.items():
        if value != expected.get(algorithm):
            right = f"{algorithm}:{expected.get(algorithm)}"
            return check.finding("M101", name, right, f"{algorithm}:{value}", _instance(name))
    return None


def _instance(name: str) -> str:
    return name.split("/", 1)[0][1:]
