"""Asks whether the network may take the champion's place."""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from ekiben.contract.encoding import Encoder
from ekiben.pipeline.gates.behaviour import judge_behaviour
from ekiben.pipeline.gates.champion import GATE, judge_champion
from ekiben.pipeline.gates.compatibility import judge_compatibility
from ekiben.pipeline.records.record import StepRecord, Verdict, go, note
from ekiben.pipeline.step import Given, Made
from ekiben.pipeline.steps.champion import find_champion_inputs
from ekiben.pipeline.steps.evaluate import ANSWERS, load_network
from ekiben.pipeline.steps.table import prepare_decided
from ekiben.training.checks.gate import find_contract
from ekiben.training.preparation import Prepared
from ekiben.training.problem import ProblemConfig
from ekiben.training.registry import tracking
from ekiben.training.registry.champion import answer_with_version
from ekiben.training.registry.packaging import predict_encoded
from ekiben.training.registry.run_logging import slice_test
from ekiben.training.registry.version_packages import PackageGone
from ekiben.training.report.findings import count_test_rows

BUILDS_ON = ("ingest", "train", "evaluate")
GATED = True
OPTIONS: tuple[str, ...] = ()


def find_inputs(given: Given) -> dict[str, str]:
    """Return the champion that it is compared with."""
    return find_champion_inputs(given.problem.name)


def run(given: Given) -> Made:
    """Ask one gate after the other, until one stops."""
    problem, prepared = prepare_decided(given)
    tracking.connect()
    verdicts: list[Verdict] = []
    for verdict in ask_gates(given, problem, prepared):
        verdicts.append(verdict)
        if verdict.verdict == "stop":
            return Made(verdict.sentence, tuple(verdicts))
    return Made(verdicts[0].sentence, tuple(verdicts))


def ask_gates(given: Given, problem: ProblemConfig, prepared: Prepared) -> Iterator[Verdict]:
    """Yield what each gate says."""
    yield from compare_with_champion(given, problem, prepared)
    answer = make_answer(given, prepared)
    for expected in problem.behaviour:
        yield judge_behaviour(expected, prepared.schema.target, prepared.parts.test, answer, problem.pipeline.seed)
    if not problem.behaviour:
        yield go("behaviour", "no behavioural test is declared")
    yield judge_compatibility(find_contract(problem.name), prepared.schema)


def compare_with_champion(given: Given, problem: ProblemConfig, prepared: Prepared) -> list[Verdict]:
    """Return what the comparison with the champion says, if there is one that can be compared."""
    champion = tracking.find_champion(problem.name)
    if champion is None:
        return [go(GATE, "there is no champion yet")]
    if champion.run_id == given.run_id:
        return [go(GATE, f"version {champion.version}, the champion, is this very network")]
    target, test, labels = prepared.schema.target, prepared.parts.test, prepared.labels[2]
    try:
        theirs, reason = answer_with_version(target, champion, test), "can't read this table"
    except PackageGone:
        theirs, reason = None, "has lost its package"
    if theirs is None:
        return [note(GATE, f"version {champion.version}, the champion, {reason}: nothing is compared with it")]
    ours = np.load(given.find("evaluate", ANSWERS), allow_pickle=False)
    slices, counting = slice_test(problem, test), count_test_rows(problem, prepared)
    return judge_champion(problem, str(champion.version), target, labels, ours, theirs, slices, counting)


def make_answer(given: Given, prepared: Prepared) -> Callable[[pd.DataFrame], np.ndarray]:
    """Return what answers rows of the table with the network that was trained."""
    encoder, networks = Encoder(prepared.schema), [load_network(given)] if given.problem.behaviour else []
    return lambda rows: predict_encoded(networks[0], encoder.encode(rows))


def check(given: Given, record: StepRecord) -> None:
    """Everything that is made is a file."""
