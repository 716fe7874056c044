"""What a label, as it was given, is of the target: the position of a class, or a number."""

import json
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ekiben.contract.answers import name_classes
from ekiben.contract.feature import FALSE, TRUE
from ekiben.contract.schema import Target
from ekiben.contract.spellings.spelling import Spelling
from ekiben.contract.validation import show
from ekiben.training.tables.conversion import convert_exactly, to_plain
from ekiben.training.tables.labels import WHOLE
from ekiben.training.tables.strings import has_text, to_strings
from ekiben.training.truth.folder import InvalidLog
from ekiben.training.wording import count

NO_CLASS = -1
MAX_CLASSES_SHOWN = 10
Reader = Callable[[pa.Array], tuple[NDArray[np.float64], NDArray[np.bool_]]]  # values, and which of them are wrong


class WrongLabels:
    """Counts labels that are none of the target's, and remembers the first."""

    def __init__(self) -> None:
        self.rows = 0
        self.first = ""

    def add(self, raw: pa.Array, is_wrong: NDArray[np.bool_]) -> None:
        """Count those of a block."""
        if is_wrong.any() and not self.rows:
            self.first = show(str(raw[int(is_wrong.argmax())].as_py()))
        self.rows += int(is_wrong.sum())

    def describe(self, target: Target) -> list[str]:
        """Return a sentence if there are any."""
        if not self.rows:
            return []
        classes = ", ".join(name_classes(target)[:MAX_CLASSES_SHOWN])
        wanted = "a number" if target.task == "regression" else f"one of {classes}"
        return [f"{count(self.rows, 'label')} left out: expected {wanted}, got {self.first}"]


def choose_reader(target: Target, spelling: Spelling) -> Reader:
    """Return what reads the labels of a target; numbers are written as `spelling` has it."""
    return _number_reader(spelling) if target.task == "regression" else _class_reader(target, spelling.null)


def _number_reader(spelling: Spelling) -> Reader:
    def read(raw: pa.Array) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        values = convert_exactly(raw, "number", spelling).values.fill_null(np.nan).to_numpy(zero_copy_only=False)
        return values, ~np.isfinite(values)

    return read


def _class_reader(target: Target, null: Sequence[str]) -> Reader:
    known: dict[str, int] = {}

    def read(raw: pa.Array) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        plain = to_plain(raw, null)
        if not has_text(plain.type):
            raise InvalidLog(
                f"a column of labels holds {plain.type}: a label is true or false, a whole number or a string"
            )
        strings = to_strings(plain).dictionary_encode()
        given = strings.dictionary.to_pylist()
        known.update((text, find_class(target, text)) for text in given if text not in known)
        codes = [known[text] for text in given]
        indices = strings.indices.fill_null(len(codes)).to_numpy()
        values = np.array([*codes, NO_CLASS], np.float64)[indices]
        return values, values == NO_CLASS

    return read


def find_class(target: Target, text: str) -> int:
    """Return the position of the class that a string means, or NO_CLASS; JSON's quotes are no part of it."""
    names = name_classes(target)
    for spelled in (text, _unquote(text)):
        word = spelled.lower()
        if spelled in names:
            return names.index(spelled)
        if isinstance(target.classes[0], bool) and word in (*TRUE, *FALSE):
            return names.index(str(word in TRUE).lower())
        if isinstance(target.classes[0], int) and pc.match_substring_regex(pa.scalar(word), WHOLE).as_py():
            whole = str(int(word.partition(".")[0]))
            return names.index(whole) if whole in names else NO_CLASS
    return NO_CLASS


def _unquote(text: str) -> str:
    try:
        read = json.loads(text) if text[:1] == '"' else text
    except ValueError:
        return text
    return read if isinstance(read, str) else text


def write_labels(target: Target, values: np.ndarray) -> pa.Array:
    """Return labels as a table has them: numbers, or the classes in their type."""
    if target.task == "regression":
        return pa.array(values)
    return pa.array(list(target.classes)).take(pa.array(values.astype(np.int64)))
