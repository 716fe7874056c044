"""What kind of problem a target makes, and its classes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ekiben.contract.errors import InvalidTable
from ekiben.contract.schema import Label
from ekiben.contract.validation import show
from ekiben.training.dataset.target import MAX_CLASSES, MIN_CLASS_ROWS, MIN_ROWS
from ekiben.training.problem import TargetColumn
from ekiben.training.proposal.choice import MIXED_SHARE, Choice, choose_reading, find_strange
from ekiben.training.proposal.column import Column
from ekiben.training.proposal.features import spell_facts
from ekiben.training.proposal.identifiers import TEXT_SHARE, find_identifier
from ekiben.training.proposal.marks import Mark
from ekiben.training.proposal.reading import Reading
from ekiben.training.tables.conversion import to_plain
from ekiben.training.tables.labels import read_labels, sort_labels
from ekiben.training.tables.strings import has_text, to_strings

MAX_NUMBER_CLASSES = 20  # of whole numbers; of more they are a quantity
ROWS_PER_NUMBER_CLASS = 10
MAX_COUNTED = 10_000  # labels
YES = {"yes", "y", "true", "t", "positive", "pos"}
LISTED = 5


@dataclass(frozen=True)
class ProposedTarget:
    """The target for the problem file, and what there is to say about it."""

    column: TargetColumn
    reading: Reading | None  # of a number; None: classes
    remark: str
    share: float = 0.0  # of the rows that are of the last of two classes
    warning: str = ""


class LabelCounts:
    """How often each value stands, as long as they may be classes."""

    def __init__(self, null: Sequence[str] = ()) -> None:
        self.counts: Counter[str] | None = Counter()
        self._null = null

    def add(self, raw: pa.Array) -> None:
        """Count the next batch."""
        plain = to_plain(raw, self._null).drop_null()
        if self.counts is None or not has_text(plain.type):
            return
        found = pc.value_counts(plain)
        self.counts.update(dict(zip(to_strings(found.field(0)).to_pylist(), found.field(1).to_pylist(), strict=True)))
        if len(self.counts) > MAX_COUNTED:
            self.counts = None


def propose_target(column: Column, labels: LabelCounts, typed: bool, usual: Mark = ".") -> ProposedTarget:
    """Return the task and the classes; raise InvalidTable if the column can be no target.

    `usual` is the decimal mark of the table's other columns.
    """
    choice = choose_reading(column, usual)
    check_target(column, choice)
    counts = _count_labels(labels.counts, typed and column.is_text) if labels.counts else None
    reading = choice.reading
    if counts and len(counts) == 1:
        constant = f"`{column.name}` is {show(next(iter(counts)))} in all {column.values:,} rows"
        raise InvalidTable(f"{constant} that have one: there is nothing to predict")
    if counts and len(counts) == 2:
        return _propose_binary(column, counts)
    is_number = reading is not None and reading.kind == "number"
    if reading and is_number and not (reading.whole and counts and _are_classes(counts)):
        target = TargetColumn(name=column.name, task="regression", **spell_facts(choice, column))
        remark = ", ".join(filter(None, (f"{reading.low:.6g} … {reading.high:.6g}", choice.remark)))
        return ProposedTarget(target, reading, remark)
    if not counts or len(counts) > MAX_CLASSES:
        raise InvalidTable(_too_many(column, counts))
    classes = tuple(sort_labels(set(counts)))
    target = TargetColumn(name=column.name, task="multiclass", classes=classes)
    remark = "to predict the number itself make the task regression, without classes" if is_number else ""
    return ProposedTarget(target, None, remark, warning=_warn_of_rare(counts))


def check_target(column: Column, choice: Choice) -> None:
    """Raise InvalidTable if no task fits the column, or its rows are too few."""
    name = f"`{column.name}`"
    if not column.values:
        raise InvalidTable(f"{name} has no value in any row: there is nothing to learn from")
    if not has_text(column.type):
        raise InvalidTable(f"{name} holds {column.type}: a target is a class or a number")
    if column.values < MIN_ROWS:
        rows = "1 row" if column.values == 1 else f"{column.values} rows"
        raise InvalidTable(f"the table has {rows} with a {name}: at least {MIN_ROWS} are needed")
    reading = choice.reading
    if reading is not None and reading.kind == "timestamp":
        raise InvalidTable(f"{name} holds dates: a target is a class or a number, such as the days until then")
    strange, share = find_strange(column)
    if strange and (share <= MIXED_SHARE or column.share_distinct >= TEXT_SHARE or not column.is_text):
        raise InvalidTable(f"{name} is {strange}: a target is all numbers or all classes; fix the table")
    if reading is None and (reason := find_identifier(column, None)):
        raise InvalidTable(f"{name} is {reason}: a target is a number, or a class that repeats itself")


def _are_classes(counts: Counter[Label]) -> bool:
    return len(counts) <= min(MAX_NUMBER_CLASSES, counts.total() / ROWS_PER_NUMBER_CLASS)


def _propose_binary(column: Column, counts: Counter[Label]) -> ProposedTarget:
    classes = order_classes(counts)
    share = counts[classes[-1]] / counts.total()
    target = TargetColumn(name=column.name, task="binary", classes=classes)
    remark = f"the last, {share:.1%} of the rows, is the one whose probability is given"
    return ProposedTarget(target, None, remark, share, _warn_of_rare(counts))


def order_classes(counts: Counter[Label]) -> tuple[Label, ...]:
    """Return two classes, the one of interest last: true, 1 of 0 and 1, yes, or else the rarer one."""
    first, last = sort_labels(set(counts))
    if last is True or (last == 1 and first in (0, -1)):
        return first, last
    affirmed = [str(label).strip().lower() in YES for label in (first, last)]
    if affirmed[0] != affirmed[1]:
        return (last, first) if affirmed[0] else (first, last)
    return (last, first) if counts[first] < counts[last] else (first, last)


def _count_labels(counts: Counter[str], as_text: bool) -> Counter[Label]:
    labels: Counter[Label] = Counter()
    for label, count in zip(read_labels(list(counts), as_text=as_text), counts.values(), strict=True):
        labels[label] += count
    return labels


def _warn_of_rare(counts: Counter[Label]) -> str:
    rare = [label for label in counts if counts[label] < MIN_CLASS_ROWS]
    if not rare:
        return ""
    named = ", ".join(map(show, sort_labels(set(rare))[:LISTED])) + (", …" if len(rare) > LISTED else "")
    return f"fewer than {MIN_CLASS_ROWS} rows have {named}: pool them with another class or drop them before training"


def _too_many(column: Column, counts: Counter[Label] | None) -> str:
    found = f"{len(counts):,}" if counts else f"more than {MAX_COUNTED:,}"
    return (
        f"`{column.name}` has {found} different strings: a target is a number or one of at most "
        f"{MAX_CLASSES:,} classes; pool the rare ones"
    )
