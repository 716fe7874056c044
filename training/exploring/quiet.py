"""What a notebook's process is told before anything heavy is imported."""

import atexit
import os
import shutil
import tempfile
import warnings

from ekiben.training.process import prepare_environment


def begin() -> None:
    """Turn bars, notes and warnings off, and let whatever asks for a store have one that ends with this process.

    A notebook must not leave runs or models among the user's own.
    """
    prepare_environment()
    os.environ["TQDM_DISABLE"] = "1"
    warnings.filterwarnings("ignore")
    stores = tempfile.mkdtemp(prefix="ekiben-notebook-")
    atexit.register(shutil.rmtree, stores, ignore_errors=True)
    os.environ["BENTOML_HOME"] = f"{stores}/bentoml"
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{stores}/mlflow.db"
