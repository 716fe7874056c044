"""What MLflow still has of a run: itself, and the version that it registered."""

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from ekiben.training.registry import tracking


def has_run(run_id: str) -> bool:
    """Return whether MLflow has a run, and nobody has deleted it."""
    try:
        return bool(MlflowClient().get_run(run_id).info.lifecycle_stage == "active")
    except MlflowException as error:
        if error.error_code in tracking.NOT_THERE:
            return False
        raise


def find_version_of(name: str, run_id: str) -> str | None:
    """Return the version that a run registered, if it came that far."""
    return next((str(found.version) for found in tracking.find_versions(name) if found.run_id == run_id), None)
