import pytest

from ekiben.service.lifecycle.endings import Endings, blame
from ekiben.service.lifecycle.resource_limits import MIB


@pytest.mark.parametrize(
    ("before", "now", "limit", "said"),
    [
        (2, 3, 256 * MIB, "for memory (its limit is 256 MiB)"),
        (2, 2, 256 * MIB, "not for memory (its limit is 256 MiB): the kernel counts no such kill here, so somebody"),
        (None, None, 256 * MIB, "most often for memory (its limit is 256 MiB)"),
        (None, None, None, "most often for memory (it has no limit of its own)"),
    ],
)
def test_a_kill_is_blamed_on_memory_as_surely_as_the_kernel_tells(
    before: int | None, now: int | None, limit: int | None, said: str
) -> None:
    assert blame(before, now, limit).startswith(said)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (3, "ended with exit code 3"),
        (0, "ended with exit code 0"),
        (-11, "was killed by signal 11 (SIGSEGV)"),
        (-40, "was killed by signal 40"),  # a real-time one
    ],
)
def test_other_ends_are_not(code: int, said: str) -> None:
    assert Endings().describe(code) == said
