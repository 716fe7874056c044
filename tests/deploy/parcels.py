"""A small table whose rows can be learnt from, its problem file, and the stores of a folder; engines run its steps."""

import os
import random
import sys
from pathlib import Path

PROBLEM = """
name = "parcels"
[source]
path = "parcels.csv"
[target]
name = "late"
task = "binary"
classes = ["no", "yes"]
[features]
weight = { kind = "number" }
zone = { kind = "category" }
express = { kind = "boolean" }
"""


def write_parcels(home: Path, *, columns: int = 4) -> None:
    """Write the table's first columns and the problem file into a project's folder."""
    source = random.Random(0)
    lines = [["weight", "zone", "express", "late"]]
    for _ in range(400):
        weight, express = source.uniform(0.1, 30), source.random() < 0.3
        late = source.random() < 0.2 + 0.5 * (weight > 15) - 0.15 * express
        lines.append([f"{weight:.2f}", source.choice("NESW"), *("yes" if flag else "no" for flag in (express, late))])
    kept = slice(4 - columns, None)
    (home / "parcels.csv").write_text("\n".join(",".join(line[kept]) for line in lines) + "\n")
    (home / "problem.toml").write_text(PROBLEM)


def variables_of(home: Path) -> dict[str, str]:
    """Return the variables that place all state in a folder, and let `ekiben` be found as an installation has it."""
    return {
        "EKIBEN_HOME": str(home),
        "BENTOML_HOME": str(home / "bentoml"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{home}/mlflow.db",
        "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}",
    }
