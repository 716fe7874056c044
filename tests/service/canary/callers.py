"""Simulated callers of two versions: their durations, answers and failures, counted by their true groups."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ekiben.service.canary.choosing import GROUPS, Canary, find_group
from ekiben.service.canary.guardrails import LOOK_S
from ekiben.service.canary.judge import Judge, Verdict
from ekiben.service.canary.loss import Loss
from ekiben.service.canary.run import Drawn
from ekiben.service.canary.tally import ANSWERS, ARMS, BOUNDS_S, DURATIONS, FAILED, Tally

BINS = 20
NO_LOSSES = np.zeros((ARMS, GROUPS, 3))
BEGAN = 1_800_000_000.0
SHAPE = 2.0, 5.0  # of the beta distribution of the champion's answers
EDGES = np.quantile(np.random.default_rng(0).beta(*SHAPE, 100_000), np.arange(1, BINS) / BINS)


@dataclass(frozen=True)
class Behaviour:
    """How a version answers."""

    failing: float = 0.0
    slower: float = 1.0
    shifted: float = 0.0
    late: float = 0.0  # this part takes half a second


HONEST = Behaviour()


@dataclass
class Traffic:
    """So many requests a second to each version, of callers who are alike."""

    rates: tuple[float, float]
    random: np.random.Generator
    tally: Tally = field(default_factory=lambda: np.zeros((ARMS, GROUPS, 2 + len(BOUNDS_S) + BINS)))

    def add(self, behaviours: tuple[Behaviour, Behaviour]) -> None:
        for arm, (rate, behaviour) in enumerate(zip(self.rates, behaviours, strict=True)):
            count = self.random.poisson(rate * LOOK_S)
            groups = self.random.integers(0, GROUPS, count)
            failed = self.random.binomial(count, behaviour.failing)
            seconds = behaviour.slower * np.exp(self.random.normal(np.log(0.002), 0.5, count - failed))
            seconds[self.random.random(len(seconds)) < behaviour.late] = 0.5
            answers = self.random.beta(SHAPE[0] + behaviour.shifted, SHAPE[1], count - failed)
            np.add.at(self.tally[arm, :, FAILED], groups[:failed], 1)
            count_requests(self.tally[arm], groups[failed:], seconds, answers)


def count_requests(arm: NDArray[np.float64], groups: NDArray[np.int64], seconds: object, answers: object) -> None:
    np.add.at(arm[:, DURATIONS], (groups, np.searchsorted(BOUNDS_S, seconds)), 1)  # type: ignore[call-overload]
    np.add.at(arm[:, ANSWERS], (groups, np.searchsorted(EDGES, answers)), 1)  # type: ignore[call-overload]


def judge(
    traffic: Traffic, candidate: Behaviour, looks: int, honest_looks: int = 0, champion: Behaviour = HONEST
) -> tuple[Verdict, float] | None:
    """Return the verdict, and how many seconds after they ceased to be honest, if there is one within so many looks."""
    judging = Judge("2", "3", traffic.tally.copy(), BEGAN)
    for look in range(1, honest_looks + looks + 1):
        traffic.add((champion, candidate) if look > honest_looks else (HONEST, HONEST))
        now = BEGAN + look * LOOK_S
        verdict = judging.look(traffic.tally.copy(), NO_LOSSES, now, BEGAN)
        if verdict:
            return verdict, (look - honest_looks) * LOOK_S
    return None


def simulate_sticky(callers: int, share: float, looks: int, seed: int) -> Verdict | None:
    """Judge two versions that answer alike, whose callers stay with them and differ much from each other."""
    random = np.random.default_rng(seed)
    canary = Canary("2", "3", share, b"%d" % seed)
    places = [canary.place(b"caller %d" % number) for number in range(callers)]
    arms, groups = np.array(list(map(canary.takes, places)), np.intp), np.array(list(map(find_group, places)))
    weights = random.dirichlet(np.full(callers, 0.5))
    slower, shape = np.exp(random.normal(0, 0.8, callers)), np.exp(np.log(SHAPE[0]) + random.normal(0, 0.5, callers))
    traffic = Traffic((0, 0), random)
    judging = Judge("2", "3", traffic.tally.copy(), BEGAN)
    for look in range(1, looks + 1):
        chosen = random.choice(callers, random.poisson(100 * LOOK_S), p=weights)
        seconds = slower[chosen] * np.exp(random.normal(np.log(0.002), 0.5, len(chosen)))
        answers = random.beta(shape[chosen], SHAPE[1])
        for arm in range(ARMS):
            own = arms[chosen] == arm
            count_requests(traffic.tally[arm], groups[chosen[own]], seconds[own], answers[own])
        verdict = judging.look(traffic.tally.copy(), NO_LOSSES, BEGAN + look * LOOK_S, BEGAN)
        if verdict:
            return verdict
    return None


def simulate_labels(
    callers: int, share: float, looks: int, seed: int, worse: float = 0.0, every_s: float = 0.01
) -> tuple[str, float]:
    """Return what the loss of two versions' answers shows, and after how many requests with labels.

    Callers stay with their version and differ in how often the rare class comes true for them, of which no version
    knows. The candidate's logits are off by `worse`.
    """
    random = np.random.default_rng(seed)
    canary = Canary("2", "3", share, b"%d" % seed)
    places = [canary.place(b"caller %d" % number) for number in range(callers)]
    arms, groups = np.array(list(map(canary.takes, places)), np.intp), np.array(list(map(find_group, places)))
    weights, offsets = random.dirichlet(np.full(callers, 0.5)), random.normal(0, 1, callers)
    losses, guardrail = NO_LOSSES.copy(), Loss()
    for _ in range(looks):
        chosen = random.choice(callers, random.poisson(LOOK_S / every_s), p=weights)
        logits = random.normal(-1, 1, len(chosen))
        true = random.random(len(chosen)) < 1 / (1 + np.exp(-logits - offsets[chosen]))
        given = logits + worse * arms[chosen]
        loss = np.logaddexp(0, np.where(true, -given, given))
        fresh = np.stack([np.ones(len(loss)), loss, loss**2], axis=1)
        np.add.at(losses, (arms[chosen], groups[chosen]), fresh)
        if found := guardrail.look(losses, BEGAN):
            return found, float(losses[:, :, 0].sum())
    return "", float(losses[:, :, 0].sum())


class Caller:
    """Somebody who calls with a key, or without."""

    def __init__(self, key: bytes = b"") -> None:
        self.key = key
        self.drawn: Drawn | None = None

    def read_header(self, name: bytes) -> bytes:
        return self.key if name == b"x-canary-key" else b""
