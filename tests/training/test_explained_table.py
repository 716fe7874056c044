"""`ekiben train` packs what explanations need, and `ekiben predict --explain` writes them beside the predictions."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ekiben.commands.parser import build_parser
from ekiben.contract.encoding import Encoder
from ekiben.contract.errors import InvalidModel, InvalidTable
from ekiben.contract.explanation.background import BACKGROUND_FILE
from ekiben.contract.schema import Target
from ekiben.model.golden import Golden
from ekiben.model.importance import IMPORTANCE_FILE
from ekiben.model.package import GOLDEN_FILE, NothingToExplainBy, PackedModel, open_model
from ekiben.training.predict import predict
from ekiben.training.registry.storing import write_manifest
from ekiben.training.source_config import FileSource
from tests import packed_tasks
from tests.packed_tasks import PRICE, STARS, make_table

pytestmark = pytest.mark.slow
ALL = 1000  # more than there are features


def golden_rows(model: PackedModel, rows: int) -> list[dict[str, Any]]:
    return Golden.model_validate_json((model.path / GOLDEN_FILE).read_bytes()).rows[:rows]


def explain(model: PackedModel, table: pd.DataFrame, folder: Path, top: int = ALL) -> pd.DataFrame:
    """Return a table with its predictions and explanations."""
    table.to_parquet(folder / "table.parquet", index=False)
    predict(model, FileSource(path=folder / "table.parquet"), folder / "scored.parquet", explain_top=top)
    return pd.read_parquet(folder / "scored.parquet")


def named(model: PackedModel) -> list[str]:
    return [f"explain:{name}" for name in model.schema.names]


@pytest.fixture(scope="module")
def scored(model: PackedModel, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Golden rows with all attributions."""
    return explain(model, pd.DataFrame(golden_rows(model, 12)), tmp_path_factory.mktemp("scored"))


def test_each_row_has_what_the_explainer_says_to_the_bit(model: PackedModel, scored: pd.DataFrame) -> None:
    encoded = Encoder(model.schema).encode_rows(golden_rows(model, 12))
    explainer, run = model.open_explainer(), model.start_engine().run
    for index in range(12):
        found = explainer.explain(encoded[index : index + 1], run).explanation
        row = scored.iloc[index]
        assert row[named(model)].to_numpy(float).tobytes() == found.attributions.tobytes()
        assert row["explain.base_value"] == found.base_value
        assert row["explain.output_value"] == found.output_value
        assert row["explain.standard_error"] == found.standard_errors.max()
        assert row["explain.pairs"] == found.pairs
    odds = np.log(scored["prediction.probability"] / (1 - scored["prediction.probability"]))
    assert scored["explain.output_value"].to_numpy() == pytest.approx(odds.to_numpy(), abs=1e-6)
    sums = scored[named(model)].sum(axis=1) + scored["explain.base_value"]
    assert sums.to_numpy() == pytest.approx(scored["explain.output_value"].to_numpy(), abs=1e-12)


def test_other_rows_around_it_change_no_explanation(model: PackedModel, scored: pd.DataFrame, tmp_path: Path) -> None:
    shuffled = pd.DataFrame(golden_rows(model, 12)).iloc[[7, 3, 3, 0]]
    again = explain(model, shuffled, tmp_path)
    columns = [name for name in scored.columns if name.startswith("explain")]
    expected = scored.iloc[[7, 3, 3, 0]][columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(again[columns], expected, check_exact=True)


def test_of_the_largest_only_the_rest_is_one_number(model: PackedModel, scored: pd.DataFrame, tmp_path: Path) -> None:
    few = explain(model, pd.DataFrame(golden_rows(model, 3)), tmp_path, top=2)
    assert few[named(model)].notna().sum(axis=1).tolist() == [2, 2, 2]
    sums = few[named(model)].sum(axis=1) + few["explain.rest"] + few["explain.base_value"]
    assert sums.to_numpy() == pytest.approx(few["explain.output_value"].to_numpy(), abs=1e-12)
    largest = scored[named(model)].iloc[:3].abs().max(axis=1)
    assert few[named(model)].abs().max(axis=1).tolist() == largest.tolist()


def test_a_row_that_does_not_fit_has_no_explanation(model: PackedModel, tmp_path: Path) -> None:
    table = pd.DataFrame(golden_rows(model, 3))
    table.loc[1, "distance"] = None
    found = explain(model, table, tmp_path)
    columns = [name for name in found.columns if name.startswith("explain")]
    assert found["prediction.problem"].notna().tolist() == [False, True, False]
    assert found[columns].isna().all(axis=1).tolist() == [False, True, False]


@pytest.mark.parametrize("target", [STARS, PRICE], ids=["multiclass", "regression"])
def test_other_tasks_are_explained_too(target: Target, tmp_path: Path) -> None:
    packed_tasks.write(tmp_path / "packed", target)
    packed = open_model(tmp_path / "packed", write_manifest(tmp_path / "packed", "1", "made"))
    table = make_table()
    found = explain(packed, table.assign(floor=table["floor"].astype(str)), tmp_path)
    sums = found[named(packed)].sum(axis=1) + found["explain.base_value"]
    assert sums.to_numpy() == pytest.approx(found["explain.output_value"].to_numpy(), rel=1e-12, abs=1e-9)
    if target is STARS:
        assert found["explain.class"].tolist() == found["prediction.label"].tolist()
        assert packed.importance is not None
        assert packed.importance.unit == "log-odds"
    else:
        assert found["explain.output_value"].tolist() == found["prediction.value"].tolist()
        assert "explain.class" not in found
        assert packed.importance is not None
        assert packed.importance.unit == "EUR"


def test_a_column_of_an_added_name_is_in_the_way_of_explanations_alone(model: PackedModel, tmp_path: Path) -> None:
    table = pd.DataFrame(golden_rows(model, 2)).assign(**{"explain:distance": 1})
    with pytest.raises(InvalidTable, match="has a column `explain:distance`, as those that are added: rename it"):
        explain(model, table, tmp_path)
    assert not (tmp_path / "scored.parquet").exists()
    predict(model, FileSource(path=tmp_path / "table.parquet"), tmp_path / "scored.parquet")


def test_a_model_without_background_predicts_and_explains_nothing(model: PackedModel, tmp_path: Path) -> None:
    folder = tmp_path / "packed"
    shutil.copytree(model.path, folder, ignore=shutil.ignore_patterns(BACKGROUND_FILE, IMPORTANCE_FILE, "model.yaml"))
    bare = open_model(folder, write_manifest(folder, "7", "made"))
    assert bare.background is None
    assert bare.importance is None
    bare.start_engine()
    sentence = f"version 7 of {model.name} was packed without background rows, which explanations begin at: train it"
    with pytest.raises(NothingToExplainBy, match=sentence):
        explain(bare, pd.DataFrame(golden_rows(model, 2)), tmp_path)
    assert not (tmp_path / "scored.parquet").exists()


def test_a_damaged_file_is_said_so(model: PackedModel, tmp_path: Path) -> None:
    folder = tmp_path / "packed"
    shutil.copytree(model.path, folder, ignore=shutil.ignore_patterns("model.yaml"))
    (folder / BACKGROUND_FILE).write_bytes(b"no")
    (folder / IMPORTANCE_FILE).write_bytes(b"no")
    damaged = open_model(folder, write_manifest(folder, "7", "made"))
    for read in (damaged.open_explainer, lambda: damaged.importance):
        with pytest.raises(
            InvalidModel, match=r"(background\.npz|importance\.json) is missing or damaged: pack it again"
        ):
            read()


def test_the_background_is_of_training_rows(model: PackedModel) -> None:
    background = model.background
    assert background is not None
    assert len(background) == 64
    answers = model.start_engine().run(background.rows)
    assert answers.tobytes() == background.answers.tobytes()


def test_the_importance_is_packed_and_shown(model: PackedModel, training_output: str) -> None:
    importance = model.importance
    assert importance is not None
    assert {one.feature for one in importance.features} == set(model.schema.names)
    values = [one.value for one in importance.features]
    assert values == sorted(values, reverse=True)
    assert (importance.unit, importance.rows) == ("log-odds", 256)
    assert all(0 <= one.standard_error < values[0] for one in importance.features)
    assert (
        json.loads((model.path / IMPORTANCE_FILE).read_bytes())["features"][0]["feature"]
        == importance.features[0].feature
    )
    first = importance.features[0].feature
    assert re.search(f"most important features, by their mean effect in log-odds: {first} ", training_output)
    card = (model.path / "card.md").read_text(encoding="utf-8")
    assert "## What the answers depend on" in card
    assert card.index(first.replace("_", r"\_"), card.index("Mean effect on 256 held-out rows"))


def test_the_table_stands_before_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in ("table.csv", "0", "-1", "²"):
        with pytest.raises(SystemExit):
            build_parser().parse_args(["predict", "--explain", wrong])
        assert "expected" in capsys.readouterr().err
    parser = build_parser()
    assert parser.parse_args(["predict", "table.csv"]).explain is None
    assert parser.parse_args(["predict", "table.csv", "--explain", "3"]).explain == 3
    assert parser.parse_args(["predict", "table.csv", "--explain"]).explain > ALL
