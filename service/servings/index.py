"""What the model repository's index lists, as the Open Inference Protocol's extension has it."""

from ekiben.contract.errors import UserError
from ekiben.model.store import list_names, read_latest
from ekiben.service.servings.servings import Servings


def list_served(servings: Servings, only_ready: bool) -> list[dict[str, str]]:
    """Return each version that is served."""
    state, reason = ("READY", "") if servings.ready else ("UNAVAILABLE", "the service is shutting down")
    listed = servings if servings.ready or not only_ready else ()
    return [{"name": one.model.name, "version": one.model.version, "state": state, "reason": reason} for one in listed]


def list_unloaded(served: set[str]) -> list[dict[str, str]]:
    """Return the store's other models; none if the store can't be read."""
    try:
        names = [name for name in list_names() if name not in served]
    except UserError:
        return []
    return [
        {"name": name, "version": read_latest(name) or "", "state": "UNAVAILABLE", "reason": "not loaded"}
        for name in names
    ]
