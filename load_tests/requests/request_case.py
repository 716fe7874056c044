"""What a server is asked: some of the model's golden rows in a protocol, and whether an answer is right."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ekiben.contract.schema import Schema, Target
from ekiben.contract.tensors import to_tensors
from ekiben.load_tests.requests.http_dialects import Headers, RequestFormat
from ekiben.load_tests.requests.tensors import Rows
from ekiben.model.golden import MAX_GOLDEN_DIFFERENCE, Golden, measure_difference


@dataclass(frozen=True)
class RequestCase:
    """One request and what its answer must hold."""

    request_format: RequestFormat
    path: str
    headers: Headers
    body: bytes
    output: str  # the one that is looked at
    wanted: Sequence[float] | None  # None: not known
    target: Target | None = None  # whose answers are wanted

    def is_answered_by(self, answer: bytes) -> bool:
        """Return whether the answer has what the model gave in training; if that isn't known, any will do."""
        if self.wanted is None or self.target is None:
            return True
        try:
            given, wanted = np.array(self.request_format.read(answer, self.output)), np.array(self.wanted)
        except (KeyError, ValueError, TypeError):
            return False
        same_shape = given.shape == wanted.shape
        return same_shape and measure_difference(self.target, given, wanted) <= MAX_GOLDEN_DIFFERENCE


def write_case(
    schema: Schema, source: Golden | Rows, request_format: RequestFormat, size: int, first: int = 0
) -> RequestCase:
    """Return a question of that many rows, from the first on and then round; golden ones have answers."""
    rows = source.rows if isinstance(source, Golden) else source
    indices = [(first + index) % len(rows) for index in range(size)]
    headers, body = request_format.encode(schema, [rows[index] for index in indices])
    output = "value" if schema.target.task == "regression" else "probability"
    wanted = None
    if isinstance(source, Golden):
        wanted = to_tensors(schema.target, np.array(source.answers, np.float32)[indices])[output]
    path = request_format.path.format(model=schema.name)
    return RequestCase(request_format, path, headers, body, output, wanted, schema.target)
