"""A candidate that is worse answers nobody any more within a window; an honest one goes on for hours."""

import numpy as np
import pytest

from ekiben.service.canary import guardrails
from ekiben.service.canary.evidence import Detector, Rate, bet_above, bet_on_rates
from ekiben.service.canary.guardrails import ADDED_ERRORS, LOOK_S
from ekiben.service.canary.judge import WINDOW_S
from ekiben.service.canary.slowness import Slowness
from tests.service.canary.callers import Behaviour, Traffic, judge, simulate_sticky

HOUR = round(3600 / LOOK_S)  # looks
WINDOW = round(WINDOW_S / LOOK_S)
FAILS, SLOW, SHIFTED = Behaviour(failing=0.01), Behaviour(slower=3.0), Behaviour(shifted=2.0)
SENTENCES = {
    "errors": (FAILS, " requests to version 3 failed, 0 of "),
    "p99": (SLOW, " answers of version 3 took longer than "),
    "answers": (SHIFTED, "the answers of version 3 and version 2 are "),
}


def busy(seed: int, rates: tuple[float, float] = (100, 100)) -> Traffic:
    return Traffic(rates, np.random.default_rng(seed))


@pytest.mark.parametrize("name", SENTENCES)
@pytest.mark.parametrize("honest_looks", [0, 60])
def test_a_bad_candidate_steps_back_within_a_window_and_says_why(name: str, honest_looks: int) -> None:
    behaviour, sentence = SENTENCES[name]
    for seed in range(4):
        found = judge(busy(seed), behaviour, WINDOW, honest_looks)
        assert found, seed
        verdict, seconds = found
        assert verdict.guardrail == name
        assert verdict.sentence.startswith(f"{name}: ")
        assert sentence in verdict.sentence
        assert "since 2027-01-15 08:" in verdict.sentence
        assert seconds <= WINDOW_S


@pytest.mark.parametrize("rates", [(100, 100), (200, 2), (1, 1)])
@pytest.mark.parametrize("both", [Behaviour(), Behaviour(failing=0.01)])
def test_an_honest_candidate_goes_on(rates: tuple[float, float], both: Behaviour) -> None:
    assert judge(busy(1, rates), both, HOUR, champion=both) is None


def test_a_better_candidate_goes_on() -> None:
    worse = Behaviour(failing=0.05, slower=4)
    assert judge(busy(1), Behaviour(), HOUR // 6, champion=worse) is None


def test_what_makes_both_slow_is_no_reason() -> None:
    jammed = Behaviour(slower=10)
    assert judge(busy(1), jammed, HOUR // 6, honest_looks=WINDOW, champion=jammed) is None


def test_a_few_late_answers_are_no_reason() -> None:
    """The limit is for the 99th percentile: the champion has no such answers, but half a percent may be so late."""
    champion, candidate = Behaviour(), Behaviour(late=0.005)
    assert judge(busy(1), candidate, HOUR // 3, champion=champion) is None
    found = judge(busy(1), Behaviour(late=0.03), HOUR // 6, champion=champion)
    assert found
    assert found[0].guardrail == "p99"


@pytest.mark.parametrize(("pace", "words"), [(1.0, " ms, twice the "), (0.1, " ms, a millisecond above the ")])
def test_how_much_slower_is_said_in_words(pace: float, words: str) -> None:
    found = judge(busy(1), Behaviour(slower=30 * pace), HOUR // 6, champion=Behaviour(slower=pace))
    assert found
    assert f"{words}99th percentile of version 2, of whose answers 0 of " in found[0].sentence
    about = guardrails.Errors.__doc__, Slowness.__doc__  # what people are shown
    assert not [one for one in about if one is None or any(word.isupper() for word in one.split())]


@pytest.mark.parametrize("callers", [3, 30, 100, 300])
def test_callers_who_differ_are_no_reason(callers: int) -> None:
    assert [simulate_sticky(callers, 0.5, 60, seed) for seed in range(8)] == [None] * 8


def test_false_step_backs_are_as_rare_as_stated() -> None:
    """Of T looks with the limit A, at most T / A of honest candidates; here one in five, so that it can be counted."""
    random = np.random.default_rng(1)
    looks, runs, limit = 40, 500, 200
    false = 0
    for _ in range(runs):
        detector = Detector(len(ADDED_ERRORS), limit)
        hits = random.binomial(100, 0.02, (looks, 2))
        false += any(
            detector.add(bet_on_rates(first, second, 0.01, ADDED_ERRORS), first, second, 0.0)
            for first, second in ((Rate(one, 100), Rate(other, 100)) for one, other in hits.tolist())
        )
    assert 0 < false / runs < looks / limit


@pytest.mark.parametrize("chance", [0.001, 0.01, 0.3])
def test_a_bet_is_fair(chance: float) -> None:
    """The mean of an e-value is at most 1 if both have one chance, whatever was expected."""
    random = np.random.default_rng(2)
    for expected in (0.0005, 0.01, 0.2):
        pairs = random.binomial((30, 10), chance, (4000, 2)).tolist()
        values = np.exp([bet_on_rates(Rate(a, 30), Rate(b, 10), expected, ADDED_ERRORS) for a, b in pairs])
        error = values.std(axis=0) / len(pairs) ** 0.5
        assert (values.mean(axis=0) < 1 + 4 * error).all()
    values = np.exp([bet_above(Rate(a, 30), chance, ADDED_ERRORS) for a, _ in pairs])
    assert (values.mean(axis=0) < 1 + 4 * values.std(axis=0) / len(pairs) ** 0.5).all()


def test_the_stated_rate_is_that_of_the_limit() -> None:
    looks = 86_400 / LOOK_S
    assert guardrails.WATCHERS * looks / guardrails.MAX_FORTUNE == pytest.approx(guardrails.FALSE_STEP_BACKS)
