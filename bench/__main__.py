"""The command: `python -m bench [SECTION ...] [--quick] [--rounds N]`."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import signal
import sys
from pathlib import Path

from bench import history, sections
from bench.machine import facts


def main() -> None:
    """Run the named sections, or all."""
    known = sorted(module.name for module in pkgutil.iter_modules(sections.__path__))
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of: {', '.join(known)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="less data, three rounds")
    parser.add_argument("--rounds", type=int, help="rounds of each race (default: 5, quick: 3)")
    parser.add_argument("--history", type=Path, help="a file to add the results to, and to compare them with")
    given = parser.parse_args()
    if unknown := set(given.sections) - set(known):
        parser.error(f"there is no section {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    rounds = given.rounds or (3 if given.quick else 5)
    if rounds < 1:
        parser.error("--rounds must be at least 1")
    # So that the scratch folder goes, whoever ends the run.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    history.keep(given.history)
    print(facts(), flush=True)
    for name in given.sections or known:
        importlib.import_module(f"bench.sections.{name}").run(rounds=rounds, quick=given.quick)
    history.compare()


if __name__ == "__main__":
    main()
