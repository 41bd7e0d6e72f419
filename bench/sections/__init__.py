"""One module for each part that is measured; each has `run(rounds, quick)` and prints its tables."""
