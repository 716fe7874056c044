"""The image's entry point: `python -m ekiben.service` serves, `… healthcheck` asks whether it does.

SageMaker starts every image with the argument `serve`: here it may be given or left out.
"""

import os
import runpy
import sys
from pathlib import Path

from ekiben.service.lifecycle.alone import read_options, serve_alone
from ekiben.service.lifecycle.resource_limits import read_limits
from ekiben.service.logs.process import begin_log
from ekiben.service.target import TARGET

BENTO = Path(__file__).resolve().parents[2]  # in the image this file is BENTO/src/service/__main__.py
USAGE = "serve [--option value …] or healthcheck"


def main(arguments: list[str]) -> str | None:
    """Do what the arguments ask for; return what is wrong, if anything."""
    command, options = (arguments[0], arguments[1:]) if arguments else ("serve", [])
    if command == "healthcheck":
        from ekiben.service.lifecycle.healthcheck import check_readiness  # what of the settings serving needs later

        return check_readiness(os.environ)
    if command == "serve" or command.startswith("-"):
        return serve(options if command == "serve" else arguments)
    return f"unknown command `{command}`: {USAGE}"


def serve(arguments: list[str]) -> str | None:
    """Serve in this process, or become `bentoml serve`; return what keeps it from starting."""
    options = read_options(arguments)
    begin_log(has_rows=options is not None)
    unwritable = find_unwritable(Path(os.environ.get("BENTOML_HOME", "/tmp/bentoml")))
    if unwritable:
        return unwritable
    # TensorFlow's own default is every core of the host, whatever the container may use.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(read_limits().threads))
    target = str(BENTO) if (BENTO / "bento.yaml").exists() else TARGET
    if options:
        return serve_alone(options, target)
    sys.argv = ["bentoml", "serve", *arguments, target]
    runpy.run_module("bentoml", run_name="__main__", alter_sys=True)
    return None


def find_unwritable(home: Path) -> str | None:
    """Return a sentence if BentoML's folder can't be made or written to."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe = home / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        return f"{home} can't be written to ({error.strerror}): mount a writable folder, such as a tmpfs, on /tmp"
    return None


if __name__ == "__main__":
    problem = main(sys.argv[1:])
    if problem:
        sys.exit(f"error: {problem}")
