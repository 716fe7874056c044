"""Two models that answer the same rows, and what is to be known of them."""

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.comparison.comparison import Comparison, Version
from ekiben.contract.comparison.counting import PairCounter
from ekiben.contract.comparison.losses import compare_losses
from ekiben.contract.comparison.parts import Timing
from ekiben.contract.comparison.slices import Slicer
from ekiben.contract.feature import Category, Number
from ekiben.contract.schema import Schema, Target

CLASSES = Target(name="late", classes=(False, True))
FEATURES = (
    Category(name="carrier", vocabulary=("AA", "B6", "UA"), example="UA"),
    Category(name="dest", vocabulary=("", *(f"D{index}" for index in range(20))), nullable=True, example="D1"),
    Number(name="distance", low=0, high=5000, example=1.0),
)


def make_schema(target: Target = CLASSES) -> Schema:
    return Schema(name="flights", features=FEATURES, target=target)


def draw_answers(target: Target, rows: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what two models answer, (rows, outputs) each."""
    random = np.random.default_rng(seed)
    shape = (rows, len(target.outputs))
    if target.task == "regression":
        first = random.normal(0, 3, shape)
        pair = first, first + random.normal(0, 0.5, shape)
    elif target.task == "binary":
        first = random.beta(2, 2, shape)
        pair = first, np.clip(first + random.normal(0, 0.1, shape), 0.01, 0.99)
    else:
        pair = random.dirichlet(np.ones(shape[1]), rows), random.dirichlet(np.ones(shape[1]), rows)
    return pair[0].astype(np.float32), pair[1].astype(np.float32)


def draw_codes(rows: int, seed: int) -> NDArray[np.int32]:
    random = np.random.default_rng(seed)
    return np.stack([random.integers(0, 4, rows), random.integers(0, 22, rows)], axis=1).astype(np.int32)


def compare(source: str, rows: int = 1000, seed: int = 0, target: Target = CLASSES, labels: int = 0) -> Comparison:
    """Return the comparison of one process; labels are those that the challenger makes likely."""
    schema = make_schema(target)
    counter = PairCounter(target, Slicer(schema, None), source)
    champion, challenger = draw_answers(target, rows, seed)
    counter.compare(draw_codes(rows, seed), champion, challenger)
    if labels:
        true = (np.random.default_rng(seed).random(labels) < challenger[:labels, 0]).astype(float)
        if target.task == "regression":
            true = challenger[:labels, 0].astype(float)
        counter.receive(labels)
        counter.judge(compare_losses(target, champion[:labels], challenger[:labels], true))
    part = counter.describe(
        rows + 7, 7, Timing(rows=rows, batches=rows, seconds=0.01), Timing(rows=rows, batches=2, seconds=0.001)
    )
    return Comparison(
        model=schema.name, target=target, champion=Version(version="1", digest="a"),
        challenger=Version(version="2", digest="b"), edges=counter.edges, slices=dict(counter.slicer.names),
        parts=(part,),
    )  # fmt: skip
