"""What the row log costs is measured beside the same service without it."""

import re

import pytest

from ekiben.model.package import PackedModel
from tests.conftest import run

SHORT = "from ekiben.load_tests import row_log_cost as m; m.TURNS = 1; raise SystemExit(m.run(0.05))"


@pytest.mark.slow
def test_the_table_has_a_line_for_each_load(model: PackedModel) -> None:
    lines = run("-c", SHORT).stdout.splitlines()
    ratio = r"[+-]\d+\.\d% \([+-]\d+\.\d to [+-]\d+\.\d\)"
    loads = [re.fullmatch(rf"\| (\d+) \| (\d+) \| \d+\.\d( \| {ratio}){{3}} \|", line) for line in lines]
    assert [found.groups()[:2] for found in loads if found] == [("1", "64"), ("64", "16")]
