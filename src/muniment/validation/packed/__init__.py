"""Packages in one file (tar, tar.gz, tar.bz2, tar.xz, tar.zst, zip): the one reader of validation and import."""

from __future__ import annotations

from muniment.validation.packed.forms import is_packed, why_none
from muniment.validation.packed.unpacking import Unpacked, unpack_package

__all__ = ["Unpacked", "is_packed", "unpack_package", "why_none"]
