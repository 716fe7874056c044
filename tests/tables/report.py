"""What the cells add up to: a line a table, and the product's difference to each of the others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import wilcoxon

from tests.tables.cells import PRODUCT, Cell, Results

METRICS = {"binary": "auc", "multiclass": "accuracy", "regression": "r2"}
LOSSES = {"binary": "log_loss", "multiclass": "log_loss", "regression": "rmse"}
AS_THEY_COME = ("lightgbm", "catboost")
TUNED = ("lightgbm_tuned", "catboost_tuned")
BEST_TREES, BEST_AGAIN = "tuned trees", "tuned trees again"
OTHERS = {
    BEST_TREES: "tuned trees, the library chosen on validation rows",
    BEST_AGAIN: "the same, fitted once more to validation rows too", "lightgbm_tuned": "LightGBM tuned",
    "catboost_tuned": "CatBoost tuned", "lightgbm": "LightGBM as it comes", "catboost": "CatBoost as it comes",
    "sklearn": "scikit-learn as it comes",
}  # fmt: skip
HEAD = (
    "| table | rows × features | metric | Ekiben | tuned trees | difference | LightGBM | CatBoost | scikit-learn "
    "| loss: Ekiben | tuned trees | ECE | fit CPU s | µs at 1 | at 64 |\n|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    "--:|--:|--:|--:|"
)
DIFFERENCES = "| {} | tables | mean | median | worst | wins : losses | p (Wilcoxon) |\n|---|--:|--:|--:|--:|--:|--:|"


@dataclass(frozen=True)
class Row:
    """A table's cells, of the seeds that are there."""

    results: Results
    table: str
    seeds: int
    label: str

    def cells(self, model: str, label: str = "") -> dict[int, Cell]:
        """Return a model's cells by seed."""
        if model in (BEST_TREES, BEST_AGAIN):
            chosen = ((seed, self._choose(seed, "_again" * (model == BEST_AGAIN))) for seed in range(self.seeds))
        else:
            wanted = label or (self.label if model == PRODUCT else "")
            chosen = ((seed, self.results.find(self.table, seed, model, wanted)) for seed in range(self.seeds))
        return {seed: cell for seed, cell in chosen if cell is not None}

    def _choose(self, seed: int, again: str = "") -> Cell | None:
        """Return the trees with the lowest validation loss: a tuned library's best trial, or as it comes."""
        cells = [self.results.find(self.table, seed, model + again) for model in (*TUNED, *AS_THEY_COME)]
        found = [cell for cell in cells if cell is not None]
        return min(found, key=lambda cell: cell.validation_loss or 0.0) if len(found) == len(cells) else None

    def difference(self, other: str, key: dict[str, str] = METRICS) -> float | None:
        """Return the product's mean difference over the seeds that both have."""
        return subtract(self.cells(PRODUCT), self.cells(other), key)


def subtract(ours: dict[int, Cell], theirs: dict[int, Cell], key: dict[str, str] = METRICS) -> float | None:
    """Return the mean difference of a score over the seeds that both have, None if there is none."""
    both = ours.keys() & theirs.keys()
    found = [ours[seed].scores[key[ours[seed].task]] - theirs[seed].scores[key[ours[seed].task]] for seed in both]
    return float(np.mean(found)) if found else None


def describe_table(row: Row) -> str:
    """Return a table's line."""
    any_cell = next(cell for model in (PRODUCT, *OTHERS) for cell in row.cells(model).values())
    ours = row.cells(PRODUCT)
    shape, metric = f"{any_cell.rows:,} × {any_cell.features}", METRICS[any_cell.task]
    difference = row.difference(BEST_TREES)
    columns = [
        row.table, shape, metric, show_mean(row, PRODUCT, METRICS), show_mean(row, BEST_TREES, METRICS),
        "" if difference is None else f"{difference:+.4f}",
        *(show_mean(row, model, METRICS) for model in ("lightgbm", "catboost", "sklearn")),
        show_mean(row, PRODUCT, LOSSES), show_mean(row, BEST_TREES, LOSSES),
        *describe_cost(list(ours.values())),
    ]  # fmt: skip
    return f"| {' | '.join(columns)} |" + (" other rows: measure again" if disagree(row) else "")


def show_mean(row: Row, model: str, key: dict[str, str]) -> str:
    """Return a score's mean over the seeds."""
    cells = list(row.cells(model).values())
    return f"{np.mean([cell.scores[key[cell.task]] for cell in cells]):.4g}" if cells else ""


def describe_cost(ours: Sequence[Cell]) -> list[str]:
    """Return the calibration error, the CPU seconds of the fit, and the µs a row at 1 and 64 rows."""
    if not ours:
        return ["", "", "", ""]
    errors = [cell.scores["calibration_error"] for cell in ours if "calibration_error" in cell.scores]
    speeds = [cell.litert_us for cell in ours if cell.litert_us]
    single, many = np.mean(speeds, axis=0) if speeds else (np.nan, np.nan)
    seconds = np.mean([cell.fit_cpu_s for cell in ours])
    return [f"{np.mean(errors):.3f}" if errors else "", f"{seconds:.0f}", f"{single:.1f}", f"{many:.2f}"]


def disagree(row: Row) -> bool:
    """Return whether the product and the others were given other rows, or other inputs."""
    ours = row.cells(PRODUCT)
    return any(
        ours[seed].digest != cell.digest for model in OTHERS for seed, cell in row.cells(model).items() if seed in ours
    )


def describe_all(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the differences to each of the others over the tables, and what the product costs."""
    yield "\n" + DIFFERENCES.format("Ekiben −")
    for other, title in OTHERS.items():
        found = {row.table: difference for row in rows if (difference := row.difference(other)) is not None}
        if found:
            yield f"| {title} | {describe_differences(found)} |"
    ours = [cell for row in rows for cell in row.cells(PRODUCT).values()]
    errors = [cell.scores["calibration_error"] for cell in ours if "calibration_error" in cell.scores]
    speeds = [cell.litert_us for cell in ours if cell.litert_us]
    if speeds:
        single, many = np.median(speeds, axis=0)
        yield (
            f"\nmedians: fit {np.median([cell.fit_cpu_s for cell in ours]):.0f} CPU s, "
            f"LiteRT {single:.1f} µs at 1 row and {many:.2f} µs a row at 64, "
            f"calibration error {np.median(errors) if errors else np.nan:.3f}"
        )
    losses = [loss for row in rows if (loss := row.difference(BEST_TREES, LOSSES)) is not None]
    if losses:
        yield f"loss lower than that of tuned trees on {sum(loss < 0 for loss in losses)} of {len(losses)} tables"


def describe_differences(found: dict[str, float]) -> str:
    """Return the columns of a line about differences of tables."""
    values = np.array(list(found.values()))
    wins, losses = int((values > 0).sum()), int((values < 0).sum())
    p = float(wilcoxon(values).pvalue) if wins + losses else 1.0
    worst = min(found, key=lambda table: found[table])
    return (
        f"{len(values)} | {values.mean():+.4f} | {np.median(values):+.4f} | {found[worst]:+.4f} ({worst}) "
        f"| {wins} : {losses} | {p:.2g}"
    )


def describe_recipes(rows: Sequence[Row], one: str, other: str) -> Iterator[str]:
    """Yield what one recipe of the product does better than another, a line a table, and over all."""
    yield f"| table | metric | {one} | {other} | difference | loss: difference | fit CPU s | {other} |"
    yield "|---|---|--:|--:|--:|--:|--:|--:|"
    differences = {}
    for row in rows:
        both = row.cells(PRODUCT, one), row.cells(PRODUCT, other)
        difference, loss = subtract(*both), subtract(*both, LOSSES)
        if difference is None or loss is None:
            continue
        differences[row.table] = difference
        seeds = both[0].keys() & both[1].keys()
        metric = METRICS[next(iter(both[0].values())).task]
        means = [np.mean([cells[seed].scores[metric] for seed in seeds]) for cells in both]
        spent = [np.mean([cells[seed].fit_cpu_s for seed in seeds]) for cells in both]
        yield (
            f"| {row.table} | {metric} | {means[0]:.4f} | {means[1]:.4f} | {difference:+.4f} | {loss:+.4g} "
            f"| {spent[0]:.0f} | {spent[1]:.0f} |"
        )
    if differences:
        yield "\n" + DIFFERENCES.format(f"{one} − {other}")
        yield f"| all | {describe_differences(differences)} |"
