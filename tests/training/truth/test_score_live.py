"""Live scores of logs written as the service writes them: the join, weeks, slices, and what is wrong with them."""

import html
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from arro3.core import Array, DataType, RecordBatch
from arro3.core import Table as ArroTable
from arro3.io import write_parquet
from pyarrow import parquet

from ekiben.contract.errors import UserError
from ekiben.contract.feature import Category, Number
from ekiben.contract.schema import Schema, Target
from ekiben.model.package import Manifest, PackedModel
from ekiben.model.training_scores import EVALUATION_FILE, TrainingScores
from ekiben.training.evaluate import score
from ekiben.training.evaluate.estimates import estimate
from ekiben.training.evaluate.fairness import UNKNOWN, compare_groups
from ekiben.training.problem import ProblemConfig
from ekiben.training.truth.folder import InvalidLog
from ekiben.training.truth.live_scores import LiveScores, Miss
from ekiben.training.truth.report import FORMATS, render
from ekiben.training.truth.score import score_log
from tests.row_log import MONDAY, later, name_rows, split_rows, spread, write_labels, write_rows

ROWS = 4000
LATE = Target(name="late", classes=(False, True))
SPECIES = Target(name="species", task="multiclass", classes=("setosa", "versicolor", "virginica"))
PRICE = Target(name="price", task="regression", scale=2.0)
FEATURES = (Category(name="carrier", vocabulary=("AA", "UA")), Number(name="distance", low=0, high=5000))
random = np.random.default_rng(0)
CARRIERS = random.choice(["AA", "UA"], ROWS).tolist()
CERTAINTY = random.uniform(0.02, 0.9, ROWS).astype(np.float32)
OUTCOMES = random.uniform(size=ROWS) < CERTAINTY


def pack(folder: Path, target: Target = LATE) -> PackedModel:
    """Return a model whose package holds training's scores alone."""
    scores = TrainingScores(
        rows=900, tested="drawn at random", scores={"auc": 0.81}, slices={"carrier": {"AA": {"auc": 0.83}}}
    )
    scores.save(folder / EVALUATION_FILE)
    files = {"schema.json": "", "golden.json": "", EVALUATION_FILE: ""}
    manifest = Manifest(name="flights", version="3", run_id="", engine="tensorflow", files=files)
    return PackedModel(folder, Schema(name="flights", features=FEATURES, target=target), manifest)


def describe_problem(target: Target, **others: Any) -> ProblemConfig:
    features = {"carrier": {"kind": "category"}, "distance": {"kind": "number"}}
    entries = {"name": "flights", "source": {"loader": "flights"}, "features": features, "slices": ["carrier"]}
    return ProblemConfig.model_validate({**entries, "target": {"name": target.name, "task": target.task}, **others})


def score_folder(folder: Path, target: Target = LATE, groups: tuple[str, ...] = (), **options: Any) -> LiveScores:
    problem = describe_problem(target, **({"fairness": {"groups": groups}} if groups else {}))
    return score_log(pack(folder, target), problem, str(folder), **options)


def log_flights(folder: Path, parts: int = 3) -> None:
    """Write rows of four weeks."""
    times, ids = spread(ROWS), name_rows(ROWS)
    for number, rows in enumerate(split_rows(ROWS, parts)):
        features = {"carrier": CARRIERS[rows], "distance": np.arange(ROWS, dtype=float)[rows]}
        write_rows(folder, CERTAINTY[rows], features, ids=ids[rows], times=times[rows], number=number)


def label_first(folder: Path, rows: int) -> None:
    """Write the labels of the first rows, two days later."""
    write_labels(folder, name_rows(ROWS)[:rows], OUTCOMES[:rows].tolist(), later(spread(ROWS)[:rows], 2))


def test_live_scores_are_those_of_an_evaluation_offline(tmp_path: Path) -> None:
    log_flights(tmp_path)
    label_first(tmp_path, 2500)
    live = score_folder(tmp_path)
    answers, labels = CERTAINTY[:, None], OUTCOMES.astype(np.float32)
    assert live.whole.scores == score(LATE, labels[:2500], answers[:2500])
    assert live.periods[1].scores == score(LATE, labels[1000:2000], answers[1000:2000])
    (american,) = (part for part in live.slices["carrier"] if part.name == "AA")
    here = np.array(CARRIERS[:2500]) == "AA"
    assert american.scores == score(LATE, labels[:2500][here], answers[:2500][here])
    assert american.training == {"auc": 0.83}


def test_weeks_have_coverage_and_lag(tmp_path: Path) -> None:
    log_flights(tmp_path)
    label_first(tmp_path, 2500)
    live = score_folder(tmp_path)
    assert [part.name for part in live.periods] == ["2026-11-02", "2026-11-09", "2026-11-16", "2026-11-23"]
    assert [part.coverage for part in live.periods] == [1.0, 1.0, 0.5, 0.0]
    assert [part.lag_s for part in live.periods] == [172_800.0, 172_800.0, 172_800.0, None]
    assert live.periods[3].scores == {}
    assert len(score_folder(tmp_path, period="day").periods) == 28


@pytest.mark.parametrize(
    ("target", "truth"),
    [
        (SPECIES, random.integers(0, 3, ROWS)),
        (PRICE, random.normal(100, 20, ROWS)),
        (Target(name="stars", task="multiclass", classes=(1, 2, 3)), random.integers(0, 3, ROWS)),
        (Target(name="left", classes=("no", "yes")), random.integers(0, 2, ROWS)),
    ],
)
def test_every_task(target: Target, truth: np.ndarray, tmp_path: Path) -> None:
    if target.task == "regression":
        answers, classes = (truth + random.normal(0, 5, ROWS))[:, None].astype(np.float32), []
        labels, given = truth, truth.tolist()
    else:
        outputs = len(target.outputs)
        answers = random.dirichlet(np.ones(max(2, outputs)), ROWS)[:, :outputs].astype(np.float32)
        classes = list(target.outputs) if outputs > 1 else []
        labels = truth.astype(np.float32 if target.task == "binary" else np.int32)
        given = [target.classes[index] for index in truth]
    write_rows(tmp_path, answers if classes else answers[:, 0], classes=classes, target=target.name)
    write_labels(tmp_path, name_rows(ROWS), given, later(spread(ROWS), 1))
    assert score_folder(tmp_path, target, slices=[]).whole.scores == score(target, labels, answers)


def log_prices(folder: Path, reach: float, *, version: str = "1", number: int = 0, bounded: bool = True) -> np.ndarray:
    """Write prices whose errors are standard normal, and their labels; return value, low and high, (rows, 3)."""
    value = random.normal(100, 20, ROWS).astype(np.float32)
    answers = np.column_stack([value, value - reach, value + reach]).astype(np.float32)
    ids, times = [f"{number}-{index}" for index in range(ROWS)], spread(ROWS)
    write_rows(
        folder, value, ids=ids, times=times, target="price", number=number, version=version,
        bounds=answers[:, 1:] if bounded else None,
    )  # fmt: skip
    labels = (value + random.normal(size=ROWS)).tolist()
    write_labels(folder, ids, labels, later(times, 1), number=number)
    return np.column_stack([labels, answers])


def test_intervals_are_scored_as_offline_and_by_period(tmp_path: Path) -> None:
    logged = log_prices(tmp_path, 1.2816)
    live = score_folder(tmp_path, PRICE, slices=[])
    assert live.whole.scores == score(PRICE, logged[:, 0], logged[:, 1:].astype(np.float32))
    assert [round(part.scores["interval_coverage"], 1) for part in live.periods] == [0.8] * 4
    covered = live.periods[0].covered
    assert covered is not None
    assert covered.low < covered.share < covered.high
    assert covered.share == live.periods[0].scores["interval_coverage"]
    text = render(live, "text")
    assert f"({covered.low:.2f}–{covered.high:.2f})" in text
    assert "intervals:" not in text


def test_intervals_that_hold_too_little_are_a_finding(tmp_path: Path) -> None:
    log_prices(tmp_path, 0.7)
    for form in ("text", "html"):
        shown = render(score_folder(tmp_path, PRICE, slices=[]), form)
        assert "intervals: 80% intervals held 5" in shown
        assert "in 4 of 4 weeks the share is off beyond chance" in shown
        assert "`ekiben recalibrate`" in shown
    known = json.loads(render(score_folder(tmp_path, PRICE, slices=[]), "json"))
    assert known["periods"][0]["covered"]["share"] < 0.6


def test_rows_without_an_interval_count_for_all_other_scores(tmp_path: Path) -> None:
    bounded = log_prices(tmp_path, 1.2816, number=0)
    plain = log_prices(tmp_path, 9.0, number=1, bounded=False)
    live = score_folder(tmp_path, PRICE, slices=[])
    everything = np.concatenate([bounded, plain])
    whole = score(PRICE, everything[:, 0], everything[:, 1:2].astype(np.float32))
    assert live.whole.scores["rmse"] == pytest.approx(whole["rmse"])
    offline = score(PRICE, bounded[:, 0], bounded[:, 1:].astype(np.float32))
    assert live.whole.scores["interval_coverage"] == offline["interval_coverage"]
    assert live.whole.covered is not None
    assert live.whole.covered.rows == ROWS
    assert any(note.startswith("4,000 labelled rows without an interval") for note in live.notes)


def test_without_any_interval_there_is_no_coverage(tmp_path: Path) -> None:
    log_prices(tmp_path, 1.0, bounded=False)
    live = score_folder(tmp_path, PRICE, slices=[])
    assert "interval_coverage" not in live.whole.scores
    assert live.whole.covered is None
    assert "intervals:" not in render(live, "text")


def test_the_latest_label_of_an_id_counts_and_the_same_twice_is_one(tmp_path: Path) -> None:
    log_flights(tmp_path)
    ids, times = name_rows(ROWS), spread(ROWS)
    write_labels(tmp_path, ids, OUTCOMES.tolist(), later(times, 5), number=0)
    write_labels(tmp_path, ids, (~OUTCOMES).tolist(), later(times, 1), number=1)  # earlier, though written later
    write_labels(tmp_path, ids[:10], OUTCOMES[:10].tolist(), later(times[:10], 5), number=2)
    live = score_folder(tmp_path)
    assert live.whole.scores == score(LATE, OUTCOMES.astype(np.float32), CERTAINTY[:, None])
    assert live.whole.labelled == ROWS
    assert "4,010 labels came for an id that had one: the latest counts" in live.notes


def test_labels_of_unknown_ids_are_counted(tmp_path: Path) -> None:
    log_flights(tmp_path)
    label_first(tmp_path, 1000)
    write_labels(tmp_path, ["nobody", "nowhere"], [True, False], [MONDAY, MONDAY], number=1)
    live = score_folder(tmp_path)
    assert live.whole.labelled == 1000
    assert "2 labels of ids that were not logged" in live.notes


def test_only_unknown_ids_are_a_mistake(tmp_path: Path) -> None:
    log_flights(tmp_path)
    write_labels(tmp_path, ["nobody"], [True], [MONDAY])
    with pytest.raises(InvalidLog, match=r"none of the 1 label is of a row logged in .*not 'nobody'$"):
        score_folder(tmp_path)


def test_a_users_table_of_labels(tmp_path: Path) -> None:
    log_flights(tmp_path)
    table = tmp_path / "truth.csv"
    lines = [f"{id},{'yes' if late else 'no'}" for id, late in zip(name_rows(ROWS)[:1500], OUTCOMES, strict=False)]
    table.write_text("\n".join(["id,label", *lines, "0/0,maybe", "0/1,"]) + "\n")
    live = score_folder(tmp_path, table=str(table))
    assert live.whole.scores == score(LATE, OUTCOMES[:1500].astype(np.float32), CERTAINTY[:1500, None])
    assert live.whole.lag_s is None
    assert "2 labels left out: expected one of false, true, got 'maybe'" in live.notes


def test_a_table_without_ids(tmp_path: Path) -> None:
    log_flights(tmp_path)
    table = tmp_path / "truth.csv"
    table.write_text("key,label\n1,true\n2,false\n")
    with pytest.raises(UserError, match="has no column `id`"):
        score_folder(tmp_path, table=str(table))


def test_sampled_rows_stand_for_several(tmp_path: Path) -> None:
    ids, times = name_rows(ROWS), spread(ROWS)
    for number, (rows, share) in enumerate(zip(split_rows(ROWS, 2), (0.25, 1.0), strict=True)):
        write_rows(tmp_path, CERTAINTY[rows], ids=ids[rows], times=times[rows], share=share, number=number)
    write_labels(tmp_path, ids, OUTCOMES.tolist(), later(times, 2))
    live = score_folder(tmp_path, slices=[])
    assert live.whole.stands_for == 2000 * 4 + 2000
    repeats = np.repeat([4, 1], 2000)
    repeated = score(LATE, np.repeat(OUTCOMES, repeats).astype(np.float32), np.repeat(CERTAINTY, repeats)[:, None])
    del repeated["calibration_error"]  # its bins are cut at logged rows
    assert {name: live.whole.scores[name] for name in repeated} == pytest.approx(repeated, rel=1e-6)
    first = score(LATE, OUTCOMES[:1000].astype(np.float32), CERTAINTY[:1000, None])
    assert live.periods[0].scores == first, "where every row stands for as many, nothing is weighted"


def test_a_damaged_part_in_the_middle_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    log_flights(tmp_path)
    label_first(tmp_path, ROWS)
    damaged = sorted(tmp_path.glob("rows-*"))[1]
    damaged.write_bytes(damaged.read_bytes()[:2000])
    live = score_folder(tmp_path)
    assert live.whole.rows == ROWS - 1333
    (note,) = (note for note in live.notes if "is left out: " in note)
    assert note.startswith(damaged.name)


def test_parts_of_another_model_are_named(tmp_path: Path) -> None:
    log_flights(tmp_path)
    write_rows(tmp_path, CERTAINTY, target="cancelled", number=7)
    write_rows(tmp_path, np.ones((4, 2)), classes=["a", "b"], number=8)
    write_rows(tmp_path, CERTAINTY, share=0.0, number=9)
    live = score_folder(tmp_path)
    assert live.whole.rows == ROWS
    notes = "\n".join(live.notes)
    assert "-7.parquet is left out: its target is `cancelled`, not `late`" in notes
    assert "-8.parquet is left out: it has no column `answer`" in notes
    assert "-9.parquet is left out: its column `share` has values that are not above 0 and at most 1" in notes


def test_versions_with_different_features_are_scored_together(tmp_path: Path) -> None:
    half = ROWS // 2
    ids, times = name_rows(ROWS), spread(ROWS)
    write_rows(tmp_path, CERTAINTY[:half], {"carrier": CARRIERS[:half]}, ids=ids[:half], times=times[:half])
    write_rows(tmp_path, CERTAINTY[half:], ids=ids[half:], times=times[half:], version="2")
    write_labels(tmp_path, ids, OUTCOMES.tolist(), later(times, 2))
    live = score_folder(tmp_path)
    assert live.versions == {"1": half, "2": half}
    assert live.slices["version"][1].scores == score(LATE, OUTCOMES[half:].astype(np.float32), CERTAINTY[half:, None])
    assert {part.name: part.rows for part in live.slices["carrier"]}["(missing)"] == half


def test_a_row_logged_twice_counts_once(tmp_path: Path) -> None:
    log_flights(tmp_path)
    label_first(tmp_path, ROWS)
    write_rows(tmp_path, 1 - CERTAINTY[:8], ids=name_rows(8), times=later(spread(ROWS)[:8], -1), number=5)
    live = score_folder(tmp_path)
    assert live.whole.scores == score(LATE, OUTCOMES.astype(np.float32), CERTAINTY[:, None])
    assert "8 rows left out whose id was logged again later, with one label" in live.notes


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidLog, match=r"has no rows-\*\.parquet: name the folder that the service logs to"):
        score_folder(tmp_path)
    with pytest.raises(InvalidLog, match="can't be listed"):
        score_log(pack(tmp_path), describe_problem(LATE), str(tmp_path / "nowhere"))
    write_rows(tmp_path, np.zeros(0))
    with pytest.raises(InvalidLog, match="has no rows yet: wait for requests"):
        score_folder(tmp_path)
    (next(tmp_path.glob("rows-*"))).write_bytes(b"PAR1")
    with pytest.raises(InvalidLog, match=r"^rows-1-.* is left out: "):
        score_folder(tmp_path)


def test_a_slice_that_is_no_feature(tmp_path: Path) -> None:
    log_flights(tmp_path)
    with pytest.raises(InvalidLog, match="only features are logged, and `carier` is none; did you mean `carrier`"):
        score_folder(tmp_path, slices=["carier"])


def test_by_a_feature_that_is_not_logged_there_are_no_scores(tmp_path: Path) -> None:
    write_rows(tmp_path, CERTAINTY, {"distance": np.arange(ROWS, dtype=float)})
    live = score_folder(tmp_path, groups=("carrier",), slices=["carrier", "distance"])
    assert (list(live.slices), live.fairness) == (["distance"], {})
    assert [note for note in live.notes if "carrier" in note] == ["no scores by `carrier`: no part of the log has it"]


def test_labels_that_are_not_numbers(tmp_path: Path) -> None:
    write_rows(tmp_path, CERTAINTY, target="price")
    write_labels(tmp_path, name_rows(5), ["a lot", 12.5, "13", None, 14.5], later(spread(5), 1))
    live = score_folder(tmp_path, PRICE, slices=[])
    assert live.whole.labelled == 2
    assert "3 labels left out: expected a number, got '\"a lot\"'" in live.notes


def test_an_address_of_the_folder(tmp_path: Path) -> None:
    log_flights(tmp_path)
    label_first(tmp_path, ROWS)
    live = score_log(pack(tmp_path), describe_problem(LATE), f"file://{tmp_path}")
    assert live.whole.labelled == ROWS


def test_a_million_labels_leave_no_strings_behind(tmp_path: Path) -> None:
    rows = 1_000_000
    ids = [f"{index:x}" for index in range(rows)]
    labels = pa.array(np.where(np.arange(rows) % 3 == 0, "true", "false"))
    times = pa.array(np.full(rows, int(MONDAY.timestamp() * 1e6)), pa.timestamp("us", tz="UTC"))
    parquet.write_table(
        pa.table({"prediction_id": ids, "label": labels, "time": times}), tmp_path / "labels-x-1-1.parquet"
    )
    write_rows(tmp_path, CERTAINTY, ids=ids[:: rows // ROWS][:ROWS])
    before = pa.total_allocated_bytes()
    live = score_folder(tmp_path, slices=[])
    assert live.whole.labelled == ROWS
    assert pa.total_allocated_bytes() - before < 32 * 2**20


def test_reports_say_the_same(tmp_path: Path) -> None:
    log_flights(tmp_path)
    label_first(tmp_path, 2500)
    live = score_folder(tmp_path)
    text, page = render(live, "text"), render(live, "html")
    auc = f"{live.periods[0].scores['auc']:.4f}"
    assert "4,000 rows from 2026-11-02 to 2026-11-29 UTC, 2,500 of them labelled (62.5%)" in text
    assert f"2026-11-02  1,000      100%  2.0 days  {auc}" in text
    assert auc in page
    assert "<script" not in page
    known = json.loads(render(live, "json"))
    assert known["periods"][0]["scores"]["auc"] == live.periods[0].scores["auc"]
    assert known["training"]["rows"] == 900
    assert set(FORMATS) == {"text", "html", "json"}


def test_names_are_text_in_the_reports(tmp_path: Path) -> None:
    write_rows(tmp_path, CERTAINTY, {"carrier": ["<b>\x1b[31m"] * ROWS})
    write_labels(tmp_path, name_rows(ROWS), OUTCOMES.tolist(), later(spread(ROWS), 2))
    live = score_folder(tmp_path)
    assert "<b>" not in render(live, "html")
    assert "\x1b" not in render(live, "text")


@pytest.mark.parametrize("weight", ["", "stands_for"])
def test_scores_of_training_that_count_by_weights_are_said_to(weight: str, tmp_path: Path) -> None:
    log_flights(tmp_path)
    model = pack(tmp_path)
    scores = model.training_scores
    assert scores
    scores.model_copy(update={"weight": weight}).save(tmp_path / EVALUATION_FILE)
    live = score_log(model, describe_problem(LATE), str(tmp_path))
    said = f"training's rows count by `{weight}`, which no log holds: live rows do not"
    for form in ("text", "html"):
        assert (said in html.unescape(render(live, form))) is bool(weight)
    assert json.loads(render(live, "json"))["training"]["weight"] == weight


def test_a_clock_that_jumped_makes_no_negative_lag(tmp_path: Path) -> None:
    log_flights(tmp_path)
    write_labels(tmp_path, name_rows(ROWS), OUTCOMES.tolist(), [time - timedelta(days=2) for time in spread(ROWS)])
    assert score_folder(tmp_path).whole.lag_s == 0.0


def test_before_labels_come_scores_are_estimated_and_marked(tmp_path: Path) -> None:
    log_flights(tmp_path)
    live = score_folder(tmp_path)
    assert live.whole.scores == {}
    assert live.whole.estimated == estimate(LATE, CERTAINTY[:, None])
    text = render(live, "text")
    assert "note: no label has come yet" in text
    assert "how far that is off is not known: no week has 100 labels" in text
    assert [part.estimated.keys() == live.whole.estimated.keys() for part in live.periods] == [True] * 4
    header = next(line for line in text.splitlines() if line.startswith("by week"))
    assert header.split()[-5:] == ["lag", "auc", "estimated", "log_loss", "estimated"]


def test_the_error_of_the_estimates_is_measured_where_labels_came(tmp_path: Path) -> None:
    log_flights(tmp_path)
    label_first(tmp_path, 2050)  # of the third week too few
    live = score_folder(tmp_path)
    misses = [
        abs(estimate(LATE, CERTAINTY[rows, None])["auc"] - live.periods[index].scores["auc"])
        for index, rows in enumerate((slice(0, 1000), slice(1000, 2000)))
    ]
    assert live.misses["auc"] == Miss(float(np.mean(misses)), max(misses), 2)
    assert "in 2 weeks with labels it missed the auc by" in render(live, "text")


def test_a_regression_has_no_estimate(tmp_path: Path) -> None:
    write_rows(tmp_path, CERTAINTY, target="price")
    live = score_folder(tmp_path, PRICE, slices=[])
    assert live.whole.estimated == {}
    text = render(live, "text")
    assert "note: no label has come yet" in text
    assert "of a regression nothing is estimated before labels come" in text


def test_a_log_that_does_not_fit_into_memory_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log_flights(tmp_path)
    monkeypatch.setattr("ekiben.training.truth.rows.MAX_CELLS", ROWS - 1)
    with pytest.raises(InvalidLog, match=r"has more than 2,666 rows: move the oldest parts elsewhere$"):
        score_folder(tmp_path)


def test_groups_are_compared_with_the_labels_that_came(tmp_path: Path) -> None:
    log_flights(tmp_path)
    label_first(tmp_path, 2500)
    live = score_folder(tmp_path, groups=("carrier", "gender"))
    labels = np.where(np.arange(ROWS) < 2500, OUTCOMES, UNKNOWN).astype(np.float32)
    expected = compare_groups(LATE, labels, CERTAINTY[:, None], pd.Series(CARRIERS, dtype="category"))
    assert list(live.fairness["carrier"]) == expected
    assert "groups by `gender` are not compared: only features are logged" in live.notes
    text = render(live, "text")
    assert "fairness by carrier" in text
    rate = expected[0].rates["selection_rate"]
    assert rate is not None
    assert f"{rate.value:.3f} ({rate.low:.2f}–{rate.high:.2f})" in text
    assert json.loads(render(live, "json"))["fairness"]["carrier"][0]["rates"]["selection_rate"]["value"] == rate.value


def test_groups_of_a_regression_are_a_mistake_in_the_problem_file() -> None:
    with pytest.raises(ValueError, match="a regression selects nobody: name the columns in `slices`"):
        describe_problem(PRICE, fairness={"groups": ["carrier"]})


def test_labels_of_another_target_and_damaged_ones_are_named(tmp_path: Path) -> None:
    log_flights(tmp_path)
    label_first(tmp_path, 1000)
    write_labels(tmp_path, name_rows(9), [True] * 9, later(spread(9), 9), number=1, target="cancelled")
    write_labels(tmp_path, name_rows(9), [True] * 9, later(spread(9), 9), number=2).write_bytes(b"PAR1")
    live = score_folder(tmp_path)
    assert live.whole.labelled == 1000
    notes = "\n".join(live.notes)
    assert "labels-20261103T000000Z-17-1.parquet is left out: its target is `cancelled`, not `late`" in notes
    assert "labels-20261103T000000Z-17-2.parquet is left out: " in notes


@pytest.mark.parametrize("id", ["NA", " x ", "007", "a,b"])
def test_any_printable_id_is_found(id: str, tmp_path: Path) -> None:
    write_rows(tmp_path, CERTAINTY[:2], ids=[id, "other"])
    write_labels(tmp_path, [id], [True], [MONDAY])
    assert score_folder(tmp_path, slices=[]).whole.labelled == 1


def test_parts_that_the_services_own_library_wrote(tmp_path: Path) -> None:
    moments = Array.from_numpy(np.arange(4, dtype=np.int64)).cast(DataType.timestamp("us", tz="UTC"))
    ids = Array(["a/0", "a/1", "a/2", "b"], DataType.string())
    rows = {
        "prediction_id": ids,
        "time": moments,
        "version": Array(["1"] * 4, DataType.string()),
        "share": Array.from_numpy(np.ones(4)),
        "carrier": Array(["UA", None, "AA", "UA"], DataType.string()),
        "answer": Array.from_numpy(CERTAINTY[:4].astype(float)),
    }
    labels = {
        "prediction_id": ids,
        "label": Array(["true", "false", "true", "true"], DataType.string()),
        "time": moments,
    }
    for name, columns, target in (
        ("rows-1-x-1-1", rows, "late"), ("rows-1-x-1-2", rows, "cancelled"), ("labels-x-1-1", labels, "late"),
    ):  # fmt: skip
        table = ArroTable.from_batches([RecordBatch.from_pydict(columns)])
        write_parquet(table, str(tmp_path / f"{name}.parquet"), key_value_metadata={"ekiben.target": target})
    live = score_folder(tmp_path)
    assert live.whole.scores == score(LATE, np.array([1, 0, 1, 1], np.float32), CERTAINTY[:4, None])
    assert live.notes[0] == "rows-1-x-1-2.parquet is left out: its target is `cancelled`, not `late`"


def test_labels_are_found_over_many_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ekiben.training.truth.matching.LOOKED_UP", 500)
    log_flights(tmp_path, parts=40)
    label_first(tmp_path, 2500)
    assert score_folder(tmp_path).whole.scores == score(
        LATE, OUTCOMES[:2500].astype(np.float32), CERTAINTY[:2500, None]
    )
