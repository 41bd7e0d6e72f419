"""Write the pages of docs/reference/ from the code, or check with `--check` that they are what the code says.

Each page is one function that returns Markdown, named in `PAGES`. A page for events or the HTTP interface is
added by writing its function and its line there.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import muniment.errors
from muniment.errors import MunimentError

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
MADE = "<!-- Written by scripts/reference.py from the code: change the code, then run `make docs`. -->"


def main() -> int:
    """Write what differs, or with `--check` show it; the status of a check is 1 when anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, show differences")
    given = parser.parse_args()
    differ = 0
    for name, build in PAGES.items():
        path = REFERENCE / f"{name}.md"
        made = f"{MADE}\n\n{build().strip()}\n"
        there = path.read_text(encoding="utf-8") if path.is_file() else ""
        if made == there:
            continue
        differ += 1
        if given.check:
            show(path, there, made)
        else:
            REFERENCE.mkdir(parents=True, exist_ok=True)
            path.write_text(made, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    if given.check and differ:
        print("Run `make docs` and commit what it changes.", file=sys.stderr)
    return 1 if given.check and differ else 0


def show(path: Path, there: str, made: str) -> None:
    """Print how a page differs from the code."""
    where = str(path.relative_to(ROOT))
    lines = difflib.unified_diff(there.splitlines(), made.splitlines(), where, "what the code says", lineterm="", n=0)
    print("\n".join(lines), file=sys.stderr)


# ---------------------------------------------------------------------------------------------- errors


def errors() -> str:
    """Every error, family by family, with its message and what each door makes of it."""
    for module in pkgutil.iter_modules(muniment.errors.__path__, "muniment.errors."):
        importlib.import_module(module.name)
    ours = own_errors()
    families = sorted({kind.__module__ for kind in ours}, key=lambda name: (not name.endswith(".base"), name))
    lines = [
        "# Errors",
        "",
        "What can go wrong, as the command line, the HTTP interface and Python say it. *Exit* is the exit status of",
        "`muniment`, *HTTP* the status a server answers with, and *again* says whether the same request may succeed",
        "later without anybody changing anything. The code is the last part of `type` in a problem answer.",
    ]
    for family in families:
        lines += ["", f"## {first_sentence(family)}", "", f"In Python from `{family}`.", ""]
        lines += [*table_head("error", "code", "message", "exit", "HTTP", "again")]
        lines += [error_row(kind) for kind in ours if kind.__module__ == family]
    return "\n".join(lines)


def own_errors() -> list[type[MunimentError]]:
    """Every error class by name; two of one name would share a code, so that is refused."""
    found: dict[str, type[MunimentError]] = {}
    waiting: list[type[MunimentError]] = [MunimentError]
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        if not kind.__module__.startswith("muniment."):
            continue
        other = found.setdefault(kind.code(), kind)
        if other is not kind:
            raise SystemExit(f"{kind.__module__} and {other.__module__} both have an error {kind.code()}: rename one.")
    return sorted(found.values(), key=lambda kind: kind.__name__)


def first_sentence(module: str) -> str:
    """What a family of errors is about: the module's first sentence up to its colon."""
    text = inspect.getdoc(sys.modules[module]) or module
    return text.splitlines()[0].split(":")[0].rstrip(".")


def error_row(kind: type[MunimentError]) -> str:
    """One row of the table of errors."""
    message = " ".join(inspect.cleandoc(kind.__doc__ or "").split())
    again = "yes" if kind.retry else "no"
    return table_row(f"`{kind.__name__}`", f"`{kind.code()}`", cell(message), kind.exit_status, kind.http_status, again)


# -------------------------------------------------------------------------------------------- findings


def findings() -> str:
    """Every code with its rule, an example and what to do."""
    return str(importlib.import_module("finding_page").findings())


# ------------------------------------------------------------------------------------------ command line


def cli() -> str:
    """Every command with its arguments and options, as the command line itself knows them."""
    from typer.main import get_command  # noqa: PLC0415 - the other pages need not wait for it

    from muniment.cli import application  # noqa: PLC0415 - as above

    lines = [
        "# Command line",
        "",
        "`muniment --archive DIR COMMAND ...`; an option's environment variable stands in for it. The exit status is 0",
        "when all is well, 1 when a check found something, 2 for a wrong call, and otherwise the one of the",
        "[error](errors.md) that is printed to standard error.",
        "",
    ]
    for words, command in commands(get_command(application()), ("muniment",)):
        lines += command_lines(words, command)
    return "\n".join(lines)


def commands(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """A command and those below it, each with the words that call it."""
    yield words, command
    for name, below in sorted(getattr(command, "commands", {}).items()):
        if not below.hidden:
            yield from commands(below, (*words, name))


def command_lines(words: tuple[str, ...], command: Any) -> list[str]:
    """The section of one command."""
    lines = [f"{'#' * min(len(words) + 1, 4)} `{' '.join(words)}`", ""]
    lines += [*inspect.cleandoc(command.help or "").replace("\b\n", "").splitlines(), ""]
    shown = [param for param in command.params if not getattr(param, "hidden", False)]
    if shown:
        lines += table_head("argument or option", "meaning", "default", "environment")
        lines += [param_row(param) for param in shown]
        lines += [""]
    return lines


def param_row(param: Any) -> str:
    """One row of a command's table."""
    if param.param_type_name == "argument":
        name = (param.metavar or param.name).upper().strip("[]")
    else:
        name = ", ".join([*param.opts, *param.secondary_opts])
    value = param.default
    default = (
        "" if value is None or value is False or callable(value) or not isinstance(value, str | int) else str(value)
    )
    if param.required:
        default = "(required)"
    variables = param.envvar if isinstance(param.envvar, list) else [param.envvar] if param.envvar else []
    environment = ", ".join(f"`{variable}`" for variable in variables)
    return table_row(f"`{name}`", cell(" ".join((param.help or "").split())), cell(default), environment)


# -------------------------------------------------------------------------------------------- settings


def settings() -> str:
    """Every setting with its environment variable, meaning and default."""
    from muniment.settings import described  # noqa: PLC0415 - as in `cli`

    lines = [
        "# Settings",
        "",
        "What a keeper may set in the environment, or in a configuration file. An option of the command line goes",
        "before its variable, and that before the file.",
        "",
        "The file is TOML: `muniment/config.toml` in `$XDG_CONFIG_HOME` (`~/.config`), after that in",
        "`$XDG_CONFIG_DIRS` (`/etc/xdg`), or only the one that `--config` or `MUNIMENT_CONFIG` names. A setting is",
        "called there as here, in small letters and without `MUNIMENT_`; lists may be lists. A table",
        "`[archives.NAME]` gives an archive a name, for `--archive NAME`, and settings of its own, which hold also",
        "where it is named by its place. `~` is the home folder, other paths are relative to the file's. A file with",
        "a secret in it must be readable by its owner alone.",
        "",
        "```toml",
        'archive = "letters"',
        "",
        "[archives.letters]",
        'archive = "/srv/letters"',
        "",
        "[archives.library]",
        'archive = "https://archive.example.org/"',
        'key_file = "library.key"',
        "```",
        "",
        *table_head("environment", "meaning", "type", "default"),
    ]
    for setting in described().values():
        default = "" if setting.default is None else cell(f"`{setting.default}`")
        lines.append(table_row(f"`{setting.variable}`", cell(setting.description), setting.kind, default))
    return "\n".join(lines)


# ------------------------------------------------------------------------------------------------ http


def http() -> str:
    """Every operation of every interface, as the server's own description says it."""
    from fastapi import FastAPI  # noqa: PLC0415 - as in `cli`

    from muniment.server import interfaces  # noqa: PLC0415 - as in `cli`
    from muniment.server.description import TAGS, operations  # noqa: PLC0415 - as in `cli`

    bare = FastAPI()
    interfaces.install(bare)
    described = bare.openapi()
    lines = [
        "# HTTP interfaces",
        "",
        "What `muniment serve` answers to programs. A server describes it in OpenAPI 3.1 at",
        f"`{interfaces.DESCRIPTION}`, and shows that description as pages at `/docs`.",
        "",
        described["info"]["description"].partition("\n\n")[2].strip(),
        "",
        "Answers to large requests come under media types of their own; a client that names",
        "`application/octet-stream` alone in `Accept` gets the same bytes under that one.",
    ]
    for tag, text in TAGS.items():
        lines += ["", f"## {tag}", "", text, "", *table_head("operation", "name", "meaning", "query and headers")]
        for method, path, operation in operations(described):
            if tag not in operation["tags"]:
                continue
            words = f"{operation['summary']}. {operation.get('description', '')}".strip()
            given = (_parameter(described, each) for each in operation.get("parameters", ()))
            named = ", ".join(f"`{each['name']}`" for each in given if each["in"] != "path")
            place = f"`{method.upper()} {path}`"
            lines.append(table_row(place, f"`{operation['operationId']}`", cell(" ".join(words.split())), named))
    return "\n".join(lines)


def _parameter(described: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    named: dict[str, Any] = described["components"]["parameters"]
    known: dict[str, Any] = named[found["$ref"].rpartition("/")[2]] if "$ref" in found else found
    return known


# ---------------------------------------------------------------------------------------------- tables


def table_head(*titles: str) -> list[str]:
    """The first two lines of a Markdown table."""
    return [table_row(*titles), table_row(*("---" for _ in titles))]


def table_row(*cells: object) -> str:
    """One line of a Markdown table."""
    return f"| {' | '.join(str(text) for text in cells)} |"


def cell(text: str) -> str:
    """Text that cannot end a cell early or be taken for HTML."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def sources() -> str:
    """The sources a submission may name, with their fields."""
    from muniment.sources.reference import kinds_in_markdown  # noqa: PLC0415 - only this page needs the sources

    return f"# Sources\n\n{kinds_in_markdown().strip()}"


def python() -> str:
    """What a program of one's own imports: classes and functions with their signatures and docstrings."""
    lines = [
        "# Python",
        "",
        "`from muniment import Archive, Exclusions, Instance, Transaction`; what these give and take is below. All is",
        "typed (`py.typed`), and an archive behind a server has the same members as one in a folder.",
        "[The usual jobs](../howto/python.md) are a quicker way in; errors are in [their own table](errors.md).",
    ]
    for name, why in PYTHON.items():
        module, _, last = name.rpartition(".")
        lines += [
            "",
            f"## {last}",
            "",
            f"`{name}`. {why}",
            "",
            *described_class(getattr(importlib.import_module(module), last)),
        ]
    return "\n".join(lines)


PYTHON = {
    "muniment.Archive": "Opened by calling it.",
    "muniment.content.archive.Archive": "What every archive can do, in a folder or behind a server.",
    "muniment.Transaction": "From `archive.new()` and `archive.get(id, 'a')`.",
    "muniment.Instance": "From `archive.get(id)` and `archive[id]`.",
    "muniment.Exclusions": "For `transaction.add(folder, exclude=…)`.",
    "muniment.content.differences.Differences": "From `instance.diff()`.",
    "muniment.content.entries.Entry": "From `instance.files()` and `instance[path]`.",
    "muniment.content.archive.Summary": "From `archive.resources()`.",
    "muniment.content.events.Event": "From `archive.events()`.",
    "muniment.content.findings.Finding": "From `archive.audit()` and `archive.validate()`.",
    "muniment.app.filesystem.MunimentFileSystem": "What fsspec makes of `muniment://ID/path`.",
}
"""What programs of others use, and how they come by it."""
SPECIAL = ("__len__", "__getitem__", "__contains__", "__iter__")


def described_class(kind: type) -> list[str]:
    """A class: its docstring, how it is made, its members."""
    lines = docstring(kind)
    making = kind.__dict__.get("__new__") or kind.__dict__.get("__init__")
    making = getattr(making, "__func__", making)
    if inspect.isfunction(making) and making.__doc__ and making.__module__ == kind.__module__:
        lines += ["", f"`{kind.__name__}{signature(making)}`", "", *docstring(making)]
    for name, member in vars(kind).items():
        if name.startswith("_") and name not in SPECIAL:
            continue
        plain = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        if isinstance(plain, property):
            lines += ["", f"### `{name}`", "", *docstring(plain.fget)]
        elif inspect.isfunction(plain):
            lines += ["", f"### `{name}()`", "", f"`{name}{signature(plain)}`", "", *docstring(plain)]
    return lines


def signature(function: Any) -> str:
    """How it is called, without the instance it is called on, as its source says it."""
    parts: list[str] = []
    named = False
    for each in inspect.signature(function).parameters.values():
        if each.name in {"self", "cls"}:
            continue
        if each.kind is each.KEYWORD_ONLY and not named:
            parts.append("*")
        named = named or each.kind in {each.KEYWORD_ONLY, each.VAR_POSITIONAL}
        text = f"{'*' * (each.kind is each.VAR_POSITIONAL)}{'**' * (each.kind is each.VAR_KEYWORD)}{each.name}"
        if each.annotation is not each.empty:
            text += f": {each.annotation}"
        if each.default is not each.empty:
            text += f" = {default_text(each.default)}"
        parts.append(text)
    result = inspect.signature(function).return_annotation
    return f"({', '.join(parts)})" + ("" if result is inspect.Signature.empty else f" -> {result}")


def default_text(value: object) -> str:
    """A default as one would write it."""
    if isinstance(value, Enum):
        return repr(value.value)
    return value.__name__ if inspect.isfunction(value) else repr(value)


def docstring(thing: Any) -> list[str]:
    """What is said about it, its `Raises:` as a list."""
    lines: list[str] = []
    for line in (inspect.getdoc(thing) or "").splitlines():
        if line in {"Raises:", "Args:"}:
            lines += [f"*{line}*", ""]
        elif line.startswith("    "):
            lines.append(f"- {cell(line.strip())}" if not line.startswith("     ") else f"  {cell(line.strip())}")
        else:
            lines.append(line.replace("<", "&lt;"))
    return lines


PAGES: dict[str, Callable[[], str]] = {
    "cli": cli,
    "errors": errors,
    "findings": findings,
    "http": http,
    "python": python,
    "settings": settings,
    "sources": sources,
}

if __name__ == "__main__":
    raise SystemExit(main())
