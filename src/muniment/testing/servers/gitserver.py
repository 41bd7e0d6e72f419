"""Real git repositories behind a real `git http-backend`, with Basic authentication and a Git LFS store."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import ClassVar

from muniment.testing.servers.loopback import Loopback, Reply, Request, Wrong

_MEDIA = "application/vnd.git-lfs+json"
_WHO = {
    "GIT_AUTHOR_NAME": "A. Writer",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_AUTHOR_DATE": "2024-05-06T07:08:09+02:00",
    "GIT_COMMITTER_NAME": "A. Writer",
    "GIT_COMMITTER_EMAIL": "a@example.org",
    "GIT_COMMITTER_DATE": "2024-05-06T07:08:09+02:00",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
}


class BareRepository:
    """A repository on this machine, written object by object, so that it can hold what git itself would refuse."""

    def __init__(self, folder: Path, object_format: str = "sha1") -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--bare", "--initial-branch=main", f"--object-format={object_format}")

    def git(self, *words: str, given: bytes = b"", when: int | None = None) -> str:
        """Run git here; what it says. `when` is the time of a commit in seconds since 1970."""
        environment = {**os.environ, **_WHO, "GIT_DIR": str(self.folder)}
        if when is not None:
            environment["GIT_COMMITTER_DATE"] = f"{when} +0000"
        done = subprocess.run(["git", *words], env=environment, input=given, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def blob(self, data: bytes) -> str:
        """Store a file."""
        return self.git("hash-object", "-w", "--stdin", given=data)

    def tree(self, lines: list[tuple[str, bytes, str]]) -> str:
        """Store a folder of (mode, name, object), in this order and with whatever names."""
        data = b"".join(b"%s %s\0%s" % (mode.encode(), name, bytes.fromhex(oid)) for mode, name, oid in lines)
        return self.git("hash-object", "-w", "--stdin", "-t", "tree", "--literally", given=data)

    def folder_of(self, files: dict[str, bytes]) -> str:
        """Store a folder with files, nested as their paths say."""
        below: dict[str, dict[str, bytes]] = {}
        lines: list[tuple[str, bytes, str]] = []
        for path, data in files.items():
            top, slash, rest = path.partition("/")
            if slash:
                below.setdefault(top, {})[rest] = data
            else:
                lines.append(("100644", top.encode(), self.blob(data)))
        lines += [("40000", name.encode(), self.folder_of(inner)) for name, inner in below.items()]
        return self.tree(sorted(lines, key=lambda line: line[1] + (b"/" if line[0] == "40000" else b"")))

    def commit(self, tree: str, branch: str = "main", message: str = "change") -> str:
        """Put a commit on a branch."""
        ref = f"refs/heads/{branch}"
        known = self.git("for-each-ref", "--format=%(objectname)", ref)
        parents = ["-p", known] if known else []
        oid = self.git("commit-tree", tree, *parents, "-m", message)
        self.git("update-ref", ref, oid)
        return oid


class GitServer(Loopback):
    """Serves the repositories below `root` at `/<name>.git`; with a `password`, to the user `reader` alone.

    `lfs` holds the bytes of LFS files by sha256. With `dumb` it is a plain web server that knows nothing of git.
    """

    name: ClassVar[str] = "git"

    def __init__(self, root: Path, password: str | None = None, user: str = "reader") -> None:
        super().__init__()
        self.root = root
        self.user = user
        self.password = password
        self.lfs: dict[str, bytes] = {}
        self.dumb = False
        self._backend = subprocess.run(["git", "--exec-path"], capture_output=True, check=True).stdout.decode().strip()

    def repository(self, name: str, object_format: str = "sha1") -> BareRepository:
        """A new, empty repository."""
        return BareRepository(self.root / f"{name}.git", object_format)

    def keep_lfs(self, data: bytes) -> bytes:
        """Keep a file beside the repositories; the pointer to commit in its place."""
        oid = hashlib.sha256(data).hexdigest()
        self.lfs[oid] = data
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(data)}\n".encode()

    def answer(self, request: Request) -> Reply:
        """A file of the LFS store, the LFS batch API, or what git's own backend says."""
        if request.path.startswith("/lfs-objects/"):
            return self._object(request)
        self.check_login(request)
        if request.path.endswith("/info/lfs/objects/batch"):
            return self._batch(request)
        if self.dumb:
            return self._plain(request)
        return self._cgi(request)

    def check_login(self, request: Request) -> None:
        """Refuse who is not the reader.

        Raises:
            Wrong: With 401, as GitHub and GitLab answer.
        """
        if self.password is not None:
            expected = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            if request.headers.get("authorization") != f"Basic {expected}":
                raise Wrong(401, "a login is needed", {"WWW-Authenticate": 'Basic realm="git"'})

    def _plain(self, request: Request) -> Reply:
        """A file of the repository, as it lies."""
        if request.method not in {"GET", "HEAD"}:
            raise Wrong(405, "only GET and HEAD")
        path = self.root / request.path.removeprefix("/")
        if not path.is_file():
            raise Wrong(404, "nothing is here")
        return Reply(200, path.read_bytes(), {"Content-Type": "application/octet-stream"})

    def _cgi(self, request: Request) -> Reply:
        query = "&".join(f"{name}={value}" for name, value in request.query.items())
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "REQUEST_METHOD": request.method,
            "PATH_INFO": request.path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "REMOTE_ADDR": "127.0.0.1",
            "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
        }
        body = gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body
        environment["CONTENT_LENGTH"] = str(len(body))
        command = [f"{self._backend}/git-http-backend"]
        done = subprocess.run(command, env=environment, input=body, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
        status = int(headers.pop("Status", "200").partition(" ")[0])
        return Reply(status, content, headers)

    def _batch(self, request: Request) -> Reply:
        if request.headers.get("content-type") != _MEDIA or request.headers.get("accept") != _MEDIA:
            raise Wrong(406, f"ask and accept {_MEDIA}")
        asked = json.loads(request.body)
        if (
            set(asked) - {"operation", "transfers", "ref", "objects", "hash_algo"}
            or asked.get("operation") != "download"
        ):
            raise Wrong(422, "the fields are not those of the batch API")
        objects = []
        for each in asked["objects"]:
            answer = {"oid": each["oid"], "size": each["size"]}
            if each["oid"] in self.lfs:
                place = {
                    "href": f"{self.url}/lfs-objects/{each['oid']}",
                    "header": {"Authorization": "RemoteAuth pass"},
                }
                answer["actions"] = {"download": place}
            else:
                answer["error"] = {"code": 404, "message": "Object does not exist"}
            objects.append(answer)
        return Reply(200, json.dumps({"transfer": "basic", "objects": objects}).encode(), {"Content-Type": _MEDIA})

    def _object(self, request: Request) -> Reply:
        if request.headers.get("authorization") != "RemoteAuth pass":
            raise Wrong(403, "this address needs the header it came with")
        data = self.lfs.get(request.path.rpartition("/")[2])
        if data is None:
            raise Wrong(404, "no such object")
        return Reply(200, data, {"Content-Type": "application/octet-stream"}, etag=f'"{len(data)}"')
