"""An exception in the log: its type and where it came from, and not its words, which may quote a caller's row."""

import traceback

MAX_FRAMES = 30  # of each exception, those nearest to where it was raised
MAX_CHAIN = 5


def describe_stack(error: BaseException) -> str:
    """Return the stack of an exception and of those it came from, the first one first, as Python prints it."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and len(chain) < MAX_CHAIN:
        chain.append(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return "\n".join(map(_describe, reversed(chain)))


def _describe(error: BaseException) -> str:
    frames = "".join(traceback.format_tb(error.__traceback__, -MAX_FRAMES))
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    reason = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""  # the system's words
    return f"Traceback (most recent call last):\n{frames}{name}{reason}"
