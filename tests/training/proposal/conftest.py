"""A table in, the problem that `ekiben init` writes out."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ekiben.training.problem import ProblemConfig, read_problem
from ekiben.training.proposal import init

ROWS = 300


class Proposed:
    """A problem file: what it says, and its text."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text("utf-8")
        self.problem: ProblemConfig = read_problem(path)
        self.features, self.ignored = self.problem.features, self.problem.ignored

    def remark(self, name: str) -> str:
        """What the file remarks on a feature."""
        line = next(line for line in self.text.splitlines() if line.startswith(f'"{name}" = '))
        return line.partition("  # ")[2]


ProposeTable = Callable[..., Proposed]


@pytest.fixture
def propose_for(tmp_path: Path) -> ProposeTable:
    """Write columns to a CSV file, and propose a problem for it."""

    def propose(columns: Mapping[str, Any], target: str = "y", time: str | None = None) -> Proposed:
        pd.DataFrame(dict(columns)).to_csv(tmp_path / "table.csv", index=False)
        output = tmp_path / "problem.toml"
        init(str(tmp_path / "table.csv"), target, query=None, name="t", time=time, output=output, force=True)
        return Proposed(output)

    return propose
