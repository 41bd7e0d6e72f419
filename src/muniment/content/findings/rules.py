"""Which section of which specification a finding stands for, with the sections' own titles."""

from __future__ import annotations

import re
from collections.abc import Mapping

from muniment.content.findings.model import Kind

RFC_8493: Mapping[str, str] = {
    "2.1.1": "Bag Declaration: bagit.txt",
    "2.1.2": "Payload Directory: data/",
    "2.1.3": "Payload Manifest: manifest-algorithm.txt",
    "2.2.1": "Tag Manifest: tagmanifest-algorithm.txt",
    "2.2.2": "Bag Metadata: bag-info.txt",
    "2.2.3": "Fetch File: fetch.txt",
    "2.2.4": "Other Tag Files",
    "2.3": "Text Tag File Format",
    "2.4": "Bag Checksum Algorithms",
    "3": "Complete and Valid Bags",
    "5.1": "Special Directory Characters",
    "5.2": "Control of URLs in fetch.txt",
    "5.3": "File Sizes in fetch.txt",
    "6.1.1.1": "Case Sensitivity",
    "6.1.1.2": "Unicode Normalization",
    "6.1.1.3": "Recommendations",
    "6.1.2": "Windows and Unix File Naming",
    "6.1.3": "Legacy Checksum Tools",
}
"""Sections of RFC 8493 (BagIt 1.0) that findings cite."""

SERIALISATION = "BagIt 0.97 §4 (Serialization)"
"""How a bag is packed: a section of the drafts up to 14, which RFC 8493 has no longer."""

OCFL_1_1: Mapping[str, tuple[str, str]] = {
    "3.1": ("Object Structure", "E001"),
    "3.2": ("Object Conformance Declaration", "E002 E003 E004 E005 E006 E007"),
    "3.3": (
        "Version Directories",
        "E008 E009 E010 E011 E012 E013 E014 E015 E104 E105 W001 W002",
    ),
    "3.3.1": ("Content Directory", "E016 E017 E018 E019 E020 E021 E022 E023 E024 E108 W003"),
    "3.4": ("Digests", "E025 E026 E027 E028 E029 E030 E031 E032 W004"),
    "3.5": ("Inventory", "E033 E034 E035 E102"),
    "3.5.1": ("Basic Structure", "E036 E037 E038 E039 E040 E041 E110 W005"),
    "3.5.2": ("Manifest", "E042 E092 E096 E098 E099 E100 E101 E106 E107"),
    "3.5.3": ("Versions", "E043 E044 E045 E046 E047"),
    "3.5.3.1": ("Version", "E048 E049 E050 E051 E052 E053 E054 E094 E095 W007 W008 W009"),
    "3.5.4": ("Fixity", "E055 E056 E057 E093 E097 E111"),
    "3.6": ("Inventory Digest", "E058 E059 E060 E061 E062"),
    "3.7": ("Version Inventory and Inventory Digest", "E063 E064 E066 W010 W011"),
    "3.7.1": ("Conformance of prior versions", "E103"),
    "3.8": ("Logs Directory", "W012"),
    "3.9": ("Object Extensions", "E067 W013"),
    "4.1": ("Root Structure", "E069 E070 E071 E072 E073 E074 E087 E088"),
    "4.2": ("Root Conformance Declaration", "E075 E076 E077 E078 E079 E080 E081"),
    "4.3": ("Storage Hierarchies", "E082 E083 E084 E085 W014 W015"),
    "4.4": ("Storage Root Extensions", "E112 W016"),
    "4.6": ("Filesystem features", "E089 E090 E091"),
}
"""Sections of OCFL 1.1 with their titles, and the validation codes whose rule stands there."""

_OTHERS = {
    "O501": "OCFL 1.1 §4.3 (Storage Hierarchies, E083), and the extension that ocfl_layout.json names",
    "O502": "OCFL extension 0005 (Mutable HEAD)",
    "O503": "OCFL 1.1 §4.3 (Storage Hierarchies, E083), and the extension that ocfl_layout.json names",
    "O504": "OCFL 1.1 §3.5.2 (Manifest), and RFC 8493 §6.1.1.3 (Recommendations) by analogy",
    "O505": "OCFL 1.1 §3.7 (Version Inventory and Inventory Digest, E064)",
    "O801": "OCFL 1.1 §3.4 (Digests, E028)",
    "O802": "OCFL 1.1 §4.1 (Root Structure, E087)",
    "O903": "OCFL 1.1 §4.1 (Root Structure, E071)",
    "O904": "the extension that ocfl_layout.json names, its parameters",
    "B050": "RFC 8493 §5.1 (Special Directory Characters)",
    "B514": "POSIX.1-2017 pax, ustar Interchange Format",
    "B516": "APPNOTE.TXT 6.3 appendix D",
    "B521": "RO-Crate 1.2, Root Data Entity and Data Entities",
    "B902": "RFC 8493 §2.1.1 (Bag Declaration: bagit.txt)",
    "B903": "RFC 8493 §2.4 (Bag Checksum Algorithms)",
    "B905": "RFC 8493 §2.1.1 (Bag Declaration: bagit.txt)",
    "R001": "RO-Crate 1.2, Root Data Entity: RO-Crate Metadata Descriptor",
    "R002": "RO-Crate 1.2, Root Data Entity: Direct properties",
    "R003": "RO-Crate 1.2, Data Entities: Core Metadata for Data Entities",
    "R004": "RO-Crate 1.2, Data Entities: Referencing files and folders",
    "R005": "RO-Crate 1.2, RO-Crate Structure",
}
_SECTION = re.compile(r"§([0-9.]*[0-9])")
_OF_CODE = {code: section for section, (_, codes) in OCFL_1_1.items() for code in codes.split()}


def rule_of(kind: Kind) -> str:
    """The rule that a finding of this kind stands for, '' where no specification has one."""
    if kind.code in _OTHERS:
        return _OTHERS[kind.code]
    if kind.code in _OF_CODE:
        section = _OF_CODE[kind.code]
        return f"OCFL 1.1 §{section} ({OCFL_1_1[section][0]})"
    if kind.arises.startswith("Profile: "):
        return f"BagIt Profiles 1.4, {kind.arises.removeprefix('Profile: ').rstrip('.')}"
    if "BagIt 0.97 §4" in kind.arises:
        return SERIALISATION
    sections = _SECTION.findall(kind.arises)
    return "; ".join(f"RFC 8493 §{section} ({RFC_8493[section]})" for section in sections)
