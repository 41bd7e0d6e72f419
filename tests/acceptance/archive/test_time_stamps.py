"""A head of the log is stamped by an authority (RFC 3161), here OpenSSL's, and the stamp is checked by both."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.cli.main import run
from tests.crash.scenes import AGENT

CONFIGURATION = """
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[authority]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[stamps]
default_policy = 1.2.3.4.1
serial = serial
signer_digest = sha256
digests = sha256
ess_cert_id_alg = sha256
"""


class Authority:
    """A root certificate, and below it one that may stamp."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        (folder / "conf").write_text(CONFIGURATION, "utf-8")
        (folder / "serial").write_text("01\n", "utf-8")
        new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", "conf"]
        self.openssl(
            *new, "-x509", "-keyout", "root.key", "-out", "root.pem", "-subj", "/CN=Root", "-extensions", "root"
        )
        self.openssl(*new, "-keyout", "key", "-out", "request", "-subj", "/CN=Authority")
        signed = ["x509", "-req", "-in", "request", "-CA", "root.pem", "-CAkey", "root.key", "-set_serial", "2"]
        self.openssl(*signed, "-out", "certificate", "-extfile", "conf", "-extensions", "authority")
        self.root = folder / "root.pem"

    def answer(self, request: Path) -> Path:
        answer = request.with_suffix(".tsr")
        signer = ["-signer", "certificate", "-inkey", "key", "-config", "conf", "-section", "stamps"]
        self.openssl("ts", "-reply", "-queryfile", str(request), *signer, "-out", str(answer))
        return answer

    def openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self._folder, check=True, capture_output=True)


@pytest.fixture
def archive(tmp_path: Path) -> list[str]:
    made = Archive.init(tmp_path / "archive", agent=AGENT, workers=0, redundancy=0)
    with made as archive, archive.new("r") as transaction:
        transaction.add(b"content", "file")
    return ["--archive", str(tmp_path / "archive")]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def test_a_head_that_was_stamped_is_proved_with_its_time(
    archive: list[str], authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*archive, "head", "--request", str(tmp_path / "head.tsq")]) == 0
    head = tmp_path / "head.txt"
    head.write_text(capsys.readouterr().out, "ascii")
    answer = authority.answer(tmp_path / "head.tsq")
    checking = ["ts", "-verify", "-data", str(head), "-in", str(answer), "-CAfile", str(authority.root)]
    authority.openssl(*checking)
    stamped = ["--stamp", str(answer), "--authority", str(authority.root)]
    assert run([*archive, "audit", "--since", f"@{head}", *stamped]) == 0
    assert f"had reached event {head.read_text('ascii').partition(':')[0]} by 20" in capsys.readouterr().err
    # The audit itself has gone into the log: its head is another, of which the stamp says nothing.
    assert run([*archive, "head"]) == 0
    assert run([*archive, "audit", "--since", capsys.readouterr().out.strip(), *stamped]) == 1
    assert "does not prove" in capsys.readouterr().err


def test_a_stamp_of_somebody_else_or_of_nobody_proves_nothing(
    archive: list[str], authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*archive, "head", "--request", str(tmp_path / "head.tsq")]) == 0
    head = capsys.readouterr().out.strip()
    answer = authority.answer(tmp_path / "head.tsq")
    stranger = Authority(tmp_path / "stranger").root
    cut = tmp_path / "cut.tsr"
    cut.write_bytes(answer.read_bytes()[:-40])
    audit = [*archive, "audit", "--since", head]
    assert run([*audit, "--stamp", str(answer), "--authority", str(stranger)]) == 1
    assert run([*audit, "--stamp", str(cut), "--authority", str(authority.root)]) == 4
    assert run([*audit, "--stamp", str(authority.root), "--authority", str(authority.root)]) == 4
    assert run([*audit, "--stamp", str(answer), "--authority", str(answer)]) == 4
    assert run([*audit, "--stamp", str(answer)]) == 4
    assert run([*archive, "audit", "--stamp", str(answer), "--authority", str(authority.root)]) == 4
    assert run([*archive, "head", "--request", str(tmp_path / "head.tsq")]) == 5, "nothing is overwritten"
    assert "Traceback" not in capsys.readouterr().err
