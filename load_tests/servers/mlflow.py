"""`mlflow models serve` with the registered model. Run `python -m ekiben.load_tests.servers.mlflow PORT`.

As its documentation has it: the model is named by its version in the registry, and
`--env-manager local` serves it from the environment that holds what it needs. It loads the Keras
model as a Python function, which calls Keras' `predict`; there is no batching to set.
"""

import os
import sys

from ekiben.load_tests.servers.environment import find_command
from ekiben.load_tests.servers.packed_model import NAME, VERSION


def main(port: int) -> None:
    """Become MLflow's scoring server on that port."""
    model = f"models:/{os.environ[NAME]}/{os.environ[VERSION]}"
    command = find_command("mlflow", "mlflow")
    os.environ["PATH"] = f"{command.parent}:{os.environ['PATH']}"  # where it looks for uvicorn
    where = ("--env-manager", "local", "--host", "127.0.0.1", "--port", str(port))
    os.execv(command, [str(command), "models", "serve", "--model-uri", model, *where])


if __name__ == "__main__":
    main(int(sys.argv[1]))
