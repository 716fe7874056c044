"""Which logged days have alarms: what was wrong with their rows is not to become what the next model has learned.

The rows are counted in the bins that the champion's training learned, day by day, and judged as a service judges what
it sees (`contract/reference/alarms`). No service is needed, and rows without a label count, too.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ekiben.contract.encoding import Encoder
from ekiben.contract.feature import Category, Feature, Timestamp
from ekiben.contract.log_columns import TIME
from ekiben.contract.reference.alarms.judging import JUDGED, report_alarms
from ekiben.contract.reference.counting import RowCounter
from ekiben.contract.reference.reference import Reference
from ekiben.contract.reference.snapshot import LENGTHS, Snapshot, Window
from ekiben.contract.schema import Schema
from ekiben.training.tables.read import PANDAS_TYPES
from ekiben.training.wording import count

DAY = LENGTHS["days"]
DAY_US = 86_400_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_NAMED = 5


@dataclass(frozen=True)
class AlarmedDays:
    """Days on which an alarm stands: both days in a row that made it, and those since it rang that are not over."""

    days: NDArray[np.int64]  # since 1970, UTC
    features: tuple[str, ...]  # that had the alarms, the most frequent first

    def find(self, part: pa.Table) -> NDArray[np.bool_]:
        """Return which rows of a part of the log are of such a day."""
        return np.isin(list_days(part), self.days)

    def describe(self) -> str:
        """Return how many days they are, which, and what was wrong."""
        first, last = (f"{EPOCH + int(day) * DAY:%Y-%m-%d}" for day in (self.days[0], self.days[-1]))
        named = ", ".join(f"`{name}`" for name in self.features[:MAX_NAMED])
        others = f" and {len(self.features) - MAX_NAMED} others" if len(self.features) > MAX_NAMED else ""
        return f"{count(len(self.days), 'day')} with alarms ({first} to {last}, UTC: {named}{others})"


def find_alarmed_days(
    schema: Schema, reference: Reference, parts: Iterable[pa.Table], features: Mapping[str, str], now: datetime
) -> AlarmedDays | None:
    """Return the days of the parts on which an alarm stands, None if there is none.

    `features` are those of the schema that the parts hold as they came, and their columns; others are not judged.
    """
    kept = _keep_distributions(reference, features)
    counter = RowCounter(schema, kept)
    rows: Counter[int] = Counter()
    counts: dict[int, NDArray[np.int64]] = {}
    for part in parts:
        days = list_days(part)
        order = np.argsort(days, kind="stable")
        encoded = Encoder(schema).encode(_to_columns(schema, part.take(order), features))
        found, starts = np.unique(days[order], return_index=True)
        for day, start, stop in zip(found.tolist(), starts.tolist(), [*starts.tolist()[1:], len(days)], strict=True):
            rows[day] += stop - start
            counted = counter.count(encoded[start:stop], np.empty((stop - start, 0), np.float32))
            counts[day] = counted + counts.get(day, 0)
    return _judge(kept, [_to_window(counter, day, rows[day], counts[day]) for day in sorted(rows)], now)


def list_days(part: pa.Table) -> NDArray[np.int64]:
    """Return the day of each row, (rows,), in days since 1970, UTC."""
    times: NDArray[np.int64] = part[TIME].cast(pa.int64()).to_numpy()
    return times // DAY_US


def _judge(reference: Reference, windows: list[Window], now: datetime) -> AlarmedDays | None:
    alarmed: set[datetime] = set()
    named: Counter[str] = Counter()
    ringing = False
    for last, window in enumerate(windows):
        ends = window.start + DAY
        if ends <= now:
            latest = tuple(windows[max(0, last + 1 - JUDGED) : last + 1])
            snapshot = Snapshot(model="", version="", reference="", span="days", windows=latest)
            alarms = report_alarms(reference, snapshot, ends).alarms
            ringing = bool(alarms)
            named.update(one.feature for one in alarms)
        if ringing:
            alarmed.update(one.start for one in windows[max(0, last - 1) : last + 1])
    if not alarmed:
        return None
    days = np.array([(day - EPOCH) // DAY for day in sorted(alarmed)], np.int64)
    return AlarmedDays(days, tuple(name for name, _ in named.most_common()))


def _to_window(counter: RowCounter, day: int, rows: int, counts: NDArray[np.int64]) -> Window:
    features, answers = counter.split(counts)
    return Window(
        source="", start=EPOCH + day * DAY, rows=rows, counted=rows,
        features=features, answers=answers, sums=counter.split_sums(counts),
    )  # fmt: skip


def _keep_distributions(reference: Reference, features: Mapping[str, str]) -> Reference:
    """Return the reference of these features alone, without the answers: other versions gave some of them."""
    kept = tuple(one for one in reference.distributions if one.column in features)
    return reference.model_copy(update={"distributions": kept, "answers": ()})


def _to_columns(schema: Schema, part: pa.Table, features: Mapping[str, str]) -> dict[str, "pd.Series[Any]"]:
    return {
        one.name: part[features[one.name]].to_pandas(types_mapper=PANDAS_TYPES.get)
        if one.name in features
        else _absent(one, len(part))
        for one in schema.features
    }


def _absent(feature: Feature, rows: int) -> "pd.Series[Any]":
    if isinstance(feature, Timestamp):
        return pd.Series(pd.NaT, range(rows), "datetime64[us]")
    return pd.Series(None, range(rows), "object" if isinstance(feature, Category) else "float64")
