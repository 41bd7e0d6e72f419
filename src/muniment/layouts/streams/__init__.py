"""Streams: tar and zip archives planned to the byte and made while they are sent.

A plan knows its length and ETag before anything is read, and gives any range of its bytes. Nothing here
knows HTTP; the server turns `Plan.read` or `Plan.segments` into a response.
"""

from __future__ import annotations

from muniment.layouts.streams.members import MadeMembers, Member, MemberSource
from muniment.layouts.streams.plan import Plan
from muniment.layouts.streams.segments import CHUNK, Framing, Slice, SliceChecker, gather
from muniment.layouts.streams.tar import TarPlan
from muniment.layouts.streams.zip import ZipPlan

__all__ = [
    "CHUNK",
    "Framing",
    "MadeMembers",
    "Member",
    "MemberSource",
    "Plan",
    "Slice",
    "SliceChecker",
    "TarPlan",
    "ZipPlan",
    "gather",
]
