"""Python modules that only some tables need."""

import importlib
from types import ModuleType

from ekiben.contract.errors import InvalidTable

_PACKAGES = {"python_calamine": "python-calamine", "deltalake": "deltalake", "pyiceberg": "pyiceberg"}
_EXTRAS = {"python_calamine": "excel", "deltalake": "delta", "pyiceberg": "iceberg"}


def import_extra(module: str, table: str) -> ModuleType:
    """Import a module; raise InvalidTable that says what to install if it is not there."""
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ImportError:
        install = f"pip install {_PACKAGES[package]}, or 'ekiben[{_EXTRAS[package]}]'"
        raise InvalidTable(
            f"{table} needs the Python package {_PACKAGES[package]}, which is not installed: {install}"
        ) from None
