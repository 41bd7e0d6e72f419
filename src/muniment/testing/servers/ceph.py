"""A real S3 with Object Lock and versions: Ceph's RADOS gateway on loopback, from Debian's packages, all in memory.

One monitor, one storage daemon that keeps everything in memory, and the gateway. It compares what it is sent with
`Content-MD5` and takes no notice of newer checksums. `muniment.testing.services` shares it, as the kind `ceph`.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

ACCESS_KEY = "AKTEST"
SECRET_KEY = "SKTEST"  # noqa: S105 - of a test
_SECONDS = 90.0
_MEMORY = 3 << 30

_CONFIG = """
[global]
fsid = {fsid}
mon initial members = a
mon host = [v2:127.0.0.1:{v2},v1:127.0.0.1:{v1}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
keyring = {folder}/keyring
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 2
osd pool default pgp num = 2
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon data avail crit = 1
mon data avail warn = 2
mon max pg per osd = 1000
run dir = {folder}/run
log file = {folder}/log/$name.log
admin socket = {folder}/run/$name.asok
pid file = {folder}/run/$name.pid
mon data = {folder}/mon
osd data = {folder}/osd
osd class dir = {classes}
osd objectstore = memstore
memstore device bytes = {memory}
osd max object name len = 2048
osd memory target = 939524096
[client.rgw.a]
rgw data = {folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw dns name = localhost
rgw enable usage log = false
rgw gc obj min wait = 1
rgw crypt require ssl = false
debug rgw = 0
"""


class CephDaemons:
    """The daemons, in the foreground, as children of this process; `ports` are the gateway's and two more."""

    def __init__(self, place: Path, ports: tuple[int, int, int], program: Callable[[str], str]) -> None:
        self._place = place
        self._port, self._v2, self._v1 = ports
        self._program = program
        self._config = place / "ceph.conf"
        self._daemons: list[subprocess.Popen[bytes]] = []
        self._environment: Mapping[str, str] = {**os.environ, "CEPH_CONF": str(self._config)}

    def start(self) -> None:
        """Start them, with one user.

        Raises:
            ServiceMissing: A Debian package is not installed.
            RuntimeError: It did not come up; its log is in the message.
        """
        shutil.rmtree(self._place, ignore_errors=True)  # what an earlier start left that did not come up
        for name in ("mon", "osd", "rgw", "run", "log"):
            (self._place / name).mkdir(parents=True, exist_ok=True)
        try:
            self._begin()
        except BaseException:
            self.stop()
            raise

    def _begin(self) -> None:
        place, fsid = self._place, str(uuid.uuid4())
        classes = next(Path("/usr/lib").glob("*/rados-classes"), "")
        text = _CONFIG.format(
            fsid=fsid, folder=place, port=self._port, v1=self._v1, v2=self._v2, memory=_MEMORY, classes=classes
        )
        self._config.write_text(text)
        keyring = str(place / "keyring")
        self._run("ceph-authtool", "-C", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        caps = ["--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *"]
        for who in ("client.admin", "client.rgw.a"):
            self._run("ceph-authtool", keyring, "--gen-key", "-n", who, *caps)
        of_storage = [
            "--cap",
            "mon",
            "allow profile osd",
            "--cap",
            "osd",
            "allow *",
            "--cap",
            "mgr",
            "allow profile osd",
        ]
        self._run("ceph-authtool", keyring, "--gen-key", "-n", "osd.0", *of_storage)
        places = f"[v2:127.0.0.1:{self._v2},v1:127.0.0.1:{self._v1}]"
        self._run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", places, str(place / "monmap"))
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", str(place / "monmap"), "--keyring", keyring)
        self._daemon("ceph-mon", "-i", "a")
        identity = str(uuid.uuid4())
        self._run("ceph", "osd", "new", identity, "0")
        (place / "osd" / "fsid").write_text(identity + "\n")
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", identity)
        self._run("ceph", "osd", "crush", "add", "osd.0", "1.0", "host=localhost", "root=default")
        self._daemon("ceph-osd", "-i", "0")
        self._daemon("radosgw", "-n", "client.rgw.a")
        self._await_gateway()
        keys = ["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY]
        said = self._run("radosgw-admin", "user", "create", "--uid=test", "--display-name=test", *keys)
        assert json.loads(said)["user_id"] == "test"

    def stop(self) -> None:
        """End the daemons, the gateway first."""
        for daemon in reversed(self._daemons):
            daemon.kill()  # nothing of it is kept
        for daemon in self._daemons:
            daemon.wait(20)

    def _run(self, name: str, *words: str) -> bytes:
        command = [self._program(name), "-c", str(self._config), *words]
        if name in {"ceph-authtool", "monmaptool"}:
            command = [self._program(name), *words]
        done = subprocess.run(
            command, check=False, capture_output=True, stdin=subprocess.DEVNULL, env=self._environment, timeout=_SECONDS
        )
        if done.returncode:
            raise RuntimeError(f"{name} {words[:2]} ended with {done.returncode}: {done.stderr[-1500:].decode()}")
        return done.stdout

    def _daemon(self, name: str, *words: str) -> None:
        said = (self._place / "log" / f"{name}.said").open("wb")
        command = [self._program(name), "-c", str(self._config), "-f", *words]
        self._daemons.append(
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=self._environment)
        )
        said.close()

    def _await_gateway(self) -> None:
        until = time.monotonic() + _SECONDS
        while time.monotonic() < until and self._daemons[-1].poll() is None:
            line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
            try:
                line.request("GET", "/")
                line.getresponse()
            except OSError:
                time.sleep(0.1)
            else:
                return
            finally:
                line.close()
        logs = "".join(each.read_text(errors="replace")[-1500:] for each in (self._place / "log").glob("*.said"))
        raise RuntimeError(f"the gateway does not answer: {logs}")
