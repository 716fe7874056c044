"""Rows with a feature of every kind, and their encoding."""

from typing import Any

from hypothesis import strategies as st

from ekiben.contract.encoding import Encoded, Encoder
from ekiben.contract.schema import Schema
from tests.every_kind import LATE, SCHEMA

encoder = Encoder(SCHEMA)

numbers = st.integers(0, 5000) | st.floats(0, 5000)
local = st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat())
rows = st.fixed_dictionaries(
    {
        "distance": numbers,
        "temp": st.none() | st.integers(-60, 140) | st.floats(-60.5, 140.25),
        "carrier": st.sampled_from(["AA", "UA", "never seen", ""]) | st.text(max_size=3),
        "gate": st.none() | st.sampled_from(["", "A1", "ب۲"]) | st.text(max_size=3),
        "holiday": st.booleans(),
        "strike": st.none() | st.booleans(),
        "departure": local,
        "booked": st.none() | st.datetimes().map(lambda moment: f"{moment.replace(microsecond=0).isoformat()}Z"),
    }
)


def same(one: Encoded, other: Encoded) -> bool:
    """Bit for bit: NaN is NaN, and -0.0 is not 0.0."""
    return one.numbers.tobytes() == other.numbers.tobytes() and one.codes.tobytes() == other.codes.tobytes()


def one_feature(feature: Any, *values: Any) -> Encoded:
    schema = Schema(name="one", features=(feature,), target=LATE)
    return Encoder(schema).encode_rows([{feature.name: value} for value in values])
