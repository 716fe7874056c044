"""What is packed has learned from the validation rows too; what is chosen on them has not."""

import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from ekiben.contract.encoding import Encoded
from ekiben.contract.feature import Number
from ekiben.contract.schema import Schema, Target, Task
from ekiben.training.network.architecture import Design, Shape, Tower
from ekiben.training.network.fit import FitOptions, Fitted, LabelledRows, fit_network
from ekiben.training.network.lessons import find_teacher, join
from ekiben.training.network.plan import Plan, plan_fit
from ekiben.training.network.refit import refit, teach_more
from ekiben.training.network.scaling import scale_numbers, scale_target
from ekiben.training.network.teacher import Teacher
from ekiben.training.network.weight_mean import WeightMean
from ekiben.training.registry.packaging import predict_encoded

LEARNER, PUPIL = Tower(0.1), Tower(0.1, teacher_share=0.8)
FEW, MANY = 4, 11  # epochs: more than ten have a teacher, and are fitted once more


def make_rows(rows: int, seed: int, turned: bool = False) -> LabelledRows:
    """Rows whose label is the sign of their first number; turned, the other one."""
    numbers = np.random.default_rng(seed).normal(size=(rows, 2)).astype(np.float32)
    labels = (numbers[:, 0] > 0) ^ turned
    return LabelledRows(Encoded(numbers, np.zeros((rows, 0), np.int32)), labels.astype(np.float32))


TRAIN, LATER, LATEST = make_rows(800, 0), make_rows(1600, 1, turned=True), make_rows(1000, 2, turned=True)


def make_schema(task: Task = "binary") -> Schema:
    classes = ("no", "yes") if task == "binary" else ()
    features = tuple(Number(name=name, low=-9, high=9) for name in ("first", "second"))
    return Schema(name="s", features=features, target=Target(name="y", task=task, classes=classes))


def fit(epochs: int, by_time: bool, task: Task = "binary", both: LabelledRows | None = None) -> Fitted:
    return fit_network(make_schema(task), TRAIN, LATER, FitOptions(epochs=epochs, by_time=by_time), both=both)


def design_towers(*towers: Tower) -> Design:
    schema = make_schema()
    return Design(
        schema, scale_numbers(TRAIN.encoded.numbers, 8), scale_target(schema.target, TRAIN.labels), Shape(towers=towers)
    )


def share_right(network: keras.Model) -> float:
    """Return of how many of the latest rows the label is found."""
    return float(((predict_encoded(network, LATEST.encoded)[:, 0] > 0.5) == LATEST.labels).mean())


def are_alike(one: keras.Model, other: keras.Model) -> bool:
    return all(np.array_equal(mine, its) for mine, its in zip(one.get_weights(), other.get_weights(), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("by_time", [True, False])
def test_what_is_packed_learns_from_the_validation_rows_too(by_time: bool) -> None:
    fitted = fit(MANY, by_time)
    assert share_right(fitted.network) > 0.8
    assert share_right(fitted.choosing) < 0.5, "what chooses has seen them"


@pytest.mark.slow
@pytest.mark.parametrize("by_time", [True, False])
def test_of_few_epochs_the_network_that_chooses_is_packed(by_time: bool) -> None:
    fitted = fit(FEW, by_time)
    assert fitted.network is fitted.choosing
    assert share_right(fitted.network) < 0.5


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights() -> None:
    first, second = fit(MANY, by_time=True), fit(MANY, by_time=True, both=join(TRAIN, LATER))
    assert are_alike(first.network, second.network)
    assert are_alike(first.choosing, second.choosing)


@pytest.mark.slow
def test_the_interval_of_a_number_is_that_of_rows_the_network_had_not_seen() -> None:
    fitted = fit(MANY, by_time=True, task="regression")
    value, low, high = predict_encoded(fitted.choosing, LATER.encoded).T
    assert np.mean((low <= LATER.labels) & (LATER.labels <= high)) == pytest.approx(0.8, abs=0.05)
    assert ((low <= value) & (value <= high)).all()
    _, packed_low, packed_high = predict_encoded(fitted.network, LATER.encoded).T
    assert (packed_high - packed_low).mean() > (high - low).mean() / 2, "the margin is gone"


def test_joined_rows_keep_their_weights_and_groups() -> None:
    first = LabelledRows(TRAIN.encoded, TRAIN.labels, np.full(800, 2.0), np.arange(800) // 8)
    second = LabelledRows(LATER.encoded, LATER.labels, np.full(1600, 3.0), np.arange(1600) // 8)
    both = join(first, second)
    assert both.labels.tolist() == [*TRAIN.labels, *LATER.labels]
    assert both.encoded.numbers.tolist() == [*TRAIN.encoded.numbers.tolist(), *LATER.encoded.numbers.tolist()]
    assert both.weights is not None
    assert both.weights.tolist() == [2.0] * 800 + [3.0] * 1600
    assert both.groups is not None
    assert len(np.unique(both.groups)) == 300, "groups of both are mixed"
    assert join(TRAIN, LATER).weights is join(TRAIN, LATER).groups is None


@pytest.mark.slow
@pytest.mark.parametrize("by_time", [True, False])
def test_trees_learn_from_the_validation_rows_only_by_time(by_time: bool) -> None:
    design = design_towers(PUPIL)
    before = find_teacher(design, TRAIN, 0)
    after = teach_more(design, join(TRAIN, LATER), before, FitOptions(by_time=by_time))
    right = (after.answers[len(TRAIN.labels) :, 0] > 0.5) == LATER.labels
    assert len(after.answers) == len(TRAIN.labels) + len(LATER.labels)
    assert right.mean() > 0.8 if by_time else right.mean() < 0.2, "their labels are the other way round"
    assert np.array_equal(after.answers[: len(TRAIN.labels)], before.answers) is not by_time


@pytest.mark.slow
def test_towers_that_learn_nothing_of_a_teacher_get_no_copies_for_it_to_answer() -> None:
    plan, both = plan_fit(len(TRAIN.labels), 2, FitOptions(epochs=MANY), teachable=True), join(TRAIN, LATER)
    teacher = find_teacher(design_towers(PUPIL), TRAIN, 0)

    def again(tower: Tower, plan: Plan, teacher: Teacher | None) -> keras.Model:
        return refit(design_towers(tower), plan, both, teacher, FitOptions(), plan.block_steps)

    alone = plan.without_teacher()
    assert (plan.copies, alone.copies) == (3, 0)
    assert alone.batch_rows * 2 == plan.batch_rows, "the other half of a batch were copies"
    assert are_alike(again(LEARNER, plan, teacher), again(LEARNER, alone, None))


@pytest.mark.slow
def test_an_interrupt_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = []

    class Interrupted(WeightMean):
        def add(self, model: keras.Model, steps: int) -> None:
            super().add(model, steps)
            blocks.append(steps)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("ekiben.training.network.refit.WeightMean", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(MANY, by_time=True)
    assert len(blocks) == 1, "it went on"
    assert tf.constant(1) == 1  # TensorFlow goes on
