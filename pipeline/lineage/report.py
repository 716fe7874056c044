"""A chain as a tree for a terminal, or as JSON."""

import json
from collections.abc import Callable, Iterator, Mapping

from ekiben.contract.text_lines import printable
from ekiben.pipeline.lineage.link import Link

MARKS = {"sound": "✓", "open": "?", "broken": "✗"}


def render_text(link: Link) -> str:
    """Return a tree: a line for each link, and one below it for each fault and whatever could not be checked."""
    broken = sum(len(one.faults) for one in link.walk())
    opened = sum(len(one.open) for one in link.walk())
    verdict = f"{broken} faults" if broken > 1 else "1 fault" if broken else "the chain holds"
    doubts = f"; {opened} not checked" if opened else ""
    return "\n".join([*_draw(link, "", ""), "", f"{verdict}{doubts}"])


def render_json(link: Link) -> str:
    """Return the tree, for programs."""
    return json.dumps(link.describe(), indent=1, ensure_ascii=False)


FORMATS: Mapping[str, Callable[[Link], str]] = {"text": render_text, "json": render_json}


def _draw(link: Link, first: str, rest: str) -> Iterator[str]:
    said = f" · {' · '.join(link.facts)}" if link.facts else ""
    yield first + printable(f"{MARKS[link.verdict]} {link.kind} {link.name}{said}")
    below = "│  " if link.links else "   "
    for mark, sentences in (("✗", link.faults), ("?", link.open)):
        yield from (rest + below + printable(f"{mark} {sentence}") for sentence in sentences)
    for index, child in enumerate(link.links):
        last = index == len(link.links) - 1
        yield from _draw(child, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "))
