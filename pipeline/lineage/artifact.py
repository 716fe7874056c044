"""An artifact of a run, as far as it is there."""

import tempfile
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException


def read_artifact(run_id: str, name: str) -> bytes | None:
    """Return an artifact of a run, None if it is gone."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            return Path(mlflow.artifacts.download_artifacts(f"runs:/{run_id}/{name}", dst_path=scratch)).read_bytes()
        except (MlflowException, OSError):
            return None
