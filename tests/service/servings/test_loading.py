"""A version is loaded in steps, between which the event loop turns."""

import asyncio
import json
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from ekiben.contract.encoding import Encoder
from ekiben.contract.errors import InvalidModel
from ekiben.model.integrity import digest_file
from ekiben.model.package import GOLDEN_FILE, LITERT_FILE, MANIFEST_FILE, PackedModel
from ekiben.model.steps import Step, Steps
from ekiben.service.servings.loading import drive, load_engine_gently, measure_cost_gently, open_model_gently


async def count_turns(counted: list[int]) -> None:
    while True:
        counted[0] += 1
        await asyncio.sleep(0)


def work(threads: list[str], steps: list[Step], seconds: float = 0.0) -> Steps[int]:
    """Note the thread of each step."""
    for step in steps:
        yield step
        time.sleep(seconds)
        threads.append(threading.current_thread().name)
    return len(threads)


def test_steps_run_where_they_hold_the_loop_least() -> None:
    threads: list[str] = []
    steps = work(threads, [Step.BRIEF, Step.UNLOCKED, Step.BRIEF, Step.UNLOCKED])
    assert asyncio.run(drive(steps)) == 4
    here = threading.current_thread().name
    assert [thread == here for thread in threads] == [True, False, True, False]


def test_the_loop_turns_after_a_millisecond() -> None:
    async def scenario() -> int:
        counted, threads = [0], list[str]()
        counting = asyncio.ensure_future(count_turns(counted))
        await drive(work(threads, [Step.BRIEF] * 20, seconds=0.001))
        counting.cancel()
        return counted[0]

    assert asyncio.run(scenario()) >= 20


def test_the_loader_rests_as_long_as_it_works() -> None:
    def busy() -> Steps[None]:
        for _ in range(4):
            yield Step.BRIEF
            time.sleep(0.02)

    async def scenario() -> float:
        began = time.perf_counter()
        await drive(busy())
        return time.perf_counter() - began

    assert asyncio.run(scenario()) >= 0.16


@pytest.mark.parametrize("step", list(Step))
def test_an_error_in_a_step_is_the_callers(step: Step) -> None:
    def fail() -> Steps[None]:
        yield step
        raise InvalidModel("why")

    with pytest.raises(InvalidModel, match="why"):
        asyncio.run(drive(fail()))


def test_no_step_follows_once_the_caller_gave_up() -> None:
    begun = 0

    def endless() -> Steps[None]:
        nonlocal begun
        while True:
            yield Step.BRIEF
            time.sleep(0.002)
            begun += 1

    async def scenario() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await drive(endless())
        ended_at = begun
        await asyncio.sleep(0.05)
        assert begun == ended_at > 0

    asyncio.run(scenario())


@pytest.mark.slow
def test_a_model_is_opened_and_loaded_while_the_loop_turns(model: PackedModel) -> None:
    async def scenario() -> None:
        counted = [0]
        counting = asyncio.ensure_future(count_turns(counted))
        opened = await open_model_gently(model.path, model.digest)
        assert (opened.digest, opened.version) == (model.digest, model.version)
        engine = await load_engine_gently(opened)
        cost = await measure_cost_gently(engine, opened)
        assert 0 < cost.predict(1) < cost.predict(512)
        counting.cancel()
        assert counted[0] >= 5
        rows = Encoder(model.schema).encode_rows([model.schema.example] * 700)
        assert np.array_equal(engine.run(rows), model.start_engine().run(rows))

    asyncio.run(scenario())


@pytest.fixture
def folder(model: PackedModel, tmp_path: Path) -> Path:
    """A packed model that may be damaged."""
    return Path(shutil.copytree(model.path, tmp_path / "packed"))


def sign(folder: Path, file: str) -> str:
    """Put a changed file's digest into the manifest, and return the manifest's own."""
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    manifest["files"][file] = digest_file(folder / file)
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest))
    return digest_file(folder / MANIFEST_FILE)


@pytest.mark.slow
@pytest.mark.parametrize("harm", ["alter", "remove"])
def test_a_harmed_file_is_named(folder: Path, model: PackedModel, harm: str) -> None:
    if harm == "remove":
        (folder / LITERT_FILE).unlink()
    else:
        (folder / LITERT_FILE).write_bytes(b"TFL3")
    with pytest.raises(InvalidModel, match=LITERT_FILE):
        asyncio.run(open_model_gently(folder, model.digest))


@pytest.mark.slow
def test_other_golden_answers_are_rejected(folder: Path) -> None:
    golden = json.loads((folder / GOLDEN_FILE).read_text())
    golden["answers"][200][0] += 0.001
    (folder / GOLDEN_FILE).write_text(json.dumps(golden))
    opened = asyncio.run(open_model_gently(folder, sign(folder, GOLDEN_FILE)))
    with pytest.raises(InvalidModel, match=r"up to 0\.001 away"):
        asyncio.run(load_engine_gently(opened))


@pytest.mark.slow
def test_a_golden_row_that_does_not_fit_is_named(folder: Path) -> None:
    golden = json.loads((folder / GOLDEN_FILE).read_text())
    golden["rows"][200]["distance"] = "far"
    (folder / GOLDEN_FILE).write_text(json.dumps(golden))
    opened = asyncio.run(open_model_gently(folder, sign(folder, GOLDEN_FILE)))
    with pytest.raises(InvalidModel, match="row 200: `distance`: expected a number, got 'far'"):
        asyncio.run(load_engine_gently(opened))
