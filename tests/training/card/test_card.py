"""The model card says what was measured and what people said, and whatever they said is text in it."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ekiben.contract.feature import Category, Number
from ekiben.contract.page import POLICY
from ekiben.contract.schema import Schema, Target
from ekiben.model.importance import FeatureImportance, Importance
from ekiben.model.provenance import Provenance
from ekiben.model.training_scores import TrainingScores
from ekiben.training.card.card import Card, describe_model
from ekiben.training.card.importance import describe_importance
from ekiben.training.card.render import quote, render_markdown, render_page, write_card
from ekiben.training.card_config import CardText
from ekiben.training.problem import InvalidProblem, read_problem
from tests.statement import STATEMENT

HOSTILE = '<script>alert(1)</script> | [x](http://evil.example) `code` *bold* <img src="x">'
FEATURES = (
    Number(name="size", low=0, high=100, unit="cm", nullable=True),
    Category(name="colour", vocabulary=("", "blue", "red")),
)
RATES: dict[str, Any] = {"group": "blue", "selected": "true", "rows": 40} | {
    f"{rate}{kind}{bound}": 0.5
    for rate in ("selection_rate", "true_positive_rate", "false_positive_rate")
    for kind in ("", "_ratio")
    for bound in ("", "_low", "_high")
}
SCORES = TrainingScores(
    rows=60,
    tested="the last 15%",
    scores={"auc": 0.75, "log_loss": 0.5, "calibration_error": 0.02},
    slices={"colour": {"blue": {"auc": 0.7}, "red": {"log_loss": 0.4}}},
    slice_rows={"colour": {"blue": 40}},
    fairness={"colour": [RATES]},
    calibration=(0.9, 0.1),
)


def make_card(**said: str) -> Card:
    schema = Schema(name="goods", features=FEATURES, target=Target(name="sold", classes=(False, True)))
    statement = Provenance.model_validate(STATEMENT)
    return describe_model(schema, CardText(**said), SCORES, statement.definition, statement.run, (280, 60, 60))


def test_it_says_what_is_decided_and_why() -> None:
    usual = render_markdown(make_card())
    assert "“sold” is true from a probability of 0.5 on. Nobody has said what a decision is to be good for" in usual
    schema = Schema(name="goods", features=FEATURES, target=Target(name="sold", classes=(False, True), threshold=0.2))
    statement, scores = (
        Provenance.model_validate(STATEMENT),
        SCORES.model_copy(update={"decision": "0.2: it costs least"}),
    )
    parts = 280, 60, 60
    card = describe_model(schema, CardText(), scores, statement.definition, statement.run, parts)
    assert "0.2: it costs least." in render_markdown(card)
    price = schema.model_copy(update={"target": Target(name="price", task="regression")})
    card = describe_model(price, CardText(), SCORES, statement.definition, statement.run, parts)
    assert "Decisions" not in [section.title for section in card.sections]


def test_it_says_what_has_an_order_and_what_a_direction() -> None:
    up, down = (Number(name=way, low=0, high=9, monotone=way) for way in ("up", "down"))
    grade = Target(name="grade", task="multiclass", classes=("low", "mid", "high"), ordered=True)
    schema, statement = Schema(name="goods", features=(up, down), target=grade), Provenance.model_validate(STATEMENT)
    card = describe_model(schema, CardText(), SCORES, statement.definition, statement.run, (280, 60, 60))
    shown = render_markdown(card)
    assert "Classes, from the lowest to the highest: low, mid, high." in shown
    assert "0 to 9, never lowers the answer" in shown
    assert "0 to 9, never raises the answer" in shown


class Tags(HTMLParser):
    """The tags and attributes of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("render", [render_markdown, render_page])
def test_it_says_data_measures_calibration_limits_and_lineage(render: Any) -> None:
    shown = render(make_card(intended_use="To plan.\n\nBy people.", limits="Not abroad.", owner="Sales"))
    said = ("To plan.", "By people.", "Not abroad.", "Sales")
    assert all(wanted in shown for wanted in (*said, "goods.csv", "0.7500", "280", "By colour", "c0ffee+"))
    assert "0 to 100 cm, may be missing" in shown
    assert "0.500 (0.50–0.50)" in shown
    assert "off by 0.02000 on average" in shown
    assert STATEMENT["predicate"]["run"]["id"] in shown


def test_what_nobody_said_is_said_to_be_missing() -> None:
    assert "Nobody has said yet: write intended_use under [card] in problem.toml." in render_page(make_card())


def test_text_is_text_in_the_page() -> None:
    page = render_page(make_card(intended_use=HOSTILE, limits=HOSTILE, owner=HOSTILE))
    tags = Tags()
    tags.feed(page)
    assert tags.tags.isdisjoint({"script", "img", "a", "link"})
    assert tags.attributes.isdisjoint({"src", "href", "onerror"})
    assert tags.text.count("<script>alert(1)</script>") == 3
    assert POLICY.startswith("default-src 'none'")
    assert page.count("Content-Security-Policy") == 1


def test_text_is_text_in_markdown() -> None:
    shown = render_markdown(make_card(owner=HOSTILE))
    (line,) = [line for line in shown.splitlines() if "alert" in line]
    assert line.startswith(r"\<script\>alert(1)\</script\> \| \[x\](h&#116;tp://evil.example) \`code\` \*bold\*")


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("# no title", r"\# no title"),
        ("- no list", r"\- no list"),
        ("2013. was a year", "201&#51;. was a year"),
        ("2013-10-01", "2013-10-01"),
        ("two\nlines", r"two\\nlines"),
        ("www.example.org", "w&#119;w.example.org"),
    ],
)
def test_what_markdown_would_mark_up_is_escaped(text: str, quoted: str) -> None:
    assert quote(text) == quoted


def test_a_regression_has_the_coverage_of_its_interval() -> None:
    scores = SCORES.model_copy(update={"scores": {"interval_coverage": 0.81}, "slices": {}, "fairness": {}})
    schema = Schema(name="goods", features=FEATURES, target=Target(name="price", task="regression", unit="EUR"))
    statement = Provenance.model_validate(STATEMENT)
    card = describe_model(schema, CardText(), scores, statement.definition, statement.run, (1, 1, 1))
    assert "The 80% prediction interval held 81.0% of the test rows." in render_markdown(card)


def test_it_says_on_which_scale_a_number_was_learned() -> None:
    scores = SCORES.model_copy(update={"scale": "“price” is learned on a log scale", "slices": {}, "fairness": {}})
    schema = Schema(name="goods", features=FEATURES, target=Target(name="price", task="regression", unit="EUR"))
    statement = Provenance.model_validate(STATEMENT)
    card = describe_model(schema, CardText(), scores, statement.definition, statement.run, (1, 1, 1))
    assert "“price” is learned on a log scale." in render_markdown(card)
    assert "scale" not in render_markdown(make_card())


def test_both_forms_are_written(tmp_path: Path) -> None:
    write_card(tmp_path, make_card())
    assert {path.name for path in tmp_path.iterdir()} == {"card.md", "card.html"}


PROBLEM = """
name = "goods"
source = { path = "goods.csv" }
target = { name = "sold", task = "binary" }
features = { size = { kind = "number" } }
[card]
"""


def test_a_problem_file_says_what_the_model_is_for(tmp_path: Path) -> None:
    (tmp_path / "problem.toml").write_text(PROBLEM + 'intended_use = "To plan."\n')
    assert read_problem(tmp_path / "problem.toml").card.intended_use == "To plan."


@pytest.mark.parametrize(("entry", "named"), [('purpose = "x"', "card.purpose"), ("owner = 3", "card.owner")])
def test_what_a_card_does_not_have_is_named(tmp_path: Path, entry: str, named: str) -> None:
    (tmp_path / "problem.toml").write_text(PROBLEM + entry + "\n")
    with pytest.raises(InvalidProblem, match=named.replace(".", r"\.")):
        read_problem(tmp_path / "problem.toml")


IMPORTANCE = Importance(
    unit="EUR",
    rows=256,
    features=(
        FeatureImportance(feature=HOSTILE, value=2.5, standard_error=0.25),
        FeatureImportance(feature="a\n\x1b[31m", value=0.5, standard_error=0.0),
    ),
)


def test_what_the_answers_depend_on_is_listed() -> None:
    schema = Schema(name="goods", features=FEATURES, target=Target(name="sold", classes=(False, True)))
    statement = Provenance.model_validate(STATEMENT)
    parts = (1, 1, 1)
    card = describe_model(schema, CardText(), SCORES, statement.definition, statement.run, parts, IMPORTANCE)
    (section,) = [one for one in card.sections if one.title == "What the answers depend on"]
    assert section.tables[0].columns == ("feature", "mean effect in EUR", "standard error")
    assert section.tables[0].cells[0] == (HOSTILE, "2.500", "± 0.2500")
    assert "<script>" not in render_page(card)
    assert "What the answers depend on" not in render_markdown(make_card())  # of a model that was packed without


def test_a_terminal_shows_the_first_on_one_line() -> None:
    line = describe_importance(IMPORTANCE)
    assert line.startswith("most important features, by their mean effect in EUR: <script>")
    assert line.isprintable()
    assert line.endswith(r"a\n\x1b[31m 0.5000")
    assert describe_importance(IMPORTANCE.model_copy(update={"unit": ""})).startswith(
        "most important features, by their mean effect: "
    )
