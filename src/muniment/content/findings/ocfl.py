"""OCFL's findings, under the specification's own codes (OCFL 1.0 and 1.1 validation codes).

E is a MUST of the specification, W a SHOULD. O9xx are ours: what could not be judged. Codes that say
the same as another, that a validator is told to ignore, or that no look at one package can decide are
not raised: E022, E026 to E028, E044, E055, E062, E074, E082 to E085, E087, E088, E110, W012 and W014.
"""

from __future__ import annotations

from muniment.content.findings.model import Kind, Severity

_ERRORS = (
    ("E001", "{where} does not belong in an object's root.", "A file or folder that no rule provides for."),
    ("E002", "{where} is {found}, not a file.", "An object's declaration must follow Namaste."),
    ("E003", "{where} has {found} declarations, expected one.", "An object needs one 0=ocfl_object_ file."),
    ("E004", "{where} is not named as a declaration: no '='.", "The name is T=dvalue."),
    ("E005", "{where} is not named as a declaration: it must begin with '0'.", "T in T=dvalue is 0."),
    ("E006", "{where}: expected {expected}.", "The declaration names something else than an OCFL object version."),
    ("E007", "{where} holds {found!r}, expected {expected!r}.", "The declaration repeats its name and a newline."),
    ("E008", "{where} has no version.", "An object has at least one version."),
    ("E009", "{where}: the first version is {found}, expected 1.", "Versions are counted from 1."),
    ("E010", "{where}: version {expected} is missing.", "Versions are counted without gaps."),
    ("E011", "{where}: a padded version number begins with 0.", "Zero-padded names are v, 0 and digits."),
    ("E012", "{where}: expected {expected} characters as in the others.", "Padded version names of one length."),
    ("E013", "{where} does not follow {expected}.", "A version keeps the naming of those before it."),
    ("E014", "{where}: {found!r} names no version folder.", "Content paths use the real names of the versions."),
    ("E015", "{where} does not belong in a version folder.", "Only the inventory and its sidecar are files there."),
    ("E016", "{where}: {found!r} is not below {expected!r}.", "What a version preserves is in its content folder."),
    ("E017", "{where}: contentDirectory {found!r} holds a '/'.", "It names one folder."),
    ("E018", "{where}: contentDirectory is {found!r}.", "It must not be '.' or '..'."),
    ("E019", "{where}: contentDirectory is {found!r}, expected {expected!r}.", "The first version sets it for all."),
    ("E020", "{where}: contentDirectory is {found!r}, expected {expected!r}.", "It must not change later on."),
    ("E021", "{where}: {found!r} is not below 'content'.", "Without contentDirectory the folder is named content."),
    ("E023", "{where} is not in the manifest of {expected}.", "Every content file is listed."),
    ("E024", "{where} is an empty folder.", "There are no empty folders below a content folder."),
    ("E025", "{where}: digestAlgorithm is {found!r}, expected sha512 or sha256.", "Nothing else addresses content."),
    ("E029", "{where}: {found!r} is not a SHA-1 in hexadecimal.", "The form of a fixity digest."),
    ("E030", "{where}: {found!r} is not a SHA-256 in hexadecimal.", "The form of a digest."),
    ("E031", "{where}: {found!r} is not a SHA-512 in hexadecimal.", "The form of a digest."),
    ("E032", "{where}: {found!r} is not a BLAKE2b-512 in hexadecimal.", "The form of a fixity digest."),
    ("E033", "{where} is not an inventory: {found}.", "The inventory is one JSON object without repeated keys."),
    ("E034", "{where}: expected the name inventory.json.", "An inventory under another spelling."),
    ("E035", "{where}: {found!r} is not separated by '/'.", "Content paths use '/'."),
    ("E036", "{where} has no {expected}.", "id, type, digestAlgorithm and head must be there."),
    ("E037", "{where}: id is {found!r}, expected {expected!r}.", "The id is a text and the same in every version."),
    ("E038", "{where}: type is {found!r}, expected {expected!r}.", "It names the specification the object follows."),
    ("E039", "{where}: {found!r} is not a {expected} digest.", "Manifest and state use digestAlgorithm."),
    ("E040", "{where}: head is {found}, expected {expected}.", "It names the newest version."),
    ("E041", "{where} has no manifest.", "An inventory has a manifest."),
    ("E042", "{where}: {found!r} is not relative to the object.", "Content paths begin with a version folder."),
    ("E043", "{where} has no versions.", "An inventory has a block of versions."),
    ("E045", "{where}: versions is {found}.", "It must be a JSON object."),
    ("E046", "{where}: expected {expected}, found {found}.", "The versions block and the version folders agree."),
    ("E047", "{where} is {found}.", "A version must be a JSON object."),
    ("E048", "{where} has no {expected}.", "A version has created and state."),
    ("E049", "{where}: created is {found}.", "It is an RFC 3339 time with seconds and zone."),
    ("E050", "{where}: {found} is not in the manifest.", "Each key of a state is, as spelt, a key of the manifest."),
    ("E051", "{where}: {found} is not a list of paths.", "Logical paths are texts."),
    ("E052", "{where}: the path {found!r} has an element '.', '..' or none.", "Elements of logical paths."),
    ("E053", "{where}: the path {found!r} begins or ends with '/'.", "Logical paths are relative."),
    ("E054", "{where}: user is {found}.", "A user is a JSON object with a name."),
    ("E056", "{where}: {found!r} is no digest algorithm.", "The keys of fixity name algorithms."),
    ("E057", "{where}: {found} is not digests with lists of paths.", "A fixity block looks like the manifest."),
    ("E058", "{where} is missing.", "Each inventory has its sidecar."),
    ("E059", "{where}: expected {expected}.", "The sidecar is of another algorithm than the inventory says."),
    ("E060", "{where} is damaged: expected {expected}, found {found}.", "The inventory differs from its sidecar."),
    ("E061", "{where} holds {found!r}, expected a digest and inventory.json.", "The form of a sidecar."),
    ("E063", "{where} is missing.{found}", "An object has an inventory in its root."),
    ("E064", "{where} differs from {expected}.", "The root inventory is that of the newest version."),
    ("E066", "{where}: the state of {expected} differs from the root inventory's.", "History must not change."),
    ("E067", "{where} does not belong in extensions.", "An object's extensions hold folders only."),
    ("E069", "{where} has no declaration.", "A storage root needs one 0=ocfl_ file."),
    ("E070", "{where} has no {expected}.", "ocfl_layout.json has an extension and a description."),
    ("E071", "{where}: {found!r} names no layout.", "The extension of ocfl_layout.json."),
    ("E072", "{where} belongs to no object.", "Between root and objects there are folders only."),
    ("E073", "{where} is an empty folder.", "There are no empty folders in a storage root."),
    ("E075", "{where} is {found}, not a file.", "A root's declaration must follow Namaste."),
    ("E076", "{where} has {found} declarations, expected one.", "A storage root declares one version."),
    ("E077", "{where} is not named as a declaration: no '='.", "The name is T=dvalue."),
    ("E078", "{where} is not named as a declaration: it must begin with '0'.", "T in T=dvalue is 0."),
    ("E079", "{where}: expected {expected}.", "The declaration names something else than an OCFL version."),
    ("E080", "{where} holds {found!r}, expected {expected!r}.", "The declaration repeats its name and a newline."),
    ("E081", "{where} follows OCFL {found}, its root {expected}.", "An object is not newer than its root."),
    ("E089", "{where} is {found}.", "Devices, pipes and sockets are not preserved as they are."),
    ("E090", "{where} is {found}.", "No links: they do not travel."),
    ("E092", "{where} is damaged or missing: expected {expected}, found {found}.", "Content against the manifest."),
    ("E093", "{where} is damaged or missing: expected {expected}, found {found}.", "Content against the fixity block."),
    ("E094", "{where}: message is {found}.", "It must be a text."),
    ("E095", "{where}: {found!r} collides with {expected!r}.", "A logical path occurs once, and is no folder too."),
    ("E096", "{where}: {found} occurs twice.", "A digest is once in the manifest, whatever its case."),
    ("E097", "{where}: {found} occurs twice.", "A digest is once in a fixity block, whatever its case."),
    ("E098", "{where}: {found} is not a path.", "Content paths are texts."),
    ("E099", "{where}: the path {found!r} has an element '.', '..' or none.", "Elements of content paths."),
    ("E100", "{where}: the path {found!r} begins or ends with '/'.", "Content paths are relative."),
    ("E101", "{where}: {found!r} collides with {expected!r}.", "A content path occurs once, and is no folder too."),
    ("E102", "{where}: the key {found!r} is not specified.", "No other keys."),
    ("E103", "{where} follows OCFL {found}, an earlier version {expected}.", "Versions do not step back."),
    ("E104", "{where}: {found!r} does not begin with 'v'.", "A version's name is v and its number."),
    ("E105", "{where}: {found!r} holds no number from 1 on.", "A version's name is v and its number."),
    ("E106", "{where}: manifest is {found}.", "It must be a JSON object."),
    ("E107", "{where}: {found} is in no state.", "The manifest lists what some version uses."),
    ("E108", "{where}: contentDirectory {found} names no folder.", "It is a direct child of the version folder."),
    ("E111", "{where}: fixity is {found}.", "It must be a JSON object."),
    ("E112", "{where} does not belong in extensions.", "A storage root's extensions hold folders only."),
)

_DEVIATIONS = (
    (
        "O505",
        "{where} is that of {found}; the newest version is {expected}, whose own inventory was read.",
        "As worm mode has it, where nothing published is replaced; other programs see the first version.",
    ),
)

_WARNINGS = (
    ("W001", "{where}: the version number is zero-padded.", "Plain v1, v2, v3 is better."),
    ("W002", "{where} is not the content folder.", "Another folder in a version folder."),
    ("W003", "{where} is an empty folder.", "A version without content needs no content folder."),
    ("W004", "{where}: digestAlgorithm is {found}.", "sha512 is better."),
    ("W005", "{where}: id {found!r} is not a URI.", "A URI is better."),
    ("W007", "{where} has no {expected}.", "A version should have a message and a user."),
    ("W008", "{where}: the user has no address.", "A user should have one."),
    ("W009", "{where}: the address {found!r} is not a URI.", "A URI is better."),
    ("W010", "{where} is missing.{found}", "A version folder should have its own inventory."),
    ("W011", "{where}: {expected} differs from the root inventory's.", "created, message and user should stay."),
    ("W013", "{where} is not a registered extension.", "Folders in an object's extensions."),
    ("W015", "{where} lies beside a hierarchy of objects.", "A root should keep to one arrangement."),
    ("O501", "{where}: the layout puts {found!r} at {expected!r}.", "An object at another place than its id has."),
    (
        "O502",
        "{where} holds staged changes, which are no version yet.",
        "Extension 0005: commit them with the program that staged them; they are kept beside the versions on import.",
    ),
    ("O503", "{where}: the layout has no place for its id: {found}.", "An object that the root's layout cannot place."),
    (
        "O504",
        "{where}: {found!r} and {expected!r} differ only in Unicode normalisation.",
        "A system or a tool changed how a content path is spelt; the file counts as it when it has its digest.",
    ),
    ("W016", "{where} is not a registered extension.", "Folders in a storage root's extensions."),
)

_UNJUDGED = (
    ("O901", "{where} could not be read: {found}.", "The storage did not give it; it may be right or wrong."),
    ("O903", "{where}: the layout {found!r} is not known here.", "So the places of objects could not be judged."),
    (
        "O904",
        "{where} cannot be used: {found}.",
        "The layout's parameters, so the places of objects could not be judged.",
    ),
    ("O902", "{where} is too large to judge: {found}, at most {expected}.", "A limit against hostile input."),
)

_NOTES = (
    ("O801", "{where}: {found!r} digests were not compared.", "A fixity algorithm unknown here (E028)."),
    (
        "O802",
        "{where} lies in the storage root and is of no object.",
        "A copy of the specification, an extension's own files: allowed there (E087), and left out by an import.",
    ),
)

OCFL: tuple[Kind, ...] = tuple(
    Kind(code, severity, template, arises)
    for severity, rows in (
        (Severity.ERROR, _ERRORS),
        (Severity.DEVIATION, _DEVIATIONS),
        (Severity.WARNING, _WARNINGS),
        (Severity.UNKNOWN, _UNJUDGED),
        (Severity.NOTE, _NOTES),
    )
    for code, template, arises in rows
)
