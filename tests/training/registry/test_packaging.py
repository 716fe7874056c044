"""The SavedModel takes raw columns by their true names and answers in the task's own outputs."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from ekiben.contract.category_codes import UNSEEN
from ekiben.contract.encoding import Encoder
from ekiben.contract.feature import NULL_SPELLINGS, Category, Feature, Number, Timestamp
from ekiben.contract.schema import INTERVAL, Schema, Target
from ekiben.model.golden import MAX_GOLDEN_DIFFERENCE, measure_difference
from ekiben.model.package import SAVED_MODEL_FOLDER
from ekiben.training.network.raw_inputs import build_raw_model, to_raw_arrays
from ekiben.training.registry.packaging import predict_encoded
from ekiben.training.registry.saved_model import PackingFailed, check_raw_answers, save_raw_and_encoded
from tests.every_kind import LATE
from tests.untrained_network import build_network

pytestmark = pytest.mark.slow

PLAIN_NAMES = ("number of seats", "a.b", "فاصله", "城市", "✈️", '"quoted"', "it's", "from", "2nd", "columns", "class")
TAKEN_NAMES = ("stack", "network", "dense", "concatenate", "string_lookup", "numbers", "codes", "feature_1", "a/b")
FRUIT = Target(name="fruit", task="multiclass", classes=("apple", "pear", "fig"))
PRICE = Target(name="price", task="regression", scale=1000.0)


@dataclass(frozen=True)
class Packed:
    """A network in every form that takes raw columns, a table, and what it says of it."""

    schema: Schema
    raw_model: keras.Model
    folder: Path
    arrays: dict[str, np.ndarray]
    answers: np.ndarray  # (rows, outputs)

    def load(self) -> dict[str, tf.Tensor]:
        """The SavedModel's answers to the table, called from Python."""
        serve = tf.saved_model.load(str(self.folder / SAVED_MODEL_FOLDER)).signatures["serving_default"]
        return dict(serve(**{name: tf.constant(column) for name, column in self.arrays.items()}))


def build(folder: Path, target: Target, table: pd.DataFrame, *features: Feature) -> Packed:
    schema = Schema(name="packed", features=features, target=target)
    network = build_network(schema)
    raw_model = build_raw_model(schema, network)
    save_raw_and_encoded(folder / SAVED_MODEL_FOLDER, schema, network, raw_model)
    answers = predict_encoded(network, Encoder(schema).encode(table))
    assert answers.std(axis=0).max() > 0  # else any two networks would agree
    return Packed(schema, raw_model, folder, to_raw_arrays(schema, table), answers)


def build_named(folder: Path, names: tuple[str, ...]) -> Packed:
    """A model with a number and a category under each two of the names."""
    features: list[Feature] = []
    table = {}
    for index, name in enumerate(names):
        if index % 2:
            features.append(Category(name=name, vocabulary=("a", "b")))
            table[name] = pd.Categorical(np.roll(["a", "b", "never seen"], index))
        else:
            features.append(Number(name=name, low=-9, high=9))
            table[name] = np.roll(np.array([1.5, -2.0, 0.25], np.float32), index)
    return build(folder, LATE, pd.DataFrame(table), *features)


@pytest.fixture(scope="module", params=[PLAIN_NAMES, TAKEN_NAMES], ids=["plain", "taken"])
def named(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Packed:
    return build_named(tmp_path_factory.mktemp("named"), request.param)


def test_any_name_is_an_input_of_the_signature(named: Packed) -> None:
    saved = saved_model_pb2.SavedModel.FromString((named.folder / SAVED_MODEL_FOLDER / "saved_model.pb").read_bytes())
    signature = saved.meta_graphs[0].signature_def["serving_default"]
    assert sorted(signature.inputs) == sorted(named.schema.names)
    assert list(signature.outputs) == ["probability"]


def test_the_signature_answers_by_any_name(named: Packed) -> None:
    check_raw_answers(named.folder, named.schema.target, named.arrays, named.answers)


def test_the_signature_answers_outside_python(named: Packed) -> None:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:  # what TensorFlow Serving does, in C++
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(named.folder / SAVED_MODEL_FOLDER))
        signature = loaded.signature_def["serving_default"]
        columns = {signature.inputs[name].name: column for name, column in named.arrays.items()}
        given = session.run(signature.outputs["probability"].name, columns)
    np.testing.assert_allclose(given, named.answers[:, 0], atol=MAX_GOLDEN_DIFFERENCE)


def test_other_answers_than_the_networks_are_not_packed(named: Packed) -> None:
    with pytest.raises(PackingFailed, match=r"is 0\.01 away"):
        check_raw_answers(named.folder, named.schema.target, named.arrays, named.answers + 0.01)


def test_columns_under_each_others_names_are_noticed(named: Packed) -> None:
    first, second = named.schema.names[0], named.schema.names[2]
    swapped = named.arrays | {first: named.arrays[second], second: named.arrays[first]}
    with pytest.raises(PackingFailed):
        check_raw_answers(named.folder, named.schema.target, swapped, named.answers)


def test_any_name_survives_the_keras_file(named: Packed, tmp_path: Path) -> None:
    named.raw_model.save(tmp_path / "model.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras would rather have tensors of the same names
        loaded = keras.models.load_model(tmp_path / "model.keras")
    given = loaded.predict(named.arrays, verbose=0)
    assert measure_difference(named.schema.target, given, named.answers) <= MAX_GOLDEN_DIFFERENCE


TABLE = pd.DataFrame({"size": np.array([0.5, np.nan, 3.0], np.float32), "kind": pd.Categorical(["a", None, "b"])})
FEATURES = (
    Number(name="size", low=0, high=9, nullable=True),
    Category(name="kind", vocabulary=("", "a"), nullable=True),
)


def test_a_multiclass_model_answers_with_all_probabilities(tmp_path: Path) -> None:
    packed = build(tmp_path, FRUIT, TABLE, *FEATURES)
    given = packed.load()
    assert set(given) == {"probabilities"}
    np.testing.assert_allclose(given["probabilities"], packed.answers, atol=MAX_GOLDEN_DIFFERENCE)
    np.testing.assert_allclose(packed.answers.sum(axis=1), 1, atol=1e-6)
    check_raw_answers(tmp_path, FRUIT, packed.arrays, packed.answers)
    with pytest.raises(PackingFailed):
        check_raw_answers(tmp_path, FRUIT, packed.arrays, packed.answers[:, ::-1])


def test_a_regression_answers_with_value_low_and_high(tmp_path: Path) -> None:
    packed = build(tmp_path, PRICE, TABLE, *FEATURES)
    given = packed.load()
    assert set(given) == set(INTERVAL)
    columns = np.column_stack([given[name] for name in INTERVAL])
    assert measure_difference(PRICE, columns, packed.answers) <= MAX_GOLDEN_DIFFERENCE
    assert (packed.answers[:, 1] <= packed.answers[:, 0]).all()
    assert (packed.answers[:, 0] <= packed.answers[:, 2]).all()
    check_raw_answers(tmp_path, PRICE, packed.arrays, packed.answers)
    with pytest.raises(PackingFailed):
        check_raw_answers(tmp_path, PRICE, packed.arrays, packed.answers + 1.0)


def read_codes(feature: Category, strings: list[str]) -> list[int]:
    """Which codes the raw model reads in these strings, by way of a network that hands them on."""
    schema = Schema(name="codes", features=(feature,), target=LATE)
    codes = keras.Input((1,), name="codes", dtype="int32")
    raw_model = build_raw_model(schema, keras.Model({"codes": codes}, keras.layers.Identity()(codes)))
    given = raw_model.predict({feature.name: np.array(strings, object)}, verbose=0)
    return list(np.asarray(given)[:, 0])


@pytest.mark.parametrize(
    "feature",
    [
        Category(name="x", vocabulary=("", "a", "b"), nullable=True),
        Category(name="x", vocabulary=("", "NA", "a"), nullable=True),  # declared: Namibia
        Category(name="x", vocabulary=("a", "b"), nullable=True),
        Category(name="x", vocabulary=("a", "b")),
        Category(name="x", vocabulary=("", "[UNK]", "a"), nullable=True),
        Category(name="x", vocabulary=("", "-3", "10", "7"), nullable=True, integers=True),
    ],
    ids=lambda feature: "-".join(feature.vocabulary) + "?" * feature.nullable,
)
def test_strings_get_the_codes_that_encode_gives(feature: Category) -> None:
    strings = [*sorted(NULL_SPELLINGS), "a", "b", "[UNK]", "7", "-3", "never seen", "na"]
    encoder = Encoder(Schema(name="codes", features=(feature,), target=LATE))
    wanted = encoder.encode_rows([{"x": text} for text in strings]).codes[:, 0].tolist()
    assert read_codes(feature, strings) == wanted
    assert UNSEEN in wanted


def test_a_time_in_the_tables_own_format_is_handed_on_in_iso_8601() -> None:
    feature = Timestamp(name="at", format="%d.%m.%Y %H:%M")
    schema = Schema(name="times", features=(feature,), target=LATE)
    (text,) = to_raw_arrays(schema, pd.DataFrame({"at": pd.to_datetime(["2013-07-04T17:30"])}))["at"]
    assert text == "2013-07-04T17:30:00"
