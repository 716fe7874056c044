"""What computes answers from encoded rows: LiteRT, or TensorFlow for graphs LiteRT can't convert."""

from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.encoding import Encoded
from ekiben.contract.errors import InvalidModel
from ekiben.model.engine_notes import drop_engine_notes

MAX_BATCH_ROWS = 4096  # a larger batch is no faster a row
MAX_PADDING = 16  # rows: another run would cost a small network as much
ENCODED_SIGNATURE = "encoded"  # of the SavedModel: numbers and codes in, answers out
Prepared = tuple[Any, int | None, int | None, int]  # an interpreter, and its tensors: numbers, codes, answers


class Engine(Protocol):
    """Computes answers; used by one thread at a time."""

    def run(self, encoded: Encoded) -> NDArray[np.float32]:
        """Return the network's answers, (rows, outputs); a row's bits don't depend on its batch."""


def load_engine(kind: str, litert_file: Path, saved_model_folder: Path) -> Engine:
    """Load the engine of that kind; raise InvalidModel if it can't read the packed network."""
    try:
        return LiteRTEngine(litert_file) if kind == "litert" else TensorFlowEngine(saved_model_folder)
    except (ValueError, RuntimeError, OSError) as error:
        raise InvalidModel(f"{kind} can't load the packed network ({error})") from error


class LiteRTEngine:
    """Keeps one interpreter for each power of two of rows, so that nothing is resized while serving.

    A batch runs in pieces of such sizes: padded to the next power of two it would cost up to twice as much. An
    interpreter is made for the first batch of its size: that takes 0.3 ms, 0.8 ms for the largest, whose batch takes 5
    (the flights' network; `ekiben loading` prints it). A model that gets no large batches then holds 3 MiB, not 14.
    """

    def __init__(self, path: Path) -> None:
        self._content = path.read_bytes()
        with drop_engine_notes():
            self._interpreters = {1: self._prepare(1)}  # a file that is damaged fails here

    def run(self, encoded: Encoded) -> NDArray[np.float32]:
        sizes = cut(len(encoded))
        if len(sizes) <= 1:
            return self._run_piece(encoded)
        starts = accumulate(sizes, initial=0)
        return np.concatenate(
            [self._run_piece(encoded[start : start + size]) for start, size in zip(starts, sizes, strict=False)]
        )

    def _run_piece(self, encoded: Encoded) -> NDArray[np.float32]:
        rows = len(encoded)
        size = 1 << (rows - 1).bit_length()
        interpreter, numbers, codes, output = self._interpreters.get(size) or self._add(size)
        if numbers is not None:
            interpreter.tensor(numbers)()[:rows] = encoded.numbers
        if codes is not None:
            indices = interpreter.tensor(codes)()
            indices[:rows] = encoded.codes
            # LiteRT uses its inputs' memory while it computes: the rest are not codes.
            indices[rows:] = 0
            del indices  # a view that is alive keeps the interpreter from running
        interpreter.invoke()
        answers: NDArray[np.float32] = interpreter.tensor(output)()[:rows].copy()
        return answers

    def _add(self, rows: int) -> Prepared:
        prepared = self._interpreters[rows] = self._prepare(rows)
        return prepared

    def _prepare(self, rows: int) -> Prepared:
        # Imported here: the supervisor imports this module too and needs no engine.
        from ai_edge_litert.interpreter import Interpreter

        # One thread: a second one costs more than it gains below 64 rows.
        interpreter = Interpreter(model_content=self._content, num_threads=1)
        inputs = {detail["dtype"]: detail["index"] for detail in interpreter.get_input_details()}
        for detail in interpreter.get_input_details():
            interpreter.resize_tensor_input(detail["index"], [rows, detail["shape"][1]])
        interpreter.allocate_tensors()
        output = interpreter.get_output_details()[0]["index"]
        return interpreter, inputs.get(np.float32), inputs.get(np.int32), output


def cut(rows: int) -> list[int]:
    """Return the sizes of a batch's pieces: powers of two but for the last, which needs little padding to be one."""
    sizes = []
    while rows:
        power = min(1 << (rows - 1).bit_length(), MAX_BATCH_ROWS)
        sizes.append(min(power, rows) if power - rows <= MAX_PADDING else power // 2)
        rows -= sizes[-1]
    return sizes


class TensorFlowEngine:
    """Runs the SavedModel's signature on encoded rows; needs TensorFlow in the image."""

    def __init__(self, folder: Path) -> None:
        import tensorflow as tf  # heavy: only where it is the engine

        self._tf = tf
        self._loaded = tf.saved_model.load(str(folder))  # keeps the variables alive
        self._function = self._loaded.signatures[ENCODED_SIGNATURE]
        self._names = set(self._function.structured_input_signature[1])

    def run(self, encoded: Encoded) -> NDArray[np.float32]:
        inputs = {"numbers": encoded.numbers, "codes": encoded.codes}
        tensors = {name: self._tf.constant(array) for name, array in inputs.items() if name in self._names}
        (answers,) = self._function(**tensors).values()
        result: NDArray[np.float32] = answers.numpy()
        return result
