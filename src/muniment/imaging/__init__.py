"""Scans and what is made of them, always in a process of its own with limits: a scan is never trusted."""

from muniment.imaging.process import ImageProcess, ImagingLimits
from muniment.imaging.scans import Lossless, Page, Scan
from muniment.imaging.xmp import Description

__all__ = ["Description", "ImageProcess", "ImagingLimits", "Lossless", "Page", "Scan"]
