"""The built-in table: only what is known before departure, joined without doubling a flight."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from ekiben.training.problem import BUILT_IN, read_problem
from ekiben.training.sources.flights import (
    WEATHER,
    WEATHER_12H,
    add_timetable,
    data_file,
    join_tables,
    summarise_weather,
)
from tests.all_flights import read_flights

OUTCOMES = ["dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"]
FEATURES = list(read_problem(BUILT_IN).features)
PAST = [f"{name}_12h" for name in WEATHER_12H]


def make_flights(*flights: dict[str, Any]) -> pd.DataFrame:
    """A flights table; each flight says what is not usual about it."""
    usual = {
        "year": 2013, "month": 7, "day": 4, "hour": 17, "minute": 30, "origin": "JFK", "dest": "LAX",
        "carrier": "UA", "tailnum": "N1", "distance": 2475, "time_hour": "2013-07-04T21:00:00Z",
        "dep_time": 1735.0, "dep_delay": 5.0, "arr_time": 2100.0, "arr_delay": 0.0, "air_time": 330.0,
    }  # fmt: skip
    return pd.DataFrame([usual | flight for flight in flights])


def make_weather(*hours: tuple[str, str, float]) -> pd.DataFrame:
    """A weather table with one value, the same in every column, for each origin and hour."""
    names = {*WEATHER, *WEATHER_12H}
    return pd.DataFrame(
        [{"origin": origin, "time_hour": time, **dict.fromkeys(names, value)} for origin, time, value in hours]
    )


AIRCRAFT = pd.DataFrame({"tailnum": ["N1", "N2"], "year": [1999.0, np.nan], "seats": [180, 55]})
WEATHER_THEN = make_weather(("JFK", "2013-07-04T21:00:00Z", 7.0))


@pytest.fixture(scope="module")
def raw() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The package's own flights, weather and aircraft."""
    flights, weather, aircraft = (data_file(name) for name in ("flights.csv.zip", "weather.csv", "planes.csv"))
    return pd.read_csv(flights), pd.read_csv(weather), pd.read_csv(aircraft)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return read_flights()[0]


def test_every_flight_that_arrived_is_there_once(table: pd.DataFrame) -> None:
    assert len(table) == 327_346
    assert table.attrs["left_out"] == "9,430 cancelled or diverted flights"


def test_the_table_holds_the_features_and_the_target_and_nothing_else(table: pd.DataFrame) -> None:
    assert sorted(table.columns) == sorted([*FEATURES, "late"])


def test_the_table_is_in_the_order_of_departures(table: pd.DataFrame) -> None:
    assert table["scheduled_departure"].is_monotonic_increasing
    assert table.index.equals(pd.RangeIndex(len(table)))


def test_as_many_are_late_as_arrived_late(raw: tuple[pd.DataFrame, ...], table: pd.DataFrame) -> None:
    assert table["late"].sum() == (raw[0]["arr_delay"] >= 15).sum()
    assert 0.2 < table["late"].mean() < 0.3


def test_the_share_that_is_done_is_reported() -> None:
    _, shares = read_flights()
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_no_feature_knows_an_outcome(raw: tuple[pd.DataFrame, ...], table: pd.DataFrame) -> None:
    flights, weather, aircraft = raw
    random = np.random.default_rng(0)
    # Every value another one; only whether a flight arrived at all stays, since that chooses the rows.
    invented = {name: flights[name] * 0 + random.integers(-60, 600, len(flights)) for name in OUTCOMES}
    changed = join_tables(flights.assign(**invented), weather, aircraft)
    pd.testing.assert_frame_equal(changed[FEATURES], table[FEATURES])
    assert not changed["late"].equals(table["late"])


def test_no_feature_knows_the_weather_to_come(raw: tuple[pd.DataFrame, ...]) -> None:
    flights, weather, aircraft = raw
    now = "2013-06-15T16:00:00Z"
    until_now = flights[(flights["time_hour"] <= now) & (flights["time_hour"] > "2013-06-01")]
    later, past = weather["time_hour"] > now, weather["time_hour"] <= now
    assert later.any()
    assert past.any()
    known = join_tables(until_now, weather, aircraft)
    pd.testing.assert_frame_equal(join_tables(until_now, spoil(weather, later), aircraft), known)
    # The sibling: the same change to the hours before is seen in every weather column.
    spoilt = join_tables(until_now, spoil(weather, past), aircraft)
    assert [name for name in known if not spoilt[name].equals(known[name])] == [*WEATHER, *PAST]


def spoil(weather: pd.DataFrame, hours: "pd.Series[bool]") -> pd.DataFrame:
    """The weather with other values, and none missing, in these hours."""
    names = [*{*WEATHER, *WEATHER_12H}]
    spoilt = weather.copy()
    spoilt[names] = spoilt[names].astype(float)
    spoilt.loc[hours, names] = -999.0
    return spoilt


@pytest.mark.parametrize(("minutes", "late"), [(-30.0, False), (14.0, False), (15.0, True), (600.0, True)])
def test_late_is_fifteen_minutes_or_more(minutes: float, late: bool) -> None:
    table = join_tables(make_flights({"arr_delay": minutes}), WEATHER_THEN, AIRCRAFT)
    assert table["late"].tolist() == [late]


def test_flights_that_never_arrived_are_left_out_and_counted() -> None:
    flights = make_flights({}, {"arr_delay": np.nan}, {"arr_delay": np.nan, "dep_time": np.nan})
    table = join_tables(flights, WEATHER_THEN, AIRCRAFT)
    assert len(table) == 1
    assert table.attrs["left_out"] == "2 cancelled or diverted flights"


def test_a_cancelled_flight_still_stood_in_the_timetable() -> None:
    flights = make_flights({"hour": 9, "arr_delay": np.nan}, {"hour": 10})
    table = join_tables(flights, WEATHER_THEN, AIRCRAFT)
    assert table[["departures_that_day", "departures_before"]].to_numpy().tolist() == [[2, 1]]


def test_a_flight_gets_the_weather_of_its_origin_and_hour() -> None:
    weather = make_weather(
        ("JFK", "2013-07-04T20:00:00Z", 1.0), ("JFK", "2013-07-04T21:00:00Z", 7.0), ("LGA", "2013-07-04T21:00:00Z", 9.0)
    )
    table = join_tables(make_flights({}, {"origin": "LGA"}), weather, AIRCRAFT)
    assert table["temp"].tolist() == [7.0, 9.0]
    assert table["humid_12h"].tolist() == [4.0, 9.0]


def test_a_flight_without_weather_or_aircraft_is_kept() -> None:
    table = join_tables(make_flights({"tailnum": None}, {"tailnum": "N9", "origin": "EWR"}), WEATHER_THEN, AIRCRAFT)
    assert len(table) == 2
    assert table[["aircraft_year", "aircraft_seats"]].isna().all(axis=None)
    assert table["temp"].isna().sum() == 1


def test_an_aircraft_brings_its_own_year_and_seats() -> None:
    table = join_tables(make_flights({}, {"tailnum": "N2"}), WEATHER_THEN, AIRCRAFT)
    assert table["aircraft_year"].tolist() == pytest.approx([1999.0, np.nan], nan_ok=True)
    assert table["aircraft_seats"].tolist() == [180, 55]


def test_an_hour_reported_twice_does_not_double_its_flights() -> None:
    weather = pd.concat([WEATHER_THEN, WEATHER_THEN])
    assert len(join_tables(make_flights({}, {}), weather, AIRCRAFT)) == 2


def test_an_aircraft_listed_twice_is_rejected() -> None:
    with pytest.raises(pd.errors.MergeError, match="not a many-to-one merge"):
        join_tables(make_flights({}), WEATHER_THEN, pd.concat([AIRCRAFT, AIRCRAFT]))


def test_departures_are_counted_by_origin_and_day() -> None:
    flights = add_timetable(
        make_flights(
            {"hour": 6, "minute": 0},
            {"hour": 9, "minute": 5},
            {"hour": 9, "minute": 5},
            {"hour": 23, "minute": 59},
            {"hour": 6, "minute": 0, "origin": "LGA"},
            {"hour": 0, "minute": 0, "day": 5},
        )
    )
    assert flights["departures_that_day"].tolist() == [4, 4, 4, 4, 1, 1]
    assert flights["departures_before"].tolist() == [0, 1, 1, 3, 0, 0]


def test_the_scheduled_departure_is_the_timetables_not_the_real_one() -> None:
    flights = add_timetable(make_flights({"hour": 5, "minute": 15, "dep_time": 1100.0}))
    assert flights["scheduled_departure"].tolist() == [pd.Timestamp("2013-07-04T05:15:00")]


def past_of(*hours: tuple[str, str, float]) -> dict[tuple[str, str], float]:
    """The 12-hour mean of humidity for each origin and hour."""
    means = summarise_weather(make_weather(*hours))
    return dict(zip(zip(means["origin"], means["time_hour"], strict=True), means["humid_12h"], strict=True))


def at(hour: int) -> str:
    return f"2013-07-{4 + hour // 24:02}T{hour % 24:02}:00:00Z"


def test_the_past_is_the_mean_of_twelve_hours_and_this_one_is_the_last() -> None:
    means = past_of(*(("JFK", at(hour), float(hour)) for hour in range(30)))
    assert means["JFK", at(0)] == 0.0
    assert means["JFK", at(2)] == 1.0
    assert means["JFK", at(11)] == np.mean(range(12))
    assert means["JFK", at(29)] == np.mean(range(18, 30))


def test_the_past_does_not_reach_over_a_gap() -> None:
    means = past_of(("JFK", at(0), 100.0), ("JFK", at(1), 50.0), ("JFK", at(12), 10.0), ("JFK", at(13), 20.0))
    assert means["JFK", at(12)] == 30.0  # hours 1 to 12, of which two are known
    assert means["JFK", at(13)] == 15.0


def test_the_past_is_each_origins_own() -> None:
    means = past_of(("JFK", at(0), 1.0), ("LGA", at(0), 5.0), ("JFK", at(1), 3.0))
    assert means == {("JFK", at(0)): 1.0, ("JFK", at(1)): 2.0, ("LGA", at(0)): 5.0}


def test_a_missing_value_is_left_out_of_the_mean() -> None:
    means = past_of(("JFK", at(0), 1.0), ("JFK", at(1), np.nan), ("JFK", at(2), 3.0))
    assert means["JFK", at(1)] == 1.0
    assert means["JFK", at(2)] == 2.0


def test_the_order_of_the_weather_does_not_matter() -> None:
    hours = [("JFK", at(hour), float(hour)) for hour in range(15)]
    assert past_of(*hours) == past_of(*hours[::-1])
