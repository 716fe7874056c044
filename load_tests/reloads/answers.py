"""Requests whose answers name the version that gave them, and whether they are that version's."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ekiben.contract.schema import Schema
from ekiben.load_tests.requests.grpc_dialects import (
    OIP_RAW,
    TFS_GRPC,
    ModelInferResponse,
    PredictResponse,
)
from ekiben.load_tests.requests.http_dialects import OIP_BINARY, OIP_JSON, PREDICT, RequestFormat
from ekiben.load_tests.requests.request_case import RequestCase, write_case
from ekiben.model.golden import Golden


def _read_open_inference(answer: bytes) -> str:
    head, _ = json.JSONDecoder().raw_decode(answer.decode("latin-1"))  # tensors may follow raw
    return str(head["model_version"])


READ_VERSION: Mapping[RequestFormat, Callable[[bytes], str]] = {
    PREDICT: lambda answer: str(json.loads(answer)["version"]),
    OIP_JSON: _read_open_inference,
    OIP_BINARY: _read_open_inference,
    OIP_RAW: lambda answer: str(ModelInferResponse.FromString(answer).model_version),
    TFS_GRPC: lambda answer: str(PredictResponse.FromString(answer).model_spec.version.value),
}
FORMATS = tuple(READ_VERSION)


@dataclass
class VersionedCase:
    """One request, and what each version answers."""

    by_version: Mapping[str, RequestCase]
    _known: dict[bytes, str] = field(default_factory=dict)  # right answers, and whose they are

    @property
    def request(self) -> RequestCase:
        """What is sent: it is the same, whichever version answers."""
        return next(iter(self.by_version.values()))

    def find_version(self, answer: bytes) -> str:
        """Return the version that an answer names if it is that one's, else ""."""
        known = self._known.get(answer)
        if known is not None:
            return known
        try:
            version = READ_VERSION[self.request.request_format](answer)
        except (KeyError, TypeError, ValueError):
            return ""
        case = self.by_version.get(version)
        if case is None or not case.is_answered_by(answer):
            return ""
        self._known[answer] = version  # the same rows get the same bits
        return version


def write_cases(
    schema: Schema, answers: Mapping[str, Golden], request_format: RequestFormat, sizes: Sequence[int], count: int
) -> list[VersionedCase]:
    """Return so many requests, of these numbers of rows in turn."""
    return [
        VersionedCase(
            {
                version: write_case(schema, golden, request_format, sizes[first % len(sizes)], first)
                for version, golden in answers.items()
            }
        )
        for first in range(count)
    ]
