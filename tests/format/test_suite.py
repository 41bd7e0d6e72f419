"""The published suite of rule cases is written whole, with a verdict for each."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_the_suite_is_written_with_its_verdicts(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "scripts/package_suite.py"
    subprocess.run([sys.executable, script, tmp_path / "suite"], check=True)
    verdicts = json.loads((tmp_path / "suite/verdicts.json").read_bytes())
    assert len(verdicts) > 150
    for each in verdicts:
        assert (tmp_path / "suite" / each["package"]).exists()
        assert each["valid"] == each["code"].startswith(("B5", "W", "O5", "O8"))
