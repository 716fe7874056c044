"""Whose rows repeat: whether those of one customer may be in two parts of the split is a question for a person."""

from collections.abc import Iterator, Mapping

from ekiben.training.proposal.column import Column
from ekiben.training.proposal.features import Feature
from ekiben.training.proposal.names import names_one

MIN_GROUPS = 20  # fewer are rather kinds than names
MIN_ROWS = 1.5  # of a group, on average
MAX_ASKED = 3


def find_groups(columns: Mapping[str, Column], classified: Mapping[str, Feature | str]) -> dict[str, str]:
    """Return the columns that a split might keep together, and the question."""
    return dict(list(_find(columns, classified))[:MAX_ASKED])


def _find(columns: Mapping[str, Column], classified: Mapping[str, Feature | str]) -> Iterator[tuple[str, str]]:
    for name, found in classified.items():
        column = columns[name]
        is_category = not isinstance(found, str) and found.facts["kind"] == "category"
        if is_category and names_one(name) and column.is_counted and len(column.distinct) >= MIN_GROUPS:
            rows = column.values / len(column.distinct)
            if rows >= MIN_ROWS:
                yield (
                    name,
                    f"each has {rows:.2g} rows on average: may none be in two parts? then take it out of [features]",
                )
