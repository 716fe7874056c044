"""One row's explanation, and its JSON."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.explanation.units import name_class, name_unit
from ekiben.contract.schema import Schema


@dataclass(frozen=True)
class Explanation:
    """What each feature adds to the base value; the sum is the output, all in the unit of `name_unit`.

    `output` is the column of the answers that is explained.
    """

    base_value: float  # the mean answer to all background rows
    output_value: float
    attributions: NDArray[np.float64]  # (features,) in the schema's order
    standard_errors: NDArray[np.float64]  # (features,)
    pairs: int
    output: int = 0


def order_by_size(explanation: Explanation) -> NDArray[np.intp]:
    """Return the features' positions, (features,), the largest attribution first, equal ones in the schema's order."""
    order: NDArray[np.intp] = np.argsort(-np.abs(explanation.attributions), kind="stable")
    return order


def to_json(schema: Schema, explanation: Explanation, top: int | None = None) -> dict[str, Any]:
    """Return the explanation as JSON will hold it: the `top` largest attributions, and the sum of the rest."""
    order = order_by_size(explanation)
    shown, hidden = order[:top], order[len(order) if top is None else top :]
    values, errors = explanation.attributions, explanation.standard_errors
    label = name_class(schema.target, explanation.output)
    return {
        "unit": name_unit(schema.target),
        **({} if label is None else {"class": label}),
        "base_value": explanation.base_value,
        "output_value": explanation.output_value,
        "attributions": [
            {"feature": schema.names[i], "value": value, "standard_error": error}
            for i, value, error in zip(shown.tolist(), values[shown].tolist(), errors[shown].tolist(), strict=True)
        ],
        "rest": float(values[hidden].sum()),
        "pairs": explanation.pairs,
    }
