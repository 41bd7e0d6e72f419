"""Reports: what an archive can show of what it keeps, for auditors and for other systems."""
