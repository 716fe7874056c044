"""Which outputs a caller asked for, and the tensors that answer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ekiben.contract.answers import Answers, name_classes, score_classes
from ekiben.contract.errors import FieldError, InvalidInput
from ekiben.contract.schema import Target
from ekiben.contract.tensors import TensorSpec, output_specs, to_tensors
from ekiben.contract.validation import show, suggest
from ekiben.service.protocols.open_inference.datatypes import STRINGS
from ekiben.service.protocols.open_inference.decode import read_flag
from ekiben.service.protocols.open_inference.sources import NO_PARAMETERS

ATTRIBUTIONS, STANDARD_ERRORS, BASE_VALUES = "attributions", "standard_errors", "base_values"
EXPLANATION_OUTPUTS = (ATTRIBUTIONS, STANDARD_ERRORS, BASE_VALUES)  # of requests that ask for explanations


@dataclass(frozen=True)
class RequestedOutput:
    """One output a caller wants; `classes` (0: the tensor itself) is how many of the likeliest to name instead."""

    spec: TensorSpec
    binary: bool = False
    classes: int = 0


class Output(NamedTuple):
    """One tensor of an answer; its values are row-major, an array or a list."""

    name: str
    datatype: str
    shape: list[int]
    values: Any
    parameters: Mapping[str, str] = NO_PARAMETERS


class Selection:
    """Reads which outputs are wanted, and picks them from answers."""

    def __init__(self, target: Target, more: Mapping[TensorSpec, Mapping[str, str]] | None = None) -> None:
        """`more`: tensors besides the target's own, and their parameters."""
        self._target = target
        self._specs = {spec.name: spec for spec in (*output_specs(target), *(more or ()))}
        self._parameters = {spec.name: parameters for spec, parameters in (more or {}).items()}
        # Where the probabilities of all classes can be told from.
        self._classified = {"binary": "probability", "multiclass": "probabilities"}.get(target.task)
        self._classes = name_classes(target)
        self._all = {
            binary: [RequestedOutput(spec, binary) for spec in self._specs.values()] for binary in (False, True)
        }

    def read(self, outputs: Iterable[tuple[Any, Mapping[str, Any]]], binary: bool) -> Sequence[RequestedOutput]:
        """Return the outputs of these names and parameters, or all; `binary` unless a parameter says otherwise."""
        requested: dict[str, RequestedOutput] = {}
        for name, parameters in outputs:
            if name in requested:
                raise InvalidInput(
                    FieldError(None, "outputs", f"{show(name)} is there twice: ask for each output once")
                )
            requested[name] = self._read_one(name, parameters, binary)
        return list(requested.values()) or self._all[binary]

    def _read_one(self, name: Any, parameters: Mapping[str, Any], binary: bool) -> RequestedOutput:
        spec = self._specs.get(name) if isinstance(name, str) else None
        if spec is None:
            near = suggest(name, list(self._specs)) if isinstance(name, str) else ""
            known = "" if near else f": there are {', '.join(self._specs)}"
            if name in EXPLANATION_OUTPUTS:
                near, known = "", ": set the parameter `explain` to true"
            raise InvalidInput(FieldError(None, "outputs", f"{show(name)} is not an output of this model{near}{known}"))
        classes = parameters.get("classification", 0)
        if classes:
            self._check_classes(name, classes)
        return RequestedOutput(spec, read_flag(parameters, "binary_data", binary), classes)

    def _check_classes(self, name: str, classes: Any) -> None:
        if type(classes) is not int or classes < 0:
            sentence = f"parameter `classification`: expected a number of classes, got {show(classes)}"
            raise InvalidInput(FieldError(None, name, sentence))
        if name != self._classified:
            better = f": ask for it of `{self._classified}`" if self._classified else ", whose values are not classes"
            raise InvalidInput(FieldError(None, name, f"there is no classification of this output{better}"))

    def pick(
        self,
        answers: Answers,
        requested: Sequence[RequestedOutput],
        more: Mapping[str, Any] = NO_PARAMETERS,
        target: Target | None = None,
    ) -> list[Output]:
        """Return the tensors asked for, in that order; `more`: the values of those that don't follow from answers.

        `target`: with a threshold of the caller's.
        """
        tensors = to_tensors(target or self._target, answers)
        if more:
            tensors |= more
        rows = len(answers)
        return [
            self._classify(one, answers)
            if one.classes
            else Output(
                one.spec.name,
                one.spec.datatype,
                [rows, one.spec.width or 1],
                tensors[one.spec.name],
                self._parameters.get(one.spec.name, NO_PARAMETERS),
            )
            for one in requested
        ]

    def list_values(self, answers: Answers, requested: Sequence[RequestedOutput]) -> list[Any]:
        """Return the values alone of the tensors asked for, if nothing is to be classified and nothing explained."""
        tensors = to_tensors(self._target, answers)
        return [tensors[one.spec.name] for one in requested]

    def _classify(self, requested: RequestedOutput, answers: Answers) -> Output:
        """Return the likeliest classes as Triton writes them, value:index:label."""
        scores = score_classes(self._target, answers)
        indices = np.argsort(-scores, axis=1, kind="stable")[:, : requested.classes]
        values = np.take_along_axis(scores, indices, axis=1)
        pairs = zip(values.ravel().tolist(), indices.ravel().tolist(), strict=True)
        strings = [f"{value}:{index}:{self._classes[index]}" for value, index in pairs]
        return Output(requested.spec.name, STRINGS, list(indices.shape), strings)


def to_list(values: Any) -> list[Any]:
    """Return an output's values as JSON and typed gRPC fields take them."""
    flat: list[Any] = values.ravel().tolist() if isinstance(values, np.ndarray) else values
    return flat
