"""Repositories that mean no good, and what a mirror keeps of the others."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.errors.sources import AddressRefused, FieldWrong, FileUnavailable, ProgramFailed, UnexpectedAnswer
from muniment.sources import Failure, Guard, Session, Source, SourceContext, SourceEntry, checked, open_source
from muniment.testing.clock import FakeClock
from muniment.testing.servers import Reply, Request
from muniment.testing.servers.gitserver import BareRepository, GitServer


class Moving(GitServer):
    """Redirects /old/… to `target`."""

    target = ""

    def answer(self, request: Request) -> Reply:
        if request.path.startswith("/old/"):
            rest = request.path.removeprefix("/old/")
            query = "&".join(f"{name}={value}" for name, value in request.query.items())
            return Reply(301, headers={"Location": f"{self.target or self.url}/{rest}?{query}"})
        if request.path.startswith("/page/"):
            return Reply(200, b"<html>Welcome</html>", {"Content-Type": "text/html"})
        return super().answer(request)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Moving]:
    with Moving(tmp_path / "served") as server:
        yield server


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(Guard(allow_private_addresses=True), clock=FakeClock()) as session:
        yield session


def make(session: Session, folder: Path, url: str, **more: str) -> Source:
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    return open_source("git", {"url": url, **more}, SourceContext(session, scratch))


def everything(source: Source) -> tuple[dict[str, SourceEntry], dict[str, str]]:
    (page,) = source.pages()
    found = list(source.entries(page.items[0]))
    entries = {str(each.path): each for each in found if isinstance(each, SourceEntry)}
    return entries, {each.file: each.reason for each in found if isinstance(each, Failure)}


def content(source: Source, entry: SourceEntry) -> bytes:
    (page,) = source.pages()
    with source.open(page.items[0], entry) as stream:
        return stream.read()


def hostile(repository: BareRepository) -> None:
    """A tree with what has broken checkouts before."""
    blob = repository.blob(b"harmless\n")
    inner = repository.tree([("100644", b"config", blob)])
    evil = repository.blob(b"#!/bin/sh\ntouch /tmp/muniment-was-here\n")
    hooks = repository.tree([("100755", b"post-checkout", evil)])
    lines = [
        ("100755", b"--upload-pack=touch x", evil),
        ("100644", b"-rf", blob),
        ("40000", b"..", inner),
        ("40000", b".GIT", hooks),
        ("40000", b".git ", inner),
        ("100644", b"CON", blob),
        ("100644", b"a\nb", blob),
        ("100644", b"again", blob),
        ("100644", b"again", evil),
        ("100644", b"\xff.txt", blob),
        ("120000", b"link", repository.blob(b"../../../etc/passwd")),
        ("120000", b"link-to-git", repository.blob(b".git/hooks")),
        ("160000", b"module", "1" * 40),
        (
            "100644",
            b".gitmodules",
            repository.blob(b'[submodule "m"]\n\tpath = module\n\turl = ext::sh -c touch%20x\n'),
        ),
        ("100644", b".gitattributes", repository.blob(b"* filter=evil\n")),
    ]
    repository.commit(repository.tree(lines))


def test_hostile_names_are_escaped_or_failures(server: Moving, session: Session, tmp_path: Path) -> None:
    hostile(server.repository("evil"))
    source = make(session, tmp_path, f"{server.url}/evil.git")
    entries, failures = everything(source)
    ours = {name for name in entries if not name.startswith("@about/")}
    assert ours == {
        "--upload-pack=touch x", "-rf", "CON", "a\nb", "again", ".gitmodules", ".gitattributes", "%FF.txt",
        "%2E%2E/config",
    }  # fmt: skip
    assert entries["%FF.txt"].original == "\udcff.txt"
    assert failures["again"] == "The name is in its folder twice."
    assert set(failures) == {"again", ".GIT/post-checkout", ".git /config"}
    assert content(source, entries["-rf"]) == b"harmless\n"


def test_links_programs_and_submodules_are_recorded_and_not_followed(
    server: Moving, session: Session, tmp_path: Path
) -> None:
    hostile(server.repository("evil"))
    source = make(session, tmp_path, f"{server.url}/evil.git")
    entries, _ = everything(source)
    told = json.loads(content(source, entries["@about/repository.json"]))
    assert told["links"] == {"link": "../../../etc/passwd", "link-to-git": ".git/hooks"}
    assert told["submodules"] == {"module": {"commit": "1" * 40, "url": "ext::sh -c touch%20x"}}
    assert "--upload-pack=touch x" in told["executable"]
    assert told["branch"] == "main"
    assert not Path("/tmp/muniment-was-here").exists()
    assert not list((tmp_path / "scratch").rglob("post-checkout"))
    assert [request.path for request in server.requests if "evil.git" not in request.path] == []


def test_the_bundle_holds_every_ref_and_can_be_cloned(server: Moving, session: Session, tmp_path: Path) -> None:
    repository = server.repository("thing")
    first = repository.commit(repository.folder_of({"a": b"1"}), "trunk")
    repository.commit(repository.folder_of({"a": b"2"}), "trunk")
    repository.git("update-ref", "refs/tags/v1", first)
    repository.git("update-ref", "refs/pull/7/head", repository.commit(repository.folder_of({"p": b"3"}), "gone"))
    repository.git("symbolic-ref", "HEAD", "refs/heads/trunk")
    source = make(session, tmp_path, f"{server.url}/thing.git")
    entries, failures = everything(source)
    assert failures == {}
    assert content(source, entries["a"]) == b"2"
    bundle = tmp_path / "kept.bundle"
    bundle.write_bytes(content(source, entries["@about/history.bundle"]))
    subprocess.run(["git", "bundle", "verify", bundle], cwd=repository.folder, check=True, capture_output=True)
    heads = subprocess.run(["git", "bundle", "list-heads", bundle], check=True, capture_output=True, text=True).stdout
    assert {line.split()[1] for line in heads.splitlines()} == {
        "HEAD", "refs/heads/trunk", "refs/heads/gone", "refs/tags/v1", "refs/pull/7/head",
    }  # fmt: skip
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", bundle, clone], check=True, capture_output=True)
    assert (clone / "a").read_bytes() == b"2"


def test_an_empty_repository_is_no_failure(server: Moving, session: Session, tmp_path: Path) -> None:
    server.repository("empty")
    entries, failures = everything(make(session, tmp_path, f"{server.url}/empty.git"))
    assert set(entries) == {"@about/repository.json"}
    assert failures == {}


def test_a_missing_lfs_object_is_that_files_trouble(server: Moving, session: Session, tmp_path: Path) -> None:
    repository = server.repository("media")
    pointer = server.keep_lfs(b"x" * 5000)
    server.lfs.clear()
    repository.commit(repository.folder_of({"movie": pointer, "other": b"1", "almost": pointer + b"more\n"}))
    source = make(session, tmp_path, f"{server.url}/media.git")
    entries, _ = everything(source)
    with pytest.raises(FileUnavailable, match="404"):
        content(source, entries["movie"])
    assert content(source, entries["other"]) == b"1"
    assert content(source, entries["almost"]) == pointer + b"more\n"


def test_a_repository_that_moved_is_followed(server: Moving, session: Session, tmp_path: Path) -> None:
    repository = server.repository("thing")
    repository.commit(repository.folder_of({"a": b"1"}))
    entries, _ = everything(make(session, tmp_path, f"{server.url}/old/thing.git"))
    assert "a" in entries


def test_a_redirect_to_a_private_address_is_refused(server: Moving, tmp_path: Path) -> None:
    server.target = "http://169.254.169.254"

    class Lenient(Guard):
        def addresses(self, host: str, port: int) -> list[str]:
            return ["127.0.0.1"] if port == server.port else super().addresses(host, port)

    with Session(Lenient(), clock=FakeClock()) as session, pytest.raises(AddressRefused):
        everything(make(session, tmp_path, f"{server.url}/old/thing.git"))


def test_git_itself_connects_to_the_checked_address_only(server: Moving, tmp_path: Path) -> None:
    """The name does not exist outside the guard: had git asked a name server, it would have failed."""
    repository = server.repository("thing")
    repository.commit(repository.folder_of({"a": b"1"}))

    class Pinning(Guard):
        def addresses(self, host: str, port: int) -> list[str]:
            assert host == "only-here.invalid"
            return ["127.0.0.1"]

    with Session(Pinning(), clock=FakeClock()) as session:
        entries, _ = everything(make(session, tmp_path, f"http://only-here.invalid:{server.port}/thing.git"))
    assert "a" in entries


def test_a_page_is_not_taken_for_a_repository(server: Moving, session: Session, tmp_path: Path) -> None:
    with pytest.raises(UnexpectedAnswer, match="not a git repository"):
        everything(make(session, tmp_path, f"{server.url}/page/thing.git"))


def test_files_of_this_machine_are_never_taken(server: Moving, session: Session, tmp_path: Path) -> None:
    repository = server.repository("thing")
    repository.commit(repository.folder_of({"a": b"1"}))
    with pytest.raises(FieldWrong):
        make(session, tmp_path, f"file://{repository.folder}")


@pytest.mark.parametrize("url", ["ftp://a.example/x", "ext::sh -c x", "-upload-pack=x", "http://u:p@a.example/x"])
def test_other_protocols_are_refused(session: Session, tmp_path: Path, url: str) -> None:
    with pytest.raises(FieldWrong):
        make(session, tmp_path, url)


def test_the_password_is_in_no_command_line_and_no_environment(tmp_path: Path, session: Session) -> None:
    secret = "correct-horse-battery"
    seen: list[bytes] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    command = (process / "cmdline").read_bytes()
                    if b"git" in command:
                        seen.append(command + b"\0" + (process / "environ").read_bytes())
                except OSError:
                    continue

    with GitServer(tmp_path / "served", password=secret) as server:
        repository = server.repository("thing")
        repository.commit(repository.folder_of({"a": b"1" * 100}))
        server.fail("upload-pack$", delay=0.5)
        watching = threading.Thread(target=watch)
        watching.start()
        try:
            source = make(session, tmp_path, f"{server.url}/thing.git", username="reader", password=secret)
            entries, _ = everything(source)
        finally:
            stop.set()
            watching.join()
    assert "a" in entries
    mine = [each for each in seen if b"fetch" in each or b"remote-http" in each]
    assert mine
    assert not [each for each in seen if secret.encode() in each]
    assert not [
        path for path in (tmp_path / "scratch").rglob("*") if path.is_file() and secret.encode() in path.read_bytes()
    ]


def test_a_mirror_is_fetched_once_and_read_by_many_threads(server: Moving, session: Session, tmp_path: Path) -> None:
    repository = server.repository("thing")
    repository.commit(repository.folder_of({f"f{number}": b"%d" % number * 50 for number in range(60)}))
    source = make(session, tmp_path, f"{server.url}/thing.git")
    entries, _ = everything(source)
    asked = len(server.requests)
    wrong: list[str] = []

    def read(part: int) -> None:
        names = {f"f{number}": b"%d" % number * 50 for number in range(part, 60, 4)}
        wrong.extend(name for name, expected in names.items() if content(source, entries[name]) != expected)

    threads = [threading.Thread(target=read, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(server.requests) == asked


# --- servers that know nothing of git, other kinds of ids, a HEAD that leads nowhere


@pytest.mark.parametrize("packed", [True, False])
def test_a_bare_repository_behind_a_plain_web_server_is_mirrored(
    server: Moving, session: Session, tmp_path: Path, packed: bool
) -> None:
    server.dumb = True
    repository = server.repository("thing")
    repository.commit(repository.folder_of({"a": b"1", "deep/b": b"2" * 70_000}), "trunk")
    repository.git("update-ref", "refs/tags/v1", repository.commit(repository.folder_of({"a": b"3"}), "trunk"))
    repository.git("symbolic-ref", "HEAD", "refs/heads/trunk")
    if packed:
        repository.git("gc", "--quiet")
    repository.git("update-server-info")
    source = make(session, tmp_path, f"{server.url}/thing.git")
    entries, failures = everything(source)
    assert failures == {}
    assert content(source, entries["a"]) == b"3"
    told = json.loads(content(source, entries["@about/repository.json"]))
    assert (told["branch"], told["chosen"], set(told["refs"])) == (
        "trunk",
        "HEAD",
        {"refs/heads/trunk", "refs/tags/v1"},
    )


def test_a_plain_web_server_cannot_lead_git_elsewhere(server: Moving, session: Session, tmp_path: Path) -> None:
    """A file in the repository may name other places to fetch objects from: git would ask them without the guard."""
    server.dumb = True
    repository = server.repository("thing")
    repository.commit(repository.folder_of({"a": b"1"}))
    repository.git("update-server-info")
    with GitServer(tmp_path / "other") as other:
        (repository.folder / "objects" / "info" / "http-alternates").write_text(f"{other.url}/secret.git/objects\n")
        for path in (repository.folder / "objects").glob("[0-9a-f][0-9a-f]/*"):
            path.unlink()
            break
        with pytest.raises(ProgramFailed):
            everything(make(session, tmp_path, f"{server.url}/thing.git"))
        assert other.requests == []


@pytest.mark.parametrize("dumb", [True, False])
def test_a_repository_whose_ids_are_sha256_is_mirrored(
    server: Moving, session: Session, tmp_path: Path, dumb: bool
) -> None:
    server.dumb = dumb
    repository = server.repository("thing", "sha256")
    repository.commit(repository.folder_of({"a": b"1", "b": b"2" * 2_000_000}))
    repository.git("update-server-info")
    source = make(session, tmp_path, f"{server.url}/thing.git")
    entries, failures = everything(source)
    assert failures == {}
    assert len(entries["a"].checks["git-blob-sha256"]) == 64
    for name, data in (("a", b"1"), ("b", b"2" * 2_000_000)):
        with checked(source.open(next(source.pages()).items[0], entries[name]), entries[name], "git") as stream:
            assert stream.read() == data
    bundle = tmp_path / "kept.bundle"
    bundle.write_bytes(content(source, entries["@about/history.bundle"]))
    subprocess.run(["git", "clone", "--quiet", bundle, tmp_path / "clone"], check=True, capture_output=True)
    assert (tmp_path / "clone" / "a").read_bytes() == b"1"


def test_an_empty_repository_of_any_kind_is_no_failure(server: Moving, session: Session, tmp_path: Path) -> None:
    for dumb in (False, True):
        server.dumb = dumb
        repository = server.repository(f"empty-{dumb}", "sha256")
        repository.git("update-server-info")
        entries, failures = everything(make(session, tmp_path, f"{server.url}/empty-{dumb}.git"))
        assert (set(entries), failures) == ({"@about/repository.json"}, {})


def test_where_head_leads_nowhere_the_newest_branch_is_taken(server: Moving, session: Session, tmp_path: Path) -> None:
    repository = server.repository("thing")
    repository.commit(repository.folder_of({"a": b"old"}), "alpha")
    repository.git("symbolic-ref", "HEAD", "refs/heads/master")
    tree = repository.folder_of({"a": b"new"})
    newest = repository.git("commit-tree", tree, "-m", "x", when=1_800_000_000)
    repository.git("update-ref", "refs/heads/develop", newest)
    source = make(session, tmp_path, f"{server.url}/thing.git")
    entries, failures = everything(source)
    assert failures == {}
    assert content(source, entries["a"]) == b"new"
    told = json.loads(content(source, entries["@about/repository.json"]))
    assert (told["branch"], told["chosen"]) == ("develop", "newest branch")


def test_where_there_are_tags_alone_the_newest_is_taken(server: Moving, session: Session, tmp_path: Path) -> None:
    repository = server.repository("thing")
    commit = repository.commit(repository.folder_of({"a": b"1"}), "gone")
    repository.git("tag", "-a", "-m", "first", "v1", commit)
    repository.git("tag", "of-a-file", repository.blob(b"no commit"))
    repository.git("update-ref", "-d", "refs/heads/gone")
    source = make(session, tmp_path, f"{server.url}/thing.git")
    entries, failures = everything(source)
    assert failures == {}
    assert content(source, entries["a"]) == b"1"
    assert json.loads(content(source, entries["@about/repository.json"]))["chosen"] == "newest tag"


def test_where_nothing_names_a_commit_that_is_said(server: Moving, session: Session, tmp_path: Path) -> None:
    repository = server.repository("thing")
    repository.git("update-ref", "refs/notes/x", repository.commit(repository.folder_of({"a": b"1"}), "gone"))
    repository.git("update-ref", "-d", "refs/heads/gone")
    entries, failures = everything(make(session, tmp_path, f"{server.url}/thing.git"))
    assert set(entries) == {"@about/repository.json", "@about/history.bundle"}
    assert "no branch and no tag" in failures["thing.git"]
