"""What a policy promises, in words: how many copies, where, how they are protected, and how often they are read."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from muniment.content.durations import duration_text
from muniment.content.locks import LockRule
from muniment.errors.base import MunimentError
from muniment.server.pages.page import Page
from muniment.server.pages.texts import Texts
from muniment.workflows.copies.policy import EVERY_PROJECT, CopyRule, Policy
from muniment.workflows.copies.service import CopyService

_LENGTHS = {
    "y": "one year|{n} years",
    "w": "one week|{n} weeks",
    "d": "one day|{n} days",
    "h": "one hour|{n} hours",
    "m": "one minute|{n} minutes",
    "s": "one second|{n} seconds",
}


@dataclass(frozen=True, slots=True)
class PolicyWords:
    """What is promised for a project: a sentence, and a line for each place with its name and what holds there.

    `shape` is how it is marked: nothing promised beside the archive itself is a thing to look at.
    """

    shape: str
    sentence: Markup
    places: list[tuple[str, Markup]]
    further: list[Markup]
    general: bool = False
    """Whether it is the policy of every project without one of its own."""


def words_for(page: Page, project: str) -> PolicyWords | None:
    """What is promised for a project; None where that cannot be known at this moment."""
    service: CopyService = page.jobs.copy_service
    try:
        policy = service.policies.of(project)
    except MunimentError:
        return None
    return words_of(page.texts, policy, page.archive.config.redundancy)


def words_of(texts: Texts, policy: Policy, redundancy: int) -> PolicyWords:
    """A policy in words; `redundancy` is the archive's own, in percent."""
    t, n = texts, texts.counted
    stores = list(dict.fromkeys(rule.store for rule in policy.copies))
    names = Markup(", ").join([t("the archive's disk"), *stores])
    sentence = n(1 + len(policy.copies), "One copy only: {places}.|{n} copies: {places}.", places=names)
    disk = [t("read back at least every {time}", time=length_of(texts, policy.verify))]
    if redundancy:
        disk.insert(0, t("parity of {percent} % beside every file, by which damage is repaired", percent=redundancy))
    else:
        disk.insert(0, t("no parity: damage can be repaired from another copy only"))
    places: list[tuple[str, Markup]] = [
        (t("Archive, disk"), _joined(disk)),
        *((rule.store, _copy(texts, rule)) for rule in policy.copies),
    ]
    further: list[Markup] = []
    if policy.keep is not None:
        further.append(t("Every new instance is kept {rule}.", rule=_lock(texts, policy.keep)))
    if policy.copies or redundancy:
        further.append(
            t("What is found damaged is repaired without being asked.")
            if policy.repair
            else t("What is found damaged is repaired when somebody asks for it.")
        )
    return PolicyWords(
        "ok" if policy.copies else "warn",
        sentence,
        places,
        further,
        general=policy.project == EVERY_PROJECT and bool(policy.text),
    )


def length_of(texts: Texts, seconds: float) -> Markup:
    """A length of time in words."""
    text = duration_text(seconds)
    return texts.counted(int(text[:-1]), _LENGTHS[text[-1]])


def _copy(texts: Texts, rule: CopyRule) -> Markup:
    t = texts
    parts = [
        t("a tar of each instance, a bag") if rule.layout == "bag" else t("files as the archive has them, in OCFL"),
        t("read back at least every {time}", time=length_of(texts, rule.verify)),
    ]
    if rule.layout == "bag" and rule.redundancy:
        parts.insert(1, t("parity of {percent} % beside it", percent=rule.redundancy))
    if rule.lock is not None:
        parts.append(t("locked {rule}", rule=_lock(texts, rule.lock)))
    return _joined(parts)


def _lock(texts: Texts, rule: LockRule) -> Markup:
    time = length_of(texts, rule.seconds)
    if rule.mode == "compliance":
        return texts("for {time}, which nobody can shorten", time=time)
    return texts("for {time}, which only a special right can shorten", time=time)


def _joined(parts: list[Markup]) -> Markup:
    return Markup("; ").join(parts)
