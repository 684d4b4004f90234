"""Worker threads under virtual time: real threads, of which one runs at a time, and only while the loop waits for it.

Work that must wait (a slow store, a pause between two attempts) calls `pause`: its thread stands still, the loop goes
on, and continues the thread when that time has come. So blocking code of the product runs unchanged, in one order.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

_THREADS = 4


class Killed(BaseException):
    """Raised in a worker whose process is gone."""


class _Job:
    """One function in a thread of its own."""

    def __init__(self, fn: Callable[[], Any]) -> None:
        self._fn = fn
        self._go = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)
        self._killed = False
        self._thread: threading.Thread | None = None
        self.pause_s: float | None = None
        self.result: Any = None
        self.error: BaseException | None = None

    def step(self) -> float | None:
        """Run until it ends (None) or pauses (how long)."""
        self.pause_s = None
        if self._thread is None:
            self._thread = threading.Thread(target=self._main, name="sim worker", daemon=True)
            self._thread.start()
        else:
            self._go.release()
        self._stopped.acquire()
        return self.pause_s

    def kill(self) -> None:
        """End a job that pauses."""
        if self._thread is not None and self._thread.is_alive():
            self._killed = True
            self._go.release()
            self._thread.join()

    def pause(self, seconds: float) -> None:
        if self._killed:
            raise Killed
        self.pause_s = seconds
        self._stopped.release()
        self._go.acquire()
        if self._killed:
            raise Killed

    def _main(self) -> None:
        _here.job = self
        try:
            self.result = self._fn()
        except BaseException as error:  # noqa: BLE001 - raised again on the loop
            self.error = error
        self.pause_s = None
        self._stopped.release()


class _Here(threading.local):
    job: _Job | None = None


_here = _Here()


def pause(seconds: float) -> None:
    """Wait in virtual time, from inside a worker. On the loop: no time passes."""
    job = _here.job
    if job is not None and seconds > 0:
        job.pause(seconds)


class SimWorkers:
    """A `Runner` of one simulated process."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(_THREADS)
        self._jobs: dict[_Job, None] = {}

    async def run(self, fn: Callable[..., T], *args: Any) -> T:
        driving = asyncio.get_running_loop().create_task(self._drive(lambda: fn(*args)))
        driving.add_done_callback(_looked_at)
        result: T = await asyncio.shield(driving)  # who stops waiting does not stop a thread
        return result

    def close(self) -> None:
        """Nothing to wait for: who closes has waited, or is killed."""

    def kill(self) -> None:
        """End the threads of a killed process."""
        for job in list(self._jobs):
            job.kill()
        self._jobs.clear()

    async def _drive(self, fn: Callable[[], T]) -> T:
        async with self._slots:
            await asyncio.sleep(0)
            job = _Job(fn)
            self._jobs[job] = None
            while (pause_s := job.step()) is not None:
                await asyncio.sleep(pause_s)
            del self._jobs[job]
        if job.error is not None:
            raise job.error
        result: T = job.result
        return result


class SimThread(Executor):
    """A thread of a simulated hub: it does its work at once and answers a while later.

    Args:
        loop: of the simulation.
        rng: says how much later.
        pause_s: at most.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, rng: random.Random, pause_s: float) -> None:
        self._loop = loop
        self._rng = rng
        self._pause_s = pause_s

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        try:
            answer = partial(future.set_result, fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - raised where the answer is waited for
            answer = partial(future.set_exception, error)
        self._loop.call_later(self._rng.uniform(0.0, self._pause_s), _answer, future, answer)
        return future


def _answer(future: Future[Any], answer: Callable[[], None]) -> None:
    if future.set_running_or_notify_cancel():
        answer()


def _looked_at(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()
