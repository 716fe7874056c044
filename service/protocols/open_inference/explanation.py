"""The request parameter `explain`: the answer then has three tensors more, which say why it is what it is.

With it the parameter `pairs` says how many pairs a row's explanation may have, for those that aren't settled before.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ekiben.contract.explanation.explaining import ROUND_PAIRS
from ekiben.contract.explanation.units import name_unit
from ekiben.contract.schema import Schema, Target
from ekiben.contract.tensors import TensorSpec
from ekiben.service.explaining.queue import Explained
from ekiben.service.explaining.wishes import check_pairs
from ekiben.service.protocols.open_inference.decode import read_flag
from ekiben.service.protocols.open_inference.encode import (
    ATTRIBUTIONS,
    BASE_VALUES,
    STANDARD_ERRORS,
    Output,
    RequestedOutput,
    Selection,
)

Parameters = Mapping[str, str]


def read_explain(parameters: Mapping[str, Any]) -> int:
    """Return the most pairs for an explanation if a request's parameters ask for one, 0 if not."""
    if not read_flag(parameters, "explain", False):
        return 0
    pairs = parameters.get("pairs", ROUND_PAIRS)
    return check_pairs(pairs, pairs)


def explanation_specs(schema: Schema) -> dict[TensorSpec, Parameters]:
    """Return the three tensors and what is said of them: whose their columns are, and the unit of their values."""
    names = schema.names
    unit = {"unit": name_unit(schema.target)}
    columns = {"features": json.dumps(names, ensure_ascii=False), **unit}
    return {
        TensorSpec(ATTRIBUTIONS, "FP64", len(names)): columns,
        TensorSpec(STANDARD_ERRORS, "FP64", len(names)): columns,
        TensorSpec(BASE_VALUES, "FP64"): unit,
    }


def pick_explained(
    selection: Selection, explained: Explained, requested: Sequence[RequestedOutput], target: Target | None = None
) -> list[Output]:
    """Return the tensors asked for, in that order; `selection` knows the three."""
    explanations = explained.explanations
    values = {
        ATTRIBUTIONS: np.array([one.attributions for one in explanations]),  # (rows, features) float64
        STANDARD_ERRORS: np.array([one.standard_errors for one in explanations]),
        BASE_VALUES: np.array([one.base_value for one in explanations]),  # (rows,)
    }
    return selection.pick(explained.answers, requested, values, target)
