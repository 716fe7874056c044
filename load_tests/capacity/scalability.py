"""How throughput follows from concurrency, and how many replicas a target needs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit
from scipy.stats import t

from ekiben.contract.errors import UserError

CONFIDENCE = 0.95
SPARE_REPLICAS = 1  # one may be lost, or be replaced, and the rest still carry the target
TARGET_SHARE = 0.7  # of a replica's capacity: where the autoscaler adds one, so that it is up before the knee
MAX_REPLICA_FACTOR = 2  # times what the target needs: a bound on a bill, not on a peak
WAIT_SHARE = 0.4  # of the SLO, that a request may wait to be read, and its rows for the engine: batches take time too
FULL_SHARE = 0.5  # of what may wait, where the autoscaler adds a replica


@dataclass(frozen=True)
class Law:
    """Gunther's Universal Scalability Law: X(n) = λ·n / (1 + σ·(n − 1) + κ·n·(n − 1)).

    λ is what one caller at a time gets, σ the share that is serial, κ the cost of keeping callers apart;
    each `± …` is half of its confidence interval.
    """

    rate: float
    contention: float
    coherency: float
    half_widths: tuple[float, float, float]
    explained: float  # R² of the fit

    def throughput(self, callers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return X(n)."""
        return law(callers, self.rate, self.contention, self.coherency)

    def __str__(self) -> str:
        pairs = zip(
            ("λ", "σ", "κ"), (self.rate, self.contention, self.coherency), self.half_widths, ("/s", "", ""), strict=True
        )
        values = ", ".join(f"{name} = {value:.3g} ± {half:.2g}{unit}" for name, value, half, unit in pairs)
        return f"{values} ({CONFIDENCE:.0%} confidence, R² {self.explained:.3f})"


def law(callers: NDArray[np.float64], rate: float, contention: float, coherency: float) -> NDArray[np.float64]:
    """Return the throughput that the law gives."""
    return rate * callers / (1 + contention * (callers - 1) + coherency * callers * (callers - 1))


def fit_law(callers: Sequence[float], throughputs: Sequence[float]) -> Law:
    """Fit the law to a closed loop's throughputs; each counts by its relative error."""
    n, x = np.array(callers, float), np.array(throughputs, float)
    start = (x[0] / n[0], 0.05, 1e-5)
    bounds = ((0, -1, 0), (np.inf, 10, 1))  # batches may make σ negative; a negative κ would be growth without end
    fitted, covariance = curve_fit(law, n, x, p0=start, sigma=x, bounds=bounds, x_scale=(start[0], 0.05, 1e-4))
    half = t.ppf((1 + CONFIDENCE) / 2, len(n) - len(fitted)) * np.sqrt(np.diag(covariance))
    explained = 1 - ((x - law(n, *fitted)) ** 2).sum() / ((x - x.mean()) ** 2).sum()
    rate, contention, coherency = fitted.tolist()
    widths = half.tolist()
    return Law(rate, contention, coherency, (widths[0], widths[1], widths[2]), float(explained))


@dataclass(frozen=True)
class Plan:
    """How many replicas, and where the autoscaler adds one."""

    replicas: int  # with the spare one
    most: int
    requests_per_second: int  # of a replica
    waiting_rows: int  # of a replica


def plan_replicas(target_rps: float, capacity_rps: float, rows_per_request: float, slo_ms: float) -> Plan:
    """Return the replicas that carry the target even after one is lost; raise UserError if none ever would."""
    if capacity_rps <= 0:
        raise UserError("no rate meets the SLO: allow more time with --slo-p99-ms, or use a faster machine")
    needed = math.ceil(target_rps / capacity_rps)
    waiting = capacity_rps * rows_per_request * FULL_SHARE * WAIT_SHARE * slo_ms / 1000
    return Plan(
        needed + SPARE_REPLICAS,
        MAX_REPLICA_FACTOR * needed + SPARE_REPLICAS,
        math.floor(TARGET_SHARE * capacity_rps),
        max(1, math.floor(waiting)),
    )
