"""Parses CSV cells into the values a caller would send as JSON."""

from ekiben.contract.feature import FALSE, NULL_SPELLINGS, TRUE, Boolean, Category, Feature, Number, Value


def read_cell(feature: Feature, text: str | None) -> Value:
    """Return the value a string stands for; one that can't be read stays a string, for the checks to name."""
    if text is None or text.strip() in NULL_SPELLINGS:
        return None
    if isinstance(feature, Number):
        return _read_number(text)
    if isinstance(feature, Boolean):
        word = text.strip().lower()
        return True if word in TRUE else False if word in FALSE else text
    if isinstance(feature, Category) and feature.integers:
        return text.removesuffix(".0")  # pandas makes floats of integers where one is missing
    return text


def _read_number(text: str) -> Value:
    try:
        return float(text)
    except ValueError:
        return text
