"""tf.Example: rows as classify and regress take them, and the answers of both."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ekiben.contract.answers import Answers, name_classes, score_classes
from ekiben.contract.columns import Rows
from ekiben.contract.errors import FieldError, InvalidInput
from ekiben.contract.schema import Schema, Target, Task
from ekiben.contract.tensor_decoding import TensorDecoder
from ekiben.contract.validation import no_rows, shorten, show, validate_names
from ekiben.service.errors import BadRequest
from ekiben.service.grpc.message_parsing import MAX_MESSAGES, parse
from ekiben.service.protos import message

TASKS: Mapping[str, tuple[Task, ...]] = {"classify": ("binary", "multiclass"), "regress": ("regression",)}
Example = message("tensorflow.Example")
ROWS_BETWEEN_CHECKS = 256  # of the time: 20 ms
MAX_VALUES = 100  # that are read of a feature, whose right number is one


def check_task(target: Target, call: str) -> None:
    """Raise BadRequest if the call, `classify` or `regress`, doesn't fit what is predicted."""
    if target.task not in TASKS[call]:
        other = next(name for name, tasks in TASKS.items() if target.task in tasks)
        raise BadRequest(400, f"{call} does not fit this model, whose task is {target.task}: use {other} or predict")


class ExampleReader:
    """Turns examples into rows; an absent feature is null where that is allowed: tf.Example has no null."""

    def __init__(self, schema: Schema, check_count: Callable[[int], None], ignore: bool = False) -> None:
        """`ignore`: the context may have unknown fields."""
        self._schema = schema
        self._ignore = ignore
        self._reader = TensorDecoder(schema)
        self._check_count = check_count
        self._blank: Mapping[str, Any] = {
            feature.name: None for feature in schema.features if feature.nullable and not feature.optional
        }

    def read(self, examples: Any, context: Any = None, nans: bool = False) -> Rows:
        """Return the rows of examples, which win over the context they share."""
        if not isinstance(examples, list):
            raise InvalidInput(FieldError(None, "examples", f"expected a list of objects, got {show(examples)}"))
        if not examples:
            raise no_rows("examples")
        if not isinstance(context, dict | None):
            raise InvalidInput(FieldError(None, "context", f"expected an object of features, got {show(context)}"))
        self._check_count(len(examples))  # before each gets a copy of the context
        if not self._ignore:
            validate_names(self._schema, context or ())
        shared = {**self._blank, **(context or {})}
        merged = [{**shared, **example} if isinstance(example, dict) else example for example in examples]
        return self._reader.read_rows(list(map(_empty_to_null, merged)), nans)

    def read_messages(self, given: Any, check_time: Callable[[], object] = lambda: None) -> Rows:
        """Return the rows of a message `ekiben.Input`; `check_time` may stop that, which takes 80 µs a row."""
        kind = given.WhichOneof("kind")
        if kind is None:
            raise BadRequest(400, "the request has no examples: set input.example_list")
        listed = getattr(given, kind)
        self._check_count(len(listed.examples))
        examples = []
        for index, example in enumerate(listed.examples):
            if index % ROWS_BETWEEN_CHECKS == 0:
                check_time()
            examples.append(_read_message(index, example))
        context = _read_message(None, listed.context) if kind == "example_list_with_context" else None
        return self.read(examples, context, nans=True)


def _empty_to_null(row: Any) -> Any:
    if isinstance(row, dict) and [] in row.values():
        return {name: None if value == [] else value for name, value in row.items()}
    return row


def _read_message(index: int | None, content: bytes) -> dict[str, Any]:
    features = parse(Example, content, MAX_MESSAGES).features.feature
    return {name: _read_feature(index, name, feature) for name, feature in features.items()}


def _read_feature(index: int | None, name: str, feature: Any) -> list[Any]:
    kind = feature.WhichOneof("kind")
    values = [] if kind is None else getattr(feature, kind).value[:MAX_VALUES]
    if kind != "bytes_list":
        return values
    try:
        return [value.decode() for value in values]
    except UnicodeDecodeError:
        raise InvalidInput(FieldError(index, shorten(name), "expected text in UTF-8, got other bytes")) from None


def to_classifications(target: Target, answers: Answers) -> Iterable[list[tuple[str, float]]]:
    """Return the classes with their scores for each row."""
    names = name_classes(target)
    return [list(zip(names, scores, strict=True)) for scores in score_classes(target, answers).tolist()]


def to_regressions(answers: Answers) -> list[float]:
    """Return the expected value for each row."""
    values: list[float] = answers[:, 0].tolist()
    return values
