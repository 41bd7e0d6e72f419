"""A plain loop with aiohttp that only fetches what FOLDER/list names: `python -m bench.aiohttp_alone URL FOLDER`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import aiohttp

_AT_ONCE = 8


async def fetch(addresses: list[str], out: Path) -> None:
    """Write each into a file of its own."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(session: aiohttp.ClientSession, number: int, url: str) -> None:
        async with turns, session.get(url) as answer:
            answer.raise_for_status()
            data = await answer.read()
        (out / str(number)).write_bytes(data)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_AT_ONCE)) as session:
        await asyncio.gather(*(one(session, number, url) for number, url in enumerate(addresses)))


if __name__ == "__main__":
    home = Path(sys.argv[2])
    names = (home / "list").read_text().split()
    asyncio.run(fetch([f"{sys.argv[1]}{name}" for name in names], home / "out"))
