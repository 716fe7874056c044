"""A packed model whose names try the page: Persian, emoji, markup, every kind of feature, nulls; untrained."""

import csv
import io
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from ekiben.contract.encoding import Encoder
from ekiben.contract.feature import Boolean, Category, Number, Timestamp
from ekiben.contract.reference.reference import REFERENCE_FILE
from ekiben.contract.schema import Schema, Target
from ekiben.training.checks.answers_learning import describe_answers
from ekiben.training.checks.reference_learning import learn_reference
from ekiben.training.network.architecture import Design, Shape, Tower, build_towers
from ekiben.training.network.averaging import average_towers
from ekiben.training.network.raw_inputs import build_raw_model
from ekiben.training.network.scaling import scale_numbers, scale_target
from ekiben.training.registry.explanation_packing import write_explanations
from ekiben.training.registry.packaging import (
    choose_golden,
    predict_encoded,
    write_golden,
    write_package,
)
from ekiben.training.registry.storing import store_package
from ekiben.training.tables.json_rows import to_rows
from tests.conftest import using_stores

NAME, TOKEN = "house", "a-secret-token"
AREA, ROCKETS, MARKUP, GARDEN, SOLD = "متراژ", "🚀 rockets", "<b>kind</b>", "garden", "sold"
EVIL = "<img src=x onerror=document.title='evil'>"
SCHEMA = Schema(
    name=NAME,
    features=(
        Number(name=AREA, low=0, high=900, unit="m²", description="مساحت خانه", example=80),
        Number(
            name=ROCKETS,
            low=0,
            high=9,
            nullable=True,
            description="how many 🚀 in the <i>garden</i>",
            example=1.5,
        ),
        Category(name=MARKUP, vocabulary=("", "آپارتمان", EVIL, "villa & co"), nullable=True, example="آپارتمان"),
        Boolean(name=GARDEN, example=True),
        Timestamp(name=SOLD, zoned=True, nullable=True, example=None),
    ),
    target=Target(name="قیمت", task="regression", scale=1000.0, unit="EUR", description="قیمت خانه به یورو"),
)


def make_table() -> pd.DataFrame:
    """Return typed rows."""
    random, rows = np.random.default_rng(0), 200
    kinds = random.choice(["آپارتمان", EVIL, "villa & co"], rows, p=[0.6, 0.3, 0.1])
    return pd.DataFrame(
        {
            AREA: random.gamma(4, 25, rows).astype(np.float32),
            ROCKETS: np.where(random.random(rows) < 0.2, np.nan, random.uniform(0, 9, rows)).astype(np.float32),
            MARKUP: pd.Categorical(kinds),
            GARDEN: random.random(rows) < 0.3,
            SOLD: pd.date_range("2013-01-01", periods=rows, freq="37h", tz="UTC").astype("datetime64[s, UTC]"),
            SCHEMA.target.name: random.normal(2000, 500, rows).astype(np.float32),
        }
    )


def build_network(table: pd.DataFrame) -> keras.Model:
    """Return a network that was not trained, on the scale of the table."""
    keras.utils.set_random_seed(3)
    scale = scale_target(SCHEMA.target, table[SCHEMA.target.name].to_numpy())
    numbers = scale_numbers(Encoder(SCHEMA).encode(table).numbers, bins=0)
    design = Design(SCHEMA, numbers, scale, Shape(units=(8,), towers=(Tower(),)))
    return average_towers(build_towers(design), design)


def store(home: Path) -> Path:
    """Put the model into the BentoML store in a folder; return the store."""
    package, table = home / "package", make_table()
    package.mkdir(parents=True)
    network = build_network(table)
    with using_stores(home):
        write_package(package, SCHEMA, network, build_raw_model(SCHEMA, network))
        indices = choose_golden(SCHEMA, table)
        rows = to_rows(SCHEMA, table.iloc[indices])
        encoded = Encoder(SCHEMA).encode(table)
        answers = predict_encoded(network, encoded)
        write_golden(package, rows, answers[indices])
        write_explanations(package, SCHEMA, network, table, table.iloc[indices], "keep")
        reference = learn_reference(SCHEMA, tuple(table.columns), table)
        describe_answers(reference, SCHEMA, encoded, answers).save(package / REFERENCE_FILE)
        store_package(package, "1", {"run_id": "made"})
    return home / "bentoml"


def write_table(rows: int) -> bytes:
    """Return a CSV table with a column too many, quotes, a line break and markup."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["note", AREA, ROCKETS, MARKUP, GARDEN, SOLD])
    for row in range(rows):
        table.writerow([f'"{row}",\nline', row, "", EVIL, "yes", "2013-05-06T07:08:09Z"])
    return text.getvalue().encode()
