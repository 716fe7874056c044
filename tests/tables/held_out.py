"""Rows to choose a recipe by: some of the training rows, in place of the test rows, which are not looked at."""

from dataclasses import replace

import numpy as np

from ekiben.training.preparation import Prepared

SHARE = 0.15  # of the training rows


def hold_out(prepared: Prepared, time: str | None, seed: int) -> Prepared:
    """Return a table without its test rows: scored on a share of the training rows, by time the latest ones."""
    rows = prepared.parts.train
    order = rows[time].argsort(kind="stable").to_numpy() if time else np.random.default_rng(seed).permutation(len(rows))
    cut = int(len(rows) * (1 - SHARE))
    kept, held = np.sort(order[:cut]), np.sort(order[cut:])
    labels, weights = prepared.labels, prepared.weights
    first = weights[0]
    return replace(
        prepared,
        parts=replace(prepared.parts, train=rows.iloc[kept], test=rows.iloc[held]),
        labels=(labels[0][kept], labels[1], labels[0][held]),
        weights=(None, weights[1], None) if first is None else (first[kept], weights[1], first[held]),
    )
