"""What a training run stands on: the code, what is installed, and the machine."""

import os
import platform
from importlib import metadata
from pathlib import Path

from ekiben.contract.version import VERSION
from ekiben.model.integrity import digest_file
from ekiben.model.provenance import Environment, Machine, Source
from ekiben.training.digests import ROOT, digest_rooms
from ekiben.training.registry.git import UNKNOWN, Patch

LOCK = ROOT / "requirements" / "training.txt"  # a wheel has none
ROOMS = ("contract", "model", "training")  # whose modules weights depend on
# Which of TensorFlow's kernels run, in which order they add, and on how many threads.
VARIABLES = (
    *("TF_ENABLE_ONEDNN_OPTS", "TF_DETERMINISTIC_OPS", "TF_CUDNN_DETERMINISTIC", "TF_DISABLE_MKL", "TF_XLA_FLAGS"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "XLA_FLAGS", "KERAS_BACKEND"),
    *("ONEDNN_MAX_CPU_ISA", "CUDA_VISIBLE_DEVICES", "PYTHONHASHSEED"),
)


def describe_source(commit: str, patch: Patch | None, kept: bool) -> Source:
    """Return which code ran; `kept` says whether the patch is an artifact of the run."""
    return Source(
        commit=commit,
        patch=patch.digest if patch else None,
        patch_kept=kept,
        version=VERSION,
        code=digest_rooms(*ROOMS),
    )


def describe_environment() -> Environment:
    """Return the lock's digest and the version of everything that is installed."""
    installed = {found.metadata["Name"]: found.version for found in metadata.distributions() if found.metadata["Name"]}
    packages = {name.lower().replace("_", "-"): installed[name] for name in sorted(installed, key=str.lower)}
    return Environment(lock=digest_file(LOCK) if LOCK.is_file() else None, packages=packages)


def describe_machine() -> Machine:
    """Return the machine as far as sums of floats depend on it."""
    return Machine(
        cpu=read_cpu(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        architecture=platform.machine(),
        system=platform.platform(),
        python=platform.python_version(),
        variables={name: os.environ[name] for name in VARIABLES if name in os.environ},
    )


def read_cpu() -> str:
    """Return what the processor calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or UNKNOWN
