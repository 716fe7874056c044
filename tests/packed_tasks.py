"""Small models of other tasks than the flights': packed networks that were not trained, in a moment."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ekiben.contract.encoding import Encoder
from ekiben.contract.feature import Category, Feature, Number, Timestamp
from ekiben.contract.schema import Schema, Target
from ekiben.training.network.raw_inputs import build_raw_model
from ekiben.training.registry.explanation_packing import write_explanations
from ekiben.training.registry.packaging import choose_golden, predict_encoded, write_golden, write_package
from ekiben.training.registry.storing import store_package
from ekiben.training.tables.json_rows import to_rows
from tests.conftest import using_stores
from tests.untrained_network import build_network

FEATURES: tuple[Feature, ...] = (
    Number(name="متراژ (m²)", low=0, high=500, nullable=True, example=80),
    Category(name="floor", vocabulary=("1", "2", "3"), integers=True, example=2),
    Timestamp(name="sold at", format="%d.%m.%Y", example="2013-07-04"),
)
SOLD = Target(name="sold", classes=(False, True))
STARS = Target(name="stars", task="multiclass", classes=(1, 3, 5))
PRICE = Target(name="price", task="regression", scale=1000.0, unit="EUR")
ROW = {"متراژ (m²)": 80.5, "floor": 2, "sold at": "04.07.2013"}


def make_table() -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "متراژ (m²)": random.uniform(0, 500, 50).astype(np.float32),
            "floor": pd.Categorical(random.choice(["1", "2", "3"], 50)),
            "sold at": pd.date_range("2013-01-01", periods=50).astype("datetime64[s]"),
        }
    )


def write(folder: Path, target: Target, units: int = 8) -> None:
    """Pack a network that was not trained, of so wide a layer."""
    write_schema(folder, Schema(name=target.name, features=FEATURES, target=target), make_table(), units)


def write_schema(folder: Path, schema: Schema, table: pd.DataFrame, units: int = 8) -> None:
    """Pack a network of this schema that was not trained, with golden rows of the table."""
    folder.mkdir()
    network = build_network(schema, units)
    write_package(folder, schema, network, build_raw_model(schema, network))
    indices = choose_golden(schema, table)
    write_golden(
        folder, to_rows(schema, table.iloc[indices]), predict_encoded(network, Encoder(schema).encode(table))[indices]
    )
    write_explanations(folder, schema, network, table, table.iloc[indices], "keep")


def store(home: Path, targets: Iterable[Target], units: int = 8) -> Path:
    """Put a model of each target into the BentoML store in a folder, under the target's name; return the store."""
    with using_stores(home):
        for target in targets:
            write(home / target.name, target, units)
            store_package(home / target.name, "1", {"run_id": "made"})
    return home / "bentoml"
