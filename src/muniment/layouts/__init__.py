"""Layouts: how the files of a package are named and framed outside the archive."""
