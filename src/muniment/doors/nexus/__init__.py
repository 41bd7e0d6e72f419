"""Nexus: organisations, projects, resources, files and selections, as its clients know them, on an archive.

`nexus.Nexus` puts the parts together; the server's API is a thin layer over it.
"""
