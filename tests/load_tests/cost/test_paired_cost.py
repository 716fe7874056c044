"""What the row log, counting and a challenger cost is measured beside the same service without them."""

import re

import numpy as np
import pytest

from ekiben.load_tests.cost.paired_cost import Difference, count_outside, find_difference
from ekiben.model.package import PackedModel
from tests.conftest import run

SHORT = (
    "from ekiben.service.shadow import waiting_rows; waiting_rows.MAX_ROWS = 2048; "  # they are filled for each load
    "from ekiben.load_tests.cost import paired_cost, {module} as m; paired_cost.TURNS, m.SETTLE_S = 1, 0.0; "
    "raise SystemExit(m.run(0.05))"
)
RATIO = r"[+-]\d+\.\d% \([+-]\d+\.\d% to [+-]\d+\.\d%\)"
JUDGED = rf"{RATIO} \| (?:yes|no|not known: too much noise)"
LOADS = [
    ("/predict", "1", "64"),
    ("/predict", "64", "16"),
    ("OIP HTTP binary", "1", "64"),
    ("OIP HTTP binary", "64", "16"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "columns"),
    [
        ("row_log_cost", JUDGED),
        ("monitoring_cost", rf"{JUDGED} \| \d+\.\d% \| \d+"),
        ("shadow_cost", rf"{JUDGED} \| \d+% \| \d+%"),
    ],
)
def test_the_table_has_a_line_for_each_load(model: PackedModel, module: str, columns: str) -> None:
    lines = run("-c", SHORT.format(module=module)).stdout.splitlines()
    pattern = rf"\| (\S[^|]*\S) \| (\d+) \| (\d+) \| \d+\.\d \| {RATIO} \| {columns} \|"
    assert [found.groups() for line in lines if (found := re.fullmatch(pattern, line))] == LOADS


def test_the_interval_holds_the_true_median_in_95_of_100_runs() -> None:
    random = np.random.default_rng(1)
    for count in (6, 15, 40):
        found = [find_difference(1 + random.standard_cauchy(count)) for _ in range(2000)]
        held = np.mean([one.low <= 0 <= one.high for one in found])
        assert 0.94 < held < 0.99
    assert (count_outside(1), count_outside(6), count_outside(15)) == (0, 0, 3)


@pytest.mark.parametrize(
    ("low", "high", "said"), [(0.0, 0.03, "yes"), (0.031, 0.04, "no"), (-0.1, 0.2, "not known: too much noise")]
)
def test_the_goal_is_met_or_missed_only_if_the_noise_lets_it_be_known(low: float, high: float, said: str) -> None:
    assert Difference((low + high) / 2, low, high).judge(0.03) == said
