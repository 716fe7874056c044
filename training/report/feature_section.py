"""The section on features: what the loss is without one, and what each does to the answers."""

from collections.abc import Sequence

from ekiben.contract.page import render_lines
from ekiben.contract.schema import Target
from ekiben.model.importance import FeatureImportance, Importance
from ekiben.training.card.importance import MAX_FEATURES, name_effect
from ekiben.training.evaluate.fairness import Interval, Z
from ekiben.training.report.error_section import name_loss
from ekiben.training.report.permutation import MIN_ROWS, Increase
from ekiben.training.report.tables import Row, render_rows, show
from ekiben.training.wording import count

EFFECTS = "How far each feature moves answers on average, whether that is right or wrong (Shapley values)."


def render_features(increases: Sequence[Increase], importance: Importance | None, target: Target) -> str:
    """Return two tables: of permutation importance, and of mean effects."""
    parts = [render_lines([_describe_increases(increases, target)])]
    if increases:
        rows = [Row((one.feature, show(one.loss.value, one.loss)), one.loss.value, one.loss) for one in increases]
        columns = ("feature", f"{name_loss(target)} is higher by")
        parts.append(render_rows("With a feature's values of other rows", columns, rows, 0.0))
    if importance:
        parts.append(render_lines([EFFECTS]))
        effects = [_draw_effect(one) for one in importance.features[:MAX_FEATURES]]
        title = f"Mean effect on {count(importance.rows, 'held-out row')}"
        parts.append(render_rows(title, ("feature", name_effect(importance)), effects, 0.0))
    return "\n".join(parts)


def _describe_increases(increases: Sequence[Increase], target: Target) -> str:
    if not increases:
        return f"Fewer than {MIN_ROWS} test rows are too few to shuffle features in."
    return (
        f"How much higher the {name_loss(target)} of test rows is when one feature has the values of other rows "
        "(permutation importance): near 0 the model does without it, perhaps because another feature says the same."
    )


def _draw_effect(one: FeatureImportance) -> Row:
    reach = Z * one.standard_error
    interval = Interval(one.value, max(0.0, one.value - reach), one.value + reach)
    return Row((one.feature, show(one.value, interval)), one.value, interval)
