"""Settings of what works in the background: the ledger, its workers, and the registration of containers."""

from __future__ import annotations

from muniment.settings import fields

_BROKERS = ("redis://", "rediss://", "amqp://", "amqps://")


def _known_broker(given: str) -> None:
    if not given.startswith(_BROKERS):
        message = f"a broker's address begins with one of {', '.join(_BROKERS)}"
        raise ValueError(message)


class JobSettings:
    """Ledger and workers, and containers of OSF."""

    __slots__ = ("given",)
    given: dict[str, object]

    ledger = fields.named(
        "The ledger, with keys and rules: a file, or a postgresql:// address. By default control.db in the state."
    )
    secrets_file = fields.path(
        "The keys that seal credentials in the ledger (mode 600). By default control.key in the state, which is "
        "made when it is not there; machines that share a ledger need the same."
    )
    broker = fields.secret(
        "A redis:// or amqp:// address: the work is then done by Celery workers.", check=_known_broker
    )
    work_threads = fields.whole("Steps done at once by a process that works.", 4, least=1, most=256)
    work_lease = fields.seconds("Seconds a worker may be silent before its steps go to others.", 60.0)
    serve_work = fields.switch("Whether `serve` also does what the ledger owes.", default=True)
    store_keys = fields.secret(
        "Credentials of stores for copies, as JSON: the name of a store to its credentials. They go before those that "
        "`store add --keys` sealed in the control database."
    )
    control_backup = fields.named(
        "When the control database is backed up into the archive: seconds, or five cron fields in UTC such as "
        "'30 1 * * *'; 'never' ends that. Without it everything stays as it was said before."
    )
    reports = fields.text(
        "When workers compute the reports that are kept (NDSA Levels, formats): seconds, or five cron fields in UTC; "
        "'never' ends that.",
        "15 3 * * *",
    )
    scratch = fields.path("Where workers keep what is on its way. By default in the system's temporary folder.")

    distillery = fields.path("The TOML file with the section [distillery]; without it there is no Distillery.")

    osf_project = fields.text("The project that containers are archived in.", "osf/registrations")
    registration_stores = fields.text(
        "Where registrations go, folders or s3://bucket/prefix?endpoint=… with commas between; the first one "
        "answers requests. By default a folder beside the archive."
    )
    registration_access_key = fields.secret("The access key for S3 stores; by default what boto3 finds.")
    registration_secret_key = fields.secret("The secret key that belongs to it.")
    registration_parity = fields.switch("Whether registrations have parity files.", default=True)
    registration_check = fields.whole(
        "Bytes of each registration store that are read back and compared every night (01:30 UTC), so that all of it "
        "is seen in turn; 0 for none.",
        10_000_000_000,
    )
    parity_every_size = fields.switch(
        "Parity also for files below 102,400 bytes, as forceParity asks for one service.", default=False
    )
    max_file_size = fields.whole_or_none(
        "Bytes of the largest file that is taken from a service; by default any.", least=1
    )
    rclone_config = fields.path(
        "The configuration file of rclone (mode 600) whose remotes `muniment fetch rclone` takes from."
    )
    rclone_config_password = fields.secret("The password of that file, if it is encrypted.")
    allow_private_addresses = fields.switch(
        "Whether services and callbacks may be at private addresses: for intranets.", default=False
    )
    hourly_calls = fields.text(
        "Calls an hour to a service by all workers of a ledger, as github=5000; by default what the service publishes."
    )
    fetch_silence = fields.seconds(
        "Seconds a service may make no progress before that counts as a failed attempt.", 1800.0
    )
    fetch_streams = fields.whole("Files fetched at once from one service.", 8, least=1, most=64)
    link_life = fields.seconds("Seconds that a download link is good for.", 300.0)
    callback_addresses = fields.secret("Where it is told that a container is done; https://user:password@host/path.")
    hmac_key = fields.secret("The key that signs callbacks, and submissions where they have to be signed.")
    hmac_legacy = fields.switch(
        "Sign and accept as the original archiver did, over the time alone: not safe.", default=False
    )
    hmac_legacy_life = fields.seconds(
        "Seconds that such a signature is good for; 0 for ever, as it was with the original.", 0.0, zero=True
    )
    signed_submissions = fields.switch("Whether submissions have to be signed.", default=False)

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
