"""Outages of everything the archive is made of, while containers are under way."""
