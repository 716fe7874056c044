"""A new service takes over from an old one while gRPC callers go on asking, and none of their calls is lost."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from ekiben.model.package import PackedModel
from tests.callers import MODEL_INFER, typed_request
from tests.conftest import ALONE, PATIENCE_S, SUPERVISED, Server, serve
from tests.deploy.rollout import Forwarder, forward
from tests.grpc_load import GrpcLoad

pytestmark = pytest.mark.slow


def list_ports(server: Server) -> list[int]:
    return [int(address.rpartition(":")[2]) for address in (server.grpc, server.url)]


async def roll(old: Server, new: Server, fronts: list[Forwarder], request: bytes) -> None:
    """Ask at both ports while the old service stops."""
    loads = [GrpcLoad(front.port, f"/{MODEL_INFER}", request, calls=12, channels=3) for front in fronts]
    async with loads[0], loads[1]:
        for load in loads:
            await load.wait_answers(100)
        for front, target in zip(fronts, list_ports(new), strict=True):
            front.target = target
        old.process.terminate()
        assert await asyncio.to_thread(old.process.wait, PATIENCE_S) == 0
        for load in loads:
            await load.wait_answers(100)
    assert [(load.failures, load.refused) for load in loads] == [([], 0)] * 2


@pytest.mark.parametrize("way", [SUPERVISED, ALONE], ids=["supervised", "alone"])
def test_a_rolling_update_under_grpc_load_loses_nothing(model: PackedModel, tmp_path: Path, way: Sequence[str]) -> None:
    folders = [tmp_path / "old", tmp_path / "new"]
    for folder in folders:
        folder.mkdir()
    request = typed_request(model.schema, [dict(model.schema.example)]).SerializeToString()
    with serve(folders[0], way, DRAIN_DELAY_S="1") as old, serve(folders[1], way) as new:
        with forward(*list_ports(old)) as fronts:
            asyncio.run(roll(old, new, fronts, request))
        assert "nothing lost" in old.log.read_text()
