"""Importing the service does no work: `build_service` does it, and one module calls that at its import."""

import json

from tests.conftest import ROOT, run

# Imports modules and prints what of the environment our own code has read, written to or made meanwhile.
WATCH = """
import importlib, json, os, sys
import bentoml, grpc, prometheus_client, tensorflow, uvicorn  # which do work at theirs

SERVICE = os.path.join(sys.argv[1], "service") + os.sep
faults = []

def note(what):
    frame = sys._getframe(2)
    while frame and frame.f_code.co_filename.startswith((os.path.dirname(os.__file__), "<frozen")):
        frame = frame.f_back  # to whom Python's library was asked by
    name = os.path.realpath(frame.f_code.co_filename) if frame else ""
    if name.startswith(SERVICE):
        faults.append(f"{name[len(SERVICE):]}: {what}")

def watch(event, given):
    if event == "os.mkdir" or (event == "open" and given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
        note(f"{event} {given[0]}")

def spy(name):
    kept = getattr(os._Environ, name)
    def called(self, key, *value):
        note(f"{name} {key}")
        return kept(self, key, *value)
    setattr(os._Environ, name, called)

sys.addaudithook(watch)
for name in ("__getitem__", "__setitem__"):
    spy(name)
error = ""
for module in sys.argv[2:]:
    try:
        importlib.import_module(module)
    except bentoml.exceptions.BentoMLException as raised:
        error = str(raised)
print(json.dumps([faults, error]))
"""
WORKING = "ekiben.service.service"


def watch(*modules: str, **environment: str) -> tuple[list[str], str]:
    faults, error = json.loads(run("-c", WATCH, str(ROOT.resolve()), *modules, **environment).stdout.splitlines()[-1])
    return faults, error


def list_modules() -> list[str]:
    paths = [path.relative_to(ROOT) for path in sorted((ROOT / "service").rglob("*.py"))]
    names = [".".join(("ekiben", *path.with_suffix("").parts)).removesuffix(".__init__") for path in paths]
    return [name for name in names if name not in (WORKING, "ekiben.service.__main__")]


def test_importing_the_service_reads_no_environment_and_makes_no_folder() -> None:
    modules = list_modules()
    assert len(modules) > 100
    assert watch(*modules) == ([], "")


def test_the_module_that_bentoml_serves_does() -> None:
    faults, error = watch(WORKING, MODEL_NAME="not_there")
    assert any("MODEL_NAME" in fault for fault in faults)
    assert error == "there is no model `not_there` in the BentoML store: run `ekiben train` first"
