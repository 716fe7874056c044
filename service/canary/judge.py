"""Looks at what two versions' callers got, and says when the candidate is worse."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ekiben.service.canary.drift import Drift
from ekiben.service.canary.guardrails import Errors, Guardrail, Seen
from ekiben.service.canary.loss import Loss, Losses
from ekiben.service.canary.slowness import Slowness
from ekiben.service.canary.tally import DURATIONS, Tally

WINDOW_S = 60.0
FULL_ANSWERS = 2000  # of each version: a window ends with them, after WINDOW_S at least
MAX_WINDOW_S = 3600.0  # or then


@dataclass(frozen=True)
class Verdict:
    """Why a candidate must not answer any more."""

    guardrail: str
    sentence: str


class Judge:
    """Judges one canary; its counts may begin at any value but must only grow."""

    def __init__(self, champion: str, candidate: str, tally: Tally, now: float, why_no_labels: str = "") -> None:
        self._versions = {"champion": f"version {champion}", "candidate": f"version {candidate}"}
        self.watchers: tuple[Guardrail, ...] = (Errors(), Slowness(), Drift())
        self.loss = Loss(why_no_labels)
        self._last, self._looked = tally, now
        self._window, self._before = np.zeros_like(tally), np.zeros_like(tally)
        self._began = self._before_began = now

    def look(self, tally: Tally, losses: Losses, now: float, losses_since: float) -> Verdict | None:
        """Take all counts so far, with the losses since the share last changed; return what is wrong, if anything."""
        fresh = np.maximum(tally - self._last, 0.0)  # less: a worker's counts went with it
        recent = self._before + self._window
        seen = Seen(fresh, recent, recent + fresh, self._looked, self._before_began)
        self._last, self._looked = tally, now
        self._window = self._window + fresh
        findings = [(one.name, one.look(seen), one.since) for one in self.watchers]
        findings.append((self.loss.name, self.loss.look(losses, losses_since), self.loss.since))
        self._turn_window(now)
        return next((self._phrase(*finding) for finding in findings if finding[1]), None)

    def describe(self) -> Iterator[dict[str, Any]]:
        """Yield the state of each guardrail."""
        states = [(one.name, one.__doc__, one.progress, one.now) for one in self.watchers]
        states.append((self.loss.name, self.loss.__doc__, self.loss.progress, self.loss.now))
        for name, about, progress, now in states:
            yield {"name": name, "about": about, "progress": round(progress, 3), **now}

    def _phrase(self, name: str, finding: str, since: float) -> Verdict:
        moment = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return Verdict(name, f"{name}: {finding.format(**self._versions)}, since {moment}")

    def _turn_window(self, now: float) -> None:
        passed_s = now - self._began
        fewest = self._window[:, :, DURATIONS].sum(axis=(1, 2)).min()
        if (passed_s >= WINDOW_S and fewest >= FULL_ANSWERS) or passed_s >= MAX_WINDOW_S:
            self._before, self._before_began = self._window, self._began
            self._window, self._began = np.zeros_like(self._window), now
