"""The alert rules are rules, name only metrics that exist, and say what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # pre-commit brings it, its types it does not

from muniment.app import App
from muniment.app.background import BackgroundServices
from muniment.app.operations import OperationsControl
from muniment.archive import Archive
from muniment.http.metrics import Metrics
from muniment.server.monitoring import Monitor
from muniment.settings import Settings

HOWTO = Path(__file__).resolve().parents[2] / "docs" / "howto"
FUNCTIONS = {"time", "delta", "increase", "predict_linear", "and", "or"}
NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
BESIDE = re.compile(r"\{[^}]*\}|\[\d+[smhdw]\]|\d+(?:\.\d+)?")
"""What stands beside names in an expression: labels, ranges, numbers."""


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((HOWTO / "alerts.yml").read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def metrics(tmp_path: Path) -> set[str]:
    """Every metric of a server."""
    Archive.init(tmp_path / "archive", workers=0).close()
    app = App(Settings(archive=str(tmp_path / "archive"), digest_processes=0))
    services = BackgroundServices(app)
    with app.folder_archive() as archive:
        monitor = Monitor(archive, OperationsControl(services))
        monitor.refresh()
        text = (monitor.text() + Metrics().text()).decode()
    services.close()
    return set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))


def test_every_rule_is_whole() -> None:
    found = rules()
    assert len({rule["alert"] for rule in found}) == len(found) > 10
    for rule in found:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}, rule
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert set(rule["annotations"]) == {"summary", "description"}
        assert re.fullmatch(r"\d+[smhdw]", rule.get("for", "0s"))
        for opening, closing in ("()", "{}", "[]"):
            assert rule["expr"].count(opening) == rule["expr"].count(closing)
        assert re.search(r"(==|[<>]) ?", rule["expr"]), "a rule without a comparison always fires"


def test_every_rule_names_only_metrics_that_exist(tmp_path: Path) -> None:
    known = metrics(tmp_path) | {"up"}
    for rule in rules():
        names = set(NAME.findall(BESIDE.sub(" ", rule["expr"]))) - FUNCTIONS
        assert names, rule
        assert names <= known, f"{rule['alert']}: {names - known}"


def test_the_page_tells_of_every_metric_of_operations_and_what_to_do_about_every_alert(tmp_path: Path) -> None:
    page = (HOWTO / "operate.md").read_text(encoding="utf-8")
    told = set(re.findall(r"muniment_\w+", page))
    ours = {name for name in metrics(tmp_path) if f"# TYPE {name} ".encode() not in Metrics().text()}
    assert told == ours
    table = page[page.index("| alert |") :]
    assert set(re.findall(r"Muniment[A-Z]\w+", table)) == {rule["alert"] for rule in rules()}
