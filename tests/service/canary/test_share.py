"""The share that a call names: a number from 0 to 1, whatever else is sent."""

from typing import Any

import pytest

from ekiben.service.canary.protocol import read_share
from ekiben.service.errors import BadRequest


@pytest.mark.parametrize(("given", "share"), [(None, None), (0, 0.0), (1, 1.0), (0.1, 0.1), ("0.25", 0.25)])
def test_a_share_is_read(given: Any, share: float | None) -> None:
    assert read_share({"share": given}) == share


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (10**400, "a huge integer"),
        (-(10**400), "a huge integer"),
        (1.5, "1.5"),
        (float("nan"), "nan"),
        ("1e400", "'1e400'"),
        (True, "true"),
        ([1], "a list"),
        ("x", "'x'"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_is_no_share_is_one_sentence(given: Any, shown: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read_share({"share": given})
    assert caught.value.status == 400
    assert str(caught.value) == f"`share`: expected a number from 0 (nobody) to 1 (everyone), got {shown}"
