"""Interrupts that wait: one that lands inside TensorFlow's tracing is printed by its C++ as a traceback."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def deferred_interrupts() -> Iterator[Callable[[], None]]:
    """Hold back SIGINT and SIGTERM; yield what hands them to their handlers, which is also done at the end."""
    waiting: list[int] = []
    handlers: dict[int, Callable[..., object]] = {}
    if threading.current_thread() is threading.main_thread():  # no other may set handlers
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if callable(handler):  # the system's own ends the process: nothing is printed
                handlers[number] = handler
                signal.signal(number, lambda number, _: waiting.append(number))

    def deliver() -> None:
        while waiting:
            number = waiting.pop(0)
            handlers[number](number, None)

    try:
        yield deliver
    finally:
        for held, handler in handlers.items():
            signal.signal(held, handler)
    deliver()
