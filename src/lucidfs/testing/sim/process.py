"""Virtual time, and processes inside one Python process: each can be frozen or killed at any instant.

The loop's `time()` jumps to the next timer, so an hour costs nothing and no run depends on the machine. Everything
that belongs to a simulated process runs in its context; the loop looks there before it calls anything: a killed
process never runs again (no `finally`, as after kill -9), a frozen one is called when it thaws (SIGSTOP, SIGCONT).
"""

from __future__ import annotations

import asyncio
import contextvars
from asyncio import events
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_PROCESS: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)


class Deadlock(BaseException):
    """Nothing is left that could ever happen, and the run has not ended."""


class Process:
    """One simulated process.

    Args:
        loop: of the simulation.
        name: for the trace.
        pace: how much longer than asked its timers take (1.0: exact), and how much slower its clock runs.
    """

    def __init__(self, loop: VirtualLoop, name: str, pace: float = 1.0) -> None:
        self.name = name
        self.pace = pace
        self.dead = False
        self._loop = loop
        self._frozen = False
        self._waiting: list[tuple[Callable[..., object], tuple[Any, ...], contextvars.Context]] = []
        self._context = contextvars.Context()
        self._context.run(_PROCESS.set, self)

    @property
    def frozen(self) -> bool:
        return self._frozen

    def call(self, callback: Callable[..., object], *args: Any) -> None:
        """Have the process do something now, or when it thaws."""
        self.gate(callback, args, self._context.copy())

    def run(self, function: Callable[..., T], *args: Any) -> T:
        """What the process returns for a call, now."""
        return self._context.copy().run(function, *args)

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task of this process, which is alive."""
        assert not self.dead, self.name
        return self.run(self._loop.create_task, work)

    def gate(self, callback: Callable[..., object], args: tuple[Any, ...], context: contextvars.Context) -> None:
        """Call something of this process, if it can be called."""
        if self.dead or self._frozen:
            self._waiting.append((callback, args, context))
        else:
            context.run(callback, *args)

    def kill(self) -> None:
        """From now on nothing of it runs, until the end of the run, when its tasks are cancelled (`bury`)."""
        self.dead = True

    def bury(self) -> None:
        """Let what waits end, in a world in which it can do nothing any more; its tasks are cancelled already."""
        self.dead = False
        self.thaw()

    def freeze(self) -> None:
        self._frozen = True

    def thaw(self) -> None:
        """Go on; what should have run meanwhile runs now, in order."""
        self._frozen = False
        waiting, self._waiting = self._waiting, []
        for callback, args, context in waiting:
            self._loop.call_soon(callback, *args, context=context)


class _Jump:
    """The selector of a loop without files: instead of waiting it moves the clock."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[object]:
        if timeout is None:
            raise Deadlock("nothing is scheduled any more")
        self._loop.now_s += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop whose time is a number.

    Attributes:
        now_s: the time, in seconds since the run began.
        calls: how many callbacks ran, as a bound on runs that never end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self._selector = _Jump(self)

    def time(self) -> float:
        return self.now_s

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        context = contextvars.copy_context() if context is None else context
        process = context.get(_PROCESS)
        if process is None:
            return super().call_soon(callback, *args, context=context)
        # The gate runs outside of the context, because it enters the context itself.
        return super().call_soon(process.gate, callback, args, context, context=_outside())

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        context = contextvars.copy_context() if context is None else context
        process = context.get(_PROCESS)
        if process is None:
            return super().call_at(when, callback, *args, context=context)
        when = self.now_s + (when - self.now_s) * process.pace
        return super().call_at(when, process.gate, callback, args, context, context=_outside())

    def _process_events(self, event_list: list[object]) -> None:
        """There are no files."""

    def _write_to_self(self) -> None:
        """Nobody sleeps."""


def _outside() -> contextvars.Context:
    return contextvars.Context()


def run_virtual(loop: VirtualLoop, work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the loop, then end everything that it left."""
    events.set_event_loop(loop)
    try:
        return loop.run_until_complete(work)
    finally:
        events.set_event_loop(None)


class SimClock:
    """The clock of one process: it drifts at the process's pace and its wall time is wrong by a constant.

    Args:
        loop: true time.
        process: whose clock.
        offset_s: error of the wall clock in seconds.
    """

    def __init__(self, loop: VirtualLoop, process: Process, offset_s: float = 0.0) -> None:
        self._loop = loop
        self._pace = process.pace
        self._offset_s = offset_s

    def now_ns(self) -> int:
        return int((_EPOCH_S + self.monotonic_s() + self._offset_s) * 1e9)

    def monotonic_s(self) -> float:
        return self._loop.now_s / self._pace


_EPOCH_S = 1_600_000_000
