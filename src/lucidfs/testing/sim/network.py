"""Connections between simulated processes: late, stalled, silent, and lost with frames in flight.

A connection is TCP's: frames arrive whole and in order, or not at all. When one is cut, each side learns it in its own
time, and what was in flight arrives up to a random point: a request may reach the hub after its client has resumed the
session elsewhere and sent it again, and a reply may be lost whose change was made.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import Callable

from lucidfs.errors import Code, Fault
from lucidfs.testing.sim.process import Process, VirtualLoop
from lucidfs.wire.transport import Connection, Receiver

_TICK_S = 1e-9  # between two frames that would arrive at the same time
LATENCY_S = (0.0002, 0.004)
LOSS_NOTICED_S = 3.0  # longest time between a cut and the moment when a side learns of it


class Side:
    """One side of a wire; a `Connection`."""

    other: Side
    receiver: Receiver

    def __init__(self, wire: Wire, process: Process) -> None:
        self.wire = wire
        self.process = process
        self.closed = False
        self.flying: list[asyncio.TimerHandle] = []  # frames on their way to this side
        self._last_s = 0.0

    @property
    def peer(self) -> str:
        return self.other.process.name

    def send(self, frame: bytes) -> None:
        if self.wire.reply_fuse and self is self.wire.hub:
            self.wire.reply_fuse -= 1
            if not self.wire.reply_fuse:
                self.wire.cut()
        if not (self.closed or self.wire.silent or self.wire.is_cut):
            self.other.expect(frame)

    def close(self, reason: str = "") -> None:
        if self.closed:
            return
        self.closed = True
        loop = self.wire.loop
        loop.call_soon(self.receiver.connection_lost, reason or "closed here")
        if not (self.wire.silent or self.wire.is_cut):
            self.other.lose_after_all("closed by the other side")

    def expect(self, frame: bytes) -> None:
        """A frame is on its way here."""
        at_s = max(self._last_s + _TICK_S, self.wire.arrival_s())
        self._last_s = at_s
        handle = _outside_call_at(self.wire.loop, at_s, self._arrived, frame)
        self.flying = [each for each in self.flying if not each.cancelled() and each.when() >= self.wire.loop.time()]
        self.flying.append(handle)

    def lose_after_all(self, reason: str, extra_s: float = 0.0) -> None:
        """Learn of the end, after what is in flight."""
        at_s = max(self._last_s, self.wire.loop.time()) + _TICK_S + extra_s
        _outside_call_at(self.wire.loop, at_s, self.process.call, self._lose, reason)

    def _arrived(self, frame: bytes) -> None:
        self.process.call(self._deliver, frame)

    def _deliver(self, frame: bytes) -> None:
        if not self.closed:
            self.receiver.frame_received(frame)

    def _lose(self, reason: str) -> None:
        if not self.closed:
            self.closed = True
            self.receiver.connection_lost(reason)


class Wire:
    """One connection.

    Args:
        loop: of the simulation.
        rng: of this connection alone, so that it behaves the same whatever else happens.
        client, hub: the processes at its ends.
    """

    def __init__(self, loop: VirtualLoop, rng: random.Random, client: Process, hub: Process) -> None:
        self.loop = loop
        self.rng = rng
        self.client, self.hub = Side(self, client), Side(self, hub)
        self.client.other, self.hub.other = self.hub, self.client
        self.is_cut = False
        self.silent = False  # frames are swallowed and nobody is told
        self.reply_fuse = 0  # the wire breaks under this frame of the hub, counted from now; 0: under none
        self._stalled_until_s = 0.0

    @property
    def over(self) -> bool:
        return self.is_cut or (self.client.closed and self.hub.closed)

    def arrival_s(self) -> float:
        """When a frame that is sent now arrives."""
        return max(self.loop.time(), self._stalled_until_s) + self.rng.uniform(*LATENCY_S)

    def stall(self, seconds: float) -> None:
        """Frames sent from now on arrive only after that time."""
        self._stalled_until_s = self.loop.time() + seconds

    def swallow(self, seconds: float) -> None:
        """Lose everything silently, and break after that time."""
        self.silent = True
        _outside_call_at(self.loop, self.loop.time() + seconds, self.cut)

    def cut(self) -> None:
        """Break it now."""
        if self.is_cut:
            return
        self.is_cut = True
        now_s = self.loop.time()
        for side in (self.client, self.hub):
            flying = [each for each in side.flying if not each.cancelled() and each.when() > now_s]
            kept = self.rng.randint(0, len(flying))
            for lost in flying[kept:]:
                lost.cancel()
            late_s = self.rng.choice((0.0, 0.001, 0.1, LOSS_NOTICED_S)) * self.rng.random()
            if side is self.hub:  # requests in flight may outlive the client's knowledge by far
                for number, handle in enumerate(flying[:kept]):
                    self._postpone(side, handle, now_s + late_s + number * _TICK_S)
                side.lose_after_all("the connection broke", late_s + 0.001)
            else:
                side.lose_after_all("the connection broke", late_s)

    def _postpone(self, side: Side, handle: asyncio.TimerHandle, at_s: float) -> None:
        frame = handle._args[0]
        handle.cancel()
        _outside_call_at(self.loop, max(at_s, handle.when()), side._arrived, frame)


class Network:
    """All wires of a run.

    Args:
        loop: of the simulation.
        seed: of the run.
        hub: the hub's process and its `accept`, or None while it is down.
    """

    def __init__(
        self, loop: VirtualLoop, seed: str, hub: Callable[[], tuple[Process, Callable[[Connection], Receiver]] | None]
    ) -> None:
        self._loop = loop
        self._seed = seed
        self._hub = hub
        self._count = 0
        self.wires: list[Wire] = []
        self.unreachable: dict[str, float] = {}  # process name → until when it reaches no hub

    async def connect(self, process: Process, receiver: Receiver) -> Connection:
        self._count += 1
        rng = random.Random(f"{self._seed} wire {self._count}")
        await asyncio.sleep(rng.uniform(*LATENCY_S))
        hub = self._hub()
        if hub is None or self.unreachable.get(process.name, 0.0) > self._loop.time():
            raise Fault(Code.UNAVAILABLE, "no hub can be reached")
        wire = Wire(self._loop, rng, process, hub[0])
        self.wires = [each for each in self.wires if not each.over]
        self.wires.append(wire)
        wire.client.receiver = receiver
        wire.hub.receiver = hub[0].run(hub[1], wire.hub)
        return wire.client

    def cut_all(self, process: Process) -> None:
        """Cut every connection of a process."""
        for wire in self.wires:
            if process in (wire.client.process, wire.hub.process):
                wire.cut()


class SimTransport:
    """The `Transport` of one simulated client."""

    def __init__(self, network: Network, process: Process) -> None:
        self._network = network
        self._process = process

    async def connect(self, receiver: Receiver) -> Connection:
        return await self._network.connect(self._process, receiver)


def _outside_call_at(
    loop: VirtualLoop, when: float, callback: Callable[..., object], *args: object
) -> asyncio.TimerHandle:
    """A timer of the network itself, which no process can freeze or drift."""
    return loop.call_at(when, callback, *args, context=contextvars.Context())
