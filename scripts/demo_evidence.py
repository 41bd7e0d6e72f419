"""The demonstration's chapter on evidence: formats, PREMIS, a lost control database, and the NDSA Levels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.demo import Demo

_PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"


def chapter(demo: Demo) -> None:
    """Show what an archive can show."""
    demo.say("Evidence: formats, PREMIS, and what is still lacking")
    deposit = demo.work / "deposit"
    deposit.mkdir()
    (deposit / "letter.pdf").write_bytes(_PDF)
    (deposit / "note.txt").write_text("A note.\n", "utf-8")
    policy = demo.work / "formats.toml"
    policy.write_text('[formats]\n"fmt/18" = { status = "at risk", reason = "old", instead = "fmt/95" }\n', "utf-8")
    demo.environment |= {"MUNIMENT_FORMAT_TOOL": "fido", "MUNIMENT_FORMAT_POLICY": str(policy)}
    said = json.dumps({"title": "Letters", "creator": "Ada Lovelace", "license": "CC BY 4.0"})
    demo.muniment("add", deposit, "--id", "letters", "--metadata", said)
    demo.muniment("report", "formats")
    premis = demo.work / "letters.premis.xml"
    demo.muniment("report", "premis", "letters", "-o", premis)
    text = premis.read_text("utf-8")
    events, files = text.count("<eventIdentifier>"), text.count('xsi:type="file"')
    demo.note("PREMIS 3 of a resource", f"{files} files with PRONOM formats, {events} events, agents and rights")

    demo.muniment("ledger", "backup")
    for path in demo.archive.glob("control.db*"):
        path.unlink()
    demo.muniment("ledger", "restore")
    keys = json.loads(demo.muniment("key", "list", "--json", show=False))
    demo.note("control database lost", f"back by one command, with {len(keys)} key{'s' * (len(keys) != 1)}")

    found = json.loads(demo.muniment("report", "ndsa", "--json", show=False))
    demo.muniment("report", "ndsa")
    levels = ", ".join(f"{area['area']} {area['level']}" for area in found["areas"])
    lacking = sum(each["met"] is False for area in found["areas"] for each in area["criteria"])
    demo.note("NDSA Levels", f"{levels}; {lacking} criteria not met, each with what to do")
    for name in ("MUNIMENT_FORMAT_TOOL", "MUNIMENT_FORMAT_POLICY"):
        del demo.environment[name]
