"""BagIt's findings; the specification gives no codes, so these are ours.

B0xx are faults of the bag itself, B06x and B07x faults against a profile, B5xx deviations and warnings, and
B9xx say that something could not be judged. The sections named are RFC 8493's (BagIt 1.0).
"""

from __future__ import annotations

from muniment.content.findings.model import Kind, Severity

_FAULTS = (
    ("B001", "{where} is missing: without it this is no bag.", "The bag has no declaration (§2.1.1)."),
    (
        "B002",
        "{where}: expected the line {expected!r}, found {found!r}.",
        "bagit.txt is not its two lines, label, colon, one space and value (§2.1.1).",
    ),
    ("B003", "{where} begins with a byte order mark.", "bagit.txt must be UTF-8 without a mark (§2.1.1)."),
    (
        "B004",
        "{where}: {found!r} is not a version number; expected {expected}.",
        "BagIt-Version is not digits, a point and digits (§2.1.1).",
    ),
    (
        "B005",
        "{where} cannot be decoded as {expected}: {found}.",
        "A tag file is not in the character encoding that bagit.txt declares (§2.3).",
    ),
    ("B006", "{where} is missing: a bag keeps its payload there.", "The bag has no data folder (§2.1.2)."),
    ("B007", "{where} has no payload manifest.", "There must be at least one manifest-<algorithm>.txt (§2.1.3)."),
    (
        "B010",
        "{where}: {found!r} is not a digest, white space and a path.",
        "A line of a manifest cannot be read (§2.1.3).",
    ),
    (
        "B011",
        "{where}: {found!r} is not {expected}.",
        "A manifest's digest is not hexadecimal of its algorithm's length (§2.4).",
    ),
    (
        "B012",
        "{where}: the path {found!r} leads out of the bag.",
        "A manifest or fetch.txt names an absolute path, a home folder or a path with '..' (§5.1).",
    ),
    (
        "B013",
        "{where}: {found!r} is not below data/.{expected}",
        "A payload manifest lists something that is no payload (§2.1.3).",
    ),
    ("B014", "{where}: {found!r} is payload.", "A tag manifest lists a payload file (§2.2.1)."),
    ("B015", "{where}: {found!r} is a tag manifest.", "A tag manifest lists a tag manifest (§2.2.1, BagIt 1.0)."),
    (
        "B016",
        "{where} lists {expected!r} twice, with different digests.",
        "Two lines of one manifest contradict each other (§2.1.3).",
    ),
    (
        "B017",
        "{where} does not list {expected}.",
        "A tag manifest must list every payload manifest (§2.2.1, BagIt 1.0).",
    ),
    ("B020", "{where} is missing; {expected} lists it.{found}", "A file that a manifest lists is not there (§3)."),
    (
        "B021",
        "{where} is missing; fetch.txt says to get it from {expected!r}.",
        "The bag is incomplete until what fetch.txt lists has been fetched (§2.2.3, §3).",
    ),
    ("B022", "{where} is in no manifest.{found}", "A payload file is listed nowhere (§3)."),
    (
        "B023",
        "{where} is not in {expected}.",
        "From BagIt 1.0 on, every payload manifest must list every payload file (§3).",
    ),
    (
        "B024",
        "{where} is damaged: expected {expected}, found {found}.",
        "A file does not have the digest its manifest gives (§3).",
    ),
    (
        "B025",
        "{where} is a link to {found!r}, which is not a file inside the bag.",
        "A symbolic link leads out of the bag, to a folder or nowhere; it was not followed (§5.1).",
    ),
    ("B026", "{where} is {found}, not a file or folder.", "A device, pipe or socket lies in the bag (§2.1.2)."),
    ("B030", "{where}: {found!r} is not an address, a length and a path.", "A line of fetch.txt (§2.2.3)."),
    ("B031", "{where}: {found!r} is not below data/.", "fetch.txt may list payload files only (§2.2.3)."),
    (
        "B032",
        "{where}: {found!r} is not in {expected}.",
        "Whatever fetch.txt lists must be in the payload manifests (§2.2.3).",
    ),
    ("B040", "{where}: {found!r} is not a label, a colon and a value.", "A line of bag-info.txt (§2.2.2)."),
    ("B041", "{where}: {found!r} is not bytes, a point and a count.", "The form of Payload-Oxum (§2.2.2)."),
    ("B042", "{where}: Payload-Oxum is {expected}, found {found}.", "The payload has another size or count (§2.2.2)."),
    ("B043", "{where}: Payload-Oxum is given {found} times.", "It must not be repeated (§2.2.2, BagIt 1.0)."),
    (
        "B050",
        "{where}: the member {found!r} was refused: {expected}.",
        "A serialised bag holds a name or kind of member that could do harm; nothing was unpacked (§5.1).",
    ),
    ("B051", "{where} must hold one folder, found {found}.", "A serialised bag is one folder (BagIt 0.97 §4)."),
    ("B052", "{where} cannot be unpacked: {found}.", "A serialised bag is damaged (BagIt 0.97 §4)."),
    ("B060", "{where}: BagIt {found} is not accepted; expected {expected}.", "Profile: Accept-BagIt-Version."),
    (
        "B061",
        "{where}: BagIt-Profile-Identifier is {found!r}, expected {expected!r}.",
        "Profile: the bag must name the profile it follows.",
    ),
    ("B062", "{where}: {expected} is missing.", "Profile: a required element of Bag-Info."),
    ("B063", "{where}: {found!r} is not allowed; expected {expected}.", "Profile: the values of an element."),
    ("B064", "{where}: {expected} is given {found} times.", "Profile: an element that must not be repeated."),
    ("B065", "{where} is missing.", "Profile: Manifests-Required."),
    ("B066", "{where} is not allowed; expected {expected}.", "Profile: Manifests-Allowed."),
    ("B067", "{where} is missing.", "Profile: Tag-Manifests-Required."),
    ("B068", "{where} is not allowed; expected {expected}.", "Profile: Tag-Manifests-Allowed."),
    ("B069", "{where} is not allowed.", "Profile: Allow-Fetch.txt."),
    ("B070", "{where}: serialisation is {expected}, found {found}.", "Profile: Serialization, Accept-Serialization."),
    ("B071", "{where} is missing.", "Profile: Tag-Files-Required."),
    ("B072", "{where} is not allowed; expected {expected}.", "Profile: Tag-Files-Allowed."),
    ("B073", "{where} is missing.", "Profile: Payload-Files-Required."),
    ("B074", "{where} is not allowed; expected {expected}.", "Profile: Payload-Files-Allowed."),
    ("B075", "{where} is missing.", "Profile: Fetch.txt-Required."),
    ("B076", "{where} must hold nothing but one empty file; found {found}.", "Profile: Data-Empty."),
)

_DEVIATIONS = (
    ("B501", "{where} lists {found!r} twice, with the same digest.", "A manifest must list a file once (§2.1.3)."),
    (
        "B504",
        "{where}: the path {found!r} begins with './'.",
        "A path is relative to the bag's folder as it is; only checksum tools write './' before it (§2.1.3).",
    ),
    ("B505", "{where}: a '*' stands before {found!r}.", "Of a checksum command in its binary mode (§6.1.3)."),
    (
        "B510",
        "{where}: white space around the colon of {found!r}.",
        "BagIt 1.0 has one space after the colon and none before it (§2.2.2).",
    ),
    (
        "B514",
        "{where} lacks its end: it has {found}.",
        "A tar ends in two zero blocks; whether all is there the manifests tell.",
    ),
    ("B517", "{where} begins with a byte order mark.", "A tag file in UTF-8 has none (§2.3)."),
    (
        "B518",
        "{where}: the name of a manifest has small letters and digits only.",
        "The algorithm is named so that all tools find it: manifest-sha512.txt (§2.4, BagIt 1.0).",
    ),
    (
        "B519",
        "{where}: the percent sign in {found!r} should be written {expected}.",
        "It must be escaped (§2.1.3, BagIt 1.0); the name was taken as it stands, for a file of that name is there.",
    ),
    (
        "B522",
        "{where}: a '\\' stands before the digest, so the name was read as {found!r}.",
        "Checksum commands mark so a name with a backslash or a line end in it (§6.1.3).",
    ),
)

_WARNINGS = (
    (
        "B520",
        "{where} lists {found!r} twice, with the same digest.",
        "A repeated line in a manifest before BagIt 1.0 (§2.1.3).",
    ),
    (
        "B502",
        "{where}: {found!r} and {expected!r} differ only in capital letters.",
        ("Many systems take two such names for one file, and keep only one of them (§6.1.1.1)."),
    ),
    (
        "B503",
        "{where}: {found!r} and {expected!r} differ only in Unicode normalisation.",
        (
            "A system or a tool changed how the name is spelt. The file that is there counts as the listed one "
            "when it has its digest (§6.1.1.3)."
        ),
    ),
    (
        "B506",
        "{where} is {found}.",
        (
            "A file that an operating system makes and removes as it likes (.DS_Store, Thumbs.db, ...) is listed. "
            "Once it is gone the bag is no longer complete (§3)."
        ),
    ),
    ("B507", "{where} has no digest stronger than {found}.", "MD5 and SHA-1 are for old bags only (§2.4, BagIt 1.0)."),
    ("B508", "{where} is an empty folder.", "A manifest cannot list it, so it may be lost on the way (§2.1.3)."),
    ("B509", "{where} is a symbolic link to {found!r}.", "It points inside the bag; other systems may lose it (§5.1)."),
    ("B511", "{where}: {expected} is given {found} times.", "An element that should not be repeated (§2.2.2)."),
    (
        "B512",
        "{where} holds the folder {found!r}, expected {expected!r}.",
        "It should be named as the file (BagIt 0.97 §4).",
    ),
    (
        "B513",
        "{where}: this name {found}.",
        "A name that some systems cannot hold: reserved, or ending in a point or a space (§6.1.2).",
    ),
    (
        "B515",
        "{where} was set aside: {found}.",
        "What macOS adds when it packs a folder, and no manifest lists (§2.1.3).",
    ),
    (
        "B523",
        "{where}: External-Identifier is given {found} times; the first one counts: {expected!r}.",
        "It may be repeated, and the order counts (§2.2.2): an import names the resource by the first, or by `--id`.",
    ),
    ("B521", "{where}: {found}.", "The RO-Crate in the bag is not as RO-Crate 1.2 asks; the bag may be valid."),
    (
        "B516",
        "{where}: the zip does not say in which encoding this name is; it was read as {found}.",
        "The manifest tells which reading is right; without one it is UTF-8 where that is possible (APPNOTE D.1).",
    ),
)

_UNJUDGED = (
    ("B901", "{where} could not be read: {found}.", "The storage did not give it; it may be right or wrong."),
    ("B902", "{where}: the encoding {found!r} is not known here.", "So the tag files could not be read."),
    ("B903", "{where}: the algorithm {found!r} is not known here.", "So its digests could not be compared."),
    ("B904", "{where} cannot be used as a profile: {found}.", "So the bag could not be held against it."),
    ("B905", "{where}: BagIt {found} is not known here; expected {expected}.", "It was judged as BagIt 1.0."),
    ("B906", "{where} is too large to judge: {found}, at most {expected}.", "A limit against hostile input."),
)

BAGIT: tuple[Kind, ...] = tuple(
    Kind(code, severity, template, arises)
    for severity, rows in (
        (Severity.ERROR, _FAULTS),
        (Severity.DEVIATION, _DEVIATIONS),
        (Severity.WARNING, _WARNINGS),
        (Severity.UNKNOWN, _UNJUDGED),
    )
    for code, template, arises in rows
)
