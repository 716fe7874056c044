"""What names a table that is kept: registered versions, runs that are under way, and records of the pipeline."""

from collections import defaultdict
from collections.abc import Collection, Iterator

from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient

from ekiben.contract.errors import UserError
from ekiben.training.home import find_data
from ekiben.training.registry import tracking
from ekiben.training.registry.creation import find_file
from ekiben.training.registry.store import read_uri
from ekiben.training.versions.kept_table import DIGEST, SHORT

RECORDS = "pipeline/records"
DATA_TAG = "data_digest"


def find_named(without: Collection[str] = ()) -> dict[str, list[str]]:
    """Return what names a table's digest, by the digest; `without` the records of these keys, which go.

    Raise StoreUnreachable if the registry can't be asked, UserError if a record can't be read.
    """
    named: dict[str, list[str]] = defaultdict(list)
    for digest, name in (*find_in_store(), *find_in_records(without)):
        if digest:  # a version of before there were tags has none
            named[digest].append(name)
    return named


def find_versions() -> tuple[set[tuple[str, str]], set[str]]:
    """Return model and version of all that is registered, and their runs' ids; none if there is no store yet."""
    if not has_store():
        return set(), set()
    with tracking.existing_store(changing=False):
        found = list(list_versions())
    return {(str(each.name), str(each.version)) for each in found}, {each.run_id for each in found if each.run_id}


def has_store() -> bool:
    """Return whether there is a store, or may be one elsewhere."""
    file = find_file(read_uri())
    return file is None or file.exists()


def find_in_store() -> list[tuple[str, str]]:
    """Return the data digests of registered versions and of runs that train now; none if there is no store yet."""
    if not has_store():
        return []
    with tracking.existing_store(changing=False):
        return [*find_registered(), *find_running()]


def find_registered() -> Iterator[tuple[str, str]]:
    """Yield the data digest and the name of each registered version of any model."""
    yield from ((each.tags.get(DATA_TAG, ""), f"{each.name} {each.version}") for each in list_versions())


def list_versions() -> Iterator[ModelVersion]:
    """Yield each registered version of any model."""
    token = None
    while True:
        page = MlflowClient().search_model_versions(page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def find_running() -> Iterator[tuple[str, str]]:
    """Yield the data digest and the name of each run that may become a version yet."""
    for experiment in MlflowClient().search_experiments():
        for run in MlflowClient().search_runs([experiment.experiment_id], "attributes.status = 'RUNNING'"):
            yield run.data.tags.get(DATA_TAG, ""), f"run {run.info.run_name}"


def find_in_records(without: Collection[str] = ()) -> Iterator[tuple[str, str]]:
    """Yield each digest that a record of the pipeline has anywhere in it."""
    for path in sorted((find_data() / RECORDS).glob("*.json")):
        if path.stem in without:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise UserError(f"{path} can't be read, and may name a table: remove it if it is damaged") from None
        yield from ((digest, f"record {path.stem[:SHORT]}") for digest in sorted(set(DIGEST.findall(text))))
