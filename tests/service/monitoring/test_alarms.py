"""A service judges its whole days at most once a minute, and exports what rings."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ekiben.contract.reference.alarms.judging import report_alarms
from ekiben.contract.reference.drift import report_drift
from ekiben.contract.reference.snapshot import Snapshot, Window
from ekiben.service.monitoring import alarms as module
from ekiben.service.monitoring.alarms import DailyAlarms
from ekiben.service.monitoring.overview import Overview
from ekiben.service.monitoring.series import Seen, render_series
from tests.alarm_days import DAYS, FAULTS, count_days, learn, make_days, make_snapshot


class Recorded:
    """An overview that counts how often it was asked."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.asked: list[tuple[str, int]] = []

    def snapshot(self, *wanted: Any) -> Snapshot:
        self.asked.append(wanted)
        return self._snapshot


def make_windows() -> list[Window]:
    """Two days that were over yesterday."""
    schema, reference = learn()
    windows = list(count_days(schema, reference, FAULTS["all missing"][1](make_days(DAYS, 2))))
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    starts = (today - timedelta(days=days) for days in (2, 1))
    return [window.model_copy(update={"start": start}) for window, start in zip(windows, starts, strict=True)]


def test_days_are_judged_at_most_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    overview = Recorded(make_snapshot(make_windows()))
    alarms = DailyAlarms(cast(Overview, overview), learn()[1], 1.0)
    reports = [alarms.prepare()() for _ in range(3)]
    assert [one.feature for one in reports[0].alarms] == ["heat"]
    assert reports[0] == reports[1] == reports[2]
    assert overview.asked == [("days", 4)]
    monkeypatch.setattr(module, "KEPT_S", 0.0)
    alarms.prepare()()
    assert len(overview.asked) == 2


def test_prometheus_gets_how_many_alarms_there_are_and_of_which_features() -> None:
    reference, windows = learn()[1], make_windows()
    snapshot = make_snapshot(windows)

    def judge(now: datetime) -> Seen:
        return Seen(report_drift(reference, snapshot), report_alarms(reference, snapshot, now))

    rendered = [
        render_series({"one": partial(judge, now), "other": partial(judge, windows[0].start)}).decode()
        for now in (datetime.now(UTC), windows[0].start)
    ]
    assert '\nekiben_monitoring_alarms{model="one"} 1.0\n' in rendered[0]
    assert '\nekiben_monitoring_alarms{model="other"} 0.0\n' in rendered[0]
    assert '\nekiben_monitoring_alarm{feature="heat",model="one",statistic="' in rendered[0]
    assert '\nekiben_monitoring_alarms{model="one"} 0.0\n' in rendered[1]
    assert "ekiben_monitoring_alarm{" not in rendered[1]
    for text in rendered:  # a name may stand only once in what Prometheus reads
        names = [family.name for family in text_string_to_metric_families(text)]
        assert len(names) == len(set(names)) == text.count("# TYPE ")


def test_a_day_whose_rows_were_all_rejected_is_judged() -> None:
    reference, windows = learn()[1], make_windows()
    empty = [
        window.model_copy(
            update={
                "rows": 0, "counted": 0, "rejected": {"price": 500},
                "features": {name: (0,) * len(counts) for name, counts in window.features.items()},
                "sums": {name: (0,) * len(sums) for name, sums in window.sums.items()},
            }
        )
        for window in windows
    ]  # fmt: skip
    report = report_alarms(reference, make_snapshot(empty), datetime.now(UTC))
    assert [(one.feature, one.edge.statistic) for one in report.alarms] == [("price", "rejected")]
    assert np.isfinite(report.alarms[0].score)
