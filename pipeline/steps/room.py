"""The memory of a run: `ingest` finds out whether the table is larger, and the steps after it go on from the disk, too.

What memory has room for decides which rows are a sample, so all steps have that of `ingest`, on whatever machine.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from ekiben.pipeline.step import Given
from ekiben.training.streaming.memory import Budget, find_budget
from ekiben.training.streaming.scratch import open_room

MEMORY = "memory.txt"  # in bytes, that `ingest` leaves if the table was larger


@contextmanager
def open_step_room(given: Given) -> Iterator[Given]:
    """Yield what a step finds with room on the disk, if it may need some."""
    budget = find_step_budget(given)
    if budget is None:
        yield given
        return
    with open_room(budget) as room:
        yield replace(given, room=room)


def find_step_budget(given: Given) -> Budget | None:
    """Return what a step may take, None if the table is known to fit into memory."""
    if "ingest" not in given.before:
        return find_budget(given.options.memory)
    kept = given.find("ingest", MEMORY)
    return Budget(int(kept.read_text(encoding="ascii"))) if kept.is_file() else None
