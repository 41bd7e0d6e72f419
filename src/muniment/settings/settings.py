"""Everything a keeper may set, for commands, server and workers: the one place that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Self

from muniment.errors.base import BadSetting
from muniment.settings import fields
from muniment.settings.fields import PREFIX, Setting
from muniment.settings.files import ConfigFiles, config_files, read_files
from muniment.settings.jobs import JobSettings


def cache_folder() -> Path:
    """The folder for what this user's programs keep and can make again, as the desktop's specification has it.

    Raises:
        BadSetting: There is no home folder to put it in.
    """
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute()
    except RuntimeError as error:
        raise BadSetting(reason=f"there is no folder for what is built ({error}): name one by --state") from error


class Settings(JobSettings):
    """Everything a keeper may set; each field is also an environment variable with `MUNIMENT_` before it.

    Read once, checked as a whole, and handed down: it does not change, and nothing is written into the environment.
    """

    __slots__ = ("files", "outdated")

    archive = fields.named("The archive's folder, or the URL of a server in front of one.")
    state = fields.path("Where index and ledger lie, if not in the archive's folder.")
    bucket_prices = fields.text(
        "What the service of an archive in a bucket asks for 1,000 writes, 1,000 reads and 1 GB received, such as "
        "'0.005 0.0004 0.09': `muniment status` then says what requests cost."
    )
    digest_processes = fields.whole_or_none(
        "Processes that digest; by default one for each core.", also=("MUNIMENT_WORKERS",)
    )
    agent_name = fields.named("Who acts, as the log and every instance record it.")
    agent_address = fields.named("That agent's address, a URI such as mailto:….")

    virus_scanner = fields.named(
        "The clamd that scans what comes in: its socket, or host:port. Without it nothing is scanned."
    )
    virus_largest = fields.whole(
        "Bytes up to which that clamd scans a file whole: no more than its MaxFileSize, MaxScanSize and "
        "StreamMaxLength. Larger files are recorded as not scanned.",
        25 << 20,
        least=1,
    )
    virus_unscanned = fields.text(
        "What becomes of a file that is not scanned: it is recorded as such, or refused.",
        "record",
        choices=("record", "refuse"),
    )
    virus_patience = fields.seconds(
        "Seconds a commit waits for a clamd that is away before it is refused.", 60.0, zero=True
    )
    format_tool = fields.text(
        "What identifies the formats of files that come in: fido (the extra `formats`), or siegfried, where the "
        "command `sf` is installed.",
        "none",
        choices=("none", "fido", "siegfried"),
    )
    format_policy = fields.path("The format policy, a TOML file: what is accepted, at risk and refused.")
    ndsa_answers = fields.path(
        "What no program can know for the NDSA Levels, who said it and when: a TOML file, as `report ndsa` reads it."
    )

    key = fields.secret("The key to sign in at a server with.")
    key_file = fields.path("A file whose first line is that key.")

    serve_host = fields.text("The address `serve` listens on.", "127.0.0.1")
    serve_port = fields.whole("The port `serve` listens on; 0 for a free one.", 8000, most=65535)
    serve_processes = fields.whole("Processes that serve.", 1, least=1, most=256)
    serve_root_path = fields.text("The path prefix a reverse proxy adds, such as /archives.")
    serve_trusted_proxies = fields.text(
        "Addresses and networks whose forwarded headers are believed, with commas between."
    )
    proxy_users = fields.path("The list of users (`users.csv`) whom a trusted reverse proxy may sign in.")
    proxy_header = fields.text("The header in which that proxy names them.", "Remote-User")
    serve_grace = fields.seconds("Seconds a stopping server lets requests finish.", 30.0, zero=True)
    serve_patience = fields.seconds("Seconds without a byte after which a client is cut.", 60.0)
    serve_headers = fields.whole("Headers a request may have.", 100, least=10)
    serve_header_bytes = fields.whole("Bytes of headers a request may have.", 65536, least=4096, most=262144)
    serve_body = fields.whole("Bytes of a body that is no file.", 1 << 20, least=1024)
    serve_upload = fields.whole("Bytes of one uploaded file or package.", 1 << 44, least=1)
    serve_streams = fields.whole("Live event streams of one process.", 100, least=1)
    serve_page_streams = fields.whole("Live streams of pages of one process, beside those of programs.", 100, least=1)
    serve_failures = fields.whole("Failed sign-ins in a minute after which one must wait.", 20, least=1)
    serve_pages = fields.switch("Whether `serve` shows pages to browsers beside its interfaces.", default=True)
    serve_title = fields.text("What the pages call this archive, such as the name of the library.")
    serve_contact = fields.text(
        "Whom pages tell somebody to ask who was not let in or lacks a right, such as "
        "'The archive <archive@example.org>'."
    )
    session_life = fields.seconds("Seconds after which somebody in a browser has to sign in again.", 43200.0)
    sign_in_clients = fields.secret(
        "The clients by which people sign in at OIDC realms in a browser: realm=client, or realm=client:secret, with "
        "commas between."
    )
    transaction_lease = fields.seconds("Seconds after its last use that a remote transaction is rolled back.", 3600.0)
    sweep_every = fields.seconds("Seconds between looking for expired transactions.", 60.0)
    public_url = fields.text(
        "The server's public address, with the prefix a reverse proxy adds, as clients of Nexus shall see it; by "
        "default the address it listens on."
    )
    selection_life = fields.seconds(
        "Seconds, or a time such as '5 hours', that a selection can be downloaded.",
        18000.0,
        also=("app.archives.cache-invalidate-after",),
    )
    selection_names = fields.text(
        "Default names in a selection's archive: those of the API's page, or those of Delta 1.5 to 1.7.",
        "seed",
        choices=("seed", "delta"),
    )
    selection_entries = fields.whole("Entries a selection may have.", 100000, least=1)
    otel = fields.switch("Send traces as the OTEL_* variables say (needs the extra `otel`).", default=False)

    def __init__(
        self, environment: Mapping[str, str] | None = None, config: str | None = None, /, **given: object
    ) -> None:
        """Take what is given (None as if it were not), then the environment (an empty value likewise), then files.

        `config` is the one file to read, in place of those at the usual places. `archive` may be a name that a
        file gives to one.

        Raises:
            BadSetting: A value is not of the kind its setting takes; it is not repeated, for it may be a secret.
        """
        known, wrong = described(), []
        found = _of(os.environ if environment is None else environment)
        self.given: dict[str, object] = {}
        self.outdated: dict[str, str] = {}
        """Names that were found in the environment and have another name by now, with that."""
        if unknown := given.keys() - known.keys():
            raise BadSetting(reason=f"there is no setting {', '.join(sorted(unknown))}")
        configured = read_files(config_files(found, config, usual=environment is None), known)
        self.files = configured.files
        """The configuration files that were read, the user's last."""
        by_file = configured.of(given.get("archive") or found.get(f"{PREFIX}ARCHIVE") or None)
        for name, setting in known.items():
            value, said = given.get(name), name
            for variable in (setting.variable, *setting.also):
                if value is None and found.get(variable):
                    value, said = found[variable], variable
                    if variable.startswith(PREFIX) and variable != setting.variable:
                        self.outdated[variable] = setting.variable
            if name in by_file and (value is None or _names(configured, name, value)):
                value, said = by_file[name][1], f"{by_file[name][0]}: {name}"
            if value is None:
                continue
            try:
                self.given[name] = setting.value(value)
            except ValueError as error:
                wrong.append(f"{setting.variable if said == name else said}: {error}")
        if wrong:
            raise BadSetting(reason="; ".join(wrong))

    def changed(self, **changes: object) -> Self:
        """The same settings with these changes (None changes nothing); the environment is not read again.

        Raises:
            BadSetting: As for a new one.
        """
        kept = {name: value for name, value in changes.items() if value is not None}
        return type(self)({}, None, **{**self.given, **kept})

    def secret(self) -> str | None:
        """The key to sign in with: of the file, or of the setting.

        Raises:
            OSError: The file cannot be read.
        """
        if self.key_file is not None:
            return self.key_file.read_text("utf-8").splitlines()[0].strip()
        return self.key.get_secret_value() if self.key else None


@cache
def described() -> dict[str, Setting[object]]:
    """All settings by name, those of the work first."""
    parts = (JobSettings, Settings)
    return {name: item for part in parts for name, item in vars(part).items() if isinstance(item, Setting)}


def _names(configured: ConfigFiles, name: str, value: object) -> bool:
    """Whether a value is the name that the files give to an archive, whose place they say."""
    return name == "archive" and "archive" in configured.archives.get(str(value), ())


def _of(environment: Mapping[str, str]) -> dict[str, str]:
    """What of the environment is ours, with names in capitals (those with dots are another program's)."""
    return {name if "." in name else name.upper(): value for name, value in environment.items()}
