"""The guardrails that look at every few seconds' counts: errors, slow answers, and what the answers are."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ekiben.contract.reference.stability import population_stability_index
from ekiben.service.canary.evidence import Detector, Rate, bet_above, bet_on_rates
from ekiben.service.canary.tally import (
    ANSWERS,
    DURATIONS,
    FAILED,
    Tally,
    count_above,
    find_quantile_s,
    measure_design_effect,
)

LOOK_S = 5.0
# Guardrails that look at every few seconds may all together step back so many honest candidates a day.
FALSE_STEP_BACKS = 0.0075
WATCHERS = 3
MAX_FORTUNE = WATCHERS * 86_400 / LOOK_S / FALSE_STEP_BACKS  # a chance of 1 in 6,900,000 a look
ADDED_ERRORS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 0.9)
TAIL = 0.01  # above the 99th percentile
ADDED_SLOW = (0.01, 0.02, 0.05, 0.1, 0.3, 0.9)
SLOWER, SLOWER_S = 2.0, 0.001  # a candidate may be that much slower: by this factor, and by a millisecond in any case
DRIFTED = 0.1  # a candidate's answers may be that much apart, as PSI, beyond chance: "moderate" begins there
CHANCE_NORMAL = 5.135  # the normal quantile of 1 - 1 / MAX_FORTUNE
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
        expected = _guess(_rate_errors(seen.recent[0]))
        bets = bet_on_rates(champion, candidate, expected, ADDED_ERRORS)
        enough = self.detector.add(bets, champion, candidate, seen.since)
        self.progress, self.since = self.detector.progress, self.detector.since
        all_champion, all_candidate = map(_rate_errors, seen.total)
        self.now = {"candidate": _show(all_candidate), "champion": _show(all_champion)}
        if not enough:
            return ""
        champion, candidate = self.detector.seen
        return f"{_say(candidate)} requests to {{candidate}} failed, {_say(champion)} to {{champion}}"


@dataclass
class Slowness:
    """Answers more than 1% of its callers later than SLOWER times the champion's 99th percentile."""

    name: str = "p99"
    progress: float = 0.0
    now: Mapping[str, Any] = field(default_factory=dict)
    detector: Detector = field(default_factory=lambda: Detector(len(ADDED_SLOW), MAX_FORTUNE))
    since: float = 0.0

    def look(self, seen: Seen) -> str:
        durations = seen.recent[:, :, DURATIONS]
        champion, candidate = seen.total[:, :, DURATIONS].sum(axis=1)
        if champion.sum() >= MIN_ANSWERS and candidate.sum() >= MIN_ANSWERS:
            self.now = {
                "champion_ms": round(1000 * find_quantile_s(champion, 1 - TAIL), 2),
                "candidate_ms": round(1000 * find_quantile_s(candidate, 1 - TAIL), 2),
            }
        before = durations[0].sum(axis=0)
        if before.sum() < MIN_ANSWERS:
            return ""
        limit_s = _bound_p99_s(before)
        limit_s = max(SLOWER * limit_s, limit_s + SLOWER_S)
        slow = [Rate(float(count_above(arm, limit_s).sum()), float(arm.sum())) for arm in seen.fresh[:, :, DURATIONS]]
        enough = self.detector.add(self._bet(seen, limit_s), *slow, seen.since)
        self.progress, self.since = self.detector.progress, self.detector.since
        if not enough:
            return ""
        then, late = self.detector.seen
        return (
            f"{_say(late)} answers of {{candidate}} took longer than {1000 * limit_s:.3g} ms, {SLOWER:g} times the "
            f"99th percentile of {{champion}}, of which {_say(then)} did"
        )

    def _bet(self, seen: Seen, limit_s: float) -> Any:
        """Bet against both excuses: it is late no more often than 1%, or no more often than the champion just now."""
        slow = count_above(seen.recent[:, :, DURATIONS], limit_s)
        totals = seen.recent[:, :, DURATIONS].sum(axis=2)
        effect = measure_design_effect([np.stack([slow[arm], totals[arm] - slow[arm]], axis=1) for arm in (0, 1)])
        champion, candidate = (
            Rate(count_above(arm, limit_s).sum() / effect, arm.sum() / effect) for arm in seen.fresh[:, :, DURATIONS]
        )
        expected = min(TAIL, _guess(Rate(slow[0].sum(), totals[0].sum())))
        return np.minimum(
            bet_on_rates(champion, candidate, expected, ADDED_SLOW), bet_above(candidate, TAIL, ADDED_SLOW)
        )


@dataclass
class Drift:
    """Answers otherwise than the champion answers callers of the same kind, beyond chance and a margin."""

    name: str = "answers"
    progress: float = 0.0
    now: Mapping[str, Any] = field(default_factory=dict)
    since: float = 0.0

    def look(self, seen: Seen) -> str:
        answers = seen.total[:, :, ANSWERS]
        groups = (answers.sum(axis=2) > 0).sum(axis=1)
        champion, candidate = answers.sum(axis=1)
        fewest = min(champion.sum(), candidate.sum())
        self.progress = 0.0
        if fewest < MIN_ANSWERS:
            self.now = {"waits for": f"{MIN_ANSWERS} answers of each version, there are {fewest:.0f}"}
            return ""
        if groups.min() < MIN_GROUPS:
            self.now = {"waits for": f"more callers: those of one version are in {groups.min()} of {answers.shape[1]}"
                        f" groups, {MIN_GROUPS} are needed"}  # fmt: skip
            return ""
        effect = measure_design_effect(list(answers))
        moved = population_stability_index(champion / effect, candidate / effect)  # type: ignore[arg-type]
        limit = DRIFTED + _find_chance(champion, candidate, effect)
        self.progress, self.since = moved / limit, seen.recent_since
        self.now = {"psi": round(moved, 4), "limit": round(limit, 4)}
        if moved < limit:
            return ""
        return f"the answers of {{candidate}} and {{champion}} are {moved:.2g} apart (PSI; up to {limit:.2g} is chance "\
            f"and a margin of {DRIFTED:g})"  # fmt: skip


def _rate_errors(arm: Any) -> Rate:
    failed = float(arm[:, FAILED].sum())
    return Rate(failed, failed + float(arm[:, DURATIONS].sum()))


def _guess(rate: Rate) -> float:
    """Return a chance that is neither 0 nor 1."""
    return (rate.hits + PRIOR.hits) / (rate.total + PRIOR.total)


def _bound_p99_s(durations: Any) -> float:
    """Return the 99th percentile, or how high it may well be when so few are known."""
    share = TAIL - 2 * math.sqrt(TAIL / durations.sum())
    return find_quantile_s(durations, 1 - max(share, 0.0))


def _find_chance(champion: Any, candidate: Any, effect: float) -> float:
    """Return what PSI stays below, but for one look of MAX_FORTUNE, if the answers are alike.

    The quantile is that of chi-square, as in `ekiben.contract.reference.stability.chance_level`.
    """
    free = max(1, int(np.count_nonzero(champion + candidate)) - 1)
    width = 2 / (9 * free)
    quantile = free * (1 - width + CHANCE_NORMAL * math.sqrt(width)) ** 3
    return float(quantile * effect * (1 / champion.sum() + 1 / candidate.sum()))


def _show(rate: Rate) -> dict[str, int]:
    return {"failed": round(rate.hits), "of": round(rate.total)}


def _say(rate: Rate) -> str:
    return f"{rate.hits:,.0f} of {rate.total:,.0f}"
