"""Forecasts of two models and what comes true. `python -m tests.forecasts` prints how many labels a decision takes."""

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.comparison.evidence import ALPHA, BOUNDS, charge, is_proved
from ekiben.contract.comparison.losses import STEPS, Losses, compare_losses
from ekiben.contract.schema import Target

BINARY = Target(name="y", classes=(False, True))
LABELS = 10_000
NORMAL_975, NORMAL_80 = 1.96, 0.84  # quantiles: of a two-sided test at 5%, and of a power of 80%
SPREADS = ((0.2, 0.1), (0.1, 0.05), (0.05, 0.0), (0.03, 0.0))  # of both models around the truth
Floats = NDArray[np.float64]


def draw_forecasts(
    random: np.random.Generator, spread: float, other: float, labels: int = LABELS
) -> tuple[Floats, Floats, Floats]:
    """Return what is true, and what two models say of it, (labels,) each."""
    true = random.beta(2, 6, labels)
    champion, challenger = (np.clip(true + random.normal(0, width, labels), 0.01, 0.99) for width in (spread, other))
    return true, champion, challenger


def find_fair(champion: Floats, challenger: Floats) -> Floats:
    """Return the probabilities under which the difference of the log losses has a mean of 0 on every row."""
    yes, no = np.log(challenger / champion), np.log((1 - challenger) / (1 - champion))
    apart = np.where(challenger == champion, 1.0, yes - no)
    return np.clip(-no / apart, 0, 1)


def judge_rows(random: np.random.Generator, true: Floats, champion: Floats, challenger: Floats) -> Losses:
    """Draw labels, and return what they say."""
    labels = (random.random(len(true)) < true).astype(float)
    ours, theirs = (said.astype(np.float32)[:, None] for said in (champion, challenger))
    return compare_losses(BINARY, ours, theirs, labels)


def look_after_every_label(losses: Losses, sign: int = 1) -> int | None:
    """Return the label after which it is first proved that the challenger is better, or worse."""
    bound = np.searchsorted(BOUNDS * STEPS, losses.bound)
    rows = np.zeros((len(bound), len(BOUNDS)))
    rows[np.arange(len(bound)), bound] = 1
    gained = losses.gained / STEPS
    charges = charge(rows.cumsum(axis=0), (rows * gained[:, None] ** 2).cumsum(axis=0))
    proved = is_proved(sign * gained.cumsum(), charges)
    return int(proved.argmax()) + 1 if proved.any() else None


def main(paths: int = 25, labels: int = 60_000) -> None:
    """Print a Markdown table."""
    print(f"{paths} seeds; looking after every label, {1 - ALPHA:.0%}\n")
    print("| gain, nats | σ | decided after: median (quartiles) | a test that looks once, power 80% |")
    print("|--:|--:|--:|--:|")
    for spread, other in SPREADS:
        random = np.random.default_rng(19)
        found, gains = [], []
        for _ in range(paths):
            losses = judge_rows(random, *draw_forecasts(random, spread, other, labels))
            found.append(look_after_every_label(losses) or labels)
            gains.append(losses.gained / STEPS)
        mean, deviation = np.mean(gains), np.std(gains)
        low, middle, high = np.quantile(found, [0.25, 0.5, 0.75])
        once = ((NORMAL_975 + NORMAL_80) * deviation / mean) ** 2
        print(f"| {mean:.4f} | {deviation:.2f} | {middle:,.0f} ({low:,.0f} to {high:,.0f}) | {once:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
