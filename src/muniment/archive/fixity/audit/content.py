"""Content against its recorded digests: many files by the digesting processes, or one by itself."""

from __future__ import annotations

from collections.abc import Iterator

from muniment.archive.context import ArchiveContext
from muniment.archive.copying import Failed, Hashed, HashJob
from muniment.archive.fixity.audit.resource import ObjectCheck
from muniment.content import Finding, Hashers
from muniment.content.pieces import PIECE, chunks_of, read_pieces
from muniment.content.regular import open_regular


def check_content(
    context: ArchiveContext, group: list[ObjectCheck], *, every_digest: bool
) -> Iterator[tuple[ObjectCheck, Finding | None, int]]:
    """Digest every file of the objects of `group`: the object, what is wrong with a file of it, and its bytes."""
    large: list[tuple[ObjectCheck, str, tuple[str, ...]]] = []

    def jobs() -> Iterator[HashJob]:
        for check in group:
            for name, expected in check.files.items():
                if name in check.irregular:
                    continue  # said already, and a pipe would be waited for
                algorithms = tuple(expected.digests) if every_digest else ("sha256",)
                if (expected.size or 0) > PIECE and context.pieces.known(expected.digests.get("sha256", "")) is None:
                    large.append((check, name, algorithms))
                    continue
                yield HashJob((check, name), str(check.root / name), expected.size or 0, algorithms)

    for answer in context.copier.hash(jobs()):
        check, name = answer.key
        yield check, _judge(check, name, answer), answer.size if isinstance(answer, Hashed) else 0
    for check, name, algorithms in large:
        yield _learn(context, check, name, algorithms)


def _learn(
    context: ArchiveContext, check: ObjectCheck, name: str, algorithms: tuple[str, ...]
) -> tuple[ObjectCheck, Finding | None, int]:
    """The same of a large file whose pieces are not known: they are remembered, if it is as recorded."""
    recorded = check.files[name]
    try:
        with open_regular(check.root / name) as file:
            found, pieces = read_pieces(chunks_of(file), ("sha256", *algorithms))
    except FileNotFoundError:
        return check, None, 0  # as in `_judge`
    except OSError as error:
        return check, check.finding("M104", name, "", error.strerror or str(error), _instance(name)), 0
    finding = _compare(check, name, {algorithm: found[algorithm] for algorithm in algorithms})
    if finding is None and found["sha256"] == recorded.digests.get("sha256"):
        context.pieces.learn(found["sha256"], lambda: pieces)
    return check, finding, recorded.size or 0


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
