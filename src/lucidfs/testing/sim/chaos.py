"""The faults of a run, one after the other, each at a random moment."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from lucidfs.limits import SESSION_LIMIT_S
from lucidfs.testing.sim.process import Process
from lucidfs.testing.sim.programs import PROGRAMS, Program
from lucidfs.testing.sim.world import Client, World

PAUSE_S = 1.5  # longest pause between two faults, in the middle of three choices
CLIENTS = 3


class Chaos:
    """Makes faults until it is cancelled. Everything it does passes by itself, or is mended by `heal`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = random.Random(f"{world.seed} chaos")
        self._tasks: set[asyncio.Task[None]] = set()
        self._faults: list[tuple[Callable[[], None], int]] = [
            (self._cut, 4),
            (self._lose_a_reply, 6),
            (self._stall, 3),
            (self._swallow, 2),
            (self._exile, 2),
            (self._kill, 3),
            (self._freeze_briefly, 2),
            (self._freeze_long, 1),
            (self._freeze_a_holder, 2),
            (self._cut_the_power, 2),
            (self._power_cut_at_a_commit, 4),
            (self._refuse_a_commit, 1),
            (self._orderly_restart, 1),
            (self._freeze_hub, 1),
            (self._store_errors, 2),
            (self._store_slow, 2),
        ]

    async def run(self) -> None:
        """Fault after fault."""
        faults = [fault for fault, _ in self._faults]
        weights = [weight * self._rng.choice((0, 1, 2, 3)) for _, weight in self._faults]  # each seed has its own mix
        pause_s = PAUSE_S * self._rng.choice((0.5, 1.0, 2.0))
        while any(weights):
            await asyncio.sleep(self._rng.random() * pause_s)
            fault = self._rng.choices(faults, weights)[0]
            name = fault.__name__[1:]
            self._world.faults[name] = self._world.faults.get(name, 0) + 1
            self._world.note(f"fault: {name}")
            fault()

    async def heal(self) -> None:
        """End all faults, and return when a hub serves."""
        self._world.weather.error = self._world.weather.slow = 0.0
        self._world.network.unreachable.clear()
        if self._world.database is not None:
            self._world.database.fuse = 0
        while self._tasks:
            await asyncio.wait(set(self._tasks))
        while self._world.hub is None:  # `watch_hub` starts it
            await asyncio.sleep(0.1)

    async def watch_hub(self) -> None:
        """Start a hub again some time after it died."""
        while True:
            await asyncio.sleep(0.05)
            if self._world.hub is None:
                await self._world.restart_hub(self._rng.choice((0.05, 0.5, 3.0, 3.0, 15.0)) * self._rng.random())

    async def watch_clients(self) -> None:
        """Start as many clients as died."""
        while True:
            await asyncio.sleep(0.5)
            if len(self._world.live_clients) < CLIENTS and self._world.steps_left > 0:
                start_working(self._world, await self._world.start_client())

    # --- the network ----------------------------------------------------------------------------------------------

    def _cut(self) -> None:
        self._on_a_wire(lambda wire: wire.cut())

    def _lose_a_reply(self) -> None:
        """The connection breaks under an answer, and sometimes its client comes back only after its session."""
        wires = [wire for wire in self._world.network.wires if not wire.over]
        if wires:
            wire = self._rng.choice(wires)
            wire.reply_fuse = self._rng.randint(1, 3)
            if self._rng.random() < 0.4:
                until_s = self._world.loop.now_s + self._rng.uniform(1.0, 1.5) * SESSION_LIMIT_S
                self._world.network.unreachable[wire.client.process.name] = until_s

    def _stall(self) -> None:
        self._on_a_wire(lambda wire: wire.stall(self._rng.choice((0.5, 3.0))))

    def _swallow(self) -> None:
        self._on_a_wire(lambda wire: wire.swallow(self._rng.uniform(1.0, 20.0)))

    def _on_a_wire(self, act: Callable[..., None]) -> None:
        wires = [wire for wire in self._world.network.wires if not wire.over]
        if wires:
            act(self._rng.choice(wires))

    def _exile(self) -> None:
        client = self._some_client()
        if client is not None:
            until_s = self._world.loop.now_s + self._rng.uniform(0.5, 1.5 * SESSION_LIMIT_S)
            self._world.network.unreachable[client.name] = until_s
            self._world.network.cut_all(client.process)

    # --- clients --------------------------------------------------------------------------------------------------

    def _kill(self) -> None:
        client = self._some_client()
        if client is not None:
            self._world.kill_client(client, heard=self._rng.random() < 0.6)

    def _freeze_briefly(self) -> None:
        client = self._some_client()
        if client is not None:
            self._freeze(client.process, self._rng.uniform(0.1, 4.0))

    def _freeze_long(self) -> None:
        client = self._some_client()
        if client is not None:
            self._freeze(client.process, self._rng.uniform(1.0, 2.0) * SESSION_LIMIT_S)

    def _freeze_a_holder(self) -> None:
        """Somebody who is at work under a lock sleeps through the end of its session: others get the lock."""

        async def wait_for_one() -> None:
            for _ in range(100):
                holder = next((each for each in self._world.live_clients if each.holding), None)
                if holder is not None and not holder.process.frozen:
                    self._freeze(holder.process, self._rng.uniform(1.2, 1.8) * SESSION_LIMIT_S)
                    return
                await asyncio.sleep(0.05)

        self._later(wait_for_one())

    def _some_client(self) -> Client | None:
        clients = [client for client in self._world.live_clients if not client.process.frozen]
        holders = [client for client in clients if client.holding]
        if holders and self._rng.random() < 0.5:
            clients = holders
        return self._rng.choice(clients) if clients else None

    def _freeze(self, process: Process, seconds: float) -> None:
        self._world.note(f"{process.name} is frozen for {seconds:.3f} s")
        process.freeze()

        async def thaw() -> None:
            await asyncio.sleep(seconds)
            self._world.note(f"{process.name} goes on")
            process.thaw()

        self._later(thaw())

    # --- the hub --------------------------------------------------------------------------------------------------

    def _cut_the_power(self) -> None:
        if self._world.hub is not None:
            self._world.hub_died()

    def _power_cut_at_a_commit(self) -> None:
        self._fuse(self._rng.choice(("before", "after")))

    def _refuse_a_commit(self) -> None:
        self._world.commits_refused = True
        self._fuse("refuse")

    def _fuse(self, deed: str) -> None:
        database = self._world.database
        if self._world.hub is not None and database is not None:
            database.deed, database.fuse = deed, self._rng.randint(1, 6)

    def _orderly_restart(self) -> None:
        process = self._world.hub_process
        if self._world.hub is not None and process is not None and not process.frozen:
            self._later(self._world.stop_hub())

    def _freeze_hub(self) -> None:
        process = self._world.hub_process
        if self._world.hub is not None and process is not None and not process.frozen:
            self._freeze(process, self._rng.choice((1.0, 15.0)) * self._rng.random())

    # --- the store ------------------------------------------------------------------------------------------------

    def _store_errors(self) -> None:
        self._world.weather.error = self._rng.choice((0.1, 0.5))
        self._later(self._clear_up("error"))

    def _store_slow(self) -> None:
        self._world.weather.slow = 0.5
        self._later(self._clear_up("slow"))

    async def _clear_up(self, what: str) -> None:
        await asyncio.sleep(self._rng.uniform(0.5, 5.0))
        setattr(self._world.weather, what, 0.0)

    def _later(self, work: object) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def start_working(world: World, client: Client) -> None:
    """Begin the programs of a client."""
    if client.engine is not None and not client.process.dead:
        client.programs = [client.process.spawn(Program(world, client).run()) for _ in range(PROGRAMS)]
