"""OpenStack Swift with its S3 API in one process, run by the Python that has Debian's python3-swift, not by ours.

    /usr/bin/python3 swift_process.py FOLDER

Account, container, object and proxy servers listen on free ports of 127.0.0.1, one copy of everything below FOLDER.
When all of them do, the proxy's port is written to FOLDER/port. Imports nothing of Muniment.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

USER, KEY = "test:tester", "testing"
_PARTS = 4
_DEVICE = "d1"

_STORAGE = """
[DEFAULT]
swift_dir = {folder}
devices = {folder}/srv
mount_check = false
recon_cache_path = {folder}/run
log_address = /dev/null
disable_fallocate = true
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
[object-replicator]
[container-sharder]
"""

_PROXY = """
[DEFAULT]
swift_dir = {folder}
log_address = /dev/null
[pipeline:main]
pipeline = catch_errors gatekeeper listing_formats bulk s3api tempauth slo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
dns_compliant_bucket_names = no
check_bucket_owner = no
s3_acl = no
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = {key} .admin
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
[filter:symlink]
use = egg:swift#symlink
"""


def main(folder: Path) -> None:
    """Serve until the process is ended, or until whoever started it is gone."""
    import eventlet  # type: ignore[import-not-found]  # noqa: PLC0415 - only the Python that runs this has it

    eventlet.monkey_patch()
    from eventlet import wsgi  # noqa: PLC0415 - after the patch, as all below
    from swift.common import utils  # type: ignore[import-not-found]  # noqa: PLC0415
    from swift.common.storage_policy import reload_storage_policies  # type: ignore[import-not-found]  # noqa: PLC0415
    from swift.common.wsgi import loadapp  # type: ignore[import-not-found]  # noqa: PLC0415

    starter = os.getppid()
    for name in (f"srv/{_DEVICE}", "run"):
        (folder / name).mkdir(parents=True)
    (folder / "swift.conf").write_text(
        "[swift-hash]\nswift_hash_path_suffix = test\nswift_hash_path_prefix = test\n"
        "[storage-policy:0]\nname = gold\ndefault = yes\n"
    )
    utils.SWIFT_CONF_FILE = str(folder / "swift.conf")
    utils.validate_hash_conf()
    reload_storage_policies()

    listening: dict[str, Any] = {
        kind: eventlet.listen(("127.0.0.1", 0)) for kind in ("object", "container", "account", "proxy")
    }
    for kind in ("object", "container", "account"):
        _ring(folder, kind, listening[kind].getsockname()[1])
    for kind, stream in listening.items():
        text = _PROXY if kind == "proxy" else _STORAGE
        config = folder / f"{kind}-server.conf"
        config.write_text(text.format(folder=folder, kind=kind, key=KEY))
        eventlet.spawn(wsgi.server, stream, _with_memory(loadapp(str(config))), log_output=False)
    (folder / "port.new").write_text(str(listening["proxy"].getsockname()[1]))
    (folder / "port.new").rename(folder / "port")
    while os.getppid() == starter:
        eventlet.sleep(0.5)


class _Memory(dict[str, object]):
    """What Swift asks of memcached, for one process: nobody has to start a memcached."""

    def __bool__(self) -> bool:
        """True, also while it is empty: Swift asks in this way whether there is a cache."""
        return True

    def get(self, key: str, default: object = None, **_: object) -> object:
        """What is remembered."""
        return super().get(key, default)

    def set(self, key: str, value: object, **_: object) -> None:
        """Remember it."""
        self[key] = value

    def delete(self, key: str, **_: object) -> None:
        """Forget it."""
        self.pop(key, None)


def _with_memory(app: Any) -> object:
    memory = _Memory()

    def serve(environment: dict[str, object], start_response: object) -> object:
        environment["swift.cache"] = memory
        return app(environment, start_response)

    return serve


def _ring(folder: Path, kind: str, port: int) -> None:
    from swift.common.ring import RingBuilder  # type: ignore[import-not-found]  # noqa: PLC0415 - only the Python that runs this has it

    builder = RingBuilder(_PARTS, 1, 0)
    place = {"region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": _DEVICE, "weight": 1, "meta": ""}
    builder.add_dev(place | {"replication_ip": "127.0.0.1", "replication_port": port})
    builder.rebalance(seed="1")
    builder.get_ring().save(str(folder / f"{kind}.ring.gz"))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
