"""The line of a request: whatever its caller made of it, it is one line, and a short one."""

import logging

import pytest

from ekiben.service.logs.access import MAX_PATH_BYTES, AccessLog, Asked
from ekiben.service.logs.json_lines import MAX_LINE_BYTES, format_record


@pytest.mark.parametrize("byte", [b"a", b"\n", b"\x1b", b"\xff"])
def test_a_line_holds_a_part_of_a_long_path(caplog: pytest.LogCaptureFixture, byte: bytes) -> None:
    asked = Asked("predict", "POST", b"/" + 30_000 * byte, b"r1", 30_000 * byte)
    with caplog.at_level(logging.INFO):
        AccessLog(1).write(asked, 500, 0.1, {"rows": 1})
    (record,) = caplog.records
    text = record.getMessage()
    assert text.isprintable()
    assert len(text) < 6 * MAX_PATH_BYTES
    assert len(format_record(record)) <= MAX_LINE_BYTES
