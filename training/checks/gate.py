"""Checks a table before anything is fitted: is it like the one the champion was trained on?"""

from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow.entities.model_registry import ModelVersion

from ekiben.contract.errors import InvalidTable
from ekiben.contract.reference.reference import REFERENCE_FILE, Reference, load_reference
from ekiben.contract.schema import Schema, load_schema
from ekiben.contract.validation import show
from ekiben.model.home import find_home
from ekiben.model.package import SCHEMA_FILE
from ekiben.training.checks.report import Report, check_table
from ekiben.training.checks.skew import to_skew
from ekiben.training.home import find_data
from ekiben.training.problem import NUL, ProblemConfig
from ekiben.training.registry import tracking
from ekiben.training.registry.version_packages import PackageGone, open_package
from ekiben.training.sources import describe_absent
from ekiben.training.tables.read import Table
from ekiben.training.wording import quote


class SchemaSkew(InvalidTable):
    """The table is not what the champion's schema says."""


@dataclass(frozen=True)
class Contract:
    """What the next table has to be like: the schema and the values of the champion's."""

    version: str
    schema: Schema
    reference: Reference | None  # a version packed before there were references has none


def find_contract(name: str) -> Contract | None:
    """Return the champion's contract, or None where there is no champion yet; no store is made or changed."""
    champion = tracking.find_champion(name) if tracking.connect() else None
    if champion is None:
        return None
    try:
        return read_contract(champion)
    except PackageGone:
        goes_on = "nothing is compared with it; `ekiben promote` makes another version the champion"
        print(f"the package of version {champion.version}, the champion, is gone from its run in MLflow: {goes_on}")
        return None


def read_contract(champion: ModelVersion) -> Contract:
    """Return what a registered version's package says of the next table; raise PackageGone if there is none."""
    with open_package(champion) as package:
        if package.is_relative_to(find_home()):
            place = "is gone from its run in MLflow: its copy in the BentoML store is used"
            print(f"the package of version {champion.version}, the champion, {place}")
        file = package / REFERENCE_FILE
        reference = load_reference(file) if file.exists() else None
        return Contract(str(champion.version), load_schema(package / SCHEMA_FILE), reference)


def check_contract(contract: Contract, problem: ProblemConfig, table: Table) -> Report:
    """Compare a table with the contract, print the report and keep it as a page."""
    features, against = problem.features.keys(), f"version {contract.version}"
    report = check_table(
        contract.schema, contract.reference, table.columns, table.numbered, table.parse_failures, features, against,
        table.on_disk,
    )  # fmt: skip
    print(report.format())
    path = report_path(contract.schema.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(report.to_html(), encoding="utf-8")
    return report


def log_report(name: str, report: Report) -> None:
    """Record the report with the active run."""
    mlflow.log_metrics(report.metrics())
    mlflow.log_artifact(str(report_path(name)), "checks")


def reject_skew(contract: Contract, table: Table, report: Report) -> None:
    """Raise SchemaSkew if the table contradicts the contract; a failed run in MLflow keeps the report."""
    if not report.skews:
        return
    tracking.open_store(contract.schema.name)
    with mlflow.start_run():
        log_report(contract.schema.name, report)
        raise SchemaSkew(describe_skews(contract, table, report))


def describe_skews(contract: Contract, table: Table, report: Report) -> str:
    """Return in what a table contradicts the contract, and what to do; what nothing can read can't be meant."""
    more = f" (and {len(report.skews) - 1} more)" if len(report.skews) > 1 else ""
    mend = "if the change is meant, `ekiben train --accept-schema-change`"
    if table.absent or table.parse_failures:
        mend = "fix the table, or change the problem file, too, and `ekiben train --accept-schema-change`"
    return (
        f"{table.source} contradicts the schema of version {contract.version}: {report.skews[0]}{more}; "
        f"see {report_path(contract.schema.name)}; {mend}"
    )


def reject_unparseable(table: Table) -> None:
    """Raise InvalidTable if a column is absent or holds what can't be read as its declared kind."""
    if table.absent:
        raise InvalidTable(describe_absent(table.source, table.absent[0], table.columns))
    if table.parse_failures:
        first, *others = (str(to_skew(parse_failure)) for parse_failure in table.parse_failures)
        more = f" (and {len(others)} more columns)" if others else ""
        raise InvalidTable(f"{first}{more}: fix the table, or declare another kind in the problem file")


def reject_nul_bytes(schema: Schema) -> None:
    """Raise InvalidTable if a category's value ends with a NUL, which NumPy, and so Keras, takes off a string's end."""
    for feature in schema.categories:
        for value in feature.vocabulary:
            if value.endswith(NUL):
                raise InvalidTable(f"{quote(feature.name)}: {show(value)} ends with a NUL character: remove it")


def report_path(name: str) -> Path:
    """Return where the last report of a problem is kept."""
    return find_data() / "reports" / f"{name}.html"
