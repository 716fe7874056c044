"""The fit: what rows count for, where they may lie, and what is planned for them."""

from pathlib import Path

import numpy as np
import pytest

from ekiben.contract.encoding import Encoded
from ekiben.contract.feature import Number
from ekiben.contract.schema import Schema, Target
from ekiben.training.network.fit import FitOptions, LabelledRows, fit_network
from ekiben.training.network.plan import plan_fit
from ekiben.training.registry.packaging import predict_encoded

SCHEMA = Schema(
    name="s",
    features=tuple(Number(name=name, low=-9, high=9) for name in ("first", "second")),
    target=Target(name="y", classes=("no", "yes")),
)


def make_rows(rows: int, seed: int) -> LabelledRows:
    """Rows whose label is the sign of their first number."""
    numbers = np.random.default_rng(seed).normal(size=(rows, 2)).astype(np.float32)
    return LabelledRows(Encoded(numbers, np.zeros((rows, 0), np.int32)), (numbers[:, 0] > 0).astype(np.float32))


def share_right(train: LabelledRows, validation: LabelledRows) -> float:
    """Return how many of the validation rows' signs are found by a network fitted to these rows."""
    answers = predict_encoded(fit_network(SCHEMA, train, validation, FitOptions(epochs=4)).network, validation.encoded)
    return float(((answers[:, 0] > 0.5) == validation.labels).mean())


@pytest.mark.slow
def test_a_row_counts_by_its_weight() -> None:
    rows, validation = make_rows(2000, 0), make_rows(500, 1)
    wrong = np.random.default_rng(2).random(2000) < 0.6
    labels = np.where(wrong, 1 - rows.labels, rows.labels)
    weights = np.where(wrong, 0.01, 1.0)
    assert share_right(LabelledRows(rows.encoded, labels, weights), validation) > 0.85
    assert share_right(LabelledRows(rows.encoded, labels), validation) < 0.5


@pytest.mark.slow
def test_rows_may_lie_in_files(tmp_path: Path) -> None:
    rows, validation = make_rows(700, 0), make_rows(200, 1)
    arrays = {"numbers": rows.encoded.numbers, "codes": rows.encoded.codes, "labels": rows.labels}
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    mapped = {
        name: np.load(tmp_path / f"{name}.npy", mmap_mode="r" if array.size else None) for name, array in arrays.items()
    }
    lying = LabelledRows(Encoded(mapped["numbers"], mapped["codes"]), mapped["labels"])
    networks = [fit_network(SCHEMA, train, validation, FitOptions(epochs=1)).network for train in (rows, lying)]
    first, second = (network.get_weights() for network in networks)
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize("rows", [1, 2, 3, 31, 150, 2000, 20_000, 90_000, 300_000, 50_000_000])
@pytest.mark.parametrize("by_time", [False, True])
@pytest.mark.parametrize("teachable", [False, True])
def test_every_table_has_a_plan(rows: int, by_time: bool, teachable: bool) -> None:
    plan = plan_fit(rows, 10, FitOptions(by_time=by_time), teachable)
    assert plan.batch_rows % 2 == 0
    assert plan.epoch_steps % plan.block_steps == 0
    own = plan.batch_rows // 2 if plan.copies else plan.batch_rows
    assert 0.7 * rows <= own * plan.epoch_steps <= 2 * rows + 2
    assert any(tower.teacher_share for tower in plan.shape.towers) == bool(plan.copies)
    reads = {tower.reads for tower in plan.shape.towers}
    assert reads == ({"vectors"} if not by_time else {"vectors", "line"} if plan.chooses_towers else {"bins"})


def test_a_step_takes_no_more_rows_than_memory_has_room_for() -> None:
    free, bounded = (plan_fit(50_000_000, 30, FitOptions(most_batch_rows=most)) for most in (None, 7632))
    assert (free.batch_rows, bounded.batch_rows) == (16_384, 7632)
    assert bounded.epoch_steps * 7632 == pytest.approx(50_000_000, rel=0.01)
    assert plan_fit(1000, 30, FitOptions(most_batch_rows=7632)).batch_rows < 7632


def test_few_epochs_of_later_rows_choose_nothing_and_are_taught_by_nobody() -> None:
    few, many = (plan_fit(rows, 10, FitOptions(by_time=True), teachable=True) for rows in (300_000, 20_000))
    assert (few.chooses_towers, few.chooses_epoch, few.copies) == (False, False, 0)
    assert many.chooses_towers
    assert many.chooses_epoch
    assert many.copies


def test_a_fit_with_copies_ends_after_as_many_steps_that_are_no_better() -> None:
    alone, taught = (plan_fit(4000, 10, FitOptions(), teachable) for teachable in (False, True))
    assert alone.epochs == taught.epochs == 100
    assert taught.patience * taught.epoch_steps == pytest.approx(alone.patience * alone.epoch_steps, rel=0.1)
    assert plan_fit(90_000, 10, FitOptions(), teachable=True).patience == 3
