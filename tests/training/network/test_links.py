"""A number that was learned on another scale: all packed forms answer in its units, unbiased and within bounds."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pytest

from ekiben.contract.encoding import Encoded, Encoder
from ekiben.model.package import PackedModel, open_model
from ekiben.training.evaluate import score
from ekiben.training.fitting import fit
from ekiben.training.network.fit import FitOptions
from ekiben.training.network.links import Link
from ekiben.training.network.raw_inputs import build_raw_model, to_raw_arrays
from ekiben.training.preparation import Prepared
from ekiben.training.registry.explanation_packing import write_explanations
from ekiben.training.registry.packaging import choose_golden, predict_encoded, write_golden, write_package
from ekiben.training.registry.saved_model import check_raw_answers
from ekiben.training.registry.storing import write_manifest
from ekiben.training.scoring import score_batches
from ekiben.training.tables.json_rows import to_rows
from tests.number_tables import make_numbers, prepare_numbers

TABLE = make_numbers()
SCALES = {"price": "log", "visits": "sqrt", "share": "logit"}
BOUNDS = {"price": (0, np.inf), "visits": (0, np.inf), "share": (0, 1)}
LINKS = (Link("log"), Link("log", added=1.0), Link("sqrt"), Link("logit", edge=0.01), Link())


@dataclass(frozen=True)
class Packed:
    """A network, what it was fitted to, and its package."""

    prepared: Prepared
    network: keras.Model
    model: PackedModel

    @property
    def test(self) -> Encoded:
        return Encoder(self.model.schema).encode(self.prepared.parts.test)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Packed]:
    made: dict[str, Packed] = {}
    folder = tmp_path_factory.mktemp("scales")

    def find(target: str) -> Packed:
        if target not in made:
            made[target] = pack(folder, target)
        return made[target]

    return find


def pack(folder: Path, target: str) -> Packed:
    problem, prepared = prepare_numbers(folder / f"{target}.csv", TABLE, target, SCALES[target])
    network = fit(problem, prepared, FitOptions(epochs=10)).network
    schema, test = prepared.schema, prepared.parts.test
    (package := folder / target).mkdir()
    raw_model = build_raw_model(schema, network)
    write_package(package, schema, network, raw_model)
    chosen = test.iloc[choose_golden(schema, test)]
    answers = predict_encoded(network, Encoder(schema).encode(chosen))
    write_golden(package, to_rows(schema, chosen), answers)
    write_explanations(package, schema, network, prepared.parts.train, chosen, "keep")
    check_raw_answers(package, schema.target, to_raw_arrays(schema, chosen), answers)
    digest = write_manifest(package, "1", "a run")
    return Packed(prepared, network, open_model(package, digest))


@pytest.mark.parametrize("link", LINKS, ids=lambda link: f"{link.scale}{link.added:g}")
def test_the_way_back_is_the_way_there_reversed_for_numpy_and_keras(link: Link) -> None:
    labels = np.array([0.02, 0.3, 0.98])
    learned = link.learn(labels)
    np.testing.assert_allclose(link.restore(learned - 0.7, 0.7), labels)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(link.restore(learned - 0.7, 0.7, keras.ops)), labels)
    assert (np.diff(link.restore(np.linspace(-9, 9, 99), 0.0)) >= 0).all()


def test_counts_of_0_and_shares_of_0_and_1_have_a_place() -> None:
    assert Link("log", added=1.0).learn(np.zeros(1)) == 0
    ends = Link("logit", edge=0.01)
    learned = ends.learn(np.array([0.0, 1.0]))
    assert np.isfinite(learned).all()
    np.testing.assert_allclose(ends.restore(learned, 0.0), [0, 1], atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("target", SCALES)
def test_every_packed_form_answers_in_units_within_bounds(target: str, fitted: Callable[[str], Packed]) -> None:
    packed = fitted(target)
    engine = packed.model.start_engine()  # which compares the golden answers
    answers = engine.run(packed.test)
    low, high = BOUNDS[target]
    assert low <= answers.min()
    assert answers.max() <= high
    assert (answers[:, 1] <= answers[:, 0]).all()
    assert (answers[:, 0] <= answers[:, 2]).all()
    np.testing.assert_allclose(answers, predict_encoded(packed.network, packed.test), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(engine.run(packed.test[0:1]), answers[:1])


@pytest.mark.slow
@pytest.mark.parametrize("target", SCALES)
def test_answers_are_good_and_intervals_hold(target: str, fitted: Callable[[str], Packed]) -> None:
    packed = fitted(target)
    scores = score(packed.model.schema.target, packed.prepared.labels[2], predict_encoded(packed.network, packed.test))
    assert scores["rmse"] < 0.95 * scores["baseline_rmse"]
    assert 0.7 < scores["interval_coverage"] < 0.95  # counts have few values


@pytest.mark.slow
def test_the_value_is_the_mean_and_not_the_median(fitted: Callable[[str], Packed]) -> None:
    packed = fitted("price")
    value = predict_encoded(packed.network, packed.test)[:, 0]
    mean = TABLE["price_mean"].to_numpy()[packed.prepared.parts.test.index]
    assert value.sum() == pytest.approx(mean.sum(), rel=0.1)  # medians are 17% less


@pytest.mark.slow
def test_no_row_far_away_makes_an_answer_infinite(fitted: Callable[[str], Packed]) -> None:
    packed = fitted("price")
    far = Encoded(np.full((2, 2), [[1e30], [-1e30]], np.float32), packed.test.codes[:2])
    answers = packed.model.start_engine().run(far)
    assert np.isfinite(answers).all()
    assert answers.max() < 20 * TABLE["price"].max()


@pytest.mark.slow
@pytest.mark.parametrize("target", ["price", "share"])
def test_scored_tables_and_explanations_are_in_units(target: str, fitted: Callable[[str], Packed]) -> None:
    packed = fitted(target)
    rows = packed.prepared.parts.test.head(20)[list(packed.model.schema.names)]
    (scored,) = score_batches(packed.model, [pa.RecordBatch.from_pandas(rows, preserve_index=False)])
    answers = packed.model.start_engine().run(Encoder(packed.model.schema).encode(rows))
    assert scored["prediction.value"].to_pylist() == answers[:, 0].astype(float).tolist()
    explainer, engine = packed.model.open_explainer(), packed.model.start_engine()
    explanation = explainer.explain(packed.test[0:1], engine.run).explanation
    assert explanation.output_value == pytest.approx(answers[0, 0], rel=1e-5)
    assert explanation.base_value + explanation.attributions.sum() == pytest.approx(answers[0, 0], rel=1e-4)
