"""Which files of the repository are pages of the site, and how what they say of each other becomes links.

The sources are written for a code host: links go from file to file, and a page may be named as `docs/load.md`. The site
has the pages of `docs` at its root, and what lies elsewhere under its path in the repository.
"""

import posixpath
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = "docs/"
FENCED = re.compile(r"^(```.*?^```$)", re.DOTALL | re.MULTILINE)
MADE = {  # from code, which a code host shows in place of them
    "commands/parser.py": ("reference/commands.md", "Commands"),
    "training/problem.py": ("reference/problem_file.md", "problem.toml"),
    "service/telemetry/series.py": ("reference/metrics.md", "Metrics"),
}
NAMED = re.compile(r"(?<!\[)`([\w./-]+)`(?!\])")
FOLDER = re.compile(r"(?<!!)\[([^\]]+)\]\((?!\w+:|#)([^)#\s]+)\)")
LINKED = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)")


@cache
def list_outside() -> tuple[str, ...]:
    """Return the pages that lie outside of `docs`, by their paths in the repository."""
    folders = [*sorted((ROOT / "deploy").glob("*/README.md")), ROOT / "deploy" / "README.md"]
    others = (
        "deploy/kubernetes/examples/README.md",
        "service/protocols/README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "SECURITY.md",
    )
    return (*(path.relative_to(ROOT).as_posix() for path in folders), *others)


def to_site(path: str) -> str:
    """Return where a file of the repository stands in the site; its folder may be named instead of a README."""
    readme = posixpath.join(path, "README.md")
    path = readme if (ROOT / readme).is_file() else path
    return path.removeprefix(DOCS)


def to_repository(source: str) -> str:
    """Return the path in the repository of what stands in the site."""
    return source if (ROOT / source).is_file() else f"{DOCS}{source}"


def is_page(path: str) -> bool:
    """Return whether a path of the repository, or a folder with a README, is a page of the site."""
    named = to_site(path.rstrip("/"))
    return named in list_outside() or (path.startswith(DOCS) and path.endswith(".md") and (ROOT / path).is_file())


@cache
def read_title(path: str) -> str:
    """Return a page's title."""
    return (ROOT / to_repository(to_site(path))).read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def link(markdown: str, path: str) -> str:
    """Return a page's Markdown, of a path in the repository, with the links that it has in the site."""
    here = posixpath.dirname(to_site(path))

    def name(found: re.Match[str]) -> str:
        named = found[1].rstrip("/")
        if named in MADE:
            target, title = MADE[named]
            return f"[{title}]({posixpath.relpath(target, here or '.')})"
        if not is_page(named) or to_site(named) == to_site(path):
            return found[0]
        text = read_title(named) if named.endswith(".md") else found[0]
        return f"[{text}]({posixpath.relpath(to_site(named), here or '.')})"

    def move(found: re.Match[str]) -> str:
        target = resolve(found[1], path)
        return posixpath.relpath(to_site(target), here or ".") if (ROOT / target).exists() else found[0]

    def leave(found: re.Match[str]) -> str:
        """Leave the words of a link to a folder without a page, which only a code host can show."""
        folder = ROOT / resolve(found[2], path)
        return found[1] if folder.is_dir() and not (folder / "README.md").is_file() else found[0]

    return _outside_of_code(markdown, lambda text: NAMED.sub(name, LINKED.sub(move, FOLDER.sub(leave, text))))


def resolve(target: str, path: str) -> str:
    """Return the path in the repository of what a page links to."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target))


def find_linked(markdown: str, path: str) -> Iterator[str]:
    """Yield the paths in the repository of the files that a page links to."""
    for target in LINKED.findall(FENCED.sub("", markdown)):
        yield resolve(target, path)


def _outside_of_code(markdown: str, change: Callable[[str], str]) -> str:
    return "".join(part if part.startswith("```") else change(part) for part in FENCED.split(markdown))
