"""What counting costs is measured beside two services that don't count."""

import re

import pytest

from ekiben.model.package import PackedModel
from tests.conftest import run

SHORT = (
    "from ekiben.load_tests import monitoring_cost as m; m.TURNS, m.ROUNDS, m.SETTLE_S = 1, 1, 0.0; "
    "raise SystemExit(m.run(0.05))"
)


@pytest.mark.slow
def test_the_table_has_a_line_for_each_load(model: PackedModel) -> None:
    lines = run("-c", SHORT).stdout.splitlines()
    ratio = r"[+-]\d+\.\d% \([+-]\d+\.\d to [+-]\d+\.\d\)"
    pattern = rf"\| (\d+) \| (\d+) \| \d+\.\d \| {ratio} \| {ratio} \| \d+\.\d% \| \d+ \|"
    loads = [re.fullmatch(pattern, line) for line in lines]
    assert [found.groups() for found in loads if found] == [("1", "64"), ("64", "16")]
