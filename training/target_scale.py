"""Which scale a number is learned on: what `[target] scale` says or, if that is "auto", what rows speak for.

Training and validation rows alone are asked. Whole numbers from 0 on are counts, and numbers from 0 to 1 shares: no
answer leaves these bounds, unless the problem file says "linear".
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import mlflow
import numpy as np

from ekiben.contract.errors import InvalidTable
from ekiben.training.evaluate.text import format_number
from ekiben.training.network.links import LINEAR, Link, Scale
from ekiben.training.preparation import Prepared
from ekiben.training.problem import ProblemConfig
from ekiben.training.scale_evidence import MIN_VALIDATION_ROWS, Evidence, compare_scales

BLOCK_ROWS = 1_000_000  # of labels that lie on a disk
NAMES: dict[Scale, str] = {
    "linear": "as it is", "log": "on a log scale", "sqrt": "on a square-root scale", "logit": "on a logit scale",
}  # fmt: skip
NEEDS = {
    "log": "numbers above 0, or whole numbers from 0 on",
    "sqrt": "numbers from 0 on",
    "logit": "numbers from 0 to 1",
}
LEAST, MOST = "target_least", "target_most"  # parameters of a run: what no answer leaves
MIN_EDGE, MAX_EDGE, EDGE_ROWS = 1e-6, 0.01, 100_000


@dataclass(frozen=True)
class Chosen:
    """A scale, and for people why it is this one."""

    link: Link
    sentence: str


@dataclass(frozen=True)
class Range:
    """Where labels lie."""

    low: float
    high: float
    whole: bool

    @property
    def is_share(self) -> bool:
        """Whether all lie from 0 to 1."""
        return self.low >= 0 and self.high <= 1

    @property
    def bounds(self) -> tuple[float, float]:
        """What no answer leaves."""
        return (0.0, 1.0) if self.is_share else (0.0 if self.whole and self.low >= 0 else -np.inf, np.inf)

    def fits(self, scale: Scale) -> bool:
        """Return whether all have a place on a scale."""
        counts = self.low >= 0 and self.whole
        return {"linear": True, "log": self.low > 0 or counts, "sqrt": self.low >= 0, "logit": self.is_share}[scale]

    @property
    def candidates(self) -> tuple[Scale, ...]:
        """The scales that may be better than the target's own."""
        tried: tuple[Scale, ...] = ("logit",) if self.is_share else ("log", "sqrt")
        return tuple(scale for scale in tried if self.fits(scale))


def adopt_scale(problem: ProblemConfig, prepared: Prepared) -> Prepared:
    """Print which scale the target is learned on, and return the table with it; of classes there is none."""
    if problem.target.task != "regression":
        return prepared
    chosen = choose_scale(problem, prepared)
    print(chosen.sentence)
    return replace(prepared, link=chosen.link, scale=chosen.sentence)


def log_scale(prepared: Prepared) -> None:
    """Log the scale with the active run."""
    if prepared.link is not None:
        bounds = {LEAST: prepared.link.low, MOST: prepared.link.high}
        mlflow.log_params({name: bound for name, bound in bounds.items() if np.isfinite(bound)})
        mlflow.log_param("target_scale", prepared.link.scale)
        mlflow.set_tag("target_scale", prepared.scale)


def find_link(problem: ProblemConfig, prepared: Prepared) -> Link:
    """Return the scale of a table for which it was chosen, or choose it."""
    if problem.target.task != "regression":
        return LINEAR
    return choose_scale(problem, prepared).link if prepared.link is None else prepared.link


def choose_scale(problem: ProblemConfig, prepared: Prepared) -> Chosen:
    """Return the scale to learn a regression's target on; raise InvalidTable if it can't be the one that is said."""
    said, name = problem.target.scale, problem.target.name
    if said == "linear":
        return Chosen(LINEAR, f"“{name}” is learned as it is, without bounds, as [target] scale says")
    labels = measure_range(prepared.training_labels, prepared.labels[1])
    if said != "auto":
        check_scale(name, said, labels)
        sentence = f"“{name}” is learned {NAMES[said]}, as [target] scale says"
        return Chosen(link := make_link(said, labels, prepared), sentence + describe_bounds(link))
    scales: tuple[Scale, ...] = ("linear", *labels.candidates)
    links = [make_link(scale, labels, prepared) for scale in scales]
    if len(prepared.labels[1]) < MIN_VALIDATION_ROWS or len(links) == 1:
        return Chosen(links[0], f"“{name}” is learned as it is{describe_bounds(links[0])}")
    evidence = compare_scales(prepared, links, problem.split.moment is not None)
    return Chosen(evidence.best, f"“{name}” is learned {describe_evidence(evidence)}{describe_bounds(evidence.best)}")


def measure_range(*parts: np.ndarray) -> Range:
    """Return where labels lie, (rows,) each; those in files are read in blocks."""
    ranges = [
        Range(float(block.min()), float(block.max()), bool((block == np.floor(block)).all()))
        for block in _blocks(parts)
    ]
    return Range(min(r.low for r in ranges), max(r.high for r in ranges), all(r.whole for r in ranges))


def _blocks(parts: tuple[np.ndarray, ...]) -> Iterator[np.ndarray]:
    for labels in parts:
        for start in range(0, len(labels), BLOCK_ROWS):
            yield labels[start : start + BLOCK_ROWS]


def check_scale(name: str, scale: Scale, labels: Range) -> None:
    """Raise InvalidTable if labels have no place on the scale."""
    if not labels.fits(scale):
        strange = labels.low if labels.low <= 0 else labels.high
        raise InvalidTable(
            f'`{name}` is {strange:g} in a row, and [target] scale = "{scale}" needs {NEEDS[scale]}: choose another '
            "scale in the problem file, or leave it out"
        )


def make_link(scale: Scale, labels: Range, prepared: Prepared) -> Link:
    """Return a scale with what it takes to hold all labels."""
    low, high = labels.bounds
    added = 1.0 if scale == "log" and labels.low == 0 else 0.0
    edge = find_edge(prepared.labels[0]) if scale == "logit" and not 0 < labels.low <= labels.high < 1 else MIN_EDGE
    return Link(scale, added, edge if scale == "logit" else 0.0, low, high)


def find_edge(labels: np.ndarray) -> float:
    """Return how near to 0 and 1 these themselves are taken to lie: half as far as the nearest others but a few."""
    inner = np.minimum(labels, 1 - labels)[:: max(1, len(labels) // EDGE_ROWS)]
    inner = inner[inner > 0]
    return max(MIN_EDGE, float(np.quantile(inner, 0.01)) / 2) if len(inner) else MAX_EDGE


def describe_evidence(evidence: Evidence) -> str:
    """Return the scale, and the validation RMSE beside the others'."""
    rmse = {link.scale: format_number(value) for link, value in evidence.rmse.items()}
    if (best := evidence.best.scale) != "linear":
        return f"{NAMES[best]}: validation RMSE {rmse[best]} in place of {rmse['linear']}, of small trees"
    others = ", ".join(f"{NAMES[scale]} {value}" for scale, value in rmse.items() if scale != "linear")
    return f"as it is: validation RMSE {rmse['linear']}, {others}, of small trees"


def describe_bounds(link: Link) -> str:
    """Return what no answer leaves, as the sentence goes on."""
    if np.isfinite(link.high):
        return f"; every answer is from {link.low:g} to {link.high:g}"
    return f"; no answer is below {link.low:g}" if np.isfinite(link.low) else ""
