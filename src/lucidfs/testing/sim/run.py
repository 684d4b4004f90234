"""One run: start, programs and faults together, then calm, and the question whether everything was as promised."""

from __future__ import annotations

import asyncio
import gc
import logging
import shutil
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from lucidfs.limits import DEAD_OBJECT_GRACE_S, REAP_EVERY_S
from lucidfs.testing.sim import history
from lucidfs.testing.sim.chaos import CLIENTS, Chaos, start_working
from lucidfs.testing.sim.process import Deadlock, VirtualLoop, run_virtual
from lucidfs.testing.sim.programs import Program, furnish, subjects
from lucidfs.testing.sim.world import World

END_S = 900.0  # virtual time that calls may need to end once there are no faults any more
NIGHT_S = 1.5 * DEAD_OBJECT_GRACE_S
STEP_S = 20.0  # virtual time that a call may take on average, faults included
_MEMORY_FOLDER = Path("/dev/shm")


class Report(NamedTuple):
    """What came of a run.

    Attributes:
        seed: which.
        violations: promises that were broken, the first one first.
        digest: of everything that happened; the same for the same seed and code.
        calls: calls by their outcome.
        faults: faults by name.
        virtual_s: how long the run was for those in it.
        trace: everything that happened.
    """

    seed: int
    violations: list[str]
    digest: str
    calls: dict[str, int]
    faults: dict[str, int]
    virtual_s: float
    trace: list[str]


def run(seed: int, steps: int) -> Report:
    """Run one seed.

    Args:
        seed: decides everything.
        steps: calls that programs make.
    """
    folder = Path(tempfile.mkdtemp(prefix="lucid-sim-", dir=_MEMORY_FOLDER if _MEMORY_FOLDER.is_dir() else None))
    loop = VirtualLoop()
    try:
        with _quiet(), _steady_memory():
            world = World(seed, loop, folder)
            with _logs(world):
                run_virtual(loop, _whole(world, steps))
        return _report(world)
    finally:
        loop.close()
        shutil.rmtree(folder)


async def _whole(world: World, steps: int) -> None:
    try:
        await _live(world, steps)
    except Deadlock as error:
        world.violated(str(error))
    finally:
        await world.end_everything()


async def _live(world: World, steps: int) -> None:
    subjects(world)
    await world.start_hub()
    for number in range(CLIENTS):
        client = await world.start_client()
        if not number:
            await client.process.spawn(furnish(client))
    world.steps_left = steps
    for client in list(world.clients):
        start_working(world, client)
    chaos = Chaos(world)
    troubles = [asyncio.create_task(work()) for work in (chaos.run, chaos.watch_clients, chaos.watch_hub)]
    while world.steps_left > 0:
        await asyncio.sleep(0.5)
        for task in troubles:
            if task.done():
                task.result()
        if world.loop.now_s > STEP_S * steps:
            world.violated("the programs do not get on")
            return
    troubles[0].cancel()
    await chaos.heal()
    await _calm(world)
    troubles[1].cancel()
    troubles[2].cancel()
    await _look_back(world)


async def _calm(world: World) -> None:
    """Wait for all calls to end."""
    end_s = world.loop.now_s + END_S
    while not all(client.idle for client in world.clients):
        if world.loop.now_s > end_s:
            world.violated(f"calls hang: {[client.name for client in world.clients if not client.idle]}")
            return
        await asyncio.sleep(0.5)


async def _look_back(world: World) -> None:
    """Everything that was ever acknowledged must be there after one more crash, for a client that knows nothing."""
    for client in world.clients:
        for task in client.programs:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                where = "".join(traceback.format_tb(error.__traceback__)[-3:])
                world.violated(f"{client.name}: a program ended with {error!r}\n{where}")
    for client in world.live_clients[1:]:
        assert client.engine is not None
        await asyncio.wait({client.process.spawn(client.engine.close())}, timeout=END_S)
    if world.seed % 3 == 0:
        await _night(world)
    if world.hub is not None:
        world.hub_died()
    await world.restart_hub(1.0)
    witness = await world.start_client("witness")
    looking = witness.process.spawn(Program(world, witness).look_at_everything())
    await asyncio.wait({looking}, timeout=END_S)
    if not looking.done():
        world.violated("the witness hangs")
    for each in world.histories.values():
        try:
            history.check(each)
        except history.Unexplained as reason:
            world.violated(str(reason))
        except history.Undecided as reason:
            world.faults[f"UNDECIDED {reason}"] = 1


async def _night(world: World) -> None:
    """Long enough for the hub to delete what nobody needs, with a store that fails now and then."""
    for client in world.live_clients:
        world.kill_client(client, heard=True)
    world.weather.error = 0.2
    await asyncio.sleep(NIGHT_S)
    world.weather.error = 0.0
    await asyncio.sleep(2 * REAP_EVERY_S)
    world.note(f"{len(world.store.contents)} objects are left")


def _report(world: World) -> Report:
    calls: dict[str, int] = {}
    for each in world.histories.values():
        for op in each.ops:
            calls[op.outcome] = calls.get(op.outcome, 0) + 1
    return Report(
        world.seed, world.violations, world.digest, calls, world.faults, world.loop.now_s, world.trace
    )  # fmt: skip


# --- surroundings -------------------------------------------------------------------------------------------------


class _Collector(logging.Handler):
    """Errors that the product logs are violations, but for those about commits that were made to fail."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.ERROR)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        if not self._world.ending and not self._world.commits_refused:
            self._world.violated(f"logged: {self.format(record)}")


@contextmanager
def _logs(world: World) -> Iterator[None]:
    logger = logging.getLogger("lucidfs")
    collector = _Collector(world)
    logger.addHandler(collector)
    try:
        yield
    finally:
        logger.removeHandler(collector)


@contextmanager
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("lucidfs")
    propagate, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.propagate = propagate


@contextmanager
def _steady_memory() -> Iterator[None]:
    """Without the cycle collector objects end at the same instant in every run, weak references with them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
        gc.collect()
