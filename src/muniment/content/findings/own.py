"""Muniment's own findings: what an audit of an archive can say."""

from __future__ import annotations

from muniment.content.findings.model import Kind, Severity

OWN: tuple[Kind, ...] = (
    Kind(
        "M101",
        Severity.ERROR,
        "{where} is damaged: expected {expected}, found {found}.",
        "A file's bytes no longer have the digest that was recorded when it came in.",
    ),
    Kind(
        "M102",
        Severity.ERROR,
        "{where} is missing; expected {expected}.",
        "A recorded file is not there.",
    ),
    Kind(
        "M103",
        Severity.ERROR,
        "{where} has {found} bytes, expected {expected}.",
        "A file's size differs from the recorded one (all that a fast audit looks at).",
    ),
    Kind(
        "M104",
        Severity.UNKNOWN,
        "{where} could not be read: {found}.",
        "The storage did not give the bytes; they may be right or wrong.",
    ),
    Kind(
        "M105",
        Severity.ERROR,
        "{where} is there but nothing records it.",
        "A file or folder inside the archive's own folders belongs to no resource.",
    ),
    Kind(
        "M106",
        Severity.ERROR,
        "{where} is {found}, not a file.",
        "A link, a pipe, a device or a folder stands where a recorded file should be.",
    ),
    Kind(
        "M107",
        Severity.NOTE,
        "{where} has a repaired copy, which is read in its place: {found}.",
        "In worm mode a damaged file stays as it is; what `muniment repair` made of it stands beside, and is right.",
    ),
    Kind(
        "M108",
        Severity.ERROR,
        "{where} is locked otherwise than the archive says: expected {expected}, found {found}.",
        "Of an archive in a bucket in worm mode: a lock is missing, is weaker, ends too early or has ended. `muniment "
        "repair` locks the key anew.",
    ),
    Kind(
        "M109",
        Severity.ERROR,
        "{where} was changed past the archive: found {found}.",
        "Of an archive in a bucket in worm mode, where every key has one version: somebody deleted it, which hides it, "
        "or put another on top. The first one is still there. `muniment repair` lifts the mark of a deletion.",
    ),
    Kind(
        "M201",
        Severity.ERROR,
        "{where}: the inventory and the bag disagree: expected {expected}, found {found}.",
        "The records of one instance contradict each other although each is intact in itself.",
    ),
    Kind(
        "M202",
        Severity.ERROR,
        "{where} cannot be read as what it should be: {found}.",
        "A record (inventory, bag tag file, archive settings) is not in its format.",
    ),
    Kind(
        "M203",
        Severity.ERROR,
        "{where}: the root inventory is not that of the newest instance {expected}; it is {found}.",
        "The derived copy in the object's root is behind or damaged; `muniment recover` rewrites it.",
    ),
    Kind(
        "M301",
        Severity.ERROR,
        "{where}: the log's chain is broken: expected {expected}, found {found}.",
        "An event does not follow from the one before it: the log was changed after it was written.",
    ),
    Kind(
        "M302",
        Severity.WARNING,
        "{where}: the last line of the log is incomplete.",
        "A crash while an event was written; the next writer sets it aside.",
    ),
    Kind(
        "M303",
        Severity.ERROR,
        "{where}: the log says its inventory was {expected}, it is {found}.",
        "An instance was changed after its ingestion was recorded, records included.",
    ),
    Kind(
        "M304",
        Severity.ERROR,
        "{where}: the log records {expected}, but it is not on disk.",
        "A resource or instance that was ingested and never purged is gone.",
    ),
    Kind(
        "M305",
        Severity.NOTE,
        "{where}: no event records its ingestion.",
        "The log was lost or begun anew; the files themselves are complete.",
    ),
    Kind(
        "M306",
        Severity.ERROR,
        "{where}: the log and its mirror are not the same: {found}.",
        "One of the two copies of the log was damaged or lost; `muniment repair` puts right what can be told apart.",
    ),
    Kind(
        "M307",
        Severity.ERROR,
        "{where}: the log is not the one this instance was committed to: expected {expected}, found {found}.",
        "Events that were in the log when the instance was made are gone or were changed.",
    ),
    Kind(
        "M308",
        Severity.ERROR,
        "{where}: the log is not the one whose head was noted: expected the hash {expected}, found {found}.",
        "Given with `audit --since`: something up to that event was changed or cut off since it was noted.",
    ),
    Kind(
        "M401",
        Severity.WARNING,
        "{where} has no parity; expected {expected}.",
        "Parity was left out or lost; `muniment repair` makes it.",
    ),
    Kind(
        "M402",
        Severity.ERROR,
        "{where}: the parity is damaged: expected {expected}, found {found}.",
        "A parity file no longer has its recorded digest; `muniment repair` makes it anew.",
    ),
    Kind(
        "M403",
        Severity.NOTE,
        "{where} protects nothing that is still here.",
        "Parity of a file that was purged; `muniment repair` removes it in dynamic mode.",
    ),
    Kind(
        "M501",
        Severity.NOTE,
        "{where}: a transaction begun {found} was never closed.",
        "Left by a process that ended; `muniment recover` replays it or rolls it back.",
    ),
    Kind(
        "M502",
        Severity.NOTE,
        "{where} was set aside in quarantine: {found}.",
        "Recovery found something that no record explains and kept it for a human to look at.",
    ),
    Kind(
        "M601",
        Severity.WARNING,
        "{where}: this name {found}.",
        "A name that other systems cannot hold or would confuse with another.",
    ),
    Kind(
        "M701",
        Severity.ERROR,
        "{where}: the index lists {found}, on disk is {expected}.",
        "The index, from which lists are made, is not what the objects say; `muniment reindex` builds it anew.",
    ),
)
