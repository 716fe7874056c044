"""The baseline: the same SavedModel behind BentoML's own adaptive batching, as its documentation shows.

Twice, for the two ways it knows to name the input: `{"rows": [...]}`, and the bare list, for
which it makes the input's JSON schema anew at every request.
Run `bentoml serve ekiben.load_tests.servers.batchable:Named`, or `:Bare`.
"""

from pathlib import Path
from typing import Any

import bentoml

from ekiben.contract.answers import to_predictions
from ekiben.contract.openapi_types import predictions_type, row_type
from ekiben.contract.schema import load_schema
from ekiben.load_tests.servers.packed_model import TensorFlowNetwork
from ekiben.model.package import SAVED_MODEL_FOLDER, SCHEMA_FILE
from ekiben.model.store import find_model
from ekiben.service.environment import read_settings

stored = find_model(read_settings().model_name)
schema = load_schema(Path(stored.path) / SCHEMA_FILE)
Row = row_type(schema)
Prediction = predictions_type(schema).model_fields["predictions"].annotation.__args__[0]  # type: ignore[union-attr]


class SavedModel:
    """TensorFlow on raw columns."""

    def __init__(self) -> None:
        self.network = TensorFlowNetwork(schema, Path(stored.path) / SAVED_MODEL_FOLDER)

    def predict(self, rows: list[Any]) -> list[Any]:
        """Predict each row, given as a pydantic model."""
        answers = self.network.answer([row.model_dump(by_alias=True) for row in rows])
        return [Prediction(**prediction) for prediction in to_predictions(schema.target, answers)]


@bentoml.service(name="batchable")
class Named:
    """The rows are named in the body."""

    model = bentoml.models.BentoModel(stored.tag)

    def __init__(self) -> None:
        self.saved_model = SavedModel()

    @bentoml.api(batchable=True)
    def predict(self, rows: list[Row]) -> list[Prediction]:  # type: ignore[valid-type]
        """Predict each row."""
        return self.saved_model.predict(rows)


@bentoml.service(name="batchable_bare")
class Bare:
    """The body is the list of rows."""

    model = bentoml.models.BentoModel(stored.tag)

    def __init__(self) -> None:
        self.saved_model = SavedModel()

    @bentoml.api(batchable=True)
    def predict(self, rows: list[Row], /) -> list[Prediction]:  # type: ignore[valid-type]
        """Predict each row."""
        return self.saved_model.predict(rows)
