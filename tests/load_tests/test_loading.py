"""What loading costs is measured beside the same service without it."""

import re

import pytest

from ekiben.model.package import PackedModel
from tests.conftest import run

SHORT = "from ekiben.load_tests.reloads import stalls as m; m.LOADS = m.ENGINES = 2; raise SystemExit(m.run())"


@pytest.mark.slow
def test_the_tables_have_a_line_for_each_part(model: PackedModel) -> None:
    printed = run("-c", SHORT).stdout
    names = re.findall(r"^\| ([^|]+?) \|(?: \d+ \|)?(?: \d+\.\d+ \|){1,6}$", printed, re.MULTILINE)
    assert names == [
        *("files' digests, schema", "engine, golden answers", "warm-up"),
        *("nothing is loaded", "a version is loaded"),
        *("loaded and warm", "after batches of every size"),
    ]
