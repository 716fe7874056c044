"""What a server is asked: some of the model's golden rows in a protocol, and whether an answer is right."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ekiben.contract.schema import Schema
from ekiben.contract.tensors import to_tensors
from ekiben.load_tests.requests.http_dialects import Headers, RequestFormat
from ekiben.load_tests.requests.tensors import Rows
from ekiben.model.golden import Golden

TOLERANCE = 1e-5


@dataclass(frozen=True)
class RequestCase:
    """One request and what its answer must hold."""

    request_format: RequestFormat
    path: str
    headers: Headers
    body: bytes
    output: str  # the one that is looked at
    wanted: Sequence[float] | None  # None: not known

    def is_answered_by(self, answer: bytes) -> bool:
        """Return whether the answer has what the model gave in training; if that isn't known, any will do."""
        if self.wanted is None:
            return True
        try:
            given = self.request_format.read(answer, self.output)
        except (KeyError, ValueError, TypeError):
            return False
        return len(given) == len(self.wanted) and np.allclose(given, self.wanted, rtol=0, atol=TOLERANCE)


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
    return RequestCase(request_format, request_format.path.format(model=schema.name), headers, body, output, wanted)
