"""Files over the size limit, from every source there is: one failure each, and the rest is registered."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from muniment.jobs import JobState
from muniment.settings import Secret
from muniment.sources import submittable
from muniment.testing.servers.bucket import Bucket
from muniment.testing.servers.dataverse import Dataverse
from muniment.testing.servers.dropbox import Dropbox
from muniment.testing.servers.figshare import Figshare
from muniment.testing.servers.forges import Forge, GitHub, GitLab
from muniment.testing.servers.gitserver import GitServer
from muniment.testing.servers.osf import Osf
from muniment.testing.servers.web import WebServer
from muniment.testing.servers.zenodo import Zenodo
from tests.servers.osf.house import PROJECT, House, Sink, container

LIMIT = 500
SMALL, LARGE = b"s" * 400, b"L" * 600
FILES = {"small.txt": SMALL, "large.txt": LARGE}


class Case:
    """A service with something too large in it; the look-alikes hold one small and one large file."""

    def __init__(self, kind: str, extra: str = "", large: str = "large.txt") -> None:
        self.kind = kind
        self.extra = extra
        self.large = large

    def __str__(self) -> str:
        return f"{self.kind}-{self.extra}" if self.extra else self.kind

    @contextmanager
    def service(self, folder: Path) -> Iterator[dict[str, Any]]:
        """The service's server, and what a submission says of it."""
        with getattr(self, f"_{self.kind}")(folder) as fields:
            yield {self.kind: fields}

    @contextmanager
    def _http(self, _: Path) -> Iterator[dict[str, Any]]:
        # Listings in HTML state no sizes that are exact: only the download shows how large a file is.
        with WebServer(style="nginx" if self.extra == "without sizes" else "json") as site:
            site.files = {f"d/{name}": data for name, data in FILES.items()}
            yield {"url": f"{site.url}/d/"}

    @contextmanager
    def _s3(self, _: Path) -> Iterator[dict[str, Any]]:
        with Bucket() as bucket:
            self._fill(bucket.put)
            keys = {"access_key": bucket.access_key, "secret_key": bucket.secret_key}
            rest = {"session_token": bucket.session_token, "bucket": bucket.bucket, "endpoint": bucket.url}
            yield {**keys, **rest, **self._versions()}

    @contextmanager
    def _dropbox(self, _: Path) -> Iterator[dict[str, Any]]:
        with Dropbox() as dropbox:
            self._fill(lambda name, data: dropbox.put(f"/Data/{name}", data))
            yield {"access_token": dropbox.token, "folder": "/data", "host": dropbox.url, **self._versions()}

    @contextmanager
    def _osffiles(self, _: Path) -> Iterator[dict[str, Any]]:
        with Osf() as osf:
            self._fill(osf.put)
            yield {"access_token": osf.token, "id": osf.node, "host": osf.url, **self._versions()}

    @contextmanager
    def _figshare(self, _: Path) -> Iterator[dict[str, Any]]:
        with Figshare() as figshare:
            if self.extra == "version":
                figshare.article(1, {"large.txt": LARGE}, public=True)
            figshare.article(1, {"small.txt": SMALL} if self.extra == "version" else dict(FILES), public=True)
            yield {"id": "1", "access_token": figshare.token, "host": figshare.url, **self._versions()}

    @contextmanager
    def _dataverse(self, _: Path) -> Iterator[dict[str, Any]]:
        with Dataverse() as dataverse:
            if self.extra == "version":
                dataverse.version("1.0", {"large.txt": LARGE})
            if self.extra == "table":
                dataverse.version("2.0", {"small.txt": SMALL}, {"large.csv": LARGE})
            else:
                dataverse.version("2.0", {"small.txt": SMALL} if self.extra == "version" else FILES)
            yield {"api_token": dataverse.token, "doi": dataverse.doi, "host": dataverse.url, **self._versions()}

    @contextmanager
    def _git(self, folder: Path) -> Iterator[dict[str, Any]]:
        with GitServer(folder / "git") as server:
            self._commit(server, "thing")
            yield {"url": f"{server.url}/thing.git"}

    @contextmanager
    def _github(self, folder: Path) -> Iterator[dict[str, Any]]:
        with GitHub(folder / "git") as server:
            self._forge(server)
            if self.extra == "release":
                server.release("v1", FILES)
            yield {"access_token": server.token, "user": "owner", "repo": "thing", "host": server.url}

    @contextmanager
    def _gitlab(self, folder: Path) -> Iterator[dict[str, Any]]:
        with GitLab(folder / "git") as server:
            self._forge(server)
            yield {"access_token": server.token, "project": "owner/thing", "host": server.url}

    @contextmanager
    def _zenodo(self, _: Path) -> Iterator[dict[str, Any]]:
        with Zenodo() as zenodo:
            if self.extra == "version":
                zenodo.record("v1", {"large.txt": LARGE}, parent="all")
            zenodo.record("v2", {"small.txt": SMALL} if self.extra == "version" else dict(FILES), parent="all")
            yield {"id": "v2", "access_token": zenodo.token, "host": zenodo.url, **self._versions()}

    # --- the words above

    def _versions(self) -> dict[str, Any]:
        return {"versions": True} if self.extra == "version" else {}

    def _fill(self, put: Any) -> None:
        if self.extra == "version":
            put("file.txt", LARGE)
            put("file.txt", SMALL)
            return
        for name, data in FILES.items():
            put(name, data)

    def _forge(self, server: Forge) -> None:
        server.project |= {"has_wiki": False, "wiki_enabled": False}
        # A list that is longer than the limit is no file of the service: it comes.
        server.lists["issues"] = [{"number": number, "iid": number, "title": "so " * 100} for number in range(3)]
        self._commit(server, "owner/thing")

    def _commit(self, server: GitServer, name: str) -> None:
        repository = server.repository(name)
        files = dict(FILES)
        if self.extra == "lfs":
            files["large.txt"] = server.keep_lfs(LARGE)
        elif self.extra == "release":
            del files["large.txt"]
        repository.commit(repository.folder_of(files))


CASES = [
    *(Case(kind) for kind in submittable()),
    Case("http", "without sizes"),
    Case("git", "lfs"),
    Case("github", "lfs"),
    Case("gitlab", "lfs"),
    Case("github", "release", large="@about/releases/v1/large.txt"),
    Case("dataverse", "table", large="large.csv"),
    Case("dataverse", "version", large="@versions/1.0/large.txt"),
    Case("figshare", "version", large="@versions/1/large.txt"),
    Case("s3", "version", large="@versions/file.txt/v1"),
    Case("zenodo", "version", large="@versions/1/large.txt"),
    Case("dropbox", "version", large="@versions/file.txt/000000001"),
    Case("osffiles", "version", large="@versions/osfstorage/file.txt/1"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_file_over_the_limit_is_one_failure_and_the_rest_is_registered(case: Case, tmp_path: Path) -> None:
    with (
        case.service(tmp_path) as service,
        Sink() as sink,
        House(tmp_path / "house", max_file_size=LIMIT, callback_addresses=Secret(sink.url)) as house,
    ):
        job = house.finish(container("case15", [service]))
        assert job.state is JobState.DONE, job.reason
        (told,) = sink.payloads()
        assert told["status"] == "success"
        large = f"osfstorage/{case.large}" if str(case) == "osffiles" else case.large
        assert told["failures"] == [{"file": large, "reason": "File is too large.", "service": case.kind}]
        assert house.document("Manifests/case15.failures.manifest.json") == told["failures"]
        assert f"Files/{hashlib.sha256(LARGE).hexdigest()}" not in house.stored("Files")
        assert f"Files/{hashlib.sha256(SMALL).hexdigest()}" in house.stored("Files")
        kept = [entry.size for entry in house.archive.get("case15", project=PROJECT).files()]
        assert 400 in kept
        assert 600 not in kept
