"""How late rejections are sent, by what callers make of it."""

from collections.abc import Callable

from ekiben.service.connections.rejections import HOLD_S, LONG_S, SHORT_S, TRIAL_S, AdaptiveDelay

TRIED_S = 2 * (LONG_S + TRIAL_S) + 0.01
Callers = Callable[[float], float]  # rejections a second, by their delay


def patient(delay_s: float) -> float:
    """Callers who each ask once."""
    return 10_000


def hasty(delay_s: float) -> float:
    """A hundred who ask again at once."""
    return 100 / delay_s


def reject(delay: AdaptiveDelay, callers: Callers, now: float, until: float) -> float:
    """Count the rejections of that time; return when the last was."""
    while now < until:
        now += 1 / callers(delay.seconds)
        delay.count(now)
    return now


def test_who_asks_once_is_rejected_soon() -> None:
    delay = AdaptiveDelay()
    reject(delay, patient, 50.0, 50 + TRIED_S)
    assert delay.seconds == SHORT_S


def test_who_asks_again_at_once_is_rejected_late() -> None:
    delay = AdaptiveDelay()
    reject(delay, hasty, 50.0, 50 + TRIED_S)
    assert delay.seconds == LONG_S


def test_the_delay_follows_the_callers() -> None:
    delay = AdaptiveDelay()
    now = reject(delay, patient, 50.0, 50 + TRIED_S + HOLD_S / 2)
    for callers, seconds in ((hasty, LONG_S), (patient, SHORT_S), (hasty, LONG_S)):
        now = reject(delay, callers, now, now + HOLD_S + TRIED_S)
        assert delay.seconds == seconds


def test_either_delay_is_tried_for_a_small_part_of_the_time() -> None:
    delay, now, late = AdaptiveDelay(), 50.0, 0
    for _ in range(100_000):
        now += 1 / patient(delay.seconds)
        delay.count(now)
        late += delay.seconds == LONG_S
    assert 0 < late < 0.06 * 100_000


def test_a_surge_is_tried_at_once() -> None:
    delay = AdaptiveDelay()
    now = reject(delay, lambda _: 1000.0, 50.0, 50 + TRIED_S)
    assert delay.seconds == SHORT_S
    reject(delay, hasty, now, now + 2 * TRIAL_S + TRIED_S)
    assert delay.seconds == LONG_S


def test_a_load_that_stops_within_a_trial_does_not_keep_the_wrong_delay() -> None:
    delay = AdaptiveDelay()
    now = reject(delay, hasty, 50.0, 50 + LONG_S + TRIAL_S / 2)
    reject(delay, hasty, now + 1000, now + 1000 + 3 * TRIED_S)
    assert delay.seconds == LONG_S
