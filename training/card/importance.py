"""Which features a model's answers depend on, for the card and for the terminal."""

from ekiben.contract.text_lines import printable
from ekiben.contract.validation import shorten
from ekiben.model.importance import Importance
from ekiben.training.card.measures import Table
from ekiben.training.evaluate.text import format_number
from ekiben.training.wording import count

MAX_FEATURES = 200  # that a card lists
SHOWN_FEATURES = 5  # that a terminal shows


def tabulate_importance(importance: Importance) -> Table:
    """Return the features, the most important one first."""
    cells = tuple(
        (one.feature, format_number(one.value), f"± {format_number(one.standard_error)}")
        for one in importance.features[:MAX_FEATURES]
    )
    title = f"Mean effect on {count(importance.rows, 'held-out row')}"
    return Table(title, ("feature", name_effect(importance), "standard error"), cells)


def describe_importance(importance: Importance) -> str:
    """Return the most important features on one line."""
    first = importance.features[:SHOWN_FEATURES]
    shown = ", ".join(f"{shorten(one.feature)} {format_number(one.value)}" for one in first)
    return printable(f"most important features, by their {name_effect(importance)}: {shown}")


def name_effect(importance: Importance) -> str:
    """Return what is measured, with its unit."""
    return f"mean effect in {importance.unit}" if importance.unit else "mean effect"
