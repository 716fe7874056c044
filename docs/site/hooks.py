"""What MkDocs calls as it builds the site: adds the pages outside of `docs`, and those that are made from the code."""

import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from ekiben.docs.site import links
from ekiben.docs.site.command_reference import render_commands
from ekiben.docs.site.metric_reference import render_metrics
from ekiben.docs.site.problem_reference import render_problem_file

GENERATED = {
    "reference/commands.md": render_commands,
    "reference/problem_file.md": render_problem_file,
    "reference/metrics.md": render_metrics,
}
# Of blocks below `deploy`, whose first page says how each was checked.
PLATFORM_BLOCK = re.compile(r"^```(sh|console|python)$", re.MULTILINE)
ON_PLATFORM = 'title="not run here: needs the platform"'


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the rest of the repository, what they link to, and the reference."""
    for path in links.list_outside():
        _add(files, config, path)
    for path in {target for file in files.documentation_pages() for target in _find_linked(file)}:
        if (links.ROOT / path).is_file():
            _add(files, config, path)
    for source, render in GENERATED.items():
        files.append(File.generated(config, source, content=render()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return a page with the links that it has in the site."""
    source = page.file.src_uri
    path = source if source in GENERATED else links.to_repository(source)
    if source.startswith("deploy/"):
        markdown = PLATFORM_BLOCK.sub(rf"\g<0> {ON_PLATFORM}", markdown)
    return links.link(markdown, path)


def _find_linked(file: File) -> list[str]:
    return list(links.find_linked(file.content_string, links.to_repository(file.src_uri)))


def _add(files: Files, config: MkDocsConfig, path: str) -> None:
    source = links.to_site(path)
    if files.get_file_from_path(source) is None:
        files.append(File.generated(config, source, abs_src_path=str(links.ROOT / path)))
