"""What Locust's users ask: one protocol's questions, in the sizes and proportions of the command line."""

import random
from functools import cache

from ekiben.contract.errors import UserError
from ekiben.load_tests.requests.http_dialects import RequestFormat
from ekiben.load_tests.requests.request_case import RequestCase
from ekiben.load_tests.requests.service_under_test import Source, find_service, find_source

CASES = 100  # of each protocol and size


class TrafficMix:
    """What is asked in one protocol: sizes in their proportions, each question's right answer once it is known."""

    def __init__(self, source: Source, request_format: RequestFormat, sizes: list[int], weights: list[float]) -> None:
        self._weights = weights
        self._questions = [[source.ask(request_format, size, first) for first in range(CASES)] for size in sizes]
        self._answers: dict[int, bytes] = {}

    def draw(self) -> RequestCase:
        """Return one of them."""
        return random.choice(random.choices(self._questions, self._weights)[0])

    def is_right(self, case: RequestCase, answer: bytes) -> bool:
        """Return whether the answer is right; one that was right before is only compared with it, byte by byte."""
        if self._answers.get(id(case)) == answer:
            return True
        if case.wanted is None and id(case) in self._answers:
            return False
        if not case.is_answered_by(answer):
            return False
        self._answers[id(case)] = answer
        return True


@cache
def read_source(host: str) -> Source:
    """Return the rows for a service, once a process."""
    return find_source(find_service(host))


@cache
def write_mix(host: str, request_format: RequestFormat, sizes: str, weights: str) -> TrafficMix:
    """Return a protocol's questions, once a process."""
    counts, shares = read_numbers(sizes, "--row-sizes"), read_numbers(weights, "--row-weights")
    if len(counts) != len(shares) or not sum(shares) or not all(count >= 1 for count in counts):
        raise UserError(f"--row-sizes {sizes} and --row-weights {weights}: expected as many of either, sizes above 0")
    return TrafficMix(read_source(host), request_format, [int(count) for count in counts], shares)


def read_numbers(text: str, option: str) -> list[float]:
    """Return a list of numbers; raise UserError if one is none."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = [-1.0]
    if min(numbers) < 0:
        raise UserError(f"{option} {text!r}: expected numbers with commas between them")
    return numbers
