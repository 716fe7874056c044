"""A small project with stores of its own, whose pipeline runs within the test's process."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ekiben.commands.__main__ import main
from ekiben.pipeline.records.journal import Run, list_runs
from ekiben.pipeline.steps import STEPS
from tests.conftest import stores_in, using_stores

NAME = "shop"
PROBLEM = """
name = "shop"
slices = ["colour"]
[source]
path = "shop.csv"
[target]
name = "price"
task = "regression"
[features.size]
kind = "number"
[features.colour]
kind = "category"
[[behaviour]]
test = "direction"
feature = "size"
answer = "up"
"""
COLUMNS = "size,colour,price"


def make_rows(rows: int, seed: int, slope: float = 3.0) -> str:
    """Return a CSV file of things whose price grows with their size."""
    random = np.random.default_rng(seed)
    sizes, colours = random.uniform(0, 10, rows), random.choice(["blue", "green", "red"], rows)
    prices = slope * sizes + 5 * (colours == "red") + random.normal(0, 1, rows)
    lines = (f"{size:.3f},{colour},{price:.3f}" for size, colour, price in zip(sizes, colours, prices, strict=True))
    return "\n".join([COLUMNS, *lines]) + "\n"


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        return self.out.splitlines()[-1]


@dataclass(frozen=True)
class Project:
    """A folder with a problem file, a table and stores, which is the working folder."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def call(self, *arguments: str) -> Outcome:
        self.capsys.readouterr()
        code = main(list(arguments))
        printed = self.capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    def run(self, *arguments: str) -> Outcome:
        return self.call("run", "--epochs", "2", *arguments)

    def step(self, name: str, after: str = "", *arguments: str) -> dict[str, Any]:
        given = ["--after", after] if after else []
        options = ["--epochs", "2"] if name == "train" else []
        done = self.call("step", name, *given, *options, *arguments)
        assert done.code in (0, 3), done.err
        (line,) = done.out.splitlines()
        said: dict[str, Any] = json.loads(line)
        assert (done.code == 3) == (said["verdict"] == "stop")
        return said

    def write(self, table: str) -> None:
        (self.folder / "shop.csv").write_text(table)

    def add(self, text: str) -> None:
        """Add to the problem file."""
        path = self.folder / "problem.toml"
        path.write_text(path.read_text() + text)

    def runs(self) -> list[Run]:
        return list_runs(NAME)

    def reused(self) -> dict[str, bool]:
        """Return of each step of the latest run whether it was there."""
        return {one.step: one.reused for one in self.runs()[0].steps}

    def record(self, step: str) -> Path:
        (found,) = [one.key for one in self.runs()[0].steps if one.step == step]
        return self.folder / "data" / "pipeline" / "records" / f"{found}.json"

    def champion(self) -> str:
        from ekiben.training.registry import tracking

        tracking.connect()
        champion = tracking.find_champion(NAME)
        return str(champion.version) if champion else ""


@contextmanager
def using(folder: Path) -> Iterator[dict[str, str]]:
    """Let the working folder be this one, with stores in it; yield the variables that a process of its own needs."""
    with using_stores(folder), pytest.MonkeyPatch.context() as patched:
        patched.delenv("EKIBEN_HOME", raising=False)
        patched.chdir(folder)
        yield dict(os.environ) | stores_in(folder)


def copy(trained: Path, folder: Path) -> Path:
    """Copy a project; what MLflow has in it are paths into the one that was copied, which stays."""
    return Path(shutil.copytree(trained, folder, symlinks=True))


__all__ = ["NAME", "PROBLEM", "STEPS", "Outcome", "Project", "copy", "make_rows", "using"]
