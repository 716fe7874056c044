"""What a challenger in the shadow costs is measured beside the same service without one."""

import re

import pytest

from ekiben.model.package import PackedModel
from tests.conftest import run

SHORT = (
    "from ekiben.load_tests import shadow_cost as m; from ekiben.service.shadow import waiting_rows as w; m.TURNS = 1; "
    "w.MAX_ROWS = w.CHUNK_ROWS; raise SystemExit(m.run(0.05))"
)


@pytest.mark.slow
def test_the_table_has_a_line_for_each_load_busy_and_half_busy(model: PackedModel) -> None:
    lines = run("-c", SHORT).stdout.splitlines()
    ratio = r"[+-]\d+\.\d% \([+-]\d+\.\d to [+-]\d+\.\d\)"
    line_of = re.compile(rf"\| (\d+) \| \d+ \| ((?:half )?busy) \| \d+\.\d( \| {ratio}){{2}} \| (\d+)% \|")
    found = [matched.groups()[:2] for line in lines if (matched := line_of.fullmatch(line))]
    assert found == [("1", "busy"), ("1", "half busy"), ("64", "busy"), ("64", "half busy")]
