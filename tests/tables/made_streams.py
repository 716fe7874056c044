"""Made streams of answers whose errors change in a known way, for `python -m tests.tables.intervals --made`."""

import numpy as np

from ekiben.training.adaptation.answered import Answered
from ekiben.training.truth.live_scores import DAY_US

ROWS, DAYS, FIRST_DAY = 20_000, 140, 20_000
REACH = 1.533  # of the 80% interval of Student's t with 4 degrees of freedom
SCALES = {
    "still": lambda passed: np.ones(len(passed)),
    "drift": lambda passed: 1 + 2 * passed,
    "jump": lambda passed: np.where(passed < 0.5, 1.0, 2.5),
    "season": lambda passed: 1 + 0.8 * np.sin(4 * np.pi * passed),
    "narrow": lambda passed: 1 - 0.6 * passed,
}  # of the errors, as the stream passes from 0 to 1


def make_stream(name: str, seed: int, lag_days: float) -> Answered:
    """Return answers whose intervals hold 80% as long as the scale of errors is 1."""
    random = np.random.default_rng(seed)
    times = np.sort(random.integers(0, DAYS * DAY_US, ROWS)) + FIRST_DAY * DAY_US
    passed = (times - times[0]) / (DAYS * DAY_US)
    value = random.normal(50, 10, ROWS)
    labels = value + random.standard_t(4, ROWS) * SCALES[name](passed)
    none, came = np.zeros(ROWS), times + int(lag_days * DAY_US)
    return Answered(times, came, labels, value, value - REACH, value + REACH, none, none + 1)
