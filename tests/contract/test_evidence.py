"""Who looks after every label is wrong as seldom as is promised, and a better challenger is found."""

import math

import numpy as np
import pytest

from ekiben.contract.comparison.evidence import (
    ALPHA,
    BOUNDS,
    COSTS,
    LOST,
    NOTHING,
    STAKES,
    Evidence,
    add_up,
    charge,
    count_missing,
    estimate,
    is_proved,
    weigh,
)
from ekiben.contract.comparison.losses import MAX_BOUND, STEPS, Losses, compare_losses
from ekiben.contract.schema import Target
from tests.forecasts import LABELS, draw_forecasts, find_fair, judge_rows, look_after_every_label

MULTICLASS = Target(name="y", task="multiclass", classes=("a", "b", "c"))
NUMBER = Target(name="y", task="regression", scale=10.0)


@pytest.mark.slow
@pytest.mark.parametrize("widths", [(0.05, 0.05), (0.15, 0.1)])
def test_equal_models_are_called_better_or_worse_as_seldom_as_promised(widths: tuple[float, float]) -> None:
    random, paths = np.random.default_rng(19), 60
    wrong = 0
    for _ in range(paths):
        _, champion, challenger = draw_forecasts(random, *widths)
        losses = judge_rows(random, find_fair(champion, challenger), champion, challenger)
        wrong += any(look_after_every_label(losses, sign) for sign in (1, -1))
    assert wrong <= ALPHA * paths


@pytest.mark.slow
def test_a_fair_game_with_rare_large_gains_fools_it_as_seldom() -> None:
    """Of 1,000 labels 999 lose a little, and one gains as much as a row can."""
    random, paths, odds = np.random.default_rng(20), 60, 0.001
    bound = np.full(LABELS, round(MAX_BOUND * STEPS))
    wrong = 0
    for _ in range(paths):
        lucky = random.random(LABELS) < odds
        gained = np.where(lucky, MAX_BOUND, -MAX_BOUND * odds / (1 - odds))
        losses = Losses(bound, np.rint(STEPS * gained).astype(np.int64), bound)
        wrong += any(look_after_every_label(losses, sign) for sign in (1, -1))
    assert wrong <= ALPHA * paths


@pytest.mark.slow
def test_a_better_challenger_is_found_and_a_worse_one_too() -> None:
    random = np.random.default_rng(21)
    for _ in range(8):
        true, rough, fine = draw_forecasts(random, 0.2, 0.1)
        found = [look_after_every_label(judge_rows(random, true, *pair), sign)
                 for pair, sign in (((rough, fine), 1), ((fine, rough), -1))]  # fmt: skip
        assert all(label is not None and label < 5000 for label in found)
        assert look_after_every_label(judge_rows(random, true, rough, fine), -1) is None


def test_what_it_rests_on_holds_for_every_stake_and_bound() -> None:
    """1 + λx ≥ exp(λx − ψ(λ) x²) wherever x is within its bound: by that a bet is no better than fair."""
    for stake, costs, lost in zip(STAKES, COSTS, LOST, strict=True):
        for bound, cost in zip(BOUNDS[lost == 0], costs[lost == 0], strict=True):
            gained = np.linspace(-bound, bound, 1001)
            assert (1 + stake * gained >= np.exp(stake * gained - cost * gained**2) - 1e-12).all()
    assert ((np.outer(STAKES, BOUNDS) >= 1) == LOST).all()


def draw_evidence(seed: int, gain: float = 0.0) -> tuple[Losses, Evidence]:
    random = np.random.default_rng(seed)
    true, champion, challenger = draw_forecasts(random, 0.1 + gain, 0.1)
    losses = judge_rows(random, true, champion, challenger)
    return losses, weigh(losses)


def test_evidence_adds_up_to_the_last_digit_in_any_order() -> None:
    losses, whole = draw_evidence(1)
    order = np.random.default_rng(2).permutation(LABELS)
    parts = [weigh(Losses(*(field[piece] for field in losses))) for piece in np.array_split(order, 7)]
    assert add_up(parts) == whole == add_up([NOTHING, whole])
    assert sum(whole.rows) == LABELS


def test_the_interval_excludes_0_exactly_where_it_is_proved() -> None:
    for seed, gain in ((1, 0.0), (2, 0.02), (3, 0.1)):
        losses, evidence = draw_evidence(seed, gain)
        mean, low, high = estimate(evidence)
        assert mean == pytest.approx(losses.gained.mean() / STEPS, abs=1e-12)
        squares = np.array([one / STEPS**2 for one in evidence.squares])
        charges = charge(np.array(evidence.rows, float), squares)
        for sign, edge in ((1, low), (-1, -high)):
            assert bool(is_proved(np.array(sign * mean * LABELS), charges)) == (edge > 0)


def test_how_many_labels_are_missing() -> None:
    _, evidence = draw_evidence(4, 0.02)
    more = count_missing(evidence)
    assert estimate(evidence).low < 0
    assert more is not None
    grown = (LABELS + more) / LABELS  # with so many labels of the same kind it is just proved
    bigger = Evidence(*(_scale(field, grown) for field in evidence))
    assert estimate(bigger).low > 0
    assert estimate(Evidence(*(_scale(field, 0.999 * grown) for field in evidence))).low <= 0


def _scale(field: int | tuple[int, ...], factor: float) -> "int | tuple[int, ...]":
    return round(field * factor) if isinstance(field, int) else tuple(round(one * factor) for one in field)


def test_where_nothing_differs_no_number_of_labels_will_do() -> None:
    rows = np.zeros(1000, np.int64)
    evidence = weigh(Losses(rows, rows, rows))
    assert estimate(evidence).mean == 0
    assert count_missing(evidence) is None
    assert count_missing(NOTHING) is None
    assert estimate(NOTHING) == (0.0, -MAX_BOUND, MAX_BOUND)


def test_losses_of_classes_are_evaluations() -> None:
    champion = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]], np.float32)
    challenger = np.array([[0.1, 0.6, 0.3], [0.5, 0.5, 0.0]], np.float32)
    losses = compare_losses(MULTICLASS, champion, challenger, np.array([1.0, 2.0]))
    assert losses.gained / STEPS == pytest.approx([math.log(2), 0.0], abs=1e-6)
    assert losses.champion / STEPS == pytest.approx([-math.log(0.3), 15.942385], abs=1e-6)
    assert losses.bound / STEPS == pytest.approx([math.log(2), 15.942385 - math.log(2)], abs=1e-6)


def test_losses_of_numbers_differ_by_no_more_than_the_answers_whatever_comes_true() -> None:
    random = np.random.default_rng(5)
    champion, challenger = random.normal(100, 20, (2, 500, 3)).astype(np.float32)
    for labels in (random.normal(100, 50, 500), np.full(500, -1e300), np.full(500, 1e300)):
        losses = compare_losses(NUMBER, champion, challenger, labels)
        assert (np.abs(losses.gained) <= losses.bound).all()
        assert losses.bound / STEPS == pytest.approx(np.abs(champion - challenger)[:, 0] / 10, abs=2e-6)
    few = compare_losses(NUMBER, champion[:1], challenger[:1], champion[:1, 0].astype(float))
    assert few.gained / STEPS == pytest.approx(-np.abs(champion - challenger)[:1, 0] / 10, abs=2e-6)


def test_far_apart_numbers_are_cut_and_stay_within_their_bound() -> None:
    ours, theirs = np.array([[0.0] * 3], np.float32), np.array([[1e9] * 3], np.float32)
    losses = compare_losses(NUMBER, ours, theirs, np.array([0.0]))
    assert losses.bound / STEPS == [MAX_BOUND]
    assert losses.gained / STEPS == [-MAX_BOUND]
