"""What a bucket says of itself: versions, locks, and the rules by which it removes keys on its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LifecycleRule:
    """A rule that a bucket follows on its own: on keys that begin with `prefix`, or have tags as well (`tagged`).

    `expires` says when it removes the newest version of a key, in words; '' for never. `freezes` names the storage
    class it moves keys to out of which they cannot be read at once, '' for none. `aborts` are the days after which
    uploads in parts that were never completed are given up, 0 for never.
    """

    name: str
    prefix: str
    tagged: bool = False
    expires: str = ""
    freezes: str = ""
    aborts: int = 0

    def touches(self, prefix: str) -> bool:
        """Whether keys without tags below `prefix` may fall under it."""
        return not self.tagged and (self.prefix.startswith(prefix) or prefix.startswith(self.prefix))

    def covers(self, prefix: str) -> bool:
        """Whether every key without tags below `prefix` falls under it."""
        return not self.tagged and prefix.startswith(self.prefix)


@dataclass(frozen=True, slots=True)
class BucketRules:
    """The rules of a bucket, as far as it told them; `untold` names what it did not tell, and why.

    `prefix` is that of the archive. `retention` is what the bucket locks everything with that is put, '' for nothing.
    """

    prefix: str
    versions: bool = False
    locks: bool = False
    retention: str = ""
    lifecycle: tuple[LifecycleRule, ...] = ()
    untold: tuple[str, ...] = ()

    @property
    def expiring(self) -> list[LifecycleRule]:
        """The rules that would remove keys of the archive."""
        return [rule for rule in self.lifecycle if rule.expires and rule.touches(self.prefix)]

    @property
    def freezing(self) -> list[LifecycleRule]:
        """The rules that would move keys of the archive where they cannot be read at once."""
        return [rule for rule in self.lifecycle if rule.freezes and rule.touches(self.prefix)]

    @property
    def aborting(self) -> bool:
        """Whether uploads in parts that were never completed are given up in time."""
        return any(rule.aborts and rule.covers(self.prefix) for rule in self.lifecycle)


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """One version of a key, or with `marker` the mark that it was deleted; `newest` is what readers see."""

    key: str
    version: str
    newest: bool
    marker: bool
