"""A source is a module, a line in the registry and a contract test: what is missing is named here, with what to do."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import muniment.sources
from muniment.sources import MODULES, find, submittable
from muniment.sources.reference import kinds_in_markdown

ROOT = Path(__file__).resolve().parents[3]
SHARED = {
    "checking", "discussions", "documents", "forge", "git_mirror", "limited", "listing", "naming", "options", "paging",
    "protocol", "reference", "registry", "times", "unexpected",
}  # fmt: skip
FOUND = sorted({module.name for module in pkgutil.iter_modules(muniment.sources.__path__)} - SHARED)


def contract_kinds() -> set[str]:
    """The kinds that a class in tests/contract/sources names."""
    kinds: set[str] = set()
    for path in (ROOT / "tests" / "contract" / "sources").glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign) and any(getattr(each, "id", "") == "kind" for each in node.targets):
                kinds.add(ast.literal_eval(node.value))
    return kinds


@pytest.mark.parametrize("name", FOUND)
def test_every_module_is_a_registered_and_tested_source(name: str) -> None:
    module = importlib.import_module(f"muniment.sources.{name}")
    assert hasattr(module, "KIND"), (
        f"src/muniment/sources/{name}.py has no KIND. If it is a source, end it with `KIND = Kind(...)`; "
        "if several sources share it, add its name to SHARED in this test."
    )
    assert MODULES.get(module.KIND.name) == module.__name__, (
        f'add the line "{module.KIND.name}": "{module.__name__}" to MODULES in src/muniment/sources/registry.py'
    )
    assert module.KIND.name in contract_kinds(), (
        f'add tests/contract/sources/test_{name}.py with a SourceContract whose kind is "{module.KIND.name}"'
    )


@pytest.mark.parametrize("name", sorted(MODULES))
def test_every_registered_name_has_its_module(name: str) -> None:
    assert MODULES[name].rpartition(".")[2] in FOUND, f"remove {name} from MODULES or put its module back"
    assert find(name).name == name


@pytest.mark.parametrize("name", sorted(MODULES))
def test_every_source_says_what_it_takes_and_what_it_leaves(name: str) -> None:
    kind = find(name)
    assert kind.takes, f"say in KIND.takes of {name} what it takes"
    assert kind.leaves, f"say in KIND.leaves of {name} what the service holds and it does not take"


@pytest.mark.parametrize("name", FOUND)
def test_every_source_has_the_same_order_inside(name: str) -> None:
    """Whoever has read one can find anything in the others."""
    source = inspect.getsource(importlib.import_module(f"muniment.sources.{name}"))
    order = [source.index(mark) for mark in ("SERVICE = ", "    def __init__", "    def resource", "    def pages",
                                             "    def entries", "    def open", "\nKIND = ")]  # fmt: skip
    assert order == sorted(order), "put SERVICE, __init__, resource, pages, entries, open, KIND in this order"


@pytest.mark.parametrize("name", FOUND)
def test_no_source_knows_another(name: str) -> None:
    tree = ast.parse(inspect.getsource(importlib.import_module(f"muniment.sources.{name}")))
    known = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not known & {f"muniment.sources.{other}" for other in FOUND}


def test_the_reference_names_every_field_of_every_source_a_submission_may_name() -> None:
    page = kinds_in_markdown()
    for name in submittable():
        assert f"## `{name}`" in page
        for param in find(name).params:
            assert f"`{param.name}`" in page
        for words in (*find(name).takes, *find(name).leaves):
            assert words in page
    outside, _, keeper = page.partition("# Sources for the keeper alone")
    assert "## `local`" not in outside
    assert "## `local`" in keeper
