"""A bar for what is done of a table."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def show_progress(title: str) -> Iterator[Callable[[float], None]]:
    """Show a bar on standard error; what it yields takes the share done, from 0 to 1."""
    with tqdm(total=100, desc=title, bar_format="{l_bar}{bar}| {elapsed}") as bar:

        def report(share: float) -> None:
            bar.update(100 * share - bar.n)

        yield report


@contextmanager
def show_steps(title: str, total: int) -> Iterator[Callable[[str], None]]:
    """Show a bar that moves on, and names the step that begins, at each call of what it yields."""
    with tqdm(total=total, desc=title, unit="step") as bar:

        def begin(name: str) -> None:
            bar.set_postfix_str(name, refresh=False)
            bar.update()

        yield begin
