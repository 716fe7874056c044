"""Fetches a registered version into the BentoML store as it was packed: it and the champion stay what they are."""

from mlflow.entities.model_registry import ModelVersion

from ekiben.contract.errors import InvalidModel, UserError
from ekiben.model.package import CHAMPION, open_model
from ekiben.model.store import ALIAS_LABEL, DIGEST_LABEL
from ekiben.training.registry import tracking
from ekiben.training.registry.storing import store_package
from ekiben.training.registry.version_packages import open_package


class NotRegistered(UserError):
    """The registry has no such model, alias or version."""


class Damaged(InvalidModel):
    """What the registry has of a version is not what was packed."""


def find_registered(name: str, alias: str = "", version: str = "") -> ModelVersion:
    """Return the version that an alias names, or that of a number; raise NotRegistered, with what there is."""
    versions = [str(one.version) for one in tracking.find_versions(name)]
    if not versions:
        raise NotRegistered(f"the registry has no model {name}: train it first with `ekiben train`")
    if version and version not in versions:
        raise NotRegistered(f"the registry has no version {version} of {name}: it has {', '.join(versions)}")
    aliases = tracking.find_aliases(name)
    if not version and alias not in aliases:
        known = f"it has {', '.join(sorted(aliases))}" if aliases else "it has none: `ekiben promote` sets `champion`"
        raise NotRegistered(f"the registry has no alias {alias} of {name}: {known}")
    return tracking.get_version(name, version or aliases[alias])


def fetch_version(registered: ModelVersion) -> None:
    """Put a version's package into the BentoML store.

    Raises Damaged unless each file is the one whose digest the registry has, PackageGone if there is none.
    """
    what = f"version {registered.version} of {registered.name}"
    digest = registered.tags.get(DIGEST_LABEL)
    if not digest:
        raise Damaged(
            f"{what} was registered before its manifest's digest was: `ekiben promote {registered.version}` once"
        )
    with open_package(registered) as package:
        try:
            open_model(package, digest)
        except InvalidModel as error:
            found = str(error).rpartition(": ")[0].replace(f"{package}/", "")
            raise Damaged(f"{what} is damaged in the registry: {found}: promote or train another version") from None
        lineage = {**registered.tags, "version": str(registered.version), ALIAS_LABEL: CHAMPION}
        store_package(package, str(registered.version), lineage)
