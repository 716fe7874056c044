"""Stores that hold a champion and its challenger."""

import pytest

from tests.conftest import SecondTraining


@pytest.fixture(scope="session")
def stores(second_training: SecondTraining) -> dict[str, str]:
    """Their variables."""
    return second_training.stores
