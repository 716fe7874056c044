"""The inputs that found something once; each is named by what."""

from pathlib import Path

CASES = Path(__file__).parent / "cases"
