"""provenance.json is an in-toto statement, and what is none is rejected in one sentence."""

import json
from pathlib import Path
from typing import Any

import pytest

from ekiben.model import provenance
from ekiben.model.provenance import InvalidProvenance, Provenance, load_provenance
from tests.statement import STATEMENT


def change(path: str, value: Any) -> str:
    """Return the statement with another value at a path."""
    changed = json.loads(json.dumps(STATEMENT))
    *keys, last = path.split(".")
    part = changed
    for key in keys:
        part = part[int(key)] if key.isdigit() else part[key]
    part[last] = value
    return json.dumps(changed)


def test_what_is_saved_is_read_again_and_is_a_statement(tmp_path: Path) -> None:
    statement = Provenance.model_validate(STATEMENT)
    statement.save(tmp_path / "provenance.json")
    assert load_provenance(tmp_path / "provenance.json") == statement
    written = json.loads((tmp_path / "provenance.json").read_text())
    assert (written["_type"], written["predicateType"]) == (STATEMENT["_type"], STATEMENT["predicateType"])
    assert written["subject"] == STATEMENT["subject"]
    assert statement.files == {"model.tflite": "ab" * 32}


def test_features_keep_their_order(tmp_path: Path) -> None:
    Provenance.model_validate(STATEMENT).save(tmp_path / "provenance.json")
    assert list(load_provenance(tmp_path / "provenance.json").definition.problem["features"]) == [
        "size",
        "colour",
        "age",
    ]


def test_what_a_newer_version_adds_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "provenance.json").write_text(change("predicate.definition.data.colour", "blue"))
    assert load_provenance(tmp_path / "provenance.json") == Provenance.model_validate(STATEMENT)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "invalid JSON"),
        (change("_type", "https://in-toto.io/Statement/v0.1"), "`_type`"),
        (change("predicateType", "https://slsa.dev/provenance/v1"), "`predicateType`"),
        (change("subject", []), "`subject`"),
        (change("subject.0.digest.sha256", "abc"), "`subject.0.digest.sha256`"),
        (change("subject.0.name", "../outside"), "a file outside the package"),
        (change("predicate.run.id", None), "`predicate.run.id`"),
    ],
)
def test_what_is_no_statement_is_rejected(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "provenance.json").write_text(text)
    with pytest.raises(InvalidProvenance, match="is not a provenance statement") as caught:
        load_provenance(tmp_path / "provenance.json")
    assert sentence in str(caught.value)


def test_a_file_that_is_gone_or_too_large_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidProvenance, match=r"provenance\.json can't be read \(No such file or directory\)"):
        load_provenance(tmp_path / "provenance.json")
    (tmp_path / "provenance.json").write_text(json.dumps(STATEMENT))
    monkeypatch.setattr(provenance, "MAX_BYTES", 100)
    with pytest.raises(InvalidProvenance, match="has more than 0 MB"):
        load_provenance(tmp_path / "provenance.json")
