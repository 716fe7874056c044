"""The product on a table: fitted as `ekiben train` fits, and timed as it is served."""

import tempfile
import time
from pathlib import Path

import keras
import numpy as np

from ekiben.contract.encoding import Encoded, Encoder
from ekiben.model.engine import LiteRTEngine
from ekiben.training.fitting import fit, score_network
from ekiben.training.network.fit import FitOptions
from ekiben.training.preparation import Prepared
from ekiben.training.problem import ProblemConfig
from ekiben.training.registry.packaging import convert_to_litert
from tests.tables.data import cpu_seconds

BATCHES = (1, 64)  # rows
ROUNDS, CALLS = 15, 100  # the fastest round counts: others share the caches


def measure_product(
    problem: ProblemConfig, prepared: Prepared, seed: int
) -> tuple[dict[str, float], float, tuple[float, float]]:
    """Return the scores on the test rows, the CPU seconds of the fit, and LiteRT's µs a row at 1 and 64 rows."""
    began = cpu_seconds()
    network = fit(problem, prepared, FitOptions(seed=seed)).network
    spent = cpu_seconds() - began
    return score_network(prepared, network).scores, spent, time_network(network, prepared)


def time_network(network: keras.Model, prepared: Prepared) -> tuple[float, float]:
    """Return LiteRT's µs a row in batches of 1 and of 64."""
    encoded = Encoder(prepared.schema).encode(prepared.parts.test.head(max(BATCHES)))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.tflite"
        file.write_bytes(convert_to_litert(network))
        engine = LiteRTEngine(file)
    single, many = (time_batch(engine, encoded, rows) for rows in BATCHES)
    return single, many


def time_batch(engine: LiteRTEngine, encoded: Encoded, rows: int) -> float:
    """Return the µs of CPU a row, in batches of so many rows: the engine computes in the thread that calls it."""
    batch = encoded[0:rows]
    rounds = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        for _ in range(CALLS):
            engine.run(batch)
        rounds.append((time.thread_time() - began) / CALLS / len(batch) * 1e6)
    return float(np.min(rounds))
