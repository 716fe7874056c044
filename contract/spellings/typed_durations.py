"""Writes durations of typed tables as CSV has them, apart: the process that reads callers' Parquet is to stay small."""


def write_duration(ticks: int, per_second: int) -> str:
    """Return a typed column's duration as a string, whole microseconds, such as `-26:00:00`."""
    seconds, rest = divmod(abs(ticks), per_second)
    fraction = f".{rest * 10**6 // per_second:06}" if rest else ""
    return f"{'-' if ticks < 0 else ''}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}"
