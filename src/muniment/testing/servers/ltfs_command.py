"""A look-alike of the command `ltfs`: it mounts the tape that is in a drive, and stays behind until it is unmounted.

`python ltfs_command.py -o devname=DEVICE [-o eject] MOUNT`. The device is a file that says which tape is in the drive;
an empty one is an empty drive. Its words are not those of the real command; that its lines begin with a number is.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_PROCESS = Path(__file__).with_name("ltfs_process.py")
_LONGEST = 3600
"""Seconds after which what was forgotten ends by itself."""
_MOUNTED_WITHIN = 30.0


def main(words: list[str]) -> int:
    """Mount it."""
    options = [word for at, word in enumerate(words) if words[at - 1] == "-o"]
    devices = [each.partition("=")[2] for each in options if each.startswith("devname=")]
    mount = Path(words[-1])
    sys.stderr.write(f"{os.getpid():x} LTFS14000I look-alike starting\n")
    if len(devices) != 1 or not Path(devices[0]).is_file():
        return _failed("there is no such device")
    device = Path(devices[0])
    if not device.read_text("utf-8"):
        return _failed("there is no cartridge in the drive")
    if os.path.ismount(mount):
        return _failed("the device is in use")
    sys.stderr.flush()
    if child := os.fork():
        until = time.monotonic() + _MOUNTED_WITHIN
        while not os.path.ismount(mount):
            if os.waitpid(child, os.WNOHANG)[0] or time.monotonic() > until:
                return _failed("the mount point cannot be used")
            time.sleep(0.02)
        return 0
    if _served(json.loads(device.read_text("utf-8")), mount) and "eject" in options:
        device.write_text("", "utf-8")
    os._exit(0)


def _failed(why: str) -> int:
    sys.stderr.write(f"{os.getpid():x} LTFS12000E look-alike: {why}\n")
    return 1


def _served(tape: dict[str, str], mount: Path) -> bool:
    """Serve it from a session of its own, as a daemon does; whether it was unmounted in the end."""
    os.setsid()
    signal.alarm(_LONGEST)
    with Path(os.devnull).open("r+b") as nothing:
        for number in range(3):
            os.dup2(nothing.fileno(), number)
    words = [tape["folder"], str(mount), tape["capacity"], tape["name"]]
    return subprocess.run([sys.executable, str(_PROCESS), *words], check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
