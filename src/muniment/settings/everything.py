"""Everything a keeper may set, for the server and the workers too."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import SettingsConfigDict, SettingsError

from muniment.errors.base import BadSetting
from muniment.settings.working import WorkSettings

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_PREFIX = "MUNIMENT_"


class Settings(WorkSettings):
    """Everything a keeper may set; each field is also an environment variable with `MUNIMENT_` before it."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, extra="ignore", populate_by_name=True)

    archive: str | None = Field(
        default=None, description="The archive's folder, or the URL of a server in front of one."
    )
    state: Path | None = Field(default=None, description="Where index and ledger lie, if not in the archive's folder.")
    workers: int | None = Field(default=None, ge=0, description="Processes that digest; by default one for each core.")
    agent_name: str | None = Field(default=None, description="Who acts, as the log and every instance record it.")
    agent_address: str | None = Field(default=None, description="That agent's address, a URI such as mailto:….")

    key: SecretStr | None = Field(default=None, description="The key to sign in at a server with.")
    key_file: Path | None = Field(default=None, description="A file whose first line is that key.")

    serve_host: str = Field(default="127.0.0.1", description="The address `serve` listens on.")
    serve_port: int = Field(default=8000, ge=0, le=65535, description="The port `serve` listens on; 0 for a free one.")
    serve_processes: int = Field(default=1, ge=1, le=256, description="Processes that serve.")
    serve_root_path: str = Field(default="", description="The path prefix a reverse proxy adds, such as /archives.")
    serve_trusted_proxies: str = Field(
        default="", description="Addresses and networks whose forwarded headers are believed, with commas between."
    )
    proxy_users: Path | None = Field(
        default=None, description="The list of users (`users.csv`) whom a trusted reverse proxy may sign in."
    )
    proxy_header: str = Field(default="Remote-User", description="The header in which that proxy names them.")
    serve_grace: float = Field(default=30.0, ge=0, description="Seconds a stopping server lets requests finish.")
    serve_patience: float = Field(default=60.0, gt=0, description="Seconds without a byte after which a client is cut.")
    serve_headers: int = Field(default=100, ge=10, description="Headers a request may have.")
    serve_header_bytes: int = Field(default=65_536, ge=4096, description="Bytes of headers a request may have.")
    serve_body: int = Field(default=1 << 20, ge=1024, description="Bytes of a body that is no file.")
    serve_upload: int = Field(default=1 << 44, ge=1, description="Bytes of one uploaded file or package.")
    serve_streams: int = Field(default=100, ge=1, description="Live event streams of one process.")
    serve_failures: int = Field(default=20, ge=1, description="Failed sign-ins in a minute after which one must wait.")
    transaction_lease: float = Field(
        default=3600.0, gt=0, description="Seconds after its last use that a remote transaction is rolled back."
    )
    sweep_every: float = Field(default=60.0, gt=0, description="Seconds between looking for expired transactions.")
    public_url: str = Field(
        default="",
        description="The server's public address, with the prefix a reverse proxy adds, as clients of Nexus shall see "
        "it; by default the address it listens on.",
    )
    selection_life: float = Field(
        default=18_000.0,
        gt=0,
        validation_alias=AliasChoices("MUNIMENT_SELECTION_LIFE", "app.archives.cache-invalidate-after"),
        description="Seconds, or a time such as '5 hours', that a selection can be downloaded.",
    )
    selection_names: Literal["seed", "delta"] = Field(
        default="seed",
        description="Default names in a selection's archive: those of the API's page, or those of Delta 1.5 to 1.7.",
    )
    selection_entries: int = Field(default=100_000, ge=1, description="Entries a selection may have.")
    otel: bool = Field(default=False, description="Send traces as the OTEL_* variables say (needs the extra `otel`).")

    def __init__(self, **given: Any) -> None:
        """Take what is given, and for the rest the environment.

        Raises:
            BadSetting: A value is not of the kind its setting takes; it is not repeated, for it may be a secret.
        """
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise BadSetting(reason="; ".join(map(_told, error.errors(include_input=False)))) from None
        except SettingsError as error:
            raise BadSetting(reason=str(error)) from None

    @field_validator("selection_life", mode="before")
    @classmethod
    def _in_seconds(cls, given: object) -> object:
        found = re.fullmatch(r"\s*([0-9.]+)\s*([a-z]*)\s*", given) if isinstance(given, str) else None
        if found is None or not found[2]:
            return given
        seconds = {"s": 1, "m": 60, "h": 3600, "d": 86_400}.get(found[2][0])
        return given if seconds is None else float(found[1]) * seconds

    def secret(self) -> str | None:
        """The key to sign in with: of the file, or of the setting.

        Raises:
            OSError: The file cannot be read.
        """
        if self.key_file is not None:
            return self.key_file.read_text("utf-8").splitlines()[0].strip()
        return self.key.get_secret_value() if self.key else None

    def hand_down(self) -> None:
        """Put what was set into the environment, where the processes of a server find it again."""
        for name in self.model_fields_set - {"key", "key_file"}:
            value = getattr(self, name)
            if value is not None and not isinstance(value, SecretStr):  # those stay where they were found
                os.environ[f"{_PREFIX}{name.upper()}"] = str(value)


def _told(error: ErrorDetails) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    # Settings with an alias are named by it, all others by their field.
    shown = name if name.isupper() or "." in name else f"{_PREFIX}{name.upper()}"
    return f"{shown}: {error['msg'].removeprefix('Value error, ')}"
