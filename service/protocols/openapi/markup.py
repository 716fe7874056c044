"""Text from a table in a document of CommonMark: a name could be HTML or an image."""

import html


def escape_markup(text: str) -> str:
    """Return a description that shows this text."""
    return html.escape(text, quote=False).replace("](", "]&#40;").replace("![", "!&#91;")
