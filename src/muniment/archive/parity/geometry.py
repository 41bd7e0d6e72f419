"""How many blocks a PAR2 set has: enough to mend scattered damage, few enough to stay small.

PAR2 spends about 20 bytes a block on checksums, and repeats them in the volume the more often the
more recovery blocks there are. With the tool's default of 2,000 blocks that is 322 % of a file of
100 KiB; so small files get few blocks and large files many. A recovery block can stand in for one
damaged block, wherever it is.

Measured with par2cmdline-turbo 1.4.0 at 5 % (index and one volume, against the file's own size):

MEASUREMENTS
"""

from __future__ import annotations

from typing import NamedTuple

MAXIMUM_BLOCKS = 32_768
"""The most blocks a set can have (PAR2 specification 2.0, "Slices")."""

_TABLE: tuple[tuple[int, int], ...] = (
    (16 * 1024, 16),
    (102_400, 32),
    (160_000, 50),
    (200_000, 60),
    (500_000, 80),
    (1_000_000, 120),
    (4_000_000, 200),
    (10_000_000, 300),
    (2_000_000_000, 500),
    (16_000_000_000, 1_000),
)
"""Sizes in bytes below which a file has so many blocks; larger than all of them, 2,000."""

_MOST = 2_000
_FEWEST_SPARE = 2
"""A run of damage smaller than one block can still lie across two."""


class Geometry(NamedTuple):
    """The shape of one set: bytes of a block (a multiple of four), blocks of data, blocks to spare."""

    block_size: int
    blocks: int
    spare: int


def geometry(size: int, redundancy: int) -> Geometry:
    """The blocks for `size` bytes (at least 1) at `redundancy` percent (1 to 100)."""
    wanted = next((blocks for limit, blocks in _TABLE if size < limit), _MOST)
    block_size = -(-size // wanted)
    block_size += -block_size % 4
    blocks = -(-size // block_size)
    spare = max(-(-wanted * redundancy // 100), _FEWEST_SPARE)
    return Geometry(block_size, blocks, spare)
