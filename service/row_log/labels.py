"""Labels as callers send them, and what the model's target lets them be."""

import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from ekiben.contract.errors import FieldError, InvalidInput
from ekiben.contract.schema import Target
from ekiben.contract.validation import MAX_FIELD_ERRORS, shorten, show
from ekiben.service.errors import BadRequest
from ekiben.service.http.json_parsing import parse_json
from ekiben.service.prediction_ids import MAX_ID_BYTES

MAX_LABELED_BYTES = MAX_ID_BYTES + len("/19999")  # a row's id
FORMS = '{"id": …, "label": …}, a list of these, or {"labels": [...]}'
LISTED_CLASSES = 20
Kept = str | float  # a class as JSON, or a number


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels of one request; an id is in it once."""

    ids: list[str]
    values: list[Kept]
    given: int  # how many the caller sent

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of the labels of a request."""

    added: int  # kept now
    known: int  # the same as before, or replaced by another in the request
    unknown: int  # of those added: no row of that id was logged here
    late: int  # of those added: their rows are older than this process remembers


Keep = Callable[[Labels], Awaitable[Receipt]]  # raises Overloaded or BadRequest if that can't be done


class LabelReader:
    """Reads the labels of one target's predictions."""

    def __init__(self, target: Target, max_labels: int) -> None:
        self._target = target
        self._max_labels = max_labels
        self._texts = {(type(one), one): orjson.dumps(one).decode() for one in target.classes}
        listed = ", ".join(map(show, target.classes[:LISTED_CLASSES])) + (
            "…" if len(target.classes) > LISTED_CLASSES else ""
        )
        self._expected = f"expected one of {listed}" if target.classes else "expected a finite number"

    def read_body(self, body: bytes) -> Labels:
        """Return the labels of a JSON body; raise BadRequest or InvalidInput."""
        content = parse_json(body)
        if isinstance(content, dict):
            content = content["labels"] if content.keys() == {"labels"} else [content]
        if not isinstance(content, list):
            raise BadRequest(400, f"expected {FORMS}, got {show(content)}")
        for index, one in enumerate(content):
            if not isinstance(one, dict) or one.keys() != {"id", "label"}:
                raise InvalidInput(
                    FieldError(index, None, f'expected {{"id": …, "label": …}}, got {_show_fields(one)}')
                )
        return self.read([(one["id"], one["label"]) for one in content])

    def read(self, pairs: Sequence[tuple[Any, Any]]) -> Labels:
        """Return labels by their ids, of an id the last; raise BadRequest if they are too many, or InvalidInput."""
        if not pairs:
            raise BadRequest(400, f"there are no labels: send {FORMS}")
        if len(pairs) > self._max_labels:
            more = f"{len(pairs)} labels are more than {self._max_labels}"
            raise BadRequest(413, f"{more}: send them in several requests")
        kept: dict[str, Kept] = {}
        wrong: list[tuple[int, Any, Any]] = []
        for index, (one, label) in enumerate(pairs):
            value = self._convert(label)
            if value is None or not _is_id(one):
                wrong.append((index, one, label))
            else:
                kept[one] = value
        if wrong:
            raise InvalidInput(*islice(self._name_errors(wrong), MAX_FIELD_ERRORS))
        return Labels(list(kept), list(kept.values()), len(pairs))

    def _convert(self, label: Any) -> Kept | None:
        """Return a label as it is kept, None if it is no label of this target."""
        kind = type(label)
        if self._target.task == "regression":
            return float(label) if kind in (int, float) and _is_finite(label) else None
        text = self._texts.get((kind, label)) if kind in (bool, int, str) else None
        if text is None and kind is float and label.is_integer():  # pandas writes whole numbers so beside missing ones
            text = self._texts.get((int, int(label)))
        return text

    def _name_errors(self, wrong: Sequence[tuple[int, Any, Any]]) -> Iterator[FieldError]:
        for index, one, label in wrong:
            if not _is_id(one):
                yield FieldError(
                    index, "id", f"expected an answer's id, up to {MAX_LABELED_BYTES} characters, got {show(one)}"
                )
            if self._convert(label) is None:
                yield FieldError(index, "label", f"{self._expected}, got {show(label)}")


def _is_id(given: Any) -> bool:
    return isinstance(given, str) and 0 < len(given) <= MAX_LABELED_BYTES and given.isascii() and given.isprintable()


def _is_finite(number: int | float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # a whole number beyond any float
        return False


def _show_fields(one: Any) -> str:
    if not isinstance(one, dict):
        return show(one)
    return "an object with " + (shorten(", ".join(f"`{name}`" for name in one)) or "no field")
