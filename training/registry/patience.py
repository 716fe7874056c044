"""How long an MLflow store is waited for: its clients' own patience is minutes, or has no end."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator

IMPATIENT = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "4", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}  # MLflow's own: minutes


@contextlib.contextmanager
def impatient() -> Iterator[None]:
    """Give up on a server at its first failure; what the environment says of that goes before."""
    added = {name: value for name, value in IMPATIENT.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def within(seconds: int, ask: Callable[[], None]) -> None:
    """Ask; raise TimeoutError if there is no answer in time, whatever the look-up, driver or server does."""
    failed: list[Exception] = []

    def run() -> None:
        try:
            ask()
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError(f"it does not answer within {seconds} s: try again later")
    if failed:
        raise failed[0]
