"""Lists what a service in one process is made of as it is ready: `ekiben start --contents`.

The process watches its own imports: a package is charged with what the memory in use and the CPU time grew by while its
modules were loaded, without what these loaded in turn. The mappings are the kernel's count of the rest.
"""

import json
import os
import tempfile
from collections import Counter
from pathlib import Path

import psutil

from ekiben.load_tests.cost.start_cost import start
from ekiben.load_tests.machine import describe_machine

VARIABLE = "EKIBEN_CONTENTS"  # where the process writes what it has counted
SHOWN = 25
MIB = 2**20
# Begins before the service does, and must not import what it counts.
WATCHED = """
import atexit, importlib._bootstrap as bootstrap, json, os, resource, runpy, sys, time
load, page, open_loads, found = bootstrap._load_unlocked, resource.getpagesize(), [], {}
def resident():
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * page
def watch(spec):
    memory, cpu = resident(), time.process_time()
    open_loads.append([0, 0.0])
    try:
        return load(spec)
    finally:
        memory, cpu = resident() - memory, time.process_time() - cpu
        inner_memory, inner_cpu = open_loads.pop()
        if open_loads:
            open_loads[-1][0] += memory
            open_loads[-1][1] += cpu
        known = found.setdefault(spec.name.partition(".")[0], [0, 0.0, 0])
        known[0] += memory - inner_memory
        known[1] += cpu - inner_cpu
        known[2] += 1
bootstrap._load_unlocked = watch
def write():
    with open(os.environ["EKIBEN_CONTENTS"], "w") as file:
        json.dump([found, sorted(sys.stdlib_module_names)], file)
atexit.register(write)
sys.argv = ["ekiben.service"]
runpy.run_module("ekiben.service", run_name="__main__")
"""


def run(port: int) -> None:
    """Print two Markdown tables: packages, and mappings."""
    with tempfile.TemporaryDirectory() as folder:
        program, counted = Path(folder) / "watched_service.py", Path(folder) / "counted.json"
        program.write_text(WATCHED, encoding="utf-8")
        os.environ[VARIABLE] = str(counted)
        paths = [folder, os.environ.get("PYTHONPATH", "")]
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        with start(("watched_service",), port, Path(folder)) as (process, _):
            mappings = sum_mappings(process)
        packages, standard = json.loads(counted.read_text(encoding="utf-8"))
    print(f"{describe_machine()}\n")
    print(write_packages(packages, set(standard)))
    print("\n| mapped | resident, MiB |\n|---|--:|")
    for name, size in mappings.most_common(SHOWN):
        print(f"| {name} | {size / MIB:.1f} |")


def sum_mappings(process: psutil.Process) -> Counter[str]:
    """Return the resident bytes of each file, of the heap and of what is mapped besides."""
    sizes: Counter[str] = Counter()
    for one in process.memory_maps():
        sizes[Path(one.path).name if one.path.startswith("/") else one.path] += one.rss
    return sizes


def write_packages(packages: dict[str, tuple[int, float, int]], standard: set[str]) -> str:
    """Return what each package has added: bytes, seconds and modules; the standard library as one."""
    sums: dict[str, tuple[int, float, int]] = {}
    for name, (size, seconds, count) in packages.items():
        package = "the standard library" if name in standard else name
        before = sums.get(package, (0, 0.0, 0))
        sums[package] = before[0] + size, before[1] + seconds, before[2] + count
    largest = sorted(sums.items(), key=lambda item: item[1], reverse=True)
    lines = [f"| {name} | {size / MIB:.1f} | {1000 * cpu:.0f} | {count} |" for name, (size, cpu, count) in largest]
    rest = [found for _, found in largest[SHOWN:]]
    size, cpu = sum(found[0] for found in rest), sum(found[1] for found in rest)
    others = [f"| {len(rest)} others | {size / MIB:.1f} | {1000 * cpu:.0f} | |"] if rest else []
    return "\n".join(["| imported | MiB | CPU, ms | modules |\n|---|--:|--:|--:|", *lines[:SHOWN], *others])
