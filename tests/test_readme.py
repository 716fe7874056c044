"""What the README says is so: its commands, its settings, its tree; tests/test_examples.py runs its examples."""

import re

from ekiben.service.settings import Settings
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
SETTINGS = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")


def blocks(language: str, text: str = README) -> list[str]:
    """Return a string's code blocks in that language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 150


def test_every_make_target_it_names_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)`|\$ make ([a-z]+)", README))
    assert {one or other for one, other in named} <= targets


def test_every_file_in_the_tree_exists() -> None:
    (tree,) = blocks("text")
    above = ROOT
    for line in tree.splitlines()[1:]:
        depth, name = re.match(r"([│ ]*)[├└]── (\S+)", line).groups()  # type: ignore[union-attr]
        above = ROOT if not depth else above
        assert (above / name).exists(), name
        above = ROOT / name if not depth else above


def test_every_setting_is_listed_with_its_default() -> None:
    for name, field in Settings.model_fields.items():
        assert f"| `{name.upper()}` | {field.default} | {field.description} |" in SETTINGS
    assert SETTINGS.count("\n| `") == len(Settings.model_fields)
