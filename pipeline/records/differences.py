"""In what a step that is made again differs from how it was made before."""

from collections.abc import Iterator

from ekiben.pipeline.records.keeping import list_records
from ekiben.pipeline.records.record import StepRecord

SHORT = 12  # characters of a digest that tell two apart


def find_differences(record: StepRecord) -> Iterator[str]:
    """Yield in what the lock and the machine differ from those of the latest record of this step and model."""
    last = find_last(record)
    if last is None:
        return
    if last.lock != record.lock:
        change = f"the lock of its packages is {record.lock[:SHORT]}, it was {last.lock[:SHORT]}"
        yield f"`{record.step}` is made again on other packages: {change}"
    if last.machine != record.machine:
        yield f"`{record.step}` is made again on another machine, {record.machine}; it was {last.machine}"


def find_last(record: StepRecord) -> StepRecord | None:
    """Return the latest record of the same step of the same model."""
    wanted = record.step, record.configuration["name"]
    found = (one for one in list_records() if (one.step, one.configuration["name"]) == wanted)
    return max(found, key=lambda one: one.ended, default=None)
