"""The packed model's table behind a heavy network, in a BentoML store of its own.

What a service does under overload, and what batching buys, depends on what an answer costs. The
network's answers mean nothing: only what they cost matters.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from ekiben.contract.encoding import Encoder
from ekiben.contract.errors import UserError
from ekiben.model.engine import LiteRTEngine
from ekiben.model.package import GOLDEN_FILE, LITERT_FILE, SCHEMA_FILE, PackedModel, open_model
from ekiben.model.store import find_model, open_stored
from ekiben.service.environment import read_settings

WIDTH = 2048  # of the network's two hidden layers


def run(arguments: Sequence[str]) -> int:
    """Run `python -m ekiben.load_tests` with these arguments on the heavy network; return its exit code."""
    packed = open_stored(find_model(read_settings().model_name))
    with TemporaryDirectory() as home:
        environment = os.environ | {
            "BENTOML_HOME": home,
            "MODEL_NAME": packed.name,
        }  # BentoML reads its home once a process
        command = [sys.executable, "-m", __name__, str(packed.path), packed.digest]
        packing = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )  # TensorFlow tells at length what it did
        if packing.returncode:
            reason = packing.stderr.strip().rpartition("\n")[2]  # the last line of a traceback
            raise UserError(f"the heavy network could not be packed: {reason}")
        return subprocess.run(
            [sys.executable, "-m", "ekiben.load_tests", *arguments], env=environment, check=False
        ).returncode


def pack(model: PackedModel) -> None:
    """Put the network, with its own answers to the packed model's held-out rows, into this process's store."""
    from ekiben.training.registry.storing import store_package  # BentoML's store, and only here

    golden = model.load_golden()
    with TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(model.path / SCHEMA_FILE, folder)
        engine = LiteRTEngine(write_network(model, folder))
        answers = engine.run(Encoder(model.schema).encode_rows(golden.rows))
        (folder / GOLDEN_FILE).write_text(json.dumps({"rows": golden.rows, "answers": answers.tolist()}))
        store_package(folder, "1", {"run_id": "heavy"})


def write_network(model: PackedModel, folder: Path, width: int = WIDTH) -> Path:
    """Write a network of two wide layers on the packed model's encoded rows, and return its file."""
    import keras  # heavy, and only here
    import tensorflow as tf

    numbers = keras.Input((len(model.schema.number_names),), name="numbers")
    codes = keras.Input((len(model.schema.categories),), name="codes", dtype="int32")
    hidden = keras.layers.Concatenate()([keras.ops.nan_to_num(numbers), keras.ops.cast(codes, "float32")])
    for _ in range(2):
        hidden = keras.layers.Dense(width, activation="relu")(hidden)
    outputs = keras.layers.Dense(len(model.schema.target.outputs), activation="sigmoid")(hidden)
    network = keras.Model([numbers, codes], outputs)
    file = folder / LITERT_FILE
    with redirect_stdout(StringIO()):  # TensorFlow tells at length what it saved
        file.write_bytes(tf.lite.TFLiteConverter.from_keras_model(network).convert())
    return file


if __name__ == "__main__":
    pack(open_model(Path(sys.argv[1]), sys.argv[2]))
