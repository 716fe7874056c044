"""Gives each service a folder of its own for its workers' counters.

BentoML keeps them all in one folder under its home, and empties it as another service starts
there: the counters of the one that runs would never change again.
"""

import atexit
import os
import shutil
from pathlib import Path

from bentoml._internal.configuration.containers import BentoMLContainer  # there is no public way

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # BentoML sets it for its workers, which import the service too


def keep_metrics_apart() -> None:
    """Choose the folder; it is made as the service starts, and removed at the end of this process."""
    if VARIABLE in os.environ:
        return
    folder = Path(BentoMLContainer.bentoml_home.get()) / f"metrics-{os.getpid()}"
    BentoMLContainer.prometheus_multiproc_dir.set(str(folder))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
