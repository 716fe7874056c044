"""What a guardrail is, and the first of them: errors."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ekiben.service.canary.choosing import GROUPS
from ekiben.service.canary.evidence import Detector, Rate, bet_on_rates
from ekiben.service.canary.tally import DURATIONS, FAILED, Tally

LOOK_S = 5.0
# Guardrails that look at every few seconds may all together step back so many honest candidates a day.
FALSE_STEP_BACKS = 0.0075
WATCHERS = 3
MAX_FORTUNE = WATCHERS * 86_400 / LOOK_S / FALSE_STEP_BACKS  # a chance of 1 in 6,900,000 a look
ADDED_ERRORS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 0.9)
MIN_ANSWERS = 200  # of each version, to know a percentile or a distribution
MIN_GROUPS = 14  # of callers, of each version: the answers to fewer say more of the callers than of the versions
PRIOR = Rate(0.5, 500.0)  # what is known of a rate before anything is


@dataclass(frozen=True)
class Seen:
    """What a look has before it."""

    fresh: Tally  # since the last look
    recent: Tally  # of the last minutes before it, or hours if answers are few
    total: Tally  # both
    since: float  # the last look, seconds since 1970
    recent_since: float


class Guardrail(Protocol):
    """Watches one thing."""

    name: str
    progress: float  # from 0 to 1, where it steps back
    now: Mapping[str, Any]  # what it has seen, for people

    def look(self, seen: Seen) -> str:
        """Return what is wrong with the candidate, as a part of a sentence with {candidate} and {champion}, or ""."""

    @property
    def since(self) -> float:
        """Since when it is, in seconds since 1970."""


@dataclass
class Errors:
    """Fails more often: no answer within the deadline, no room in the queue, a network that fails."""

    name: str = "errors"
    progress: float = 0.0
    now: Mapping[str, Any] = field(default_factory=dict)
    detector: Detector = field(default_factory=lambda: Detector(len(ADDED_ERRORS), MAX_FORTUNE))
    since: float = 0.0

    def look(self, seen: Seen) -> str:
        champion, candidate = map(_rate_errors, seen.fresh)
        expected = guess(_rate_errors(seen.recent[0]))
        bets = bet_on_rates(champion, candidate, expected, ADDED_ERRORS)
        enough = self.detector.add(bets, champion, candidate, seen.since)
        self.progress, self.since = self.detector.progress, self.detector.since
        all_champion, all_candidate = map(_rate_errors, seen.total)
        self.now = {"candidate": _show(all_candidate), "champion": _show(all_champion)}
        if not enough:
            return ""
        champion, candidate = self.detector.seen
        return f"{say(candidate)} requests to {{candidate}} failed, {say(champion)} to {{champion}}"


def explain_waiting(requests: NDArray[np.float64], needed: int = MIN_ANSWERS, what: str = "answers") -> str:
    """Return what is needed to compare two versions' callers, "" if nothing; the requests are by arm and group."""
    fewest, groups = requests.sum(axis=1).min(), (requests > 0).sum(axis=1).min()
    if fewest < needed:
        return f"{needed} {what} of each version: there are {fewest:.0f}"
    if groups < MIN_GROUPS:
        return f"more callers: those of one version are in {groups} of {GROUPS} groups, {MIN_GROUPS} are needed"
    return ""


def _rate_errors(arm: Any) -> Rate:
    failed = float(arm[:, FAILED].sum())
    return Rate(failed, failed + float(arm[:, DURATIONS].sum()))


def guess(rate: Rate) -> float:
    """Return a chance that is neither 0 nor 1."""
    return (rate.hits + PRIOR.hits) / (rate.total + PRIOR.total)


def say(rate: Rate) -> str:
    """Return it for people."""
    return f"{rate.hits:,.0f} of {rate.total:,.0f}"


def _show(rate: Rate) -> dict[str, int]:
    return {"failed": round(rate.hits), "of": round(rate.total)}
