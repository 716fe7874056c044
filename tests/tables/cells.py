"""What was measured, one cell a line of JSON: a model on a table with a seed.

A cell is written once it is measured, so a run that is killed loses one at most, and the next goes on from there.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

PRODUCT = "product"


@dataclass(frozen=True)
class Cell:
    """How a model did on a table: its scores on the test rows, and what it took."""

    table: str
    seed: int
    model: str
    task: str
    rows: int
    features: int
    digest: str  # of the encoded rows and their labels: what was told the same has the same
    scores: dict[str, float]  # on the test rows
    fit_cpu_s: float
    label: str = ""  # of the product's recipe
    validation_loss: float | None = None  # by which trees are chosen
    litert_us: tuple[float, float] | None = None  # a row, in batches of 1 and of 64
    parameters: dict[str, Any] = field(default_factory=dict)  # chosen by tuning

    @property
    def key(self) -> tuple[str, int, str, str]:
        return self.table, self.seed, self.model, self.label


class Results:
    """The cells of files; new ones go to the first, and of two measurements of a cell the later counts."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._path = paths[0]
        self._cells = {cell.key: cell for path in reversed(paths) if path.exists() for cell in _read(path)}

    def __iter__(self) -> Iterator[Cell]:
        return iter(self._cells.values())

    def find(self, table: str, seed: int, model: str, label: str = "") -> Cell | None:
        """Return a cell if it was measured."""
        return self._cells.get((table, seed, model, label))

    def add(self, cell: Cell) -> None:
        """Keep a cell, in the file too."""
        self._cells[cell.key] = cell
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a+b") as file:
            torn = file.tell() and not _ends_a_line(self._path)
            file.write(b"\n" * bool(torn) + json.dumps(asdict(cell)).encode() + b"\n")


def _read(path: Path) -> Iterator[Cell]:
    """Yield a file's cells; a line that was not written to its end is none."""
    known = {field.name for field in fields(Cell)}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            facts = json.loads(line)
        except json.JSONDecodeError:
            continue
        yield Cell(**{name: value for name, value in facts.items() if name in known})


def _ends_a_line(path: Path) -> bool:
    return path.read_bytes()[-1:] == b"\n"
