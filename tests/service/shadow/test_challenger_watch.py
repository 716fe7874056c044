"""A store whose challenger can't be read is one warning, and is looked at again."""

from pathlib import Path

import pytest

from ekiben.service.shadow import challenger_watch
from ekiben.service.shadow.challenger_watch import Finder


def test_a_damaged_challenger_is_said_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "models" / "shop").mkdir(parents=True)
    monkeypatch.setattr(challenger_watch, "find_home", lambda: tmp_path)
    caplog.set_level("WARNING", "bentoml.service")
    caplog.clear()
    monkeypatch.setattr(challenger_watch.logger, "propagate", True)

    def read(name: str, version: str) -> None:
        raise KeyError("labels")

    monkeypatch.setattr(challenger_watch, "find_challenger", read)
    finder = Finder()
    assert [finder.find("shop"), finder.find("shop")] == ["", ""]
    assert [one.getMessage() for one in caplog.records] == ["shop: the challenger can't be read (KeyError: 'labels')"]

    monkeypatch.setattr(challenger_watch, "find_challenger", lambda name, version: object())
    monkeypatch.setattr(challenger_watch, "read_digest", lambda stored: "abc")
    assert finder.find("shop") == "abc"
