"""`ekiben train --table DIGEST` makes the model again that was made of the table as it was kept."""

import json
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ekiben.commands.parser import build_parser
from ekiben.contract.errors import UserError
from ekiben.model.package import PackedModel
from tests.conftest import NAME, STATE, TABLES, run, stores_in


@pytest.mark.slow
def test_the_same_table_again_gives_the_same_weights(model: PackedModel, tmp_path: Path) -> None:
    shutil.copytree(os.environ["BENTOML_HOME"], tmp_path / "bentoml")
    with sqlite3.connect(STATE / "mlflow.db") as source, sqlite3.connect(tmp_path / "mlflow.db") as copy:
        source.backup(copy)
    (kept,) = (path.parent.name for path in TABLES.glob("*/table.json"))
    options = ["--table", kept[:16], "--epochs", "2"]
    run("-m", "ekiben.training", "train", *options, EKIBEN_TABLES=str(TABLES), **stores_in(tmp_path))
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        found = database.execute("SELECT version, value FROM model_version_tags WHERE key = 'data_digest'")
        assert dict(found.fetchall()) == {1: kept, 2: kept}
    first, second = (read_files(tmp_path / "bentoml" / "models" / NAME / version) for version in ("1", "2"))
    for name in (
        *("model.tflite", "golden.json", "schema.json", "reference.json", "evaluation.json"),
        *("background.npz", "importance.json"),
    ):
        assert first[name] == second[name], name


def read_files(package: Path) -> dict[str, Any]:
    """Return the digests of a packed model's files."""
    files: dict[str, Any] = json.loads((package / "manifest.json").read_text())["files"]
    return files


def test_a_table_and_a_log_are_one_too_many() -> None:
    options = build_parser().parse_args(["train", "--table", "abc", "--from-log", "log"])
    with pytest.raises(UserError, match="--table and --from-log are two tables to train on"):
        options.run(options)
