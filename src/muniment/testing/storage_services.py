"""Real servers that stores are tried against: Ceph and Swift for S3, ssh with rsync, and rclone's own servers.

From Debian's packages radosgw, ceph-mon, ceph-osd, ceph-common, python3-swift, openssh-server, rsync and rclone.
`muniment.testing.services` shares them between test processes.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from muniment.testing.servers.ceph import CephDaemons
from muniment.testing.servers.swift import Swift
from muniment.testing.services import OwnServer, free_port, program


class Ceph(OwnServer):
    """Ceph's S3 gateway: Object Lock and versions; it compares `Content-MD5` and ignores newer checksums."""

    kind = "ceph"

    def __init__(self, place: Path) -> None:
        """Choose its ports."""
        super().__init__(place)
        self._daemons = CephDaemons(place / "ceph", (self.port, free_port(), free_port()), program)

    @property
    def url(self) -> str:
        """Its address; keys are in `muniment.testing.servers.ceph`."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, empty: all it holds is in memory."""
        self._daemons.start()

    def stop(self) -> None:
        """End it, and lose what it held."""
        self._daemons.stop()


class SwiftS3(OwnServer):
    """OpenStack Swift's S3 API: it compares `Content-MD5`, and has no locks."""

    kind = "swift"

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self._swift = Swift(place / "swift")

    @property
    def url(self) -> str:
        """Its address; keys are those of `Swift`."""
        return self._swift.url

    def start(self) -> None:
        """Start it, empty."""
        self._swift.__enter__()
        self.port = int(self._swift.url.rpartition(":")[2])

    def stop(self) -> None:
        """End it."""
        self._swift.__exit__(None, None, None)


class Sshd(OwnServer):
    """An ssh server for the user who runs it, with rsync; `client` and `known_hosts` lie in its folder."""

    kind = "sshd"

    def __init__(self, place: Path) -> None:
        """Make its keys and the client's."""
        super().__init__(place)
        for name in ("host", "client"):
            command = [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(place / name)]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        (place / "authorized").write_text((place / "client.pub").read_text())
        kind, key = (place / "host.pub").read_text().split()[:2]
        (place / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {kind} {key}\n")
        program("rsync")

    @property
    def url(self) -> str:
        """Its address, without a user."""
        return f"ssh://127.0.0.1:{self.port}"

    def _start(self) -> subprocess.Popen[bytes]:
        settings = {
            "ListenAddress": f"127.0.0.1:{self.port}",
            "HostKey": self.place / "host",
            "AuthorizedKeysFile": self.place / "authorized",
            "PidFile": self.place / "sshd.pid",
            "PasswordAuthentication": "no",
            "UsePAM": "no",
            "StrictModes": "no",
            "MaxStartups": "100",
            "MaxSessions": "100",
            "PermitRootLogin": "prohibit-password",
        }
        config = self.place / "sshd_config"
        config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where it leaves its privileges behind
        return subprocess.Popen([program("sshd"), "-D", "-e", "-f", config])


class RcloneServe(OwnServer):
    """`rclone serve` of a folder over `protocol` (webdav, sftp); user `u`, password `p`."""

    kind = "rclone"

    def __init__(self, place: Path, *, protocol: str) -> None:
        super().__init__(place)
        self._protocol = protocol
        self.served = place / "served"
        self.served.mkdir(exist_ok=True)

    @property
    def url(self) -> str:
        """Its address."""
        scheme = "http" if self._protocol == "webdav" else self._protocol
        return f"{scheme}://127.0.0.1:{self.port}"

    def _start(self) -> subprocess.Popen[bytes]:
        words = ["--addr", f"127.0.0.1:{self.port}", "--user", "u", "--pass", "p", "--log-level", "ERROR"]
        command = [program("rclone"), "serve", self._protocol, str(self.served), *words]
        home = {"HOME": str(self.place), "XDG_CACHE_HOME": str(self.place / "cache")}
        return subprocess.Popen(
            [*command, "--config", str(self.place / "none")], env={**os.environ, **home}, stdin=subprocess.DEVNULL
        )
