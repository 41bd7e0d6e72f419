"""What somebody can do about a finding, in a sentence or two for each code."""

from __future__ import annotations

from collections.abc import Mapping

_DAMAGED = "Get the file, or the whole package, again from whoever has it; do not write a new digest for what is there."
_SENDER = "Ask whoever made the package to correct it and to send it again."
_INVENTORY = (
    "Correct the inventory with the program that wrote the object, which writes the sidecar anew; `muniment import` "
    "takes an object only when its inventory is right."
)
_DECLARATION = "Write the declaration as the rule asks: its name, and the same with a newline as its content."
_VERSION_NAMES = "Rename nothing by hand, for the inventory names the folders: correct both with the object's program."
_TAGS = "Correct the line, and write the tag manifests anew (`muniment validate --fix-copy` does both in a copy)."
_FIX = "`muniment validate --fix-copy NEW` writes a copy of the bag without it; `import` takes the bag as it is."
_PROFILE = "Change the bag to what the profile asks, or name the profile that was meant."
_READ = "Look at the storage and its permissions, then validate again; nothing is known about this file until then."
_SHOULD = "Nothing has to be done; the next version can do better."
_ROOT = "Move it out of the storage root, or into an object, and validate again."
_LIMIT = "Split the package, or take out what makes it so large; the limit protects against hostile input."
_CRATE = "Correct the crate's document and write the manifest of its bag anew."

_GROUPS: tuple[tuple[str, str], ...] = (
    ("B024 E060 E092 E093", _DAMAGED),
    ("B004 B005 B006 B007 B010 B011 B013 B014 B015 B016 B017 B023 B030 B031 B032", _SENDER),
    ("B040 B041 B043", _TAGS),
    ("B501 B504 B505 B510 B517 B518 B519 B522", _FIX),
    ("B060 B061 B062 B063 B064 B065 B066 B067 B068 B069 B070 B071 B072 B073 B074 B075 B076", _PROFILE),
    ("B901 O901 R901 M104", _READ),
    ("B906 O902", _LIMIT),
    ("E002 E003 E004 E005 E006 E007 E069 E075 E076 E077 E078 E079 E080", _DECLARATION),
    ("E008 E009 E010 E011 E012 E013 E014 E104 E105", _VERSION_NAMES),
    ("E016 E017 E018 E019 E020 E021 E025 E029 E030 E031 E032 E033 E034 E035 E036 E037 E038 E039 E040", _INVENTORY),
    ("E041 E042 E043 E045 E046 E047 E048 E049 E050 E051 E052 E053 E054 E056 E057 E094 E095 E096 E097", _INVENTORY),
    ("E098 E099 E100 E101 E102 E103 E106 E107 E108 E111", _INVENTORY),
    ("E072 E112 E001 E015 E067", _ROOT),
    ("W001 W002 W003 W004 W005 W007 W008 W009 W010 W011 W015", _SHOULD),
    ("B521 R002 R004", _CRATE),
)

_SINGLE: Mapping[str, str] = {
    "B001": "If this is a bag, ask for its bagit.txt; if it is a plain folder, `muniment add` takes it.",
    "B002": "Write the two lines as §2.1.1 shows them, and the tag manifests anew.",
    "B003": "Remove the first three bytes of bagit.txt, and write the tag manifests anew.",
    "B012": "Do not unpack or complete the bag by other means: whoever made it made a mistake, or means harm.",
    "B020": "Ask for the file. Where only its spelling differs, the message names the file that is meant.",
    "B021": "`muniment import --complete` fetches it, or another BagIt program completes the bag.",
    "B022": "Ask the sender whether it belongs to the bag: then it must be listed, otherwise removed.",
    "B025": "Put the file that is meant in the place of the link, and list it.",
    "B026": "Remove it; a bag holds files.",
    "B042": "A file was added or lost since the bag was made: look at the findings about single files.",
    "B050": "Do not unpack it by other means: whoever packed it made a mistake, or means harm.",
    "B051": "Pack the one folder of the bag, from the folder above it.",
    "B052": "Get the file again; a copy that was cut off cannot be completed.",
    "B502": "Nothing here. Rename one of them before the bag goes to Windows or macOS.",
    "B503": "Nothing: the file was found and has its digest.",
    "B506": "Take it out of the bag and of its manifests before it is sent on; systems remove such files as they like.",
    "B507": "Nothing for an old bag. In a new one write manifest-sha512.txt beside it.",
    "B508": "Put an empty file such as `.keep` into it where the folder matters.",
    "B509": "Put a copy of the file in the place of the link before the bag goes elsewhere.",
    "B511": "Keep the value that is right.",
    "B512": "Nothing; the name inside counts.",
    "B513": "Nothing here. Rename it before the bag goes to such a system.",
    "B514": "Nothing, when the manifests are right; the program that wrote the tar did not end it.",
    "B515": "Nothing; if it was meant, list it in a manifest.",
    "B516": "Look whether the name is right; pack again with names in UTF-8 where it is not.",
    "B523": "Nothing, if the first is the one; else import it with `--id`.",
    "B520": "Nothing; before BagIt 1.0 it was not forbidden.",
    "B902": "Ask the sender for tag files in UTF-8.",
    "B903": "Ask for a manifest in sha512 or sha256.",
    "B904": "Name the JSON file of a BagIt profile, or one that is shipped (`--profile btr`), and a bag.",
    "B905": "Ask which version is meant; it was judged as BagIt 1.0.",
    "E023": "Ask the object's program why the file is in no inventory; it is preserved by nobody.",
    "E024": "Remove the folder; where it matters, it needs an empty file in it.",
    "E058": "Make sure that the inventory is right; then write its digest, a space and inventory.json there.",
    "E059": "Write the sidecar under the name of the inventory's digestAlgorithm.",
    "E061": "Write the sidecar as the inventory's digest, a space and inventory.json.",
    "E063": "Copy the inventory and the sidecar of the newest version folder to the object's root, if they are right.",
    "E064": "Find out which of the two is right. Most often the root was not updated: copy the newest version's there.",
    "E066": "Somebody changed the past: compare the inventories, and restore the object from a copy.",
    "E070": "Give ocfl_layout.json its two keys, `extension` and `description`.",
    "E071": "Name the registered extension that arranges the root.",
    "E073": "Remove the folder.",
    "E081": "Declare the root as of the newest version of OCFL that its objects follow.",
    "E089": "Pack what has to be kept in an image or a tar, and store that as a file.",
    "E090": "Put the file that is meant in the place of the link.",
    "W013": "Nothing; a document in the storage root may describe an extension of one's own.",
    "W016": "Nothing; a document in the storage root may describe an extension of one's own.",
    "O501": "Move the object there, or correct the layout; import takes it as it is.",
    "O502": "Commit the staged changes with the program that made them, or take them in with `import --staged`.",
    "O503": "Correct the layout's parameters, or give the object an id that the layout can place.",
    "O504": "Nothing: the file was found and has its digest. A copy made by import has the spelling of the inventory.",
    "O505": "Nothing in the archive. For other programs write the object out: `muniment export --layout ocfl`.",
    "O802": "Nothing, or keep it elsewhere: an import takes the objects, and leaves this out.",
    "O801": "Nothing; the content was compared by digestAlgorithm.",
    "O903": "Nothing has to be wrong. Name a registered layout where one fits; import takes the objects as they are.",
    "O904": "Correct the layout's config.json as its extension describes it; import takes the objects as they are.",
    "R001": "Write the document as JSON-LD with `@graph`, and in it the entity ro-crate-metadata.json with `about`.",
    "R003": "Put the file where the crate says it is, or take its entity out of the document.",
    "R005": "Put the file that is meant in the place of the link; a crate holds files and folders.",
    "M101": "`muniment repair`: it restores the file from parity, or from a copy in a store.",
    "M102": "`muniment repair`: it restores the file from parity, or from a copy in a store.",
    "M103": "`muniment repair`: it restores the file from parity, or from a copy in a store.",
    "M105": "Find out who put it there, and move it out of the archive's folders.",
    "M106": "Remove it and run `muniment repair`, which restores the file.",
    "M107": "Nothing: the repaired copy is read. Replace the medium when it can be replaced.",
    "M108": "`muniment repair` locks it anew.",
    "M109": "Find out who writes there. `muniment repair` lifts the mark; of two versions remove the wrong one.",
    "M201": "`muniment repair`; if both stay as they are, restore the resource from a copy (`muniment restore`).",
    "M202": "`muniment repair`: it restores the record from parity, or from a copy in a store.",
    "M203": "`muniment recover` writes it from the newest version's own.",
    "M301": "Compare with the mirror and a copy of the log, and find out who changed it (docs/howto/prove-the-log.md).",
    "M302": "Nothing: the next opening that writes puts it right.",
    "M303": "Restore the resource from a copy, and find out who changed it.",
    "M304": "Restore the resource from a copy (`muniment restore`).",
    "M305": "Nothing for the files. Keep the log's mirror and its copies in future.",
    "M306": "`muniment repair`, and where it cannot tell, compare with a copy of the log.",
    "M307": "Restore the log from its mirror or a copy, and find out who changed it.",
    "M308": "Compare with the noted head: restore the log from a copy that still has it.",
    "M401": "`muniment repair` makes it.",
    "M402": "`muniment repair` makes it anew.",
    "M403": "`muniment repair` removes it in dynamic mode.",
    "M501": "`muniment recover`: replay it, or roll it back.",
    "M502": "Look at it, and delete it when it is not needed.",
    "M601": "Nothing here. Rename it before it goes to such a system.",
    "M701": "`muniment reindex`.",
}

REMEDIES: Mapping[str, str] = {
    **{code: remedy for codes, remedy in _GROUPS for code in codes.split()},
    **_SINGLE,
}
"""What to do, by the code of the finding."""
