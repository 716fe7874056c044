"""Live loss: labels find their answers, and a candidate that loses more steps back, an honest one rarely."""

import numpy as np
import pytest

from ekiben.contract.schema import Target
from ekiben.service.canary import memory as module
from ekiben.service.canary.choosing import GROUPS
from ekiben.service.canary.loss import FALSE_STEP_BACKS, Loss, measure_losses
from ekiben.service.canary.memory import AnswerMemory
from tests.service.canary.callers import NO_LOSSES, simulate_labels

BINARY = Target(name="y", classes=(False, True))
CLASSES = Target(name="y", task="multiclass", classes=("a", "b", "c"))
NUMBER = Target(name="y", task="regression", scale=10.0)


def look(random: np.random.Generator, means: tuple[float, float], looks: int) -> tuple[str, int]:
    """Return what is found, and after how many labels of each version."""
    losses, guardrail = NO_LOSSES.copy(), Loss()
    for _ in range(looks):
        for arm, mean in enumerate(means):
            fresh = random.exponential(mean, random.poisson(20))
            rows = np.stack([np.ones(len(fresh)), fresh, fresh**2], axis=1)
            np.add.at(losses[arm], random.integers(0, GROUPS, len(fresh)), rows)
        if found := guardrail.look(losses, 0.0):
            return found, int(losses[1, :, 0].sum())
    return "", 0


def test_a_greater_loss_is_found_and_a_smaller_one_is_fine() -> None:
    random = np.random.default_rng(1)
    found, labels = look(random, (0.5, 0.7), 1000)
    assert "the mean loss of {candidate} is 0." in found
    assert labels < 2000
    assert look(random, (0.7, 0.5), 1000) == ("", 0)


def test_an_honest_candidate_steps_back_as_rarely_as_stated() -> None:
    random = np.random.default_rng(2)
    runs = 200
    false = sum(look(random, (0.5, 0.5), 100)[0] != "" for _ in range(runs))
    assert false <= max(1, 3 * FALSE_STEP_BACKS * runs)


@pytest.mark.parametrize("callers", [60, 300])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_callers_who_differ_are_no_reason(callers: int, share: float) -> None:
    assert [simulate_labels(callers, share, 120, seed)[0] for seed in range(10)] == [""] * 10


def test_a_greater_loss_is_found_among_callers_who_differ() -> None:
    assert all(simulate_labels(300, 0.5, 120, seed, worse=3.0)[0] for seed in range(5))


def test_rows_that_are_alike_in_a_request_are_no_reason() -> None:
    random, guardrail = np.random.default_rng(3), Loss()
    memory, answer = AnswerMemory(BINARY), np.full((20, 1), 0.3, np.float32)
    for number in range(600):
        memory.keep(b"%d" % number, number % 2, int(random.integers(GROUPS)), answer)
        label = "true" if random.random() < 0.3 else "false"
        memory.add_labels([(f"{number}/{row}", label) for row in range(20)])
        assert guardrail.look(memory.losses, 0.0) == ""
    assert guardrail.now["labelled"] == 300


def test_few_callers_are_too_few() -> None:
    losses, guardrail = NO_LOSSES.copy(), Loss()
    losses[:, :3] = 1000, 500, 300
    losses[1, :, 1] *= 1.5
    assert guardrail.look(losses, 0.0) == ""
    assert guardrail.now == {"waits for": "more callers: those of one version are in 3 of 16 groups, 14 are needed"}


@pytest.mark.parametrize(
    ("target", "answers", "label", "kept", "loss"),
    [
        (BINARY, [0.8], 1, "true", -np.log(0.8)),
        (BINARY, [0.8], 0, "false", -np.log(0.2)),
        (BINARY, [1.0], 0, "false", -np.log(1e-4)),
        (CLASSES, [0.1, 0.2, 0.7], 1, '"b"', -np.log(0.2)),
        (NUMBER, [5.0, 1.0, 9.0], 8.0, 8.0, 0.3),
        (NUMBER, [5.0, 1.0, 9.0], 1e300, 1e300, 16.0),
    ],
)
def test_a_label_finds_its_answer(
    target: Target, answers: list[float], label: float, kept: str | float, loss: float
) -> None:
    given = np.array([answers], np.float32)
    assert measure_losses(target, given, np.array([label]))[0] == pytest.approx(loss, abs=1e-6)
    memory = AnswerMemory(target)
    memory.keep(b"id", 1, 7, given)
    memory.add_labels([("id", kept), ("id", kept), ("other", kept), ("id/1", kept)])
    assert memory.losses[1, 7].tolist() == pytest.approx([1, loss, loss**2], abs=1e-5)
    assert memory.losses.sum(axis=(0, 1)).tolist() == memory.losses[1, 7].tolist()


def test_rows_of_a_request_have_labels_of_their_own_and_count_as_one() -> None:
    memory = AnswerMemory(NUMBER)
    memory.keep(b"id", 0, 0, np.array([[1.0], [2.0], [3.0]], np.float32))
    memory.add_labels([("id/0", 11.0), ("id/2", 23.0), ("id/7", 1.0), ("id/x", 1.0)])
    assert memory.losses[0, 0].tolist() == pytest.approx([1, 1.5, 2.25])
    memory.add_labels([("id/1", 5.0), ("id/1", 70.0)])
    assert memory.losses[0, 0].tolist() == pytest.approx([1, 1.1, 1.21])


def test_rows_are_read_as_everywhere() -> None:
    """As the shadow's pairs read them."""
    memory = AnswerMemory(NUMBER)
    for name, rows in (("a", 1), ("b", 3), ("own/7", 1), ("c/x", 2)):
        memory.keep(name.encode(), 0, 0, np.zeros((rows, 3), np.float32))
    strange = ("b", "a/0", "b/3", "b/01", "b/-1", "own", "own/7/0", "c/x", "b/\u0661", "", "/", "b/999999999999")
    memory.add_labels([(one, 1.0) for one in strange])
    assert memory.losses.sum() == 0
    for count, known in enumerate((("a",), ("b/2", "b/0"), ("own/7",), ("c/x/1",)), 1):
        memory.add_labels([(one, 1.0) for one in known])
        assert memory.losses[0, 0, 0] == count


def test_wide_answers_are_bounded_by_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_VALUES", 4000)
    memory, answer = AnswerMemory(CLASSES), np.full((10, 3), 0.3, np.float32)
    for number in range(1000):
        memory.keep(b"%d" % (number % 900), 0, 0, answer)  # some ids come again
        assert 30 * len(memory._kept) == memory._values <= 4000
    assert len(memory._kept) > 20
    memory.keep(b"wide", 0, 0, np.zeros((10, 500), np.float32))  # more than all may have
    assert memory._values == 30 * len(memory._kept) <= 4000


def test_what_is_kept_is_bounded_and_even(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 256)
    memory, answer = AnswerMemory(NUMBER), np.zeros((1, 3), np.float32)
    for number in range(4000):
        memory.keep(b"%d" % number, 0, 0, answer)
    memory.add_labels([(str(number), 1.0) for number in range(2000)])
    first = memory.losses[0, 0, 0]
    memory.add_labels([(str(number), 1.0) for number in range(2000, 4000)])
    assert 30 < first < 256
    assert 0.5 < first / (memory.losses[0, 0, 0] - first) < 2
