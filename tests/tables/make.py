"""Makes the tables: one function each, that writes a file and says what there is to predict."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import sqlalchemy
from sklearn import datasets

from tests.all_flights import read_flights


@dataclass(frozen=True)
class Made:
    """A table that was written, and what `init` is told of it."""

    table: str  # a path, or a database's URL
    target: str
    query: str | None = None


def breast_cancer(folder: Path) -> Made:
    """569 × 30 numbers, 0 or 1: a plain CSV."""
    table = datasets.load_breast_cancer(as_frame=True).frame
    table.to_csv(folder / "breast_cancer.csv", index=False)
    return Made(str(folder / "breast_cancer.csv"), "target")


def iris(folder: Path) -> Made:
    """150 × 4 numbers, three names; gzipped, tabs, with pandas' index."""
    bunch = datasets.load_iris(as_frame=True)
    table = bunch.data.assign(species=bunch.target_names[bunch.target])
    table.to_csv(folder / "iris.tsv.gz", sep="\t")
    return Made(str(folder / "iris.tsv.gz"), "species")


def wine(folder: Path) -> Made:
    """178 × 13 numbers, three classes; a Parquet file."""
    datasets.load_wine(as_frame=True).frame.to_parquet(folder / "wine.parquet", index=False)
    return Made(str(folder / "wine.parquet"), "target")


def digits(folder: Path) -> Made:
    """1,797 × 64 numbers, ten classes; a folder of Parquet files."""
    table = datasets.load_digits(as_frame=True).frame
    (folder / "digits").mkdir()
    for part in range(3):
        table.iloc[part::3].to_parquet(folder / "digits" / f"{part}.parquet", index=False)
    return Made(str(folder / "digits"), "target")


def diabetes(folder: Path) -> Made:
    """442 × 10 numbers, a regression; in SQLite, with a column called as Python calls its own."""
    table = datasets.load_diabetes(as_frame=True, scaled=False).frame.rename(columns={"s1": "self"})
    url = f"sqlite:///{folder / 'clinic.db'}"
    table.to_sql("diabetes", sqlalchemy.create_engine(url), index=False)
    return Made(url, "target", "SELECT * FROM diabetes")


def wide(folder: Path) -> Made:
    """1,500 × 150 numbers, of which 20 matter; yes or no."""
    features, labels = datasets.make_classification(
        1500, 150, n_informative=20, n_redundant=20, class_sep=1.5, random_state=0
    )
    table = pd.DataFrame(features.round(4)).add_prefix("x").assign(won=np.where(labels, "yes", "no"))
    table.to_csv(folder / "wide.csv", index=False)
    return Made(str(folder / "wide.csv"), "won")


def mostly_missing(folder: Path) -> Made:
    """3,000 rows of which 70% of the cells are empty, in several spellings; true or false."""
    rng = np.random.default_rng(1)
    rows = 3000
    numbers = rng.normal(size=(rows, 6)).round(3)
    colour = rng.choice(["red", "green", "blue"], rows)
    odds = numbers[:, :3].sum(axis=1) + 1.5 * (colour == "red")
    table = pd.DataFrame(numbers.astype(str), columns=list("abcdef")).assign(colour=colour)
    gone = rng.random(table.shape) < 0.7
    table = table.mask(gone, pd.DataFrame(rng.choice(["", "NA", "null", "?"], table.shape), columns=table.columns))
    table["late"] = rng.random(rows) < 1 / (1 + np.exp(-1.5 * odds))
    table.to_csv(folder / "mostly_missing.csv", index=False, sep="|")
    return Made(str(folder / "mostly_missing.csv"), "late")


def persian(folder: Path) -> Made:
    """2,500 houses with Persian, Chinese and emoji names, decimal commas and semicolons; a skewed price."""
    rng = np.random.default_rng(2)
    rows = 2500
    area, floor = rng.gamma(6, 15, rows).round(1), rng.integers(0, 12, rows)
    town = rng.choice(["تهران", "اصفهان", "شیراز", "北京"], rows, p=[0.5, 0.2, 0.2, 0.1])
    lift = rng.choice(["بله", "خیر"], rows)
    rate = pd.Series(town).map({"تهران": 9.0, "اصفهان": 5.0, "شیراز": 4.5, "北京": 12.0}).to_numpy()
    price = area * rate * np.exp(0.02 * floor * (lift == "بله") + rng.normal(0, 0.2, rows))
    table = pd.DataFrame(
        {"متراژ (m²)": area, "طبقه": floor, "شهر.城市": town, "آسانسور 🛗": lift, "قیمت": price.round(2)}
    )
    table.to_csv(folder / "خانه‌ها.csv", index=False, sep=";", decimal=",", encoding="utf-8-sig")
    return Made(str(folder / "خانه‌ها.csv"), "قیمت")


def by_time(folder: Path) -> Made:
    """6,000 flights in the order of time: by how many minutes they were late to leave the gate's timetable behind."""
    table, _ = read_flights()
    table = table.iloc[:: len(table) // 6000]
    table[
        ["scheduled_departure", "carrier", "origin", "dest", "distance", "departures_before", "temp", "visib", "late"]
    ].to_csv(folder / "flights.csv", index=False)
    return Made(str(folder / "flights.csv"), "late")


def rare(folder: Path) -> Made:
    """8,000 payments of which 3% are fraud; categories with hundreds of values, an amount over six decades."""
    rng = np.random.default_rng(3)
    rows = 8000
    shop, hour = rng.zipf(1.5, rows).clip(max=800), rng.integers(0, 24, rows)
    amount = np.exp(rng.normal(3, 2, rows)).round(2)
    odds = -5.2 + 0.6 * np.log(amount / 20) + 1.6 * (hour < 5) + 1.2 * (shop % 7 == 3)
    table = pd.DataFrame({"shop": [f"shop {number}" for number in shop], "hour": hour, "amount": amount})
    table["fraud"] = np.where(rng.random(rows) < 1 / (1 + np.exp(-odds)), "fraud", "fine")
    table.to_csv(folder / "payments.csv", index=False)
    return Made(str(folder / "payments.csv"), "fraud")


MAKERS: tuple[Callable[[Path], Made], ...] = (
    breast_cancer, iris, wine, digits, diabetes, wide, mostly_missing, persian, by_time, rare,
)  # fmt: skip
