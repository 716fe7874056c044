"""A report as one page without scripts that asks no other host for anything, in the looks of the model card."""

from collections.abc import Iterator
from html import escape

from ekiben.contract.page import render_document, render_lines
from ekiben.contract.text_lines import printable
from ekiben.training.evaluate import headline, promotion_metric
from ekiben.training.evaluate.fairness import Interval
from ekiben.training.report.coverage_section import render_coverage
from ekiben.training.report.draws import DRAWS, MAX_ROWS
from ekiben.training.report.error_section import MEANS, render_search
from ekiben.training.report.feature_section import render_features
from ekiben.training.report.findings import Findings
from ekiben.training.report.learning_section import render_curve
from ekiben.training.report.tables import Row, render_rows, show, show_interval
from ekiben.training.wording import count


def render_page(findings: Findings) -> str:
    """Return the report; names and values are text in it."""
    target = findings.schema.target
    sections = (
        ("How good it is", [render_lines(describe_verdicts(findings)), _render_metrics(findings)]),
        *([("By slice", list(_render_slices(findings)))] if findings.slices else []),
        *(
            [("Do intervals hold over time?", [render_coverage(findings.coverage_by, findings.coverage)])]
            if findings.coverage
            else []
        ),
        ("Where it errs most", [render_search(findings.search, target)]),
        ("What the answers depend on", [render_features(findings.increases, findings.importance, target)]),
        ("Would more rows help?", [render_curve(findings.curve)]),
        ("How it was measured", [render_lines(_describe_method(findings))]),
    )
    body = "\n".join(f"<h2>{escape(title)}</h2>\n" + "\n".join(parts) for title, parts in sections)
    lines = render_lines([f"{count(len(findings.scored.answers), 'test row')}, {printable(findings.tested)}."])
    return render_document(printable(f"{findings.schema.name}: report of the training run"), f"{lines}\n{body}")


def describe_verdicts(findings: Findings) -> Iterator[str]:
    """Yield whether the model is better than each baseline, by the metric that chooses the champion."""
    metric = promotion_metric(findings.schema.target)
    for baseline in findings.baselines:
        found = findings.scored.compare(baseline.scored).get(metric)
        name = metric.replace("_", " ")
        if found is None:
            few = f"groups of `{findings.group}` among the test rows" if findings.group else "test rows"
            yield f"There are too few {few} to say whether it is better than {baseline.name}."
        elif found.low > 0:
            yield f"It is better than {baseline.name}: its {name} is lower by {show(found.value, found)}."
        elif found.high < 0:
            worse = Interval(-found.value, -found.high, -found.low)
            yield f"It is worse than {baseline.name}: its {name} is higher by {show(worse.value, worse)}."
        else:
            yield (
                f"Whether it is better than {baseline.name} is not sure: its {name} is better by "
                f"{show(found.value, found)}, and 0 is within the interval."
            )


def _render_metrics(findings: Findings) -> str:
    measured, baselines = findings.scored.measure(), findings.baselines
    better = [findings.scored.compare(baseline.scored) for baseline in baselines]
    columns = ["metric", "model"]
    columns += [column for baseline in baselines for column in (baseline.name, "the model is better by")]
    rows = []
    for name, value in findings.scores.items():
        cells = [name, show(value, measured.get(name))]
        for baseline, gains in zip(baselines, better, strict=True):
            cells += [show(baseline.scored.values.get(name)), show_interval(gains.get(name))]
        rows.append(Row(tuple(cells)))
    return render_rows("", columns, rows)


def _render_slices(findings: Findings) -> Iterator[str]:
    target = findings.schema.target
    drawn = promotion_metric(target)
    shown = findings.scored.values.keys() - {drawn, "accuracy"}  # which is the share of right answers
    columns = [*(name for name in headline(target) if name in shown), drawn]
    yield render_lines([f"The line is drawn at all test rows' {drawn.replace('_', ' ')}."])
    for name, slices in findings.slices:
        rows = []
        for one in slices:
            values = [show(one.values.get(column), one.measured.get(column)) for column in columns]
            cells = (one.name, f"{one.rows:,}", show(one.observed), show(one.predicted), *values)
            rows.append(Row(cells, one.values.get(drawn), one.measured.get(drawn)))
        yield render_rows(
            f"By {name}", (name, "rows", *MEANS[target.task], *columns), rows, findings.scored.values[drawn]
        )


def _describe_method(findings: Findings) -> Iterator[str]:
    drawn = len(findings.scored.drawing.draws.rows)
    from_rows = "" if drawn == len(findings.scored.answers) else f" from {drawn:,} of them (at most {MAX_ROWS:,})"
    units = f"test rows, all those of one `{findings.group}` together," if findings.group else "test rows"
    yield (
        f"In brackets are 95% intervals: what chance in the choice of test rows leaves open, by {DRAWS} draws of "
        f"{units} with replacement{from_rows} (bootstrap). Both models are compared on the same draws. Training again, "
        "or on other rows, changes the numbers, too: that is not in the intervals. A metric without brackets has none."
    )
    if findings.weight:
        yield f"Every row counts as many times as its `{findings.weight}` says; numbers of rows are those of the table."
    yield "A slice whose interval does not hold the line differs; of twenty slices one does by chance."
