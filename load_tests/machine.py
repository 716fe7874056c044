"""On which machine a number was measured, and when."""

import platform
from datetime import date
from pathlib import Path

import psutil


def describe_machine() -> str:
    """Return the date, the processor and the versions a number was measured with."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    processor = next(names, platform.machine())
    cores = psutil.cpu_count()
    return f"{date.today()}, {processor}, {cores} cores, Python {platform.python_version()}"
