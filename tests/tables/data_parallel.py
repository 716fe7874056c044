"""What averaging the weights of several processes brings: `python -m tests.tables.data_parallel`.

Each fits a share of the rows of flights. Every way begins with the same weights, takes as many steps and, over all its
processes, as many rows in a step; its clock starts when the graph is built. A process has one thread unless said
otherwise.
"""

import argparse
import multiprocessing
import os
import pickle
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import keras
import numpy as np

from ekiben.contract.encoding import Encoder
from ekiben.contract.schema import Schema
from ekiben.load_tests.machine import describe_machine
from ekiben.training.evaluate import score
from ekiben.training.fitting import encode_validation
from ekiben.training.network.architecture import Design
from ekiben.training.network.averaging import average_towers
from ekiben.training.network.batches import stream_batches
from ekiben.training.network.compiling import compile_towers
from ekiben.training.network.fit import FitOptions, LabelledRows
from ekiben.training.network.lessons import plan_lessons
from ekiben.training.network.plan import plan_fit
from ekiben.training.network.scaling import scale_numbers, scale_target
from ekiben.training.preparation import prepare
from ekiben.training.problem import load_problem
from ekiben.training.registry.packaging import predict_encoded
from ekiben.training.tables.read import read_table


@dataclass(frozen=True)
class Way:
    """How many processes fit, with how many threads each, and every how many steps they average; 0: every epoch."""

    processes: int = 1
    threads: int = 1
    every: int = 0

    def __str__(self) -> str:
        averaged = f"averaged every {self.every} steps" if self.every else "averaged every epoch"
        threads = f"{self.threads} thread{'s' * (self.threads > 1)}"
        return f"{self.processes} processes, {averaged}" if self.processes > 1 else f"1 process, {threads}"


Rows = tuple[Schema, LabelledRows, LabelledRows]  # to train and to validate on
WAYS = (Way(), Way(threads=2), Way(2, every=16), Way(2, every=64), Way(2))


class Averaging(keras.callbacks.Callback):
    """Swaps the weights for their mean over all processes, and measures the time from the first steps on."""

    def __init__(self, others: Connection, way: Way, block: int) -> None:
        super().__init__()
        self._others, self._way, self._block = others, way, block
        self._steps, self._began = 0, (0.0, 0.0)
        self.spent = (0.0, 0.0)  # seconds, and those of CPU

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._steps += self._block
        if self._steps == self._block:
            self._began = time.perf_counter(), time.process_time()
        if self._way.every and self._steps % self._way.every < self._block:
            self._average()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._average()
        self.spent = time.perf_counter() - self._began[0], time.process_time() - self._began[1]

    def _average(self) -> None:
        if self._way.processes > 1:
            self._others.send(self.model.get_weights())
            self.model.set_weights(self._others.recv())


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser(prog="python -m tests.tables.data_parallel", description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    print(f"{describe_machine()}; {options.epochs} epochs of flights", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows"
        rows.write_bytes(pickle.dumps(prepare_rows()))
        for way in WAYS:
            seconds, cpu, loss, auc = measure(way, rows, options.epochs)
            print(f"{way}: {seconds:.1f} s, {cpu:.1f} s of CPU, log loss {loss:.5f}, AUC {auc:.5f}", flush=True)


def prepare_rows() -> Rows:
    """Return the schema, the rows to train on, and those to validate on."""
    prepared = prepare(problem := load_problem(None), read_table(problem, lambda share: None))
    train = LabelledRows(Encoder(prepared.schema).encode(prepared.parts.train), prepared.labels[0])
    return prepared.schema, train, encode_validation(problem.split, prepared)


def measure(way: Way, rows: Path, epochs: int) -> tuple[float, float, float, float]:
    """Return the seconds that one way took, those of CPU, and its loss and AUC on the validation rows."""
    os.environ |= {"TF_NUM_INTRAOP_THREADS": str(way.threads), "TF_NUM_INTEROP_THREADS": "1"}
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(way.processes)]
    processes = [
        context.Process(target=fit_share, args=(rows, share, way, epochs, pipe[1])) for share, pipe in enumerate(pipes)
    ]
    for process in processes:
        process.start()
    ends = average([pipe[0] for pipe in pipes])
    for process in processes:
        process.join()
    return max(end[0] for end in ends), sum(end[1] for end in ends), *ends[0][2:]


def average(processes: Sequence[Connection]) -> list[tuple[float, float, float, float]]:
    """Send processes the mean of their weights as often as they ask for it; return what they tell in the end."""
    while True:
        told = [process.recv() for process in processes]
        if isinstance(told[0], tuple):
            return told
        mean = [np.mean(arrays, axis=0) for arrays in zip(*told, strict=True)]
        for process in processes:
            process.send(mean)


def fit_share(rows: Path, share: int, way: Way, epochs: int, others: Connection) -> None:
    """Fit the same network as the others to a share of the rows, as `fit_network` does to all."""
    schema, train, validation = pickle.loads(rows.read_bytes())
    options = FitOptions(epochs=epochs, by_time=True)
    inputs = train.encoded.numbers.shape[1] + train.encoded.codes.shape[1]
    plan = plan_fit(len(train.labels), inputs, options)
    numbers = scale_numbers(train.encoded.numbers, plan.bins, validation.encoded.numbers)
    design = Design(schema, numbers, scale_target(schema.target, train.labels), plan.shape)
    own = LabelledRows(train.encoded[share :: way.processes], train.labels[share :: way.processes])
    lessons = plan_lessons(design, own)
    batches = stream_batches(lessons, plan.batch_rows // way.processes, plan.block_steps, options.seed + share)
    towers, averaging = compile_towers(design, plan, options.seed), Averaging(others, way, plan.block_steps)
    towers.fit(
        batches, epochs=epochs, steps_per_epoch=plan.epoch_steps, shuffle=False, verbose=0, callbacks=[averaging]
    )
    answers = predict_encoded(average_towers(towers, design), validation.encoded)
    scores = score(schema.target, validation.labels, answers)
    others.send((*averaging.spent, scores["log_loss"], scores["auc"]))


if __name__ == "__main__":
    main()
