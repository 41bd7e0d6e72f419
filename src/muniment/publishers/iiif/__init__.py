"""A static IIIF site in a folder: manifests, tiles of level 0, text with its places, and a page to look at them."""

from __future__ import annotations

from muniment.publishers.iiif.publisher import Iiif

__all__ = ["Iiif"]
