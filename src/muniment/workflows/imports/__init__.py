"""Import of packages: bags, bags of instances, and OCFL objects, judged first and taken in whole or not at all."""

from muniment.workflows.imports.run import UNNAMED, Notice, ignore, import_package

__all__ = ["UNNAMED", "Notice", "ignore", "import_package"]
