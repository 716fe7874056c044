"""The columns that `ekiben predict --explain` adds: what moved each answer, by how much."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ekiben.contract.encoding import Encoded
from ekiben.contract.explanation.explaining import Explaining
from ekiben.contract.explanation.explanation import Explanation, order_by_size
from ekiben.contract.explanation.units import name_class
from ekiben.model.engine import Engine
from ekiben.model.package import PackedModel

FEATURE_PREFIX = "explain:"  # of a feature's attribution
WHOLE_PREFIX = "explain."  # of what is said of a row's explanation as a whole
PREFIXES = (FEATURE_PREFIX, WHOLE_PREFIX)
BATCH_ROWS = 256  # explained between two writes: about a second


class Explained:
    """Explains rows of one model, as the service explains those for which there is time."""

    def __init__(self, model: PackedModel, engine: Engine, top: int) -> None:
        self.unsettled = 0
        self._engine, self._schema, self._top = engine, model.schema, top
        self._explainer = model.open_explainer()

    def explain(self, rows: Encoded, rejected: NDArray[np.bool_]) -> dict[str, pa.Array]:
        """Return the columns of encoded rows; a row that is rejected, (rows,), has null in all."""
        explained = [
            None if wrong else self._explain(rows[index : index + 1]) for index, wrong in enumerate(rejected.tolist())
        ]
        return {**self._describe(explained), **self._attribute(explained)}

    def _explain(self, row: Encoded) -> Explanation:
        explaining: Explaining = self._explainer.explain(row, self._engine.run)
        self.unsettled += not explaining.settled
        return explaining.explanation

    def _describe(self, explained: list[Explanation | None]) -> dict[str, pa.Array]:
        """Return the columns of explanations as wholes."""
        rests = [one and float(one.attributions[order_by_size(one)[self._top :]].sum()) for one in explained]
        columns: dict[str, tuple[pa.DataType, list[Any]]] = {
            "base_value": (pa.float64(), [one and one.base_value for one in explained]),
            "output_value": (pa.float64(), [one and one.output_value for one in explained]),
            "rest": (pa.float64(), rests),
            "standard_error": (pa.float64(), [one and float(one.standard_errors.max()) for one in explained]),
            "pairs": (pa.int64(), [one and one.pairs for one in explained]),
        }
        target = self._schema.target
        if target.task == "multiclass":
            kind = pa.array(target.classes).type
            columns["class"] = (kind, [one and name_class(target, one.output) for one in explained])
        return {WHOLE_PREFIX + name: pa.array(values, kind) for name, (kind, values) in columns.items()}

    def _attribute(self, explained: list[Explanation | None]) -> dict[str, pa.Array]:
        """Return a column a feature, null where it is not one of a row's largest."""
        values = np.zeros((len(explained), len(self._schema.names)))
        shown = np.zeros(values.shape, bool)
        for index, one in enumerate(explained):
            if one is not None:
                values[index] = one.attributions
                shown[index, order_by_size(one)[: self._top]] = True
        return {
            FEATURE_PREFIX + name: pa.array(values[:, column], mask=~shown[:, column])
            for column, name in enumerate(self._schema.names)
        }
