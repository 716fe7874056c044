"""Stores that hold a champion and its challenger."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ekiben.model.package import PackedModel
from tests.conftest import STATE, run, stores_in


@pytest.fixture(scope="session")
def stores(model: PackedModel, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of stores in which a second training was not better than the first."""
    folder = tmp_path_factory.mktemp("challenged")
    shutil.copytree(STATE / "bentoml", folder / "bentoml")
    with closing(sqlite3.connect(STATE / "mlflow.db")) as there, closing(sqlite3.connect(folder / "mlflow.db")) as here:
        there.backup(here)
    variables = stores_in(folder)
    said = run("-m", "ekiben.training", "train", "--rows", "3000", "--epochs", "1", **variables).stdout
    assert "not better, the champion stays" in said
    assert "packed as flight_delay:2\n`CHALLENGER=challenger ekiben serve` compares it" in said
    assert Path(folder, "bentoml", "models", "flight_delay", "latest").read_text() == "1"
    return variables
