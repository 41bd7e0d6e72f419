"""Settings: files and environment, read in one place and handed down as values."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Everything a keeper may set; each field is also an environment variable with `MUNIMENT_` before it."""

    model_config = SettingsConfigDict(env_prefix="MUNIMENT_", extra="ignore")

    archive: str | None = Field(
        default=None, description="The archive's folder, or the URL of a server in front of one."
    )
    state: Path | None = Field(default=None, description="Where index and ledger lie, if not in the archive's folder.")
    workers: int | None = Field(default=None, ge=0, description="Processes that digest; by default one for each core.")
    agent_name: str | None = Field(default=None, description="Who acts, as the log and every instance record it.")
    agent_address: str | None = Field(default=None, description="That agent's address, a URI such as mailto:….")
