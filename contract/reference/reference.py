"""What the rows looked like that a model was trained on, and what it answered: `reference.json`, beside its schema."""

from pathlib import Path

from pydantic import ValidationError

from ekiben.contract.errors import InvalidModel
from ekiben.contract.reference.alarms.calibration import Calibration
from ekiben.contract.reference.bins import Bins, CategoryBins, CycleBins, Frozen

REFERENCE_FILE = "reference.json"


class Distribution(Frozen):
    """How many rows of a column fall into each bin."""

    column: str
    bins: Bins
    counts: tuple[int, ...]  # the last is that of missing values
    span: tuple[str, str] | None = None  # the least and the greatest number or moment
    # By how much the model's mean answer in each bin differs from that of all rows; of many classes half the sum of
    # all differences. Empty if it was not measured.
    effects: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """The column, and of a moment its cycle, such as `departure.hour`."""
        return f"{self.column}.{self.bins.cycle}" if isinstance(self.bins, CycleBins) else self.column

    @property
    def labels(self) -> tuple[str, ...]:
        """What each count counts."""
        return (*self.bins.labels, "missing")

    @property
    def shares(self) -> tuple[float, ...]:
        """The share of the rows in each bin."""
        rows = sum(self.counts)
        return tuple(count / rows for count in self.counts)

    @property
    def missing(self) -> float:
        """The share of the rows that have no value."""
        return self.shares[-1]

    @property
    def unseen(self) -> float:
        """The share of the rows whose category is not in the vocabulary."""
        return self.shares[-2] if isinstance(self.bins, CategoryBins) else 0.0

    @property
    def special(self) -> tuple[int, ...]:
        """The positions of the missing values and of those never seen."""
        last = len(self.counts) - 1
        return (last - 1, last) if isinstance(self.bins, CategoryBins) else (last,)


class Reference(Frozen):
    """What a table's rows looked like when a model was trained on them."""

    rows: int
    columns: tuple[str, ...]  # all of the source, also those that were not read
    duplicates: float  # the share of rows that repeat an earlier one
    distributions: tuple[Distribution, ...]  # of the features (a moment's: one a cycle) and of the target
    answers: tuple[Distribution, ...] = ()  # of what the model answered; older references have none
    alarms: Calibration | None = None  # None in older ones, and of tables too small to learn it

    @property
    def distinct(self) -> tuple[Distribution, ...]:
        """The distributions, of those of one name only the first: a column may be called like a moment's cycle."""
        named: dict[str, Distribution] = {}
        for distribution in self.distributions:
            named.setdefault(distribution.name, distribution)
        return tuple(named.values())

    def save(self, path: Path) -> None:
        """Write the reference as JSON."""
        path.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")


def load_reference(path: Path) -> Reference:
    """Read a reference written by `Reference.save`; raise InvalidModel if it is missing or damaged."""
    try:
        return parse_reference(path.read_bytes(), str(path))
    except OSError as error:
        raise InvalidModel(f"{path} is not a readable reference: train the model again with `ekiben train`") from error


def parse_reference(content: bytes, source: str) -> Reference:
    """Return the reference that JSON holds; raise InvalidModel, naming its source, if it holds none."""
    try:
        return Reference.model_validate_json(content)
    except ValidationError as error:
        message = f"{source} is not a readable reference: train the model again with `ekiben train`"
        raise InvalidModel(message) from error
