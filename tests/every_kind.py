"""A schema with one feature of every kind, and a row of it."""

from typing import Any

from ekiben.contract.feature import Boolean, Category, Number, Timestamp
from ekiben.contract.schema import Schema, Target

LATE = Target(name="late", classes=(False, True), description="arrives late")


# One feature of every kind, nullable and not.
SCHEMA = Schema(
    name="every_kind",
    features=(
        Number(name="distance", low=0, high=5000, unit="miles", example=1400),
        Number(name="temp", low=-60.5, high=140.25, nullable=True, example=71.3),
        Category(name="carrier", vocabulary=("AA", "UA"), example="UA"),
        Category(name="gate", vocabulary=("", "A1", "ب۲"), nullable=True, example=None),
        Boolean(name="holiday", example=True),
        Boolean(name="strike", nullable=True, example=False),
        Timestamp(name="departure", example="2013-07-04T17:30:00"),
        Timestamp(name="booked", zoned=True, nullable=True, cycles=("day_of_year", "hour"), example=None),
    ),
    target=LATE,
)


ROW: dict[str, Any] = {
    "distance": 1400,
    "temp": 71.3,
    "carrier": "UA",
    "gate": None,
    "holiday": True,
    "strike": False,
    "departure": "2013-07-04T17:30:00",
    "booked": None,
}
