"""Measurements against the programs people use today, side by side in one run: `python -m bench`."""
