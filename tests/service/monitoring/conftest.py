"""What training saw of the table that the doubling engine answers."""

import numpy as np
import pandas as pd
import pytest

from ekiben.contract.encoding import Encoder
from ekiben.contract.reference.reference import Reference
from ekiben.training.checks.answers_learning import describe_answers
from ekiben.training.checks.reference_learning import learn_reference
from tests.doubling import SCHEMA


@pytest.fixture(scope="package")
def reference() -> Reference:
    frame = pd.DataFrame({"x": np.arange(1000.0), "c": ["a", "b"] * 500, "y": [True, False] * 500})
    encoded = Encoder(SCHEMA).encode(frame)
    return describe_answers(learn_reference(SCHEMA, tuple(frame), frame), SCHEMA, encoded, encoded.numbers * 2)
