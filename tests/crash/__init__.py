"""Crashes and refusals at every call that changes the disk, and what must be true after each."""
