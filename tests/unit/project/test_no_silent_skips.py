"""On CI a test that would be skipped fails and says why; elsewhere it is skipped as usual."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).resolve().parents[2] / "conftest.py"

WAYS = {
    "a mark": "import pytest\n\n@pytest.mark.skip(reason='no tape drive')\ndef test_it():\n    pass\n",
    "a call": "import pytest\n\ndef test_it():\n    pytest.skip('no tape drive')\n",
    "a fixture": "import pytest\n\n@pytest.fixture\ndef drive():\n    pytest.skip('no tape drive')\n\n"
    "def test_it(drive):\n    pass\n",
    "a module": "import pytest\n\npytest.skip('no tape drive', allow_module_level=True)\n",
}


def run(folder: Path, source: str, *, ci: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(CONFTEST, folder)
    (folder / "tests").mkdir()
    (folder / "tests" / "__init__.py").touch()
    shutil.copy(CONFTEST.parent / "published.py", folder / "tests")
    (folder / "test_it.py").write_text(source)
    (folder / "pytest.ini").write_text("[pytest]\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "CI"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-ra", folder],
        env={**environment, "CI": ci, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
    )


@pytest.mark.parametrize("way", WAYS)
def test_a_skip_fails_on_ci_with_its_reason(tmp_path: Path, way: str) -> None:
    done = run(tmp_path, WAYS[way], ci="true")
    assert done.returncode not in {0, 5}, done.stdout
    assert "may not be skipped on CI" in done.stdout
    assert "no tape drive" in done.stdout


@pytest.mark.parametrize("way", WAYS)
def test_elsewhere_it_is_skipped(tmp_path: Path, way: str) -> None:
    done = run(tmp_path, WAYS[way], ci="")
    assert done.returncode in {0, 5}, done.stdout
    assert "1 skipped" in done.stdout


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    source = "import pytest\n\n@pytest.mark.xfail(reason='known')\ndef test_it():\n    assert False\n"
    assert run(tmp_path, source, ci="true").returncode == 0
