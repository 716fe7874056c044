"""The notebooks: the flights' claims hold, and any table gets one, whatever is in it."""

import html
import io
import json
import os
import re
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from IPython.display import HTML, Image, Markdown

from ekiben.commands.__main__ import main
from ekiben.contract.errors import InvalidTable
from ekiben.training.exploring import quiet, showing
from ekiben.training.exploring.explore import write_script
from ekiben.training.exploring.looking import look_at
from ekiben.training.exploring.notebook import NotebookFailed, run_notebook
from ekiben.training.exploring.showing import to_html
from ekiben.training.sources import find_source
from tests.conftest import ROOT, run

ROWS = 200
CHANCE = np.random.default_rng(0)
SCRIPT, MARKUP, PERSIAN = "<script>alert(1)</script>", "`x` **b** $a_b$ \"'", "قیمت 🛗"


@dataclass
class Seen:
    """What a notebook showed, and the names it left."""

    shown: list[Any]
    names: dict[str, Any] = field(default_factory=dict)
    printed: str = ""

    def pictures(self) -> list[str]:
        """The titles of the charts."""
        return [one.alt for one in self.shown if isinstance(one, Image)]

    def text(self) -> str:
        """The sentences and tables."""
        return "\n".join(str(one.data) for one in self.shown if isinstance(one, Markdown | HTML))


Explore = Callable[..., Seen]


@pytest.fixture
def explore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Explore:
    """Run the script for a table in this process, where what is heavy is loaded already."""

    def make(table: pd.DataFrame, target: str | None = None) -> Seen:
        seen = Seen([])
        monkeypatch.setattr(quiet, "begin", lambda: None)
        monkeypatch.setattr(showing, "display", seen.shown.append)
        table.to_csv(tmp_path / "shop.csv", index=False)
        script = write_script("shop", find_source(str(tmp_path / "shop.csv"), None), target, None, tmp_path)
        monkeypatch.chdir(tmp_path)
        with redirect_stdout(io.StringIO()) as output:
            exec(compile(script, "shop.py", "exec"), seen.names)
        seen.printed = output.getvalue()
        return seen

    return make


def made_table(rows: int = ROWS) -> pd.DataFrame:
    """A table whose names and values are markup, and whose target follows a column."""
    price = CHANCE.normal(size=rows)
    return pd.DataFrame(
        {
            SCRIPT: price.round(3),
            MARKUP: CHANCE.choice(["<b>hi</b>", "& $x$", "\n# %% [markdown]"], rows),
            PERSIAN: np.where(CHANCE.random(rows) < 0.3, None, CHANCE.normal(size=rows)),
            "'''\"\\": np.where(price + CHANCE.normal(0, 0.3, rows) > 0, "<i>yes", "no"),
        }
    )


@pytest.mark.slow
def test_the_claims_about_the_flights_hold(tmp_path: Path) -> None:
    before = sorted((ROOT / "notebooks").iterdir())
    run("-m", "ekiben.training.exploring", "notebooks/explore.py", str(tmp_path), EKIBEN_HOME=str(tmp_path / "home"))
    notebook = json.loads((tmp_path / "explore.ipynb").read_text(encoding="utf-8"))
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 6
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    written = json.dumps(notebook)
    assert str(tmp_path) not in written
    assert str(ROOT) not in written
    assert not (tmp_path / "home").exists()  # no run, no model
    assert sorted((ROOT / "notebooks").iterdir()) == before
    check_page((tmp_path / "explore.html").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_a_table_of_markup_becomes_a_page_without_any(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_table().to_csv(tmp_path / "shop.csv", index=False)
    asked = ["explore", str(tmp_path / "shop.csv"), "-o", str(tmp_path / "seen")]
    assert main(asked) == 0
    assert sorted(file.name for file in (tmp_path / "seen").iterdir()) == ["shop.html", "shop.ipynb", "shop.py"]
    page = (tmp_path / "seen" / "shop.html").read_text(encoding="utf-8")
    check_page(page)
    assert html.escape(SCRIPT) in page
    assert PERSIAN in page
    capsys.readouterr()
    assert main(asked) == 2
    assert "shop.py is there already: add --force to write over it" in capsys.readouterr().err


def check_page(page: str) -> None:
    """A page without scripts, that loads nothing and shows no markup of a table's."""
    assert "<script" not in page.lower()
    assert "default-src 'none'" in page
    assert 'alt="Missing values, ' in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]+"', page)
    assert "<b>hi</b>" not in page


def test_a_target_gets_every_section(explore: Explore) -> None:
    table = made_table()
    seen = explore(table, "'''\"\\")
    assert seen.names["table"].trouble == ""
    assert any(title.startswith("What each column alone says of") for title in seen.pictures())
    assert any(title.startswith("What is lost without a feature") for title in seen.pictures())
    assert "Missing values, 200 rows" in seen.pictures()
    assert "No column says when" in seen.text()
    assert seen.names["features"]["feature"][0] == SCRIPT
    assert 'task = "binary"' in seen.printed
    assert "test rows:\n  auc" in seen.printed


def test_without_a_target_there_is_no_model(explore: Explore) -> None:
    seen = explore(made_table())
    assert len(seen.pictures()) == 2
    assert "model" not in seen.names
    assert "<b>" not in seen.text()
    assert "<script" not in seen.text()


@pytest.mark.parametrize(
    ("table", "target", "sentence"),
    [
        (pd.DataFrame({"a": [1], "b": ["x"]}), "a", "the table has 1 row with a `a`: at least 50 are needed"),
        (pd.DataFrame({"a": [None] * 60, "y": ["u", "v"] * 30}), "y", "shop.csv has no column to predict `y` from"),
        (pd.DataFrame({"a": range(60), "y": ["u"] * 60}), "y", "`y` is 'u' in all 60 rows that have one"),
        (pd.DataFrame({"a": [None] * 3, "b": [None] * 3}), None, ""),
    ],
    ids=["one row", "all missing", "one class", "nothing at all"],
)
def test_a_table_that_teaches_nothing_is_shown_all_the_same(
    table: pd.DataFrame, target: str | None, sentence: str, explore: Explore
) -> None:
    seen = explore(table, target)
    assert sentence in seen.names["table"].trouble
    assert "no feature" in seen.text()
    assert "model" not in seen.names


def test_a_large_and_wide_table_is_looked_at_in_part(explore: Explore) -> None:
    large = pd.DataFrame(CHANCE.integers(0, 9, (10_100, 26))).add_prefix("x")
    seen = explore(large)
    assert "10,100 rows and 26 columns; what follows is of 10,000 rows, drawn at random" in html.unescape(seen.text())
    assert "Distributions, the first 24 of 26 columns" in seen.pictures()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["gone.csv"], "gone.csv"),
        (["shop.csv", "--target", "prise"], "has no column `prise`; did you mean `price`?"),
        (["shop.csv", "--query", "SELECT 1"], "--query goes with a database URL"),
    ],
)
def test_a_mistake_is_one_sentence(
    arguments: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    (tmp_path / "shop.csv").write_text("price,sold\n1,2\n")
    monkeypatch.chdir(tmp_path)
    assert main(["explore", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert sentence in error
    assert error.count("\n") == 1
    assert not list(tmp_path.glob("notebooks/*"))


def test_a_page_that_cannot_be_written_is_said_before_a_cell_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    (tmp_path / "shop.csv").write_text("price,sold\n1,2\n")
    (tmp_path / "seen" / "shop.html").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert main(["explore", "shop.csv", "-o", "seen", "--force"]) == 2
    printed = capsys.readouterr()
    said = "seen/shop.html can't be written (Is a directory): name another folder with -o"
    assert (printed.out, printed.err) == ("", f"error: {said}\n")


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        ("assert x == 2, 'no'", "cell 2 of the notebook raised AssertionError: no"),
        ("from ekiben.contract.errors import InvalidTable\nraise InvalidTable('no rows')", "no rows"),
    ],
)
def test_a_cell_that_fails_is_a_sentence(cell: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(NotebookFailed) as failed:
        run_notebook(f"# %%\nx = 1\n\n# %%\n{cell}\n", "wrong", tmp_path)
    assert str(failed.value) == sentence


def test_a_leak_is_found_and_said(tmp_path: Path) -> None:
    table = made_table().assign(given=lambda made: made["'''\"\\"].str.len())
    table.to_csv(tmp_path / "shop.csv", index=False)
    look = look_at({"path": str(tmp_path / "shop.csv")}, "'''\"\\")
    assert look.proposal is not None
    assert "gives the target away" in look.proposal.ignored["given"]
    with pytest.raises(InvalidTable, match="has no column"):
        look_at({"path": str(tmp_path / "shop.csv")}, "absent")


def test_the_script_holds_the_table_as_literals(tmp_path: Path) -> None:
    (tmp_path / "a'b\".csv").write_text("x\n1\n")
    script = write_script("a", find_source(str(tmp_path / "a'b\".csv"), None), MARKUP, None, tmp_path)
    names: dict[str, Any] = {}
    lines = [line for line in script.splitlines() if re.match("(SOURCE|TARGET|TIME) = ", line)]
    exec("\n".join(lines), names)
    assert names["SOURCE"]["path"] == "a'b\".csv"
    assert names["TARGET"] == MARKUP
    assert os.linesep not in MARKUP


def test_values_of_another_direction_leave_their_neighbours_in_place() -> None:
    shown = to_html(pd.DataFrame({"values": [["<i>tea</i> 60%", f"{PERSIAN} 40%"]]}))
    assert f"<bdi>&lt;i&gt;tea&lt;/i&gt; 60%</bdi>, <bdi>{PERSIAN} 40%</bdi>" in shown
