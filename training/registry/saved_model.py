"""The SavedModel of a trained network, which takes raw columns or encoded rows, and its check."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from ekiben.contract.errors import UserError
from ekiben.contract.schema import Schema, Target
from ekiben.model.engine import ENCODED_SIGNATURE
from ekiben.model.golden import MAX_GOLDEN_DIFFERENCE, measure_difference
from ekiben.model.package import SAVED_MODEL_FOLDER
from ekiben.training.network.raw_inputs import positional_name, raw_dtype

PROBABILITIES = "probabilities"  # the output of a signature that has one column a class


class PackingFailed(UserError):
    """A packed form of the network gives other answers than the network that was trained."""


def save_raw_and_encoded(folder: Path, schema: Schema, network: keras.Model, raw_model: keras.Model) -> None:
    """Write a SavedModel: `serving_default` takes raw columns, each (rows,); `encoded` takes arrays."""
    logging.getLogger("absl").setLevel(logging.ERROR)  # names are put right below
    module = tf.Module()
    module.network, module.raw_model = network, raw_model
    module.weights = [weight.value for weight in raw_model.variables]  # else only Python would restore them
    raw_specs = {
        feature.name: tf.TensorSpec([None], raw_dtype(feature), name=positional_name(index))
        for index, feature in enumerate(schema.features)
    }

    @tf.function(autograph=False)
    def serving_default(columns: Mapping[str, Any]) -> dict[str, Any]:
        return name_outputs(schema.target, raw_model(columns, training=False))

    @tf.function(autograph=False)
    def encoded(arrays: Mapping[str, Any]) -> dict[str, Any]:
        return {"answers": network(arrays, training=False)}

    signatures = {
        "serving_default": serving_default.get_concrete_function(raw_specs),
        ENCODED_SIGNATURE: encoded.get_concrete_function(_encoded_specs(schema)),
    }
    tf.saved_model.save(module, str(folder), signatures=signatures)
    name_inputs(
        folder / "saved_model.pb", {positional_name(i): feature.name for i, feature in enumerate(schema.features)}
    )


def name_outputs(target: Target, answers: Any) -> dict[str, Any]:
    """Return the network's answers, (rows, outputs), as those of a signature: (rows,) each, or (rows, classes)."""
    if target.task == "multiclass":
        return {PROBABILITIES: answers}
    return {name: answers[:, index] for index, name in enumerate(target.outputs)}


def name_inputs(path: Path, names: Mapping[str, str]) -> None:
    """Give the inputs of a SavedModel's signatures other names.

    A tensor's name may not hold spaces or most other characters and a signature takes its names
    from the tensors; but as keys of a signature any text will do.
    """
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    graph = saved.meta_graphs[0]
    for signature in graph.signature_def.values():
        inputs = {names.get(key, key): tensor for key, tensor in signature.inputs.items()}
        renamed = meta_graph_pb2.SignatureDef(
            inputs=inputs, outputs=signature.outputs, method_name=signature.method_name
        )
        signature.CopyFrom(renamed)
    for node in graph.object_graph_def.nodes:  # what a Python program goes by
        if node.HasField("bare_concrete_function"):
            keywords = node.bare_concrete_function.argument_keywords
            keywords[:] = [names.get(keyword, keyword) for keyword in keywords]
    path.write_bytes(saved.SerializeToString())


def check_raw_answers(folder: Path, target: Target, raw_arrays: Mapping[str, np.ndarray], answers: np.ndarray) -> None:
    """Raise PackingFailed unless the SavedModel on raw columns gives the network's answers.

    It is run by the names of its tensors, as TensorFlow Serving runs it: a call in Python takes the
    columns by keyword, and one may be called `self`.
    """
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # a remark that there are newer loaders
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(folder / SAVED_MODEL_FOLDER))
        signature = loaded.signature_def["serving_default"]
        fed = {signature.inputs[name].name: column for name, column in raw_arrays.items()}
        outputs = session.run([signature.outputs[name].name for name in name_outputs(target, answers)], fed)
    difference = measure_difference(target, np.column_stack(outputs), answers)
    if not difference <= MAX_GOLDEN_DIFFERENCE:
        raise PackingFailed(f"the SavedModel on raw columns is {difference:.2g} away from the trained network")


def _encoded_specs(schema: Schema) -> dict[str, tf.TensorSpec]:
    widths = {"numbers": (len(schema.number_names), tf.float32), "codes": (len(schema.categories), tf.int32)}
    return {name: tf.TensorSpec([None, width], kind, name=name) for name, (width, kind) in widths.items() if width}
