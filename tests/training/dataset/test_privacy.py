"""What leaves the house in a package: rows as they were, rows that are nobody's, or none."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ekiben.contract.explanation.background import BACKGROUND_FILE
from ekiben.contract.schema import Schema, Target
from ekiben.contract.validation import validate_row
from ekiben.deploy.image.statements.carried_rows import describe_rows
from ekiben.model.golden import Golden
from ekiben.model.package import GOLDEN_FILE, NoGoldenRows, NothingToExplainBy, PackedModel
from ekiben.pipeline.gates.image_replay import answer_example
from ekiben.training.dataset.privacy import hide_example, make_up, scramble
from ekiben.training.dataset.schema_learning import learn_schema
from ekiben.training.tables.json_rows import to_rows
from tests.conftest import run, using_stores
from tests.deploy.parcels import PROBLEM, variables_of, write_parcels

ROWS = 400
KINDS = {
    "number": {"kind": "number"}, "text": {"kind": "category"}, "flag": {"kind": "boolean"},
    "day": {"kind": "timestamp"},
}  # fmt: skip


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Rows that each of their values names."""
    number = np.arange(ROWS, dtype=float)
    return pd.DataFrame(
        {
            "number": np.where(number % 7 == 0, np.nan, number),
            "text": pd.Series([f"c{index % 4}" for index in range(ROWS)], dtype="category"),
            "flag": number % 2 == 0,
            "day": pd.date_range("2020-01-01", periods=ROWS, freq="h"),
            "late": number % 3 == 0,
        },
        index=np.arange(ROWS) * 3,  # as a part of a table has them
    )


@pytest.fixture(scope="module")
def schema(table: pd.DataFrame) -> Schema:
    return learn_schema("hours", table, Target(name="late", classes=(False, True)), KINDS)


def test_scrambled_columns_hold_the_same_values_and_no_row_of_the_table(schema: Schema, table: pd.DataFrame) -> None:
    scrambled = scramble(schema, table)
    for name in schema.names:
        assert scrambled[name].dtype == table[name].dtype
        assert sorted(map(str, scrambled[name])) == sorted(map(str, table[name]))
    before, after = (set(map(str, to_rows(schema, rows.dropna()))) for rows in (table, scrambled))
    assert len(before & after) < 5  # by chance: one match in 150 runs, where a missing number gives two in each


def test_nobody_can_scramble_a_second_time_alike(schema: Schema, table: pd.DataFrame) -> None:
    np.random.seed(0)
    first = scramble(schema, table)
    np.random.seed(0)
    assert not first.equals(scramble(schema, table))


def test_an_example_is_kept_drawn_from_several_rows_or_made_up(schema: Schema, table: pd.DataFrame) -> None:
    rows = to_rows(schema, table)
    assert hide_example(schema, table, "keep") == schema
    assert schema.example in rows
    for how in ("scramble", "omit"):
        hidden = hide_example(schema, table, how)
        assert hidden.example not in rows
        assert not any(validate_row(hidden, 0, hidden.example))
        assert hidden.digest == hide_example(schema, table, how).digest
    assert hide_example(schema, table, "omit").example == {
        "number": 397.5, "text": "c0", "flag": False, "day": "2000-01-01T12:00:00",
    }  # fmt: skip


def test_a_category_without_any_value_gets_null(schema: Schema) -> None:
    (category,) = schema.categories
    assert make_up(category.model_copy(update={"vocabulary": ("",), "nullable": True})) is None


def train(home: Path, privacy: str) -> PackedModel:
    """Train on parcels and return what was packed."""
    from ekiben.model.store import find_model, open_stored

    write_parcels(home)
    (home / "problem.toml").write_text(PROBLEM + privacy)
    run("-m", "ekiben.commands", "train", "--epochs", "1", **variables_of(home))
    with using_stores(home):
        return open_stored(find_model("parcels"))


@pytest.mark.slow
def test_a_package_without_rows_is_trained_served_and_compared(tmp_path: Path) -> None:
    packed = train(tmp_path, '\n[privacy]\ngolden = "omit"\nbackground = "omit"\nexample = "omit"\n')
    assert not {GOLDEN_FILE, BACKGROUND_FILE} & packed.manifest.files.keys()
    assert describe_rows(packed) == "carries no rows of training"
    assert packed.importance
    packed.start_engine()
    assert len(answer_example(packed).answers) == 1
    with pytest.raises(NoGoldenRows, match=r'packed without golden rows, .*without `golden = "omit"`'):
        packed.load_golden()
    with pytest.raises(NothingToExplainBy, match='without `background = "omit"`'):
        packed.open_explainer()


@pytest.mark.slow
def test_a_package_of_scrambled_rows_answers_as_it_says(tmp_path: Path) -> None:
    packed = train(tmp_path, '\n[privacy]\ngolden = "scramble"\nbackground = "scramble"\n')
    golden = Golden.model_validate_json((packed.path / GOLDEN_FILE).read_bytes())
    lines = (tmp_path / "parcels.csv").read_text().splitlines()
    rows = {tuple(line.split(",")[:3]) for line in lines}
    spelled = [(f"{row['weight']:.2f}", row["zone"], "yes" if row["express"] else "no") for row in golden.rows]
    assert sum(one in rows for one in spelled) < len(spelled) / 2  # a weight is one row's: others meet by chance
    packed.start_engine()
    assert describe_rows(packed).startswith(f"carries {len(golden.rows)} golden rows, scrambled, held out of training")
    assert "1 example row: `[privacy]` in problem.toml can scramble or omit them" in describe_rows(packed)
    assert json.loads((packed.path / "provenance.json").read_text())["predicate"]["definition"]["problem"]["privacy"]
