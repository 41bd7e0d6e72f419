"""Fetching one service into a transaction: opened with its credentials, and what went wrong told apart."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from muniment.content import Entry, LogicalPath
from muniment.content.times import seconds
from muniment.content.trees import files_below
from muniment.errors.base import MunimentError
from muniment.errors.registration import TransactionGone
from muniment.errors.sources import RateLimited
from muniment.jobs import Again, Context, Deadlines
from muniment.jobs.keyring import Redaction
from muniment.sources import Source, SourceContext, find, open_source
from muniment.workflows.fetch.context import FetchContext, Policy
from muniment.workflows.fetch.files import Fetch, Stopping, Taken
from muniment.workflows.fetch.transactions import TransactionLease

Given = Mapping[str, Any]


def deadlines(policy: Policy) -> Deadlines:
    """How long a service may take, and how long it may be silent."""
    return Deadlines(total=policy.attempt, silence=policy.silence)


class ServiceFetch:
    """One service of a job, as `split_secrets` gives it. `name` is that of its own folder below the job's scratch."""

    def __init__(self, means: FetchContext, context: Context, service: Given, name: str) -> None:
        self._means = means
        self._context = context
        self._service = service
        self._scratch: Path = means.scratch(context.job, name)

    def size_on_the_way(self) -> int:
        """Bytes in its folder: git says nothing while it clones for hours."""
        return sum(_size(Path(place)) for place in files_below(self._scratch))

    def run(
        self,
        resource: str,
        transaction: str,
        prefix: Callable[[Source], str],
        *,
        earlier: Mapping[str, Entry] | None = None,
        again: bool = False,
    ) -> dict[str, Any] | Again:
        """Fetch what is not there yet into a resource's transaction, below the folder that `prefix` gives.

        The answer says what came, or holds `fatal`, what the submission has to change, or `gone`, that there is no
        such transaction any more. `earlier` and `again` are as in `Fetch`.

        Raises:
            MunimentError: The service or the archive failed; it is tried again.
        """
        service = self._service
        label = str(service["label"])
        secrets = Redaction(dict(self._context.secrets))
        answer: dict[str, Any] = {name: service[name] for name in ("label", "service", "fields", "force_parity")}
        answer["not_taken"] = list(find(service["service"]).leaves)
        try:
            with contextlib.ExitStack() as stack:
                source = self._open()
                stack.callback(getattr(source, "close", lambda: None))
                folder = prefix(source)
                if folder:
                    LogicalPath.parse(folder)
                policy = self._means.policy
                lease = TransactionLease(self._means.archive, resource, transaction, policy.lease, self._context.check)
                taken = Fetch(
                    source,
                    lease,
                    folder,
                    self._context,
                    streams=policy.streams,
                    last_time=self._last_time,
                    earlier=earlier,
                    again=again,
                ).run()
                answer |= {"resource": source.resource, "prefix": folder, **_counts(taken, secrets, label)}
        except Stopping:
            return Again(time.time(), "the worker is being stopped; what was fetched is kept")
        except RateLimited as error:
            until = seconds(error.details["until"]) + 1
            return Again(until, secrets.redact(error.message), waits_for=error.details.get("limit"))
        except TransactionGone as error:
            answer["gone"] = error.message
        except MunimentError as error:
            if error.retry or error.outage:
                raise
            answer["fatal"] = f"{label}: {secrets.redact(error.message)}"
        shutil.rmtree(self._scratch, ignore_errors=True)
        return answer

    def _open(self) -> Source:
        policy, service = self._means.policy, self._service
        kind = find(service["service"])
        fields = dict(service["fields"])
        if service["secret"]:
            shown = cast("list[str]", self._context.secrets[service["secret"]])
            fields |= zip(service["secret_fields"], shown, strict=True)
        calls = policy.hourly_calls.get(kind.name, kind.hourly_calls)
        means = SourceContext(
            self._means.session,
            self._scratch,
            max_file_size=policy.max_file_size,
            hourly_calls=calls,
            rclone=policy.rclone,
        )
        return open_source(kind.name, fields, means)

    def _last_time(self) -> bool:
        return self._means.ledger.step(self._context.key).failures >= self._means.policy.patience - 1


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0  # it was there a moment ago


def _counts(taken: Taken, secrets: Redaction, label: str) -> dict[str, Any]:
    failures = [
        {"file": failure.file, "reason": secrets.redact(failure.reason), "service": label} for failure in taken.failures
    ]
    return {"files": taken.files, "size": taken.size, "failures": failures}
