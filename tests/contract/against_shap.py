"""Explanations are what `shap` says of the same model and background rows: run by test_shap.py where shap is."""

import numpy as np
import pytest

from ekiben.contract.encoding import Encoded
from ekiben.contract.explanation.units import to_units
from ekiben.contract.schema import Schema, Target
from tests.contract.explained_models import Run, enumerate_shapley, make_explainer, make_network, number_schema
from tests.every_kind import LATE

PRICE = Target(name="price", task="regression")


@pytest.mark.filterwarnings("ignore")  # what shap asks of others as it is imported
@pytest.mark.parametrize("target", [LATE, PRICE], ids=["log-odds", "units"])
def test_shap_gives_the_same_values(target: Target) -> None:
    import shap

    schema = number_schema(8, target)
    run = make_network(schema)
    explainer = make_explainer(schema, run)
    rows = np.random.default_rng(5).normal(size=(5, 8)).astype(np.float32)
    masker = shap.maskers.Independent(explainer.background.numbers, max_samples=len(explainer.background))
    exact = shap.explainers.ExactExplainer(lambda numbers: answer(schema, run, numbers), masker)(rows)
    permuted = shap.explainers.PermutationExplainer(lambda numbers: answer(schema, run, numbers), masker, seed=0)
    near = permuted(rows, max_evals=20 * 17)
    for index in range(len(rows)):
        row = encode(rows[index : index + 1])
        ours = explainer.explain(row, run).explanation
        assert enumerate_shapley(explainer, row, run, 0) == pytest.approx(exact.values[index], abs=1e-9)
        assert ours.base_value == pytest.approx(exact.base_values[index], abs=1e-9)
        assert (np.abs(ours.attributions - exact.values[index]) < 5 * ours.standard_errors + 1e-9).all()
        assert (np.abs(ours.attributions - near.values[index]) < 5 * ours.standard_errors + 0.1).all()


def encode(numbers: np.ndarray) -> Encoded:
    return Encoded(numbers.astype(np.float32), np.zeros((len(numbers), 0), np.int32))


def answer(schema: Schema, run: Run, numbers: np.ndarray) -> np.ndarray:
    """Return what is explained, (rows,), of rows as shap masks them."""
    return to_units(schema.target, run(encode(numbers)), 0)
