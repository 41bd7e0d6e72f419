"""Rules of the formats Muniment can judge: any BagIt bag, any OCFL object or storage root, any RO-Crate.

Every rule yields findings and raises nothing: hostile input is what these rules are for. One rule per
file, under `bagit` and `ocfl`; `bagit.folder`, `ocfl.object` and `ocfl.root` read as the lists of them.
"""

from __future__ import annotations

from muniment.validation.bagit.bag import Bag, Hole
from muniment.validation.bagit.description import description_of
from muniment.validation.bagit.reading import read_bag
from muniment.validation.bagit.validate import validate_bag
from muniment.validation.crate import Described
from muniment.validation.crate import read_crate as describe_crate
from muniment.validation.crates import crate_document, validate_crate
from muniment.validation.ocfl.head_inventory import inventory_name
from muniment.validation.ocfl.inventory import Inventory, read_inventory
from muniment.validation.ocfl.object import validate_object
from muniment.validation.ocfl.root import validate_root
from muniment.validation.ocfl.versions_block import Version
from muniment.validation.packed import Unpacked, unpack_package
from muniment.validation.validate import PackageKind, recognise, validate_path

__all__ = [
    "Bag",
    "Described",
    "Hole",
    "Inventory",
    "PackageKind",
    "Unpacked",
    "Version",
    "crate_document",
    "describe_crate",
    "description_of",
    "inventory_name",
    "read_bag",
    "read_inventory",
    "recognise",
    "unpack_package",
    "validate_bag",
    "validate_crate",
    "validate_object",
    "validate_path",
    "validate_root",
]
