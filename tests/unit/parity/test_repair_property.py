"""Whatever the size and wherever the damage: within the spare blocks it repairs exactly, beyond them it refuses."""

from __future__ import annotations

import os
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muniment.archive.parity import make_for_file, make_for_pack, repair_file, repair_pack
from muniment.archive.parity.geometry import geometry
from muniment.errors.parity import CannotRepair
from tests.unit.parity.making import damage, folders, random_file, sha256

sizes = st.one_of(st.integers(1, 20_000), st.integers(90_000, 130_000), st.integers(150_000, 1_300_000))


def hit_blocks(path: Path, size: int, redundancy: int, count: int, chance: random.Random) -> None:
    """Damage one byte or more in each of `count` different blocks."""
    shape = geometry(size, redundancy)
    for block in chance.sample(range(shape.blocks), count):
        start = block * shape.block_size
        end = min(start + shape.block_size, size)
        place = chance.randrange(start, end)
        damage(path, place, chance.randint(1, end - place))


@settings(max_examples=120, deadline=None)
@given(size=sizes, redundancy=st.sampled_from([1, 5, 10, 25]), seed=st.integers(0, 2**32), share=st.floats(0, 1))
def test_damage_within_the_spare_blocks_always_repairs(size: int, redundancy: int, seed: int, share: float) -> None:
    shape = geometry(size, redundancy)
    with tempfile.TemporaryDirectory() as name:
        parity, scratch = folders(Path(name), "parity", "scratch")
        file = Path(name) / "file"
        digest = random_file(file, size, seed)
        make_for_file(file, digest, parity, redundancy)
        count = min(shape.blocks, max(1, round(share * shape.spare)))
        hit_blocks(file, size, redundancy, count, random.Random(seed))
        assert sha256(repair_file(file, digest, parity, scratch, scratch / "repaired")) == digest


@settings(max_examples=120, deadline=None)
@given(size=sizes, redundancy=st.sampled_from([1, 5, 10]), seed=st.integers(0, 2**32), more=st.integers(1, 10))
def test_damage_beyond_the_spare_blocks_is_always_refused(size: int, redundancy: int, seed: int, more: int) -> None:
    shape = geometry(size, redundancy)
    if shape.blocks <= shape.spare:
        return  # so small that the parity can stand in for all of it
    with tempfile.TemporaryDirectory() as name:
        parity, scratch = folders(Path(name), "parity", "scratch")
        file = Path(name) / "file"
        digest = random_file(file, size, seed)
        make_for_file(file, digest, parity, redundancy)
        hit_blocks(file, size, redundancy, min(shape.blocks, shape.spare + more), random.Random(seed))
        before = file.read_bytes()
        with pytest.raises(CannotRepair):
            repair_file(file, digest, parity, scratch, scratch / "repaired")
        assert file.read_bytes() == before
        assert os.listdir(scratch) == []


@settings(max_examples=80, deadline=None)
@given(sizes=st.lists(st.integers(0, 9_000), min_size=2, max_size=60), seed=st.integers(0, 2**32))
def test_any_pack_repairs_a_run_of_one_block_over_its_files(sizes: list[int], seed: int) -> None:
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        parity, scratch, folder = folders(Path(name), "parity", "scratch", "files")
        files = [(f"é {number}", folder / str(number), size) for number, size in enumerate(sizes)]
        right = {name: random_file(path, size, seed + number) for number, (name, path, size) in enumerate(files)}
        if make_for_pack(files, parity, 5) is None:
            assert sum(sizes) == 0
            return
        shape = geometry(sum(sizes), 5)
        start = chance.randrange(sum(sizes))
        left = shape.block_size  # a run of one block's length touches at most two, and two are always to spare
        place = 0
        for _, path, size in files:
            if place + size > start and left:
                offset = max(0, start - place)
                length = min(left, size - offset)
                damage(path, offset, length)
                left -= length
            place += size
        wanted = {name: scratch / str(number) for number, (name, _, _) in enumerate(files)}
        repair_pack(parity, {name: path for name, path, _ in files}, wanted, scratch)
        assert {name: sha256(path) for name, path in wanted.items()} == right
