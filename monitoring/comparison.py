"""Adds up what services compared of a champion and its challenger: `ekiben challenger`."""

from collections.abc import Sequence
from typing import Literal

from ekiben.contract.comparison.comparison import merge_comparisons, parse_comparison
from ekiben.contract.comparison.comparison_page import render_page
from ekiben.contract.comparison.comparison_text import render_text
from ekiben.contract.comparison.judgement import Judgement, judge, summarize
from ekiben.monitoring.fetching import read_all

PATH = "/monitoring/challenger"
Format = Literal["text", "html", "json"]


def judge_sources(sources: Sequence[str]) -> Judgement:
    """Add up the comparisons of services and files, and judge the sum.

    Raises a UserError if one can't be read, or is of other versions.
    """
    contents = read_all(sources, PATH)
    return judge(merge_comparisons({source: parse_comparison(content, source) for source, content in contents.items()}))


def render(judgement: Judgement, form: Format) -> str:
    """Return the comparison in one of its forms; as JSON it can be saved and added up again."""
    if form == "html":
        return render_page(judgement)
    if form == "json":
        return summarize(judgement).model_dump_json(indent=1)
    return render_text(judgement)
