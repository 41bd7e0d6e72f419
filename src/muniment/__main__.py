"""`python -m muniment` is `muniment`."""

from __future__ import annotations

from muniment.cli import main

if __name__ == "__main__":
    main()
