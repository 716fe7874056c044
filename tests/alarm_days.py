"""A shop's rows, day by day, what training learns of them, and windows as a service counts them."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from ekiben.contract.encoding import Encoded, Encoder
from ekiben.contract.reference.alarms.findings import AlarmReport
from ekiben.contract.reference.alarms.judging import report_alarms
from ekiben.contract.reference.counting import RowCounter
from ekiben.contract.reference.reference import Reference
from ekiben.contract.reference.snapshot import Snapshot, Window
from ekiben.contract.schema import Schema, Target
from ekiben.training.checks.alarms.learning import learn_alarms
from ekiben.training.checks.answers_learning import describe_answers
from ekiben.training.checks.reference_learning import learn_reference
from ekiben.training.dataset.schema_learning import learn_schema

START = pd.Timestamp("2026-01-01")
DAYS, ROWS = 120, 200  # that training has, and the rows of each
KINDS = {"coat": 40.0, "boot": 55.0, "shirt": 70.0, "sandal": 85.0}
FEATURES: dict[str, dict[str, Any]] = {
    "heat": {"kind": "number", "nullable": True, "unit": "°F"},
    "price": {"kind": "number"},
    "noise": {"kind": "number"},
    "kind": {"kind": "category"},
    "site": {"kind": "category"},
    "sold": {"kind": "timestamp"},
}
Change = Callable[[pd.DataFrame], pd.DataFrame]


def make_days(first: int, count: int, rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """Return the rows of days: the heat is a weather's, the price is that of the kind, and each site sells some."""
    random = np.random.default_rng(seed + 1000 * first)
    day = np.repeat(np.arange(first, first + count), rows)
    weather = 60 + 8 * np.sin(2 * np.pi * day / 9) + random.normal(0, 3, first + count)[day]
    kind = random.choice(list(KINDS), len(day), p=[0.26, 0.25, 0.25, 0.24])
    site = np.where(np.isin(kind, ["coat", "boot"]) ^ (random.random(len(day)) < 0.1), "north", "south")
    sold = START + pd.to_timedelta(day * 86_400 + np.sort(random.integers(0, 86_400, len(day))), unit="s")
    return pd.DataFrame(
        {
            "heat": np.round(weather + random.normal(0, 4, len(day))).astype(np.float32),
            "price": np.array([KINDS[one] for one in kind], np.float32) + random.integers(-5, 6, len(day)),
            "noise": random.integers(0, 10, len(day)).astype(np.float32),
            "kind": pd.Categorical(kind, categories=list(KINDS)),
            "site": pd.Categorical(site, categories=["north", "south"]),
            "sold": pd.Series(sold).astype("datetime64[s]"),
            "late": pd.Categorical(random.random(len(day)) < 0.3),
        }
    )


@cache
def learn(time: str | None = "sold", days: int = DAYS) -> tuple[Schema, Reference]:
    """Learn from the first days; the answers follow the heat, the price and the site, but never the noise."""
    frame = make_days(0, days)
    schema = learn_schema("shop", frame, Target(name="late", classes=(False, True)), FEATURES)
    encoded = Encoder(schema).encode(frame)
    answers = encoded.numbers[:, :1] / 200 + encoded.numbers[:, 1:2] / 400 + encoded.codes[:, 1:2] / 10
    learned = learn_reference(schema, tuple(frame), frame)
    described = describe_answers(learned, schema, encoded, answers)
    return schema, learn_alarms(schema, described, frame, time)


def count_days(schema: Schema, reference: Reference, frame: pd.DataFrame, source: str = "a") -> Iterator[Window]:
    """Yield a window for each day of rows, as a process counts it."""
    counter = RowCounter(schema, reference)
    for day, rows in frame.groupby(frame["sold"].dt.normalize(), sort=True):
        encoded = Encoder(schema).encode(rows)
        yield make_window(counter, encoded, pd.Timestamp(str(day)).to_pydatetime().replace(tzinfo=UTC), source)


def make_window(counter: RowCounter, encoded: Encoded, start: datetime, source: str = "a", every: int = 1) -> Window:
    """Return the window of rows, each of which stands for several."""
    counts = counter.count(encoded, np.full((len(encoded), 1), 0.5, np.float32)) * every
    features, answers = counter.split(counts)
    return Window(
        source=source, start=start, rows=len(encoded) * every, counted=len(encoded),
        features=features, answers=answers, sums=counter.split_sums(counts),
    )  # fmt: skip


def make_snapshot(windows: Sequence[Window], reference: str = "ab") -> Snapshot:
    return Snapshot(model="shop", version="3", reference=reference, span="days", windows=tuple(windows))


def judge_each(reference: Reference, windows: Sequence[Window], false_alarms: float = 1.0) -> list[AlarmReport]:
    """Judge each day but the first, at its end."""
    return [
        report_alarms(
            reference, make_snapshot(windows[: last + 1]), windows[last].start + timedelta(days=1), false_alarms
        )
        for last in range(1, len(windows))
    ]


def swap(column: str, first: str, second: str) -> Change:
    names = {first: second, second: first}
    return lambda frame: frame.assign(**{column: frame[column].map(lambda one: names.get(one, one)).astype("category")})


def stick(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(heat=frame.groupby(frame["sold"].dt.normalize())["heat"].transform("first"))


FAULTS: dict[str, tuple[str, Change]] = {
    "another unit": ("heat", lambda frame: frame.assign(heat=((frame["heat"] - 32) / 1.8).round(2))),
    "all missing": ("heat", lambda frame: frame.assign(heat=np.float32("nan"))),
    "stuck": ("heat", stick),
    "a tenth": ("price", lambda frame: frame.assign(price=frame["price"] / 10)),
    "swapped kinds": ("kind", swap("kind", "coat", "sandal")),
    "swapped sites": ("site", swap("site", "north", "south")),
    "a new name": ("kind", lambda frame: frame.assign(kind=frame["kind"].astype(str).replace("coat", "Coat"))),
    "of other rows": ("price", lambda frame: frame.assign(price=np.roll(frame["price"], 7))),
}  # fmt: skip
