"""The same rows get the same answers in every protocol, to the bit, whoever else asks at the same time."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from ekiben.load_tests.cost.request_cost import FORMATS
from ekiben.load_tests.requests.http_dialects import PREDICT, RequestFormat
from ekiben.load_tests.requests.request_case import write_case
from ekiben.service.protocols.protocol import Call
from tests.fuzz.service import SCHEMA, TIMEOUT_S, Service

TOGETHER = 5  # requests of each protocol
VALUES: Mapping[str, Sequence[Any]] = {
    "x": (None, 1.5, -0.0, 7, 0.1),
    "city with spaces": ("a", "b", None, "never seen"),
    "code": (1, 2),
    "yes": (True, False, None),
    "时间": ("2024-02-03T04:05:06Z", "2024-12-31T23:59:59Z", None),
}


@pytest.mark.parametrize("size", [1, 15, 16, 64])
def test_answers_are_equal_to_the_bit_in_every_protocol(size: int) -> None:
    chance = random.Random(size)
    rows = [{name: chance.choice(values) for name, values in VALUES.items()} for _ in range(size + TOGETHER)]
    answered = asyncio.run(ask_all(rows, size))
    for first in range(TOGETHER):
        wanted = answered[PREDICT.name, first]
        assert len(wanted) == 4 * size
        assert {name: answered[name, first] for name in (one.name for one in FORMATS)} == {
            one.name: wanted for one in FORMATS
        }
    assert len(set(answered.values())) == TOGETHER


async def ask_all(rows: list[dict[str, Any]], size: int) -> dict[tuple[str, int], bytes]:
    """Return the bits of each answer: all requests arrive together, those of one protocol among the others'."""
    service = Service()
    asked = [(request_format, first) for first in range(TOGETHER) for request_format in FORMATS]
    answers = await asyncio.gather(*[ask(service, one, rows[first : first + size]) for one, first in asked])
    return {(one.name, first): answer for (one, first), answer in zip(asked, answers, strict=True)}


async def ask(service: Service, request_format: RequestFormat, rows: list[dict[str, Any]]) -> bytes:
    case = write_case(SCHEMA, rows, request_format, len(rows))
    if request_format.grpc:
        method = service.methods[case.path[1:]]
        answered = await method.answer(method.request.FromString(case.body), Call(TIMEOUT_S))
        answer = answered.SerializeToString()
    else:
        status, answer = await service.post(case.path, dict(case.headers), case.body)
        assert status == 200, answer
    return np.array(request_format.read(answer, "probability"), np.float32).tobytes()
