"""Everything that is simulated, in one place: hub, clients, network, store; what happened, and what must not happen."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

from lucidfs.engine.engine import Engine
from lucidfs.engine.settings import EngineSettings
from lucidfs.errors import Fault
from lucidfs.hub.database.base import Database
from lucidfs.hub.database.sqlite import SqliteDatabase
from lucidfs.hub.hub import Hub
from lucidfs.hub.settings import HubSettings
from lucidfs.limits import MIB
from lucidfs.objects.memory import MemoryStore
from lucidfs.testing.sim.database import PowerCut, SimDatabase
from lucidfs.testing.sim.filespace import check_rows, prepare
from lucidfs.testing.sim.history import History, Model, Op
from lucidfs.testing.sim.network import Network, SimTransport
from lucidfs.testing.sim.process import Process, SimClock, VirtualLoop
from lucidfs.testing.sim.store import HubStore, SimGateway, Weather
from lucidfs.testing.sim.workers import SimThread, SimWorkers, pause
from lucidfs.wire.transport import Connection, Receiver

DRIFT = 0.02  # clocks and timers of a process run at most this much too fast or too slow
OFFSET_S = 120.0  # wall clocks are wrong by at most this
CLEANER_S = 1.0  # a hub's thread takes up to this long for what it does at a store
PACK_EVERY_S = 5.0  # between two looks at what may be packed
PACK_AFTER_S = 2.0  # nobody wrote a file for this long: soon enough to be in the way of the programs


class Client:
    """One client process and its engine, once that is linked."""

    def __init__(self, process: Process, rng: random.Random) -> None:
        self.process = process
        self.rng = rng
        self.workers = SimWorkers()
        self.engine: Engine | None = None
        self.programs: list[asyncio.Task[None]] = []
        self.holding = 0  # programs that are at work under a lock

    @property
    def name(self) -> str:
        return self.process.name

    @property
    def idle(self) -> bool:
        """Nothing more will come of it."""
        return self.process.dead or (self.engine is not None and all(task.done() for task in self.programs))


class World:
    """One run.

    Args:
        seed: decides everything.
        loop: virtual time.
        folder: for the database.

    Attributes:
        rng: for decisions of the run itself.
        violations: promises that were broken; empty at the end of a good run.
        steps_left: calls that programs may still begin.
    """

    def __init__(self, seed: int, loop: VirtualLoop, folder: Path) -> None:
        self.seed = seed
        self.loop = loop
        self.rng = random.Random(f"{seed} world")
        self.violations: list[str] = []
        self.histories: dict[str, History] = {}
        self.clients: list[Client] = []
        self.faults: dict[str, int] = {}
        self.steps_left = 0
        self.ending = False
        self.hub: Hub | None = None
        self.hub_process: Process | None = None
        self.database: SimDatabase | None = None
        self.commits_refused = False
        self._processes: list[Process] = []
        self._count = 0
        self._ticks = 0
        self._digest = hashlib.sha256()
        self.trace: list[str] = []
        self.weather = Weather()
        self.network = Network(loop, str(seed), self._door)
        outside = self.process("nobody", exact=True)
        self.prepared = prepare(folder / "hub", SimClock(loop, outside), self._bytes("data"))
        self.store = MemoryStore(SimClock(loop, outside))
        loop.set_exception_handler(self._trouble)

    # --- what happened --------------------------------------------------------------------------------------------

    def note(self, text: str) -> None:
        """Put an event into the trace; equal runs have equal traces."""
        line = f"{self.loop.now_s:.6f} {text}"
        self._digest.update(line.encode() + b"\n")
        self.trace.append(line)

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()[:16]

    def violated(self, text: str) -> None:
        """A promise was broken."""
        self.note(f"VIOLATION {text}")
        self.violations.append(text)

    def tick(self) -> int:
        """The next place in the order of calls and returns."""
        self._ticks += 1
        return self._ticks

    def subject(self, name: str, model: Model) -> None:
        self.histories[name] = History(name, model)

    def begin(self, client: Client, subject: str, name: str, *args: Hashable) -> Op:
        """A call begins."""
        op = Op(client.name, name, args, self.tick(), at_s=(self.loop.now_s, 0.0))
        self.histories[subject].ops.append(op)
        return op

    def end(self, op: Op, outcome: str, result: Hashable = None) -> None:
        """A call has returned; its return may have been noted before (`returned`)."""
        self.returned(op)
        op.outcome, op.result = outcome, result
        self.note(str(op))

    def returned(self, op: Op) -> None:
        """Note the moment of a return, whose result is not known yet."""
        if not op.at_s[1]:
            op.ended, op.at_s = self.tick(), (op.at_s[0], self.loop.now_s)

    def may_be_reserved(self, op: Op) -> bool:
        """Whether somebody was creating exclusively, so that a refusal says nothing about what is there."""
        history = next(each for each in self.histories.values() if op in each.ops)
        creating = (other for other in history.ops if other.name == "create" and other is not op)
        return any(other.ended > op.began or other.outcome == "unknown" for other in creating)

    def _trouble(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, PowerCut) or self.ending:
            return
        self.violated(f"unhandled: {context.get('message')}: {error!r}")

    # --- processes ------------------------------------------------------------------------------------------------

    def process(self, name: str, *, exact: bool = False) -> Process:
        pace = 1.0 if exact else 1.0 + self.rng.uniform(-DRIFT, DRIFT)
        process = Process(self.loop, name, pace)
        self._processes.append(process)
        return process

    def _clock(self, process: Process) -> SimClock:
        return SimClock(self.loop, process, self.rng.uniform(-OFFSET_S, OFFSET_S))

    def _bytes(self, stream: str) -> Callable[[int], bytes]:
        return random.Random(f"{self.seed} {stream}").randbytes

    # --- the hub --------------------------------------------------------------------------------------------------

    def _door(self) -> tuple[Process, Callable[[Connection], Receiver]] | None:
        if self.hub is None or self.hub_process is None or self.hub_process.dead:
            return None
        return self.hub_process, self.hub.accept

    def serving_database(self) -> Database | None:
        """The database as the gateway reads it, while there is one."""
        if self.database is None or self.hub is None or self.ending:
            return None
        return self.database.inner

    async def start_hub(self) -> None:
        """Start a hub on what the last one left behind, after looking at that."""
        assert self.hub is None
        self._count += 1
        process = self.process(f"hub{self._count}")
        database = SimDatabase(SqliteDatabase(self.prepared.path, durable=False), self.hub_died)
        self.check_rows(database.inner)
        hub = process.run(self._make_hub, process, database)
        starting = process.spawn(hub.start())
        await asyncio.wait({starting}, timeout=30.0)
        starting.result()
        self.database, self.hub_process, self.hub = database, process, hub
        self.note(f"{process.name} serves")

    def _make_hub(self, process: Process, database: SimDatabase) -> Hub:
        settings = HubSettings(
            inline_commit=True, pack_every_s=PACK_EVERY_S, pack_after_s=PACK_AFTER_S, pack_gain_bytes=1
        )
        randomness = self._bytes(process.name)
        rng = random.Random(f"{self.seed} {process.name} store")
        return Hub(
            database,
            HubStore(self.store, self.weather, rng),
            clock=self._clock(process),
            random=randomness,
            settings=settings,
            cleaning=SimThread(self.loop, rng, CLEANER_S),
        )

    def hub_died(self) -> None:
        """The power went."""
        process, self.hub = self.hub_process, None
        assert process is not None
        self.note(f"{process.name} died")
        process.kill()
        self.network.cut_all(process)

    def close_database(self) -> None:
        """After a crash or a stop: what was not committed is gone."""
        database, self.database = self.database, None
        if database is not None:
            database.close()

    async def stop_hub(self) -> None:
        """An orderly end."""
        hub, process = self.hub, self.hub_process
        assert hub is not None and process is not None
        stopping = process.spawn(hub.stop())
        await asyncio.wait({stopping}, timeout=30.0)
        if self.hub is hub:
            self.hub_died()

    async def restart_hub(self, down_s: float) -> None:
        """The next hub, after a while; this one is down already."""
        await asyncio.sleep(down_s)
        self.close_database()
        await self.start_hub()

    def check_rows(self, database: Database) -> None:
        """fsck, and every object is there."""
        for problem in check_rows(database, self.store, self.prepared.filespace):
            self.violated(f"fsck: {problem}")

    # --- clients --------------------------------------------------------------------------------------------------

    async def start_client(self, name: str = "") -> Client:
        """A new process that links the filespace; returns when it is linked, or dead."""
        self._count += 1
        process = self.process(name or f"c{self._count}")
        client = Client(process, random.Random(f"{self.seed} {process.name}"))
        self.clients.append(client)
        linking = process.spawn(self._link(client))
        while not linking.done() and not process.dead:
            await asyncio.wait({linking}, timeout=1.0)
        if linking.done():
            linking.result()
            self.note(f"{client.name} linked")
        return client

    async def _link(self, client: Client) -> None:
        rng, process = client.rng, client.process
        settings = EngineSettings(
            memory_cache_bytes=rng.choice((0, 256 * 1024, 64 * MIB)),
            workers=0,
            algorithm=rng.choice(("none", "lz4")),
        )
        store = SimGateway(self.store, self.weather, rng, self.serving_database)
        clock, randomness = self._clock(process), self._bytes(process.name)
        while client.engine is None and not self.ending:
            try:
                client.engine = await Engine.link(
                    SimTransport(self.network, process),
                    self.prepared.keys,
                    self.prepared.filespace,
                    "/",
                    settings,
                    clock=clock,
                    random=randomness,
                    store=store,
                    workers=client.workers,
                    sleep=pause,
                )
            except Fault as fault:
                if not fault.passing and not self.commits_refused:
                    raise
                await asyncio.sleep(1.0)

    def kill_client(self, client: Client, *, heard: bool) -> None:
        """kill -9. `heard`: its kernel lives on and ends the connections; else the machine has lost its power."""
        self.note(f"{client.name} is killed")
        client.process.kill()
        if heard:
            self.network.cut_all(client.process)

    @property
    def live_clients(self) -> list[Client]:
        return [client for client in self.clients if not client.process.dead and client.engine is not None]

    # --- the end --------------------------------------------------------------------------------------------------

    async def end_everything(self) -> None:
        """Cancel what still runs or was killed while it ran, so that nothing of it outlives the loop."""
        self.ending = True
        self.hub = None
        me = asyncio.current_task()
        for _ in range(100):
            for client in self.clients:
                client.workers.kill()
            tasks = [task for task in asyncio.all_tasks() if task is not me]
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            for process in self._processes:
                process.bury()
            await asyncio.wait(tasks, timeout=1.0)
        self.close_database()
