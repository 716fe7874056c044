"""What a large table costs in init, training and predict: `python -m tests.tables.cost --rows 5000000`.

Each runs in a process of its own, in a temporary folder, and is measured as the operating system sees it; `reading` is
the part of training that ends with typed columns in memory.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from ekiben.load_tests.machine import describe_machine

COMMANDS = {
    "init": ("-m", "ekiben.commands", "init", "large.csv", "--target", "bought"),
    "reading": ("-m", "tests.tables.cost", "--read"),
    "train": ("-m", "ekiben.commands", "train", "--epochs", "2"),
    "predict": ("-m", "ekiben.commands", "predict", "large.csv", "-o", "scored.parquet"),
}
LEAST_ROWS = 1_000_000  # of fewer, no shop has enough rows to be learned
BYTES_OF_MAXRSS = 1 if sys.platform == "darwin" else 1024


def measure(stage: str, arguments: Sequence[str], rows: int, folder: Path) -> str:
    """Run a command and return its line of the table; raise SystemExit with what it printed if it fails."""
    homes = {"EKIBEN_HOME": str(folder), "BENTOML_HOME": str(folder / "bentoml")}
    paths = {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
    with (folder / "printed").open("w+") as printed:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=folder, env=os.environ | homes | paths, stdout=printed, stderr=printed
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
        if process.returncode:
            printed.seek(0)
            raise SystemExit(f"{stage} failed: {printed.read()}")
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss * BYTES_OF_MAXRSS / 2**20
    return f"| {stage} | {seconds:.1f} | {cpu:.1f} | {rows / seconds:,.0f} | {peak:,.0f} |"


def read() -> None:
    """Do what training does first."""
    from ekiben.training.problem import load_problem
    from ekiben.training.tables.read import read_table

    read_table(load_problem(None), lambda _: None)


def main() -> int:
    """Print one line a stage."""
    parser = argparse.ArgumentParser(prog="python -m tests.tables.cost", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5_000_000, help=f"at least {LEAST_ROWS:,} (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=[*COMMANDS], help="predict needs train")
    parser.add_argument("--read", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        read()
        return 0
    if options.rows < LEAST_ROWS:
        parser.error(f"a table has to have {LEAST_ROWS:,} rows, for each category to be learned")
    print(f"{describe_machine()}\n\n| {options.rows:,} rows | s | CPU s | rows/s | peak MiB |\n|---|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = [sys.executable, "-m", "tests.tables.large", str(folder / "large.csv"), "--rows", str(options.rows)]
        subprocess.run(made, check=True)
        for stage in options.only:
            print(measure(stage, COMMANDS[stage], options.rows, folder), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
