"""Small tables made ready as `train` does it, and answers to their test rows that no network gave."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ekiben.contract.encoding import Encoded, Encoder
from ekiben.training.preparation import Prepared, prepare
from ekiben.training.problem import ProblemConfig
from ekiben.training.tables.read import read_table

HOSTILE = "<script>alert(1)</script>"
TARGETS: dict[str, dict[str, Any]] = {
    "binary": {"name": "sold", "task": "binary", "classes": ["no", "yes"]},
    "multiclass": {"name": "grade", "task": "multiclass", "classes": ["a", "b", "c"]},
    "regression": {"name": "price", "task": "regression", "unit": "EUR"},
}


def make_frame(rows: int, seed: int = 0) -> pd.DataFrame:
    """A table whose labels depend on `size` and, of a hostile value of `shop`, on nothing."""
    random = np.random.default_rng(seed)
    size = random.uniform(0, 100, rows)
    shop = random.choice(["north", "south", HOSTILE], rows)
    blurred = np.where(shop == HOSTILE, random.uniform(0, 100, rows), size) + random.normal(0, 10, rows)
    return pd.DataFrame(
        {
            "size": np.where(random.random(rows) < 0.05, np.nan, size),
            "shop": shop,
            "noise": random.normal(size=rows),
            "sold": np.where(blurred > 60, "yes", "no"),
            "grade": np.array(["a", "b", "c"])[np.digitize(blurred, (30, 70))],
            "price": blurred * 10,
        }
    )


def make_problem(folder: Path, task: str, frame: pd.DataFrame, **more: Any) -> ProblemConfig:
    path = folder / "goods.csv"
    frame.to_csv(path, index=False)
    features = {"size": {"kind": "number"}, "shop": {"kind": "category"}, "noise": {"kind": "number"}}
    return ProblemConfig.model_validate(
        {
            "name": "goods", "source": {"path": str(path)}, "target": TARGETS[task], "features": features,
            "slices": ["shop"], **more,
        }
    )  # fmt: skip


def prepare_table(problem: ProblemConfig) -> Prepared:
    return prepare(problem, read_table(problem, lambda share: None), say=lambda line: None)


def answer(prepared: Prepared, encoded: Encoded) -> np.ndarray:
    """What a model would answer that knows how labels depend on `size`, and nothing of `shop`."""
    size = np.nan_to_num(encoded.numbers[:, 0], nan=50.0).astype(np.float64)
    if prepared.schema.target.task == "regression":
        value = size * 10
        return np.column_stack([value, value - 150, value + 150]).astype(np.float32)
    above = [1 / (1 + np.exp(-(size - edge) / 6)) for edge in (30, 70)]
    if prepared.schema.target.task == "multiclass":
        return np.column_stack([1 - above[0], above[0] - above[1], above[1]]).astype(np.float32)
    return (1 / (1 + np.exp(-(size - 60) / 6)))[:, None].astype(np.float32)


def answer_test(prepared: Prepared) -> np.ndarray:
    return answer(prepared, Encoder(prepared.schema).encode(prepared.parts.test))
