"""Lets the version answer in the champion's shadow, and asks services what came of it; only where they are named."""

from ekiben.pipeline.gates.shadow import GATE, Pair, judge_shadow
from ekiben.pipeline.records.record import StepRecord, go
from ekiben.pipeline.step import Given, Made
from ekiben.pipeline.steps.champion import NONE, find_champion_inputs, find_champion_version
from ekiben.pipeline.steps.pack import MANIFEST
from ekiben.training.registry import tracking
from ekiben.training.registry.champion import pack_challenger

BUILDS_ON = ("pack",)
GATED = True
OPTIONS: tuple[str, ...] = ()


def find_inputs(given: Given) -> dict[str, str]:
    """Return whose shadow it is."""
    return find_champion_inputs(given.problem.name)


def run(given: Given) -> Made:
    """Pack the version as the challenger and wait, or say that no shadow is asked for."""
    name, version, wanted = given.problem.name, given.version, given.problem.pipeline
    if not wanted.services:
        return Made("no shadow is asked for: `[pipeline] services` names who answers live traffic")
    tracking.open_store(name)
    champion = find_champion_version(name)
    if champion in (NONE, version):
        sentence = "there is no other champion in whose shadow it could answer"
        return Made(sentence, (go(GATE, sentence),), version=version)
    pack_challenger(name, version)
    pair = Pair(name, champion, version, given.before["pack"].outputs[MANIFEST])
    verdict = judge_shadow(wanted.services, pair, wanted.shadow_hours)
    return Made(verdict.sentence, (verdict,), version=version)


def check(given: Given, record: StepRecord) -> None:
    """Nothing is made."""
