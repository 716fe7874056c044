"""The budget of request bodies under way."""

from ekiben.service.connections.byte_budget import EXPANSION, MAX_LIMIT_BYTES, ByteBudget, find_byte_limit
from ekiben.service.lifecycle.resource_limits import MIB, Limits


def test_bytes_can_be_taken_up_to_the_limit_and_again_once_given_back() -> None:
    budget = ByteBudget(100)
    assert budget.take(60)
    assert not budget.take(41)
    assert budget.take(40)
    budget.give(60)
    assert budget.taken == 40
    assert budget.take(60)


def test_the_limit_follows_the_containers_memory() -> None:
    given = find_byte_limit(Limits(memory_bytes=660 * MIB), 1, "litert", 8 * MIB)
    assert given == (660 - 120 - 180) * MIB // EXPANSION
    assert find_byte_limit(Limits(memory_bytes=1020 * MIB), 2, "litert", 8 * MIB) == (450 - 180) * MIB // EXPANSION


def test_the_largest_body_fits_into_any_container_and_plenty_has_an_end() -> None:
    assert find_byte_limit(Limits(memory_bytes=200 * MIB), 1, "tensorflow", 8 * MIB) == 8 * MIB
    assert find_byte_limit(Limits(memory_bytes=2**40), 1, "litert", 8 * MIB) == MAX_LIMIT_BYTES


def test_without_a_limit_the_machines_memory_counts() -> None:
    assert 8 * MIB <= find_byte_limit(Limits(), 1, "litert", 8 * MIB) <= MAX_LIMIT_BYTES
