"""What the gates decided on a version: in its provenance, and after packing in the pipeline's records."""

from collections.abc import Iterator

from ekiben.model.provenance import Provenance
from ekiben.pipeline.lineage.link import Link
from ekiben.pipeline.records.keeping import DamagedRecord, NoSuchRecord, find_folder, read_record
from ekiben.pipeline.records.record import StepRecord
from ekiben.training.wording import count


def list_gates(name: str, version: str, run_id: str, provenance: Provenance | None) -> Iterator[Link]:
    """Yield one link with every verdict on a version of the model `name`, if there is any; damaged records break it."""
    before = provenance.run.gates if provenance else ()
    said = dict.fromkeys(f"{gate.gate}: {gate.verdict}, {gate.sentence}" for gate in before)
    damaged = []
    for path in sorted(find_folder("records").glob("*.json")):
        try:
            record = read_record(path.stem)
        except DamagedRecord as error:
            damaged.append(str(error).replace(f"{path.parent}/", ""))
        except NoSuchRecord:  # it was removed just now
            continue
        else:
            if is_about(record, name, version, run_id):
                said |= dict.fromkeys(f"{one.gate}: {one.verdict}, {one.sentence}" for one in record.verdicts)
    if said or damaged:
        yield Link("gates", count(len(said), "verdict"), tuple(said), tuple(damaged))


def is_about(record: StepRecord, name: str, version: str, run_id: str) -> bool:
    """Return whether a record is of this version: by its MLflow run, or, where it has none, by model and number."""
    if record.configuration.get("name") != name:
        return False
    return record.mlflow_run == run_id if record.mlflow_run else record.version == version
