"""The command line: `muniment`."""

from __future__ import annotations

from muniment.cli.main import app, main

__all__ = ["app", "main"]
