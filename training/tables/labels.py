"""The labels of a classification, as the table gives them: true and false, whole numbers or strings."""

from collections.abc import Iterator, Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ekiben.contract.errors import InvalidTable
from ekiben.contract.schema import Label
from ekiben.training.tables.conversion import to_plain
from ekiben.training.tables.strings import has_text, to_strings

BOOLEANS = {"false": False, "true": True}
MAX_DISTINCT = 100_000  # strings that may stand for labels, which are fewer, in a table that is read to disk
TYPES = {"bool": pa.bool_(), "int": pa.int64(), "str": pa.string()}
WHOLE = r"^-?(?:0|[1-9]\d{0,17})(?:\.0+)?$"  # `01` is a code, not the number 1


class LabelReader:
    """Collects the batches of a column of labels; what they are only all of them together say.

    All true or false, in any case, are bool; all whole numbers are int; else each is its text. In
    a source with types a string is a string.
    """

    parse_failure = None  # everything that has a string can be a label
    settles_late = True  # only all labels say what they are
    is_whole = False  # what the labels are is part of their type

    def __init__(self, name: str, typed: bool, null: Sequence[str] = ()) -> None:
        self._name = name
        self._typed = typed
        self._null = null
        self._as_text = False
        self._chunks: list[pa.Array] = []
        self._seen: set[str] = set()  # of what was drained
        self._labels: dict[str, Label] = {}

    def add(self, raw: pa.Array, first_row: int = 0) -> None:
        """Take the next batch; raise InvalidTable if its type has no strings, such as lists."""
        plain = to_plain(raw, self._null)
        if not has_text(plain.type):
            holds = f"`{self._name}` holds {plain.type}"
            raise InvalidTable(f"{holds}: a label is true or false, a whole number or a string")
        self._as_text |= self._typed and pa.types.is_string(plain.type)
        self._chunks.append(to_strings(plain).dictionary_encode())

    def finish(self) -> "pd.Series":
        """Return the labels, (rows,): a categorical whose categories are bool, int or str; NaN where there is none."""
        column = pa.chunked_array(self._chunks, pa.dictionary(pa.int32(), pa.string())).combine_chunks()
        self._chunks = []
        labels = read_labels(column.dictionary.to_pylist(), as_text=self._as_text)
        distinct = sort_labels(set(labels))
        index_of = {label: index for index, label in enumerate(distinct)}
        indices = pa.array([index_of[label] for label in labels], pa.int32()).take(column.indices)
        categories = pd.Index(distinct, dtype=object)
        return pd.Series(pd.Categorical.from_codes(pc.fill_null(indices, -1).to_numpy(), categories), name=self._name)

    @property
    def bytes(self) -> int:
        """The size of the batches."""
        return sum(chunk.nbytes for chunk in self._chunks)

    def drain(self) -> Iterator[pa.Array]:
        """Yield the batches as strings, for the disk, and forget each; raise InvalidTable if too many differ."""
        while self._chunks:
            chunk = self._chunks.pop(0)
            self._seen.update(chunk.dictionary.to_pylist())
            if len(self._seen) > MAX_DISTINCT:
                raise InvalidTable(f"`{self._name}` has more than {MAX_DISTINCT:,} classes: pool the rare ones")
            yield chunk.cast(pa.string())

    def settle(self, drained: pa.Array) -> pa.Array:
        """Return some of what was drained as labels: bool, int64 or string."""
        labels, encoded = self._read_seen(), drained.dictionary_encode()
        values = [labels[text] for text in encoded.dictionary.to_pylist()]
        return pa.array(values, TYPES[self.kind]).take(encoded.indices)

    def name_kind(self, drained: pa.DataType) -> str:
        """Return what a digest calls the column."""
        return f"label:{self.kind}"

    @property
    def kind(self) -> str:
        """What the labels that were drained are: bool, int or str."""
        first = next(iter(self._read_seen().values()), "")
        return type(first).__name__

    def _read_seen(self) -> dict[str, Label]:
        if not self._labels:
            strings = sorted(self._seen)
            self._labels = dict(zip(strings, read_labels(strings, as_text=self._as_text), strict=True))
        return self._labels


def read_labels(strings: Sequence[str], *, as_text: bool = False) -> list[Label]:
    """Return the label each of a column's distinct strings stands for; `as_text` leaves them as they are."""
    words = [text.strip().lower() for text in strings]
    if as_text or not words:
        return list(strings)
    if all(word in BOOLEANS for word in words):
        return [BOOLEANS[word] for word in words]
    if pc.all(pc.match_substring_regex(pa.array(words), WHOLE)).as_py():
        return [int(word.partition(".")[0]) for word in words]
    return list(strings)


def sort_labels(labels: set[Label]) -> list[Label]:
    """Return labels, all of one type, in their order."""
    return sorted(labels, key=lambda label: (label,))
