"""Names and numbers as a reader of plots and terminals sees them."""

import math
from functools import cache

import matplotlib
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

# For scripts that matplotlib's own font has no letters of; those that are installed are used.
FALLBACK_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "WenQuanYi Zen Hei", "Microsoft YaHei", "Hiragino Sans GB",
    "Noto Sans Devanagari", "Noto Sans Bengali", "Noto Sans Tamil", "Noto Sans Thai", "Noto Emoji",
)  # fmt: skip
MAX_LENGTH = 28  # of a drawn name, characters
SIGNIFICANT_DIGITS = 4
FIXED_FROM, FIXED_TO = 1e-4, 1e9  # sizes that are written without an exponent


def choose_fonts() -> list[str]:
    """Return the font families to draw with: the configured ones, then FALLBACK_FONTS as far as they are installed."""
    installed = set(fontManager.get_font_names())
    fallbacks = [font for font in FALLBACK_FONTS if font in installed]
    return list(dict.fromkeys([*matplotlib.rcParams["font.family"], *fallbacks]))


def drawable(name: object) -> str:
    """Return a name as matplotlib can draw it, in one line of up to MAX_LENGTH characters.

    A character that no font has becomes its code, such as `\\u65e5`; a dollar sign would begin a formula.
    """
    known = _known_characters()
    drawn = "".join(
        character if ord(character) in known else character.encode("unicode_escape").decode("ascii")
        for character in str(name)[: MAX_LENGTH + 1]
    )
    shown = drawn if len(drawn) <= MAX_LENGTH else f"{drawn[: MAX_LENGTH - 1]}…"
    return shown.replace("$", r"\$")


def format_number(value: float) -> str:
    """Return a number of any size in about SIGNIFICANT_DIGITS."""
    size = abs(value)
    if size and not FIXED_FROM <= size < FIXED_TO:
        return f"{value:.{SIGNIFICANT_DIGITS - 1}e}"
    whole_digits = math.floor(math.log10(size)) + 1 if size else 0
    return f"{value:,.{max(0, SIGNIFICANT_DIGITS - whole_digits)}f}"


@cache
def _known_characters() -> frozenset[int]:
    """Return the code points that one of the fonts in use has."""
    paths = [findfont(FontProperties(family=[family])) for family in matplotlib.rcParams["font.family"]]
    return frozenset(point for path in paths for point in get_font(path).get_charmap())


matplotlib.rcParams["font.family"] = choose_fonts()
