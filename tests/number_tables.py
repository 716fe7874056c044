"""A table with numbers to predict that are skewed, counts, shares, and none of these: fitted in seconds."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ekiben.training.preparation import Prepared, prepare
from ekiben.training.problem import ProblemConfig
from ekiben.training.tables.read import read_table

FEATURES = {"x": {"kind": "number"}, "z": {"kind": "number"}, "shop": {"kind": "category"}}
NOISE = 0.6  # of the price's logarithm: its mean is 20% above its median
ROWS = 4000


def make_numbers(rows: int = ROWS) -> pd.DataFrame:
    """Return rows of features, of a target of each kind, and the mean that the price has in such a row."""
    random = np.random.default_rng(5)
    x, z = random.normal(size=(2, rows)).round(3)
    shop = random.choice(["a", "b", "c"], rows)
    signal = 0.6 * x + 0.4 * z + 0.3 * (shop == "a")
    noise = random.normal(size=rows)
    return pd.DataFrame(
        {
            "x": x, "z": z, "shop": shop,
            "price": np.exp(1 + signal + NOISE * noise),
            "price_mean": np.exp(1 + signal + NOISE**2 / 2),
            "visits": random.poisson(np.exp(signal)),
            "share": (1 / (1 + np.exp(-2.5 * signal - noise))).round(1),  # 0 and 1 are among them
            "change": 3 * signal + noise,
        }
    )  # fmt: skip


def prepare_numbers(
    path: Path, table: pd.DataFrame, target: str, scale: str = "auto", **said: Any
) -> tuple[ProblemConfig, Prepared]:
    """Write a table, and prepare it for the prediction of one of its targets."""
    table.to_csv(path, index=False)
    problem = ProblemConfig.model_validate(
        {
            "name": "numbers", "source": {"path": path}, "features": FEATURES,
            "target": {"name": target, "task": "regression", "scale": scale}, **said,
        }
    )  # fmt: skip
    return problem, prepare(problem, read_table(problem, lambda _: None), say=lambda _: None)
