"""Interrupts that wait until the fit can take them."""

import signal
import threading
from collections.abc import Iterator

import pytest

from ekiben.training.network.interrupts import deferred_interrupts


@pytest.fixture(autouse=True)
def _as_in_a_terminal() -> Iterator[None]:
    """Take interrupts as Python does by default: what starts the tests in the background ignores them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_waits_until_it_is_asked_for() -> None:
    reached: list[str] = []

    def fit() -> None:
        with deferred_interrupts() as interrupt:
            signal.raise_signal(signal.SIGINT)
            reached.append("after the signal")
            interrupt()
            reached.append("after it was asked for")

    with pytest.raises(KeyboardInterrupt):
        fit()
    assert reached == ["after the signal"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_that_nobody_asked_for_comes_at_the_end() -> None:
    with pytest.raises(KeyboardInterrupt), deferred_interrupts():
        signal.raise_signal(signal.SIGINT)


def test_another_thread_holds_nothing_back() -> None:
    def hold() -> None:
        with deferred_interrupts() as interrupt:
            handlers.append(signal.getsignal(signal.SIGINT))
            interrupt()

    handlers: list[object] = []
    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]
