"""What the guardrails are worth: `python -m tests.service.canary` prints docs/canary.md's numbers, in five minutes."""

import statistics
import sys
import timeit

import numpy as np

from ekiben.contract.schema import Target
from ekiben.service.canary.choosing import Canary
from ekiben.service.canary.guardrails import LOOK_S
from ekiben.service.canary.memory import AnswerMemory
from ekiben.service.canary.run import Run
from ekiben.service.canary.tally import AnswerBins, TallyCounter
from tests.service.canary.callers import HONEST, Behaviour, Caller, Traffic, judge, simulate_labels, simulate_sticky

FAULTS = {
    "1% fail": Behaviour(failing=0.01),
    "5% fail": Behaviour(failing=0.05),
    "3 × slower": Behaviour(slower=3.0),
    "answers shifted by one standard deviation": Behaviour(shifted=2.0),
}
RATES = ((1000, 10), (100, 100), (190, 10), (10, 10))  # requests a second to the champion and the candidate
RUNS, HONEST_LOOKS, HOURS, CALLERS = 9, 60, 50, 40
TARGET = Target(name="y", classes=(False, True))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def print_delays() -> None:
    say(
        f"seconds until a candidate steps back that breaks after {HONEST_LOOKS * LOOK_S:.0f} s,"
        f" median (worst) of {RUNS}"
    )
    for name, behaviour in FAULTS.items():
        cells = []
        for rates in RATES:
            found = [
                judge(Traffic(rates, np.random.default_rng(seed)), behaviour, 720, HONEST_LOOKS) for seed in range(RUNS)
            ]
            seconds = [one[1] if one else float("inf") for one in found]
            cells.append(f"{statistics.median(seconds):.0f} ({max(seconds):.0f})")
        say(f"| {name} | {' | '.join(cells)} |")


def print_false_step_backs() -> None:
    looks = round(3600 / LOOK_S)
    false = [judge(Traffic((50, 50), np.random.default_rng(seed)), HONEST, looks) is not None for seed in range(HOURS)]
    say(f"honest candidates, an hour each: {sum(false)} of {HOURS} stepped back")
    sticky = [simulate_sticky(callers, 0.5, 120, seed) is not None for callers in (60, 300) for seed in range(CALLERS)]
    say(f"honest, ten minutes, 60 and 300 callers who differ much: {sum(sticky)} of {len(sticky)} stepped back")


def print_losses() -> None:
    looks = round(3600 / LOOK_S)
    for callers in (60, 300, 3000):
        false = [simulate_labels(callers, 0.5, looks, seed, every_s=0.1)[0] != "" for seed in range(CALLERS)]
        found = [simulate_labels(callers, 0.5, looks, seed, 2.0, every_s=0.1) for seed in range(CALLERS)]
        labels = [requests for sentence, requests in found if sentence]
        median = f", after {statistics.median(labels):,.0f} labels in the median" if labels else ""
        say(
            f"loss, {callers} callers who differ, an hour: of {CALLERS} honest candidates {sum(false)} stepped back, "
            f"of {CALLERS} whose logits are off by 2 {len(labels)}{median}"
        )


def print_cost() -> None:
    run = Run(
        Canary("2", "3", 0.1, b"model"), b"x-canary-key", TallyCounter(AnswerBins(TARGET, None)), AnswerMemory(TARGET),
        lambda: b"",
    )  # fmt: skip
    caller, answer = Caller(b"caller 17"), np.array([[0.3]], np.float32)
    parts = (lambda: run.canary.choose(caller.key), lambda: run.choose(caller), lambda: note(run, caller, answer))
    spent = [1e6 / 2000 * min(timeit.repeat(part, number=2000, repeat=100)) for part in parts]
    say("µs: hash {:.2f}, choice {:.2f}, choice and counting {:.2f}".format(*spent))


def note(run: Run, caller: Caller, answer: np.ndarray) -> None:
    run.choose(caller)
    assert caller.drawn
    caller.drawn.note_answer(0.002, answer, b"6578a1b2c3d4e5f6a7b8c9d0")


if __name__ == "__main__":
    print_cost()
    print_delays()
    print_false_step_backs()
    print_losses()
