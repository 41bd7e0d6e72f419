"""The near side of the process that reads scans: starts it, asks it, ends it when it takes too long, begins anew."""

from __future__ import annotations

import contextlib
import json
import selectors
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from muniment.content.extras import need
from muniment.errors.distillery import BadScan, ImagingFailed, ImagingLibraryMissing, NotLossless
from muniment.imaging.scans import Lossless, Scan, scan_of
from muniment.imaging.xmp import Description

_ERRORS = {each.__name__: each for each in (BadScan, ImagingLibraryMissing, NotLossless)}
_ANSWER = 64 << 20


@dataclass(frozen=True, slots=True)
class ImagingLimits:
    """What one scan may cost: bytes of memory, seconds, pixels of a page, pages, processors, bytes of output."""

    memory: int = 4 << 30
    seconds: float = 1800.0
    pixels: int = 2_000_000_000
    pages: int = 1000
    threads: int = 2
    output: int = 0
    """Bytes of a file that is made; 0 for any number."""


class ImageProcess:
    """One process that does one thing at a time; it is started when first asked, and anew after it had to be ended.

    Raises from every method:
        BadScan: The scan cannot be read, or exceeds a limit.
        ImagingFailed: The process ended, or took too long.
        ExtraMissing, ImagingLibraryMissing: The imaging library is not installed.
    """

    def __init__(self, limits: ImagingLimits | None = None) -> None:
        self._limits = limits or ImagingLimits()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def inspect(self, path: Path) -> Scan:
        """The pages of a TIFF, by their headers."""
        return scan_of(self._ask("inspect", path))

    def lossless(self, path: Path, page: int, out: Path, beside: Path, description: Description) -> Lossless:
        """Make a lossless JPEG 2000 of a page and prove it; an ICC profile that it cannot hold goes to `beside`.

        Raises:
            NotLossless: What was made has other pixels, or is not valid; it is not to be kept.
        """
        more = {"page": page, "out": str(out), "beside": str(beside), "description": asdict(description)}
        try:
            return Lossless(**self._ask("lossless", path, **more))
        except BaseException:
            for left in (out, Path(f"{out}.raw.jp2"), beside):
                left.unlink(missing_ok=True)
            raise

    def jpeg(
        self,
        path: Path,
        page: int,
        out: Path,
        *,
        width: int,
        height: int,
        quality: int = 75,
        description: Description | None = None,
    ) -> tuple[int, int]:
        """Make a JPEG that fits into so many pixels, with its description in it; its width and height."""
        more: dict[str, object] = {"description": asdict(description)} if description is not None else {}
        size = {"width": width, "height": height, "quality": quality}
        found = self._ask("jpeg", path, page=page, out=str(out), **size, **more)
        return int(found["width"]), int(found["height"])

    def lossy(self, path: Path, page: int, out: Path, description: Description) -> None:
        """Make a small JPEG 2000 for the screen."""
        self._ask("lossy", path, page=page, out=str(out), description=asdict(description))

    def plain(self, path: Path, page: int, out: Path) -> None:
        """Make an uncompressed TIFF as a screen shows the page."""
        self._ask("plain", path, page=page, out=str(out))

    def tiles(self, path: Path, page: int, out: Path, *, id: str, tile: int = 512) -> tuple[int, int]:
        """Cut a page into the files of a IIIF image service of level 0; the page's width and height.

        `out` is a folder that is not there yet; its name is the image's, below the address `id`.
        """
        found = self._ask("tiles", path, page=page, out=str(out), id=id, tile=tile)
        return int(found["width"]), int(found["height"])

    def look(self, path: Path) -> tuple[int, int, int]:
        """Pages, width and height of a picture of any usual kind, or of a PDF in points, by its header."""
        found = self._ask("look", path)
        return int(found["pages"]), int(found["width"]), int(found["height"])

    def preview(self, path: Path, page: int, out: Path, *, side: int) -> None:
        """Make a JPEG of a page of a picture or a PDF that fits into a square of so many pixels."""
        self._ask("preview", path, page=page, out=str(out), side=side)

    def region(self, path: Path, page: int, out: Path, *, box: tuple[int, int, int, int], wide: int) -> None:
        """Make a JPEG, `wide` pixels wide, of left, top, width and height in the pixels of a picture's page."""
        self._ask("region", path, page=page, out=str(out), box=list(box), wide=wide)

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        process.kill()
        process.wait()
        process.stdout.close()

    def __enter__(self) -> Self:
        """Use it in a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.close()

    # --- inside

    def _ask(self, task: str, path: Path, **more: object) -> Mapping[str, Any]:
        with self._lock:
            answer = self._answer({"do": task, "path": str(path), **more}, path.name)
        if "error" in answer:
            raise _ERRORS[answer["error"]](**answer["details"])
        found: Mapping[str, Any] = answer["found"]
        return found

    def _answer(self, wanted: Mapping[str, object], name: str) -> Mapping[str, Any]:
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(wanted).encode() + b"\n")
            process.stdin.flush()
            line = self._line(process)
        except TimeoutError:
            self.close()
            raise ImagingFailed(name=name, reason=f"it took over {self._limits.seconds:g} seconds") from None
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            status = process.poll()
            self.close()
            ended = f"by signal {-status}" if status is not None and status < 0 else "without an answer"
            raise ImagingFailed(name=name, reason=f"it ended {ended}; the scan may need more memory than it may have")
        answer: Mapping[str, object] = json.loads(line)
        return answer

    def _line(self, process: subprocess.Popen[bytes]) -> bytes:
        """The next line it writes.

        Raises:
            TimeoutError: None came in time.
        """
        assert process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(self._limits.seconds):
                raise TimeoutError
        return process.stdout.readline(_ANSWER)

    def _start(self) -> subprocess.Popen[bytes]:
        need("distillery", "Reading scans")
        # Nothing of this process's environment is needed there, and none of its secrets.
        environment = {"LC_ALL": "C.UTF-8", "VIPS_CONCURRENCY": str(self._limits.threads), "MALLOC_ARENA_MAX": "2"}
        process = subprocess.Popen(
            [sys.executable, "-I", "-m", "muniment.imaging.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(asdict(self._limits)).encode() + b"\n")
        process.stdin.flush()
        return process
