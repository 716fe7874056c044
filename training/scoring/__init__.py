"""Offline scoring: rows as Arrow in, their predictions out, the service's to the bit.

What runs here needs the contract, a packed model and its engine: no pandas, TensorFlow, MLflow or BentoML, so that it
may run where only NumPy, PyArrow, pydantic, orjson and the engine are: on the executors of a cluster.
"""

from ekiben.training.scoring.batches import score_batches, scored_schema

__all__ = ["score_batches", "scored_schema"]
