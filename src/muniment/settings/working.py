"""Settings of what works in the background: the ledger, its workers, and the registration of containers."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

_BROKERS = ("redis://", "rediss://", "amqp://", "amqps://")


class WorkSettings(BaseSettings):
    """Ledger and workers, and containers of OSF."""

    ledger: str | None = Field(
        default=None,
        description="The ledger, with keys and rules: a file, or a postgresql:// address. By default control.db in the "
        "state.",
    )
    secrets_file: Path | None = Field(
        default=None,
        description="The keys that seal credentials in the ledger (mode 600). By default control.key in the state, "
        "which is made when it is not there; machines that share a ledger need the same.",
    )
    broker: SecretStr | None = Field(
        default=None, description="A redis:// or amqp:// address: the work is then done by Celery workers."
    )

    @field_validator("broker")
    @classmethod
    def _known_broker(cls, given: SecretStr | None) -> SecretStr | None:
        if given is not None and not given.get_secret_value().startswith(_BROKERS):
            message = f"a broker's address begins with one of {', '.join(_BROKERS)}"
            raise ValueError(message)
        return given

    work_threads: int = Field(default=4, ge=1, le=256, description="Steps done at once by a process that works.")
    work_lease: float = Field(
        default=60.0, gt=0, description="Seconds a worker may be silent before its steps go to others."
    )
    serve_work: bool = Field(default=True, description="Whether `serve` also does what the ledger owes.")
    scratch: Path | None = Field(
        default=None, description="Where workers keep what is on its way. By default in the system's temporary folder."
    )

    osf_project: str = Field(default="osf/registrations", description="The project that containers are archived in.")
    registration_stores: str = Field(
        default="",
        description="Where registrations go, folders or s3://bucket/prefix?endpoint=… with commas between; the first "
        "one answers requests. "
        "By default a folder beside the archive.",
    )
    registration_access_key: SecretStr | None = Field(
        default=None, description="The access key for S3 stores; by default what boto3 finds."
    )
    registration_secret_key: SecretStr | None = Field(default=None, description="The secret key that belongs to it.")
    registration_parity: bool = Field(default=True, description="Whether registrations have parity files.")
    parity_every_size: bool = Field(
        default=False, description="Parity also for files below 102,400 bytes, as forceParity asks for one service."
    )
    max_file_size: int | None = Field(
        default=None, ge=1, description="Bytes of the largest file that is taken from a service; by default any."
    )
    allow_private_addresses: bool = Field(
        default=False, description="Whether services and callbacks may be at private addresses: for intranets."
    )
    hourly_calls: str = Field(
        default="",
        description="Calls an hour to a service by all workers of a ledger, as github=5000; by default what the "
        "service publishes.",
    )
    fetch_streams: int = Field(default=8, ge=1, le=64, description="Files fetched at once from one service.")
    link_life: float = Field(default=300.0, gt=0, description="Seconds that a download link is good for.")
    callback_addresses: SecretStr | None = Field(
        default=None, description="Where it is told that a container is done; https://user:password@host/path."
    )
    hmac_key: SecretStr | None = Field(
        default=None, description="The key that signs callbacks, and submissions where they have to be signed."
    )
    hmac_legacy: bool = Field(
        default=False, description="Sign and accept as the original archiver did, over the time alone: not safe."
    )
    signed_submissions: bool = Field(default=False, description="Whether submissions have to be signed.")

    def calls(self) -> dict[str, int]:
        """Calls an hour by service.

        Raises:
            ValueError: The setting is not a list of name=number, with numbers above 0.
        """
        pairs = (word.partition("=") for word in words(self.hourly_calls))
        found = {name.strip().lower(): int(number) for name, _, number in pairs}
        if any(number < 1 for number in found.values()):
            raise ValueError(self.hourly_calls)
        return found


def words(text: str) -> list[str]:
    """The words of a list in a setting."""
    return text.replace(",", " ").split()
