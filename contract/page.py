"""The pages that people read: each is one file without scripts that asks no other host for anything."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
:root { --then: #9aa5b1; --now: #2563c9; --line: #d5dae0; --text: #1b1f24; --soft: #59636e; --page: #f6f8fa;
  --card: #fff; --moderate: #9a6700; --large: #c2262d }
@media (prefers-color-scheme: dark) { :root { --then: #6b7683; --now: #6ea8fe; --line: #343b44; --text: #e6e9ed;
  --soft: #9aa5b1; --page: #14171b; --card: #1d2126; --moderate: #e0a93b; --large: #ff7b72 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 84rem; padding: 1rem; font: 15px/1.45 system-ui, sans-serif; color: var(--text);
  background: var(--page); overflow-wrap: anywhere }
h1 { font-size: 1.35rem; margin: 0 } h2 { font-size: 1rem; margin: 1.5rem 0 .5rem } h3 { font-size: 1rem; margin: 0 }
p { margin: .2rem 0 } .soft { color: var(--soft) }
.cards { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)) }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem; min-width: 0 }
.moderate b { color: var(--moderate) } .large b { color: var(--large) }
svg { display: block; width: 100%; height: 6.5rem; margin: .5rem 0 .2rem }
.then { fill: var(--then) } .now { fill: var(--now) } .base { stroke: var(--line) }
.ends { display: flex; justify-content: space-between; gap: 1rem; font-size: .8rem }
table { width: 100%; border-collapse: collapse; font-size: .85rem; margin-top: .4rem }
th, td { text-align: right; padding: .1rem 0 .1rem .6rem; font-variant-numeric: tabular-nums; font-weight: normal }
th:first-child, td:first-child { text-align: left; padding-left: 0 }
th + th, td + td { white-space: nowrap }
th { color: var(--soft) } .key { display: inline-block; width: .7rem; height: .7rem; border-radius: 2px }
.key.then { background: var(--then) } .key.now { background: var(--now) }
table.words { width: auto } .words th, .words td { white-space: normal; vertical-align: top; text-align: left;
  padding: .15rem 1rem .15rem 0; border-bottom: 1px solid var(--line) } .words th { white-space: nowrap }
table + h3, .wide + h3 { margin-top: 1.2rem }
.wide { overflow-x: auto } .wide table { width: auto }
.wide th, .wide td { white-space: nowrap; padding: .15rem .8rem; border-bottom: 1px solid var(--line) }
.drawn svg { width: 12rem; height: 1rem; margin: 0 } .long td:first-child { white-space: normal; min-width: 16rem }
.line { fill: none; stroke: var(--now) }
"""
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; base-uri 'none'; form-action 'none'"
PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def render_document(title: str, body: str) -> str:
    """Return a page; the title is text in it, the body is HTML."""
    return PAGE.format(policy=escape(POLICY), title=escape(title), style=STYLE, body=body)


def render_lines(lines: Iterable[str]) -> str:
    """Return a paragraph for each line of text."""
    return "\n".join(f"<p>{escape(line)}</p>" for line in lines)


def render_words(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of words under a title: they begin on the left, and are wrapped."""
    names = "".join(f"<th>{escape(name)}</th>" for name in columns)
    head = f"<tr>{names}</tr>" if any(columns) else ""
    body = "".join(
        f"<tr><th>{escape(name)}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
        for name, *cells in rows
    )
    return f'<h3>{escape(title)}</h3><table class="words">{head}{body}</table>'


def render_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], heading: str = "h2") -> str:
    """Return a table of text under a title."""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<{heading}>{escape(title)}</{heading}><div class="wide"><table><tr>{head}</tr>{body}</table></div>'
