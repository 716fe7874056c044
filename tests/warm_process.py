"""Runs our commands in processes that are forked from one in which TensorFlow, pandas and their like are imported.

To import them takes a training's process longer than its few epochs. Each command still gets a process of its own, with
its own environment and folder; what reads variables as it is imported (MLflow, BentoML, our own code) is not imported
before. The commands as people start them are tested where processes are: tests/commands, test_make, test_wheel.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path

IMPORTED = ["keras", "matplotlib.pyplot", "pandera", "pyarrow.parquet", "scipy.stats", "sklearn.metrics", "duckdb"]
# What these read as they are imported, and Python itself.
READ_BEFORE = ("PYTHON", "TF_", "OMP_", "KERAS_", "MPL", "XDG_", "HOME", "TMPDIR", "PATH", "LANG", "LC_", "COLUMNS")


def is_warm(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Return whether a command of Python is one of ours, and its variables are read late enough."""
    ours = len(arguments) > 1 and arguments[0] == "-m" and arguments[1].startswith("ekiben.")
    return ours and not any(name.startswith(READ_BEFORE) for name in environment)


def run_warm(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], timeout_s: float
) -> "subprocess.CompletedProcess[str]":
    """Run `python -m MODULE …` and return what it printed and its exit code, as `subprocess.run` does."""
    with tempfile.TemporaryDirectory() as place:
        output, errors = Path(place, "out"), Path(place, "err")
        given = (arguments[1:], dict(environment), str(folder), str(output), str(errors))
        process = find_context().Process(target=run_module, args=given)
        process.start()
        process.join(timeout_s)
        code = process.exitcode
        if code is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(list(arguments), timeout_s, output.read_bytes(), errors.read_bytes())
        process.close()
        said = (path.read_text(encoding="utf-8") for path in (output, errors))
        return subprocess.CompletedProcess([sys.executable, *arguments], code, *said)


def find_context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    return context


def run_module(arguments: Sequence[str], environment: Mapping[str, str], folder: str, output: str, errors: str) -> None:
    """Become `python -m MODULE …`: in the process that was forked."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for path, descriptor in ((output, 1), (errors, 2)):
        with open(path, "wb") as file:
            os.dup2(file.fileno(), descriptor)
    sys.argv = list(arguments)
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
