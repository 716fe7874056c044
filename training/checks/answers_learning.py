"""Learns what a model answers: the answers' bins, and what each bin of a feature does to them."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.answers import Answers, name_classes
from ekiben.contract.encoding import Encoded
from ekiben.contract.reference.bins import CategoryBins, NumberBins
from ekiben.contract.reference.counting import LABEL, RowCounter, main_answer
from ekiben.contract.reference.reference import Distribution, Reference
from ekiben.contract.schema import Schema
from ekiben.training.checks.reference_learning import find_quantiles

ANSWER_BINS = 20
EFFECT_DIGITS = 5


def describe_answers(reference: Reference, schema: Schema, encoded: Encoded, answers: Answers) -> Reference:
    """Return the reference with the answers, (rows, outputs), that the model gave to a sample of its rows."""
    bins = _choose_bins(schema, answers)
    empty = tuple(
        Distribution(column=name, bins=own, counts=(0,) * (len(own.labels) + 1)) for name, own in bins.items()
    )
    counter = RowCounter(schema, reference.model_copy(update={"answers": empty}))
    _, counted = counter.split(counter.count(encoded, answers))
    described = tuple(one.model_copy(update={"counts": tuple(counted[one.name])}) for one in empty)
    effects = dict(_measure_effects(counter, encoded, answers))
    distributions = (one.model_copy(update={"effects": effects.get(one.name, ())}) for one in reference.distributions)
    return reference.model_copy(update={"distributions": tuple(distributions), "answers": described})


def _choose_bins(schema: Schema, answers: Answers) -> dict[str, NumberBins | CategoryBins]:
    target = schema.target
    numbers = NumberBins(edges=find_quantiles(main_answer(target, answers), ANSWER_BINS))
    if target.task != "multiclass":
        return {target.outputs[0]: numbers}
    return {LABEL: CategoryBins(values=tuple(name_classes(target))), "probability": numbers}


def _measure_effects(
    counter: RowCounter, encoded: Encoded, answers: Answers
) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Yield each feature's name, and by how much the mean answer in its bins differs from that of all rows."""
    scored = answers if answers.shape[1] > 1 and counter.answers[0].name == LABEL else answers[:, :1]
    sums = np.zeros((scored.shape[1], counter.width))
    rows = counter.count(encoded, answers)
    for places in counter.place(encoded, answers):
        for column in places:
            for output, scores in enumerate(scored.T):
                sums[output] += np.bincount(column, weights=scores, minlength=counter.width)
    differences = np.where(rows > 0, sums / np.maximum(rows, 1) - scored.mean(axis=0, dtype=float)[:, None], 0.0)
    effects = differences[0] if len(sums) == 1 else np.abs(differences).sum(axis=0) / 2
    start = 0
    for feature in counter.features:
        stop = start + len(feature.counts)
        yield feature.name, _round(effects[start:stop])
        start = stop


def _round(effects: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(f"{effect:.{EFFECT_DIGITS}g}") for effect in effects)
