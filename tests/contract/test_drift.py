"""Drift is found in counts alone, ranked by what it does to the answers, and shown without harm."""

from datetime import UTC, datetime

import numpy as np
import pytest

from ekiben.contract.page import STYLE
from ekiben.contract.reference.alarms.findings import AlarmReport
from ekiben.contract.reference.bins import CategoryBins, NumberBins
from ekiben.contract.reference.drift import DriftReport, report_drift
from ekiben.contract.reference.drift_page import render_page
from ekiben.contract.reference.drift_text import render_text
from ekiben.contract.reference.reference import Distribution, Reference
from ekiben.contract.reference.snapshot import Snapshot, Window
from ekiben.contract.reference.stability import chance_level, population_stability_index

SILENT = AlarmReport(silence="no alarms")
EVIL = '</style><script src="//evil">&{{7*7}}\x1b[31m'


def distribution(name: str, *counts: int, effects: tuple[float, ...] = ()) -> Distribution:
    edges = tuple(float(edge) for edge in range(len(counts) - 2))
    return Distribution(column=name, bins=NumberBins(edges=edges), counts=counts, effects=effects)


def report(
    then: list[Distribution], counted: int | None = None, model: str = "shop", **now: tuple[int, ...]
) -> DriftReport:
    reference = Reference(
        rows=1000,
        columns=(),
        duplicates=0.0,
        distributions=tuple(then),
        answers=(distribution("probability", 500, 500, 0),),
    )
    rows = sum(next(iter(now.values())))
    window = Window(
        source="a",
        start=datetime(2026, 11, 23, tzinfo=UTC),
        rows=rows,
        counted=rows if counted is None else counted,
        features=now,
        answers={"probability": (rows, 0, 0)},
    )
    return report_drift(reference, Snapshot(model=model, version="3", reference="ab", span="days", windows=(window,)))


def test_what_moves_and_matters_comes_before_what_only_moves() -> None:
    then = [
        distribution("calm", 500, 500, 0, effects=(0.9, -0.9, 0)),
        distribution("idle", 500, 500, 0, effects=(0, 0, 0)),
        distribution("vital", 500, 500, 0, effects=(0.3, -0.3, 0)),
    ]
    found = report(then, calm=(490, 510, 0), idle=(999, 1, 0), vital=(800, 200, 0))
    assert [shift.then.name for shift in found.features] == ["vital", "idle", "calm"]
    assert [shift.verdict for shift in found.features] == ["large", "large", "stable"]
    assert found.features[0].expected_change == pytest.approx(0.3 * 0.3 + 0.3 * 0.3)
    assert found.answers[0].verdict == "large"


@pytest.mark.parametrize(("counted", "verdict"), [(20, "stable"), (2000, "large")])
def test_of_few_rows_chance_is_no_drift(counted: int, verdict: str) -> None:
    found = report([distribution("size", *[100] * 10, 0)], counted, size=(0, *[200] * 8, 400, 0))
    assert found.features[0].verdict == verdict


def test_chance_is_exceeded_once_in_a_hundred_times() -> None:
    draw = np.random.default_rng(1)
    samples = [draw.multinomial(500, [0.1] * 10) for _ in range(2000)]
    then = np.full(10, 10_000)
    level = chance_level(then, samples[0])
    beyond = np.mean([population_stability_index(then, sample) > level for sample in samples])
    assert 0.004 < beyond < 0.02


def test_missing_and_never_seen_values_are_said() -> None:
    then = Distribution(column="gate", bins=CategoryBins(values=("A",)), counts=(900, 0, 50, 50))
    text = render_text(report([then], gate=(400, 0, 200, 400)), SILENT)
    assert "missing: 5.0% then, 40.0% now; never seen: 5.0% then, 20.0% now" in text


def test_what_is_answered_where_training_had_no_rows_is_unknown() -> None:
    found = report([distribution("size", 500, 500, 0, effects=(0.2, -0.2, 0))], size=(300, 300, 400))
    assert "<td>missing</td><td>0.0%</td><td>40.0%</td><td>unknown</td>" in render_page(found, SILENT)


def test_without_rows_nothing_has_moved() -> None:
    found = report([distribution("size", 500, 500, 0)], size=(0, 0, 0))
    assert (found.features[0].psi, found.features[0].verdict) == (0.0, "stable")
    assert "no rows yet" in render_text(found, SILENT)
    assert "no rows yet" in render_page(found, SILENT)


def test_names_and_values_are_text_in_the_page_and_the_terminal() -> None:
    then = Distribution(column=EVIL, bins=CategoryBins(values=(EVIL,)), counts=(900, 0, 50, 50))
    found = report([then], model=EVIL, **{EVIL: (100, 0, 500, 400)})
    page = render_page(found, SILENT)
    assert "<script" not in page
    assert page.count("</style>") == 1
    assert "&lt;script" in page
    assert "\x1b" not in render_text(found, SILENT)
    assert STYLE in page


def test_a_page_asks_no_other_host_for_anything() -> None:
    page = render_page(report([distribution("size", 500, 500, 0)], size=(900, 100, 0)), SILENT)
    for word in ("http:", "https:", "//", "url(", "@import", "src=", "href=", "style="):
        assert word not in page, word
