"""The command line: `muniment`."""

from __future__ import annotations

from muniment.cli.main import application, main

__all__ = ["application", "main"]
