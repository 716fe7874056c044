"""What is held back from standard error as an engine starts: LiteRT's note, and nothing else."""

import os

import pytest

from ekiben.model.engine_notes import NOTE, STDERR, drop_engine_notes
from ekiben.model.package import PackedModel


def test_only_the_note_is_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    with drop_engine_notes():
        os.write(STDERR, b"ERROR: one\n" + NOTE + b"\nERROR: two")
    assert capfd.readouterr().err == "ERROR: one\nERROR: two"


def test_what_was_said_before_an_error_is_not_lost(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="invalid literal"), drop_engine_notes():
        int(chr(os.write(STDERR, b"ERROR: why\n")))
    os.write(STDERR, b"after\n")
    assert capfd.readouterr().err == "ERROR: why\nafter\n"


@pytest.mark.slow
def test_an_engine_starts_without_a_note(capfd: pytest.CaptureFixture[str], model: PackedModel) -> None:
    model.start_engine()
    assert capfd.readouterr().err == ""
