"""Alarms: quiet on honest days, by name on faulty ones, of two days in a row, and made of what adds up."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from ekiben.contract.encoding import Encoder
from ekiben.contract.reference.alarms.alarm_text import SEASONS, describe_alarms, list_findings
from ekiben.contract.reference.alarms.calibration import Edge
from ekiben.contract.reference.alarms.findings import Finding, assign_pairs
from ekiben.contract.reference.alarms.judging import report_alarms
from ekiben.contract.reference.alarms.sums import FamiliarValues
from ekiben.contract.reference.counting import RowCounter
from ekiben.contract.reference.reference import Reference
from ekiben.contract.reference.snapshot import InvalidSnapshot, parse_snapshot
from tests.alarm_days import DAYS, FAULTS, START, count_days, judge_each, learn, make_days, make_snapshot, make_window

LATER = 30


def name_all(reference: Reference, frame: pd.DataFrame) -> list[set[str]]:
    """The features that each day's alarms name."""
    schema, _ = learn()
    reports = judge_each(reference, list(count_days(schema, reference, frame)))
    return [{name for one in report.alarms for name in one.features} for report in reports]


def test_honest_days_are_quiet() -> None:
    _, reference = learn()
    assert sum(map(bool, name_all(reference, make_days(DAYS, LATER)))) <= 1  # a month


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_an_alarm_that_names_it_every_day(fault: str) -> None:
    feature, change = FAULTS[fault]
    named = name_all(learn()[1], change(make_days(DAYS, LATER)))
    assert all(feature in names for names in named)


def test_one_day_is_a_note_and_two_are_an_alarm() -> None:
    schema, reference = learn()
    feature, change = FAULTS["another unit"]
    days = [make_days(DAYS + day, 1) for day in range(5)]
    frame = pd.concat([change(rows) if day in (1, 3, 4) else rows for day, rows in enumerate(days)])
    reports = judge_each(reference, list(count_days(schema, reference, frame)))
    assert [[one.feature for one in report.alarms] for report in reports] == [[], [], [], [feature]]
    assert [feature in {one.feature for one in report.notes} for report in reports] == [True, False, True, False]


def test_what_does_not_matter_to_the_answers_is_a_note() -> None:
    schema, reference = learn()
    frame = make_days(DAYS, 2).assign(noise=np.float32(3))
    (report,) = judge_each(reference, list(count_days(schema, reference, frame)))
    assert report.alarms == ()
    (note,) = (one for one in report.notes if one.feature == "noise")
    assert (note.lasting, note.edge.statistic) == (True, "spread")
    unmeasured = [one.model_copy(update={"effects": ()}) for one in reference.distributions]
    (report,) = judge_each(
        reference.model_copy(update={"distributions": tuple(unmeasured)}), list(count_days(schema, reference, frame))
    )
    assert [one.feature for one in report.alarms] == ["noise"]


def test_few_rows_are_no_alarm() -> None:
    _, reference = learn()
    few = make_days(DAYS, LATER).groupby(lambda row: row // 200).sample(50, random_state=1).sort_index()
    assert sum(map(bool, name_all(reference, few))) <= 1


def test_the_answers_stand_in_the_order_of_what_they_do() -> None:
    schema, reference = learn()
    frame = make_days(DAYS, 2)
    broken = frame.assign(heat=np.float32("nan"), price=frame["price"] / 10)
    (report,) = judge_each(reference, list(count_days(schema, reference, broken)))
    weights = [one.weight or 0.0 for one in report.alarms]
    assert {one.feature for one in report.alarms} == {"heat", "price"}
    assert weights == sorted(weights, reverse=True)


def test_workers_and_batches_add_up_to_the_same_alarms() -> None:
    schema, reference = learn()
    counter = RowCounter(schema, reference)
    frame = FAULTS["stuck"][1](make_days(DAYS, 3))
    whole = list(count_days(schema, reference, frame))
    parts, thin = [], []
    for window, (_, rows) in zip(whole, frame.groupby(frame["sold"].dt.normalize()), strict=True):
        encoded = Encoder(schema).encode(rows)
        parts += [
            make_window(counter, encoded[piece], window.start, f"{piece}") for piece in (slice(77), slice(77, None))
        ]
        thin.append(make_window(counter, encoded, window.start, every=4))
    for statistics in zip(*(window.sums.values() for window in parts[:2]), strict=True):
        assert tuple(map(sum, zip(*statistics, strict=True))) in whole[0].sums.values()
    now = whole[-1].start + timedelta(days=1)
    reports = [report_alarms(reference, make_snapshot(windows), now) for windows in (whole, parts, thin)]
    assert reports[0] == reports[1]
    texts = [[one["text"] for one in list_findings(report)["alarms"]] for report in reports]
    assert texts[2] == texts[0]
    assert reports[0].alarms


def test_familiar_values_are_found_and_no_others() -> None:
    familiar = np.random.default_rng(1).normal(0, 100, 256).round(2).astype(np.float32)
    values = FamiliarValues([familiar.tolist(), [0.0]])
    others = familiar + np.float32(0.005)
    assert values.find(np.stack([familiar, np.zeros(256, np.float32)]))[0].mean() > 0.95  # some share a slot
    assert values.find(np.stack([others, np.full(256, np.nan, np.float32)])).sum() == 0
    assert values.find(np.full((2, 1), -0.0, np.float32)).tolist() == [[False], [True]]


def pair(first: str, second: str, score: float, lasting: bool = True) -> Finding:
    return Finding(first, Edge(statistic="fit", low=1, high=2, unit=1), 0.0, score, None, second, lasting)


@pytest.mark.parametrize(
    ("ringing", "found", "named"),
    [
        (["ab", "ac"], "", ["ab"]),  # a explains both
        (["ac"], "", ["ca"]),  # of a, other pairs do fit
        (["ab", "ac"], "b", ["ca"]),  # b is known to be at fault, which leaves a with c
        (["ab"], "a", []),
        (["ab", "cd"], "", ["ba", "dc"]),
    ],
)
def test_as_few_features_as_explain_all_are_at_fault(ringing: list[str], found: str, named: list[str]) -> None:
    pairs = {"ab": pair("a", "b", 9.0), "ac": pair("a", "c", 5.0), "cd": pair("c", "d", 4.0), "ce": pair("c", "e", 1.0)}
    if "cd" not in ringing:
        pairs = {name: one for name, one in pairs.items() if "d" not in name and "e" not in name}
    alone = [pair(name, "", 3.0) for name in found]
    assigned = assign_pairs([pairs[name] for name in ringing], list(pairs.values()), alone)
    assert [one.feature + one.partner for one in assigned] == named


def test_rejected_values_are_an_alarm_of_their_field() -> None:
    schema, reference = learn()
    windows = [
        window.model_copy(update={"rejected": {"heat": 100, "": 3}})
        for window in count_days(schema, reference, make_days(DAYS, 2))
    ]
    (report,) = judge_each(reference, windows)
    (alarm,) = report.alarms
    assert (alarm.feature, alarm.edge.statistic) == ("heat", "rejected")


def test_a_day_that_is_not_over_is_not_judged() -> None:
    schema, reference = learn()
    windows = list(count_days(schema, reference, FAULTS["stuck"][1](make_days(DAYS, 2))))
    early = report_alarms(reference, make_snapshot(windows), windows[0].start + timedelta(hours=23))
    assert list(describe_alarms(early)) == ["no alarms yet: no whole day has been counted"]
    noon = report_alarms(reference, make_snapshot(windows), windows[1].start + timedelta(hours=12))
    assert (noon.start, noon.alarms) == (windows[0].start, ())


def test_what_can_not_be_judged_is_said() -> None:
    schema, reference = learn()
    windows = list(count_days(schema, reference, make_days(DAYS, 2)))
    older = reference.model_copy(update={"alarms": None})
    now = windows[-1].start + timedelta(days=1)
    (said,) = describe_alarms(report_alarms(older, make_snapshot(windows), now))
    assert said == "no alarms: the model was trained before there were any, or on too few rows"
    hours = make_snapshot(windows).model_copy(update={"span": "hours"})
    (said,) = describe_alarms(report_alarms(reference, hours, now))
    assert said == "no alarms: they are of days, and these windows are hours"
    without = [window.model_copy(update={"sums": {}}) for window in windows]
    assert report_alarms(reference, make_snapshot(without), now).start == windows[-1].start


def test_without_a_time_rows_are_cut_into_blocks_and_no_season_is_known() -> None:
    schema, reference = learn(None)
    assert reference.alarms is not None
    assert (reference.alarms.time, reference.alarms.windows) == (None, 64)
    frame = FAULTS["all missing"][1](make_days(DAYS, 2))
    (report,) = judge_each(reference, list(count_days(schema, reference, frame)))
    assert [one.feature for one in report.alarms] == ["heat"]
    assert next(describe_alarms(report)) == f"{START + timedelta(days=DAYS + 1):%Y-%m-%d} (UTC): 1 alarm; {SEASONS}"
    assert name_all(reference, make_days(DAYS, 2)) == [set()]


def test_of_a_small_table_no_alarms_are_learned() -> None:
    assert learn("sold", days=2)[1].alarms is None


def test_more_false_alarms_make_alarms_earlier() -> None:
    alarms = learn()[1].alarms
    assert alarms is not None
    thresholds = [alarms.find_threshold(rate) for rate in (0.0, 1.0, 10.0, 1e9)]
    assert thresholds == sorted(thresholds, reverse=True)
    assert thresholds[0] == alarms.scores[0] > thresholds[-1]


def test_what_is_packed_and_what_is_counted_is_read_again() -> None:
    schema, reference = learn()
    assert Reference.model_validate_json(reference.model_dump_json()) == reference
    snapshot = make_snapshot(list(count_days(schema, reference, make_days(DAYS, 2))))
    assert parse_snapshot(snapshot.model_dump_json().encode(), "a.json") == snapshot
    snapshot.check(reference, "a.json")


@pytest.mark.parametrize("sums", [{"heat": (1, 2)}, {"heat\0price": (1, 2, 3)}, {"colour": (1,)}])
def test_sums_of_something_else_are_rejected(sums: dict[str, tuple[int, ...]]) -> None:
    schema, reference = learn()
    (window,) = count_days(schema, reference, make_days(DAYS, 1))
    snapshot = make_snapshot([window.model_copy(update={"sums": window.sums | sums})])
    with pytest.raises(InvalidSnapshot, match=r"^a\.json: the sums of .* are not those of the reference's alarms$"):
        snapshot.check(reference, "a.json")
