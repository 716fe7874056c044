"""Every attack, by kind."""

from collections.abc import Sequence

from ekiben.contract.errors import UserError
from ekiben.load_tests.hostile.attack import Attack
from ekiben.load_tests.hostile.attacks import (
    bodies,
    connections,
    grpc_frames,
    grpc_messages,
    heads,
    parquet,
    pipelines,
    probes,
    rejected,
    uploads,
)

KINDS = (probes, rejected, bodies, uploads, parquet, heads, connections, pipelines, grpc_frames, grpc_messages)
ATTACKS: Sequence[Attack] = [attack for kind in KINDS for attack in kind.ATTACKS]


def find_attack(name: str) -> Attack:
    """Return the attack of that name."""
    return next(attack for attack in ATTACKS if attack.name == name)


def choose(names: Sequence[str]) -> Sequence[Attack]:
    """Return the attacks whose names begin like one of these, all if there are none; or raise UserError."""
    for name in names:
        if not any(attack.name.startswith(name) for attack in ATTACKS):
            raise UserError(f"--only {name}: there is no such attack; --list names them")
    return [attack for attack in ATTACKS if not names or attack.name.startswith(tuple(names))]
