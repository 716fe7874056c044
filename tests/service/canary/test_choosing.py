"""Who gets the candidate: an even share, always the same callers, and all of them again at a larger share."""

import itertools

import pytest

from ekiben.service.canary.choosing import GROUPS, Canary, find_group

CALLERS = [b"caller-%06d" % number for number in range(20_000)]
SHARES = (0.01, 0.1, 0.5, 1.0)


def choose(share: float, champion: str = "2", candidate: str = "3", key: bytes = b"model") -> set[bytes]:
    canary = Canary(champion, candidate, share, key)
    return set(filter(canary.choose, CALLERS))


@pytest.mark.parametrize("share", [0.0, *SHARES])
def test_a_share_is_that_share_of_the_callers(share: float) -> None:
    deviation = (share * (1 - share) / len(CALLERS)) ** 0.5
    assert abs(len(choose(share)) / len(CALLERS) - share) <= 4 * deviation


def test_who_is_in_stays_in_as_the_share_grows() -> None:
    chosen = [choose(share) for share in SHARES]
    assert all(smaller < larger for smaller, larger in itertools.pairwise(chosen))
    assert choose(0.1) == chosen[1]


@pytest.mark.parametrize("other", [{"candidate": "4"}, {"champion": "1"}, {"key": b"another"}])
def test_another_canary_begins_with_others(other: dict[str, str]) -> None:
    both = choose(0.1) & choose(0.1, **other)  # type: ignore[arg-type]
    assert 0.005 < len(both) / len(CALLERS) < 0.015


def test_groups_are_even_among_the_chosen() -> None:
    canary = Canary("2", "3", 0.25, b"model")
    groups = [find_group(canary.place(caller)) for caller in choose(0.25)]
    sizes = [groups.count(group) for group in range(GROUPS)]
    assert min(sizes) > 0.8 * len(groups) / GROUPS
