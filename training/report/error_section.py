"""The section on the slices in which the model errs most."""

from collections.abc import Iterator

from ekiben.contract.page import render_lines
from ekiben.contract.schema import Target
from ekiben.training.report.tables import Row, render_rows, show
from ekiben.training.report.worst_slices import MIN_ROWS, SURE, Search, WorstSlice
from ekiben.training.wording import count, format_p_value

MEANS = {
    "binary": ("observed", "predicted"),
    "multiclass": ("right answers", "mean probability"),
    "regression": ("observed", "predicted"),
}


def name_loss(target: Target) -> str:
    """Return what a row loses, for people."""
    return f"absolute error{f' [{target.unit}]' if target.unit else ''}" if target.task == "regression" else "log loss"


def render_search(search: Search | None, target: Target) -> str:
    """Return what was searched, how sure it is, and a table of the slices."""
    lines = render_lines(describe_search(search, target))
    if search is None or not search.found:
        return lines
    loss = name_loss(target)
    columns = ("rows where", "rows", f"{loss} there", "elsewhere", "higher by", "p", *MEANS[target.task])
    return lines + render_rows("", columns, [_list_cells(one) for one in search.found], 0.0)


def describe_search(search: Search | None, target: Target) -> Iterator[str]:
    """Yield how slices were searched, and how many of those that were found are no chance."""
    if search is None:
        yield f"Fewer than {MIN_ROWS} test rows, or few groups of them, are too few to search for slices."
        return
    yield (
        f"{count(search.searched, 'slice')} of one or two features were searched on half of the test rows for a higher "
        f"{name_loss(target)} than elsewhere. What was found is measured on the other half, "
        f"{count(search.rows, 'row')}, which the search did not see; p is corrected for the number of slices in the "
        "table (Holm)."
    )
    if not search.found:
        yield "None looked worse than chance would make it."
    else:
        yield (
            f"{search.sure} of {count(len(search.found), 'slice')} found {'is' if search.sure == 1 else 'are'} surely "
            f"worse (p < {SURE}). Worse may mean harder: only where observed and predicted differ, too, is the model "
            "off on average."
        )


def _list_cells(one: WorstSlice) -> Row:
    where = " and ".join(f"{condition.feature} is {condition.holds}" for condition in one.conditions)
    gap = one.gap
    cells = (
        where, f"{one.rows:,}", show(gap.here), show(gap.elsewhere), show(gap.interval.value, gap.interval),
        format_p_value(one.p_value).removeprefix("p ").removeprefix("= "), show(one.observed), show(one.predicted),
    )  # fmt: skip
    return Row(cells, gap.interval.value, gap.interval)
