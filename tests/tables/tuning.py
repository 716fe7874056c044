"""Trees tuned by Optuna for some CPU seconds: every choice is made on the validation rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.tables.data import Data, cpu_seconds
from tests.tables.trees import Answers, Fit, fit_catboost, fit_lightgbm

MAX_TRIALS = 200


@dataclass(frozen=True)
class Tuned:
    """The best trial."""

    answers: Answers
    validation_loss: float
    parameters: dict[str, Any]
    trials: int


def suggest_lightgbm(trial: Any) -> Mapping[str, Any]:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 8, 256, log=True),
        "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 3, 100, log=True),
        "feature_fraction": trial.suggest_float("feature_fraction", 0.3, 1.0),
        "bagging_fraction": trial.suggest_float("bagging_fraction", 0.5, 1.0),
        "bagging_freq": 1,
        "lambda_l2": trial.suggest_float("lambda_l2", 1e-3, 30, log=True),
    }


def suggest_catboost(trial: Any) -> Mapping[str, Any]:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
        "depth": trial.suggest_int("depth", 3, 9),
        "l2_leaf_reg": trial.suggest_float("l2_leaf_reg", 0.5, 30, log=True),
        "random_strength": trial.suggest_float("random_strength", 0.1, 10, log=True),
        "bagging_temperature": trial.suggest_float("bagging_temperature", 0.0, 1.0),
    }


TUNED: Mapping[str, tuple[Fit, Callable[[Any], Mapping[str, Any]]]] = {
    "lightgbm": (fit_lightgbm, suggest_lightgbm),
    "catboost": (fit_catboost, suggest_catboost),
}


def tune(library: str, data: Data, seed: int, seconds: float) -> Tuned:
    """Try parameters until the CPU seconds are spent; the trial that is then under way stops with what it has."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    fit, suggest = TUNED[library]
    stop_at = cpu_seconds() + seconds
    best: list[Tuned] = []

    def attempt(trial: Any) -> float:
        parameters = dict(suggest(trial))
        answers = fit(data, seed, parameters, stop_at)
        loss = data.loss(data.validation, answers.validation)
        if not best or loss < best[0].validation_loss:
            best[:] = [Tuned(answers, loss, parameters, 0)]
        return loss

    def stop(study: Any, _: Any) -> None:
        if cpu_seconds() > stop_at:
            study.stop()

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(attempt, n_trials=MAX_TRIALS, callbacks=[stop])
    return replace(best[0], trials=len(study.trials))
