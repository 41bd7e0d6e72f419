"""What the build brings of the viewer: the pinned package and no other, and nothing where npm gives none."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import viewer

PROGRAM = (
    '#!/bin/sh\n[ -f {gives} ] || exit 1\nfor last; do :; done\ncp {gives} "${{last#*=}}/openseadragon-6.1.1.tgz"\n'
)


@pytest.fixture
def brought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run the script for a project of its own, with an npm that gives the package `given`, or none."""

    def run(given: bytes | None, pinned: bytes, *, npm: bool = True) -> int:
        gives, programs = tmp_path / "gives.tgz", tmp_path / "bin"
        for folder in (programs, tmp_path / "scripts", tmp_path / "place"):
            folder.mkdir(exist_ok=True)
        if given is not None:
            gives.write_bytes(given)
        (tmp_path / "pinned").write_bytes(pinned)
        digest = viewer.integrity(tmp_path / "pinned")
        (tmp_path / "scripts/viewer.txt").write_text(f"# Why.\nopenseadragon 6.1.1 {digest}\n")
        (programs / "npm").write_text(PROGRAM.format(gives=gives))
        (programs / "npm").chmod(0o755 if npm else 0o644)
        monkeypatch.setattr(viewer, "ROOT", tmp_path)
        monkeypatch.setattr(viewer, "PLACE", tmp_path / "place/openseadragon")
        monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin" if npm else str(programs))
        return viewer.main()

    return run


def package(script: bytes = b"var OpenSeadragon;") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for member in viewer.WANTED:
            info = tarfile.TarInfo(member)
            info.size = len(script)
            tar.addfile(info, io.BytesIO(script))
    return made.getvalue()


def test_the_pinned_package_is_put_in_its_place_and_not_asked_for_again(
    brought: Callable[..., int], tmp_path: Path
) -> None:
    good = package()
    assert brought(good, good) == 0
    place = tmp_path / "place/openseadragon"
    assert (place / "openseadragon.min.js").read_bytes() == b"var OpenSeadragon;"
    assert sorted(each.name for each in place.iterdir()) == ["LICENSE.txt", "VERSION", "openseadragon.min.js"]
    (tmp_path / "gives.tgz").unlink()
    written = (place / "VERSION").stat().st_mtime_ns
    assert brought(None, good) == 0
    assert (place / "VERSION").stat().st_mtime_ns == written


def test_another_package_is_refused(brought: Callable[..., int], tmp_path: Path) -> None:
    assert brought(package(b"steal()"), package()) == 1
    assert not (tmp_path / "place/openseadragon").exists()


@pytest.mark.parametrize("npm", [True, False], ids=["npm gives nothing", "there is no npm"])
def test_without_the_package_setting_up_goes_on(
    npm: bool, brought: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert brought(None, package(), npm=npm) == 0
    assert "plain images" in capsys.readouterr().out
    assert not (tmp_path / "place/openseadragon").exists()
