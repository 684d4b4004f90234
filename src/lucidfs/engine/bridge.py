"""From any thread to the loop and back: one loop thread per client, and the short way across to it.

`asyncio.run_coroutine_threadsafe` makes three futures and copies the result between them; here the calling thread
sleeps on one lock that the finished task opens, which halves the cost of crossing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

_CLOSE_S = 5.0
_LOOK_S = 1.0


class Bridge:
    """A thread that runs an event loop for callers in all other threads. Thread-safe.

    A process that is forked has the object but not the thread: there `usable` is False, and every call raises
    RuntimeError, so that the owner builds a new one.

    Args:
        name: of the thread, for stack dumps.
        new_loop: makes the loop.
    """

    def __init__(
        self, name: str = "lucid", new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    ) -> None:
        self._process = os.getpid()
        self._loop = new_loop()
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name=f"{name}-loop", daemon=True)
        self._thread.start()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop, for what must know where it runs."""
        return self._loop

    @property
    def usable(self) -> bool:
        """Whether calls can cross: not after `close`, not in a forked child."""
        return not self._closed and self._process == os.getpid()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and return its result here, in the calling thread.

        An exception in the waiting thread (KeyboardInterrupt) cancels the work and goes on at once.

        Raises:
            RuntimeError: closed, forked, or called on the loop's own thread.
        """
        crossing = _Crossing(self._loop, work)
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError(self._reason())
        try:
            started = self._start(crossing.start)
            if started:
                crossing.wait()
        except BaseException:  # an interrupt, wherever it hit: nothing else is raised in there
            crossing.abandon()
            raise
        if not started:
            work.close()
            raise RuntimeError(self._reason())
        result: T = crossing.result()
        return result

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine on the loop and return at once; the future is the concurrent kind, for any thread."""
        future: Future[T] = Future()

        def start() -> None:
            self._loop.create_task(work).add_done_callback(partial(_hand_over, future))

        if not self._start(start):
            work.close()
            raise RuntimeError(self._reason())
        return future

    def close(self) -> None:
        """Cancel what runs, stop the loop, end the thread. Repeat, and in a forked child: no-op."""
        if self._process != os.getpid():
            return
        with self._closing:
            if not self._closed:
                self._closed = True
                self._loop.call_soon_threadsafe(self._loop.stop)
        if threading.current_thread() is not self._thread:
            self._thread.join(_CLOSE_S)

    def _start(self, start: Callable[[], object]) -> bool:
        """Queue a start, if it is sure to come before the stop; then `_serve` sees its task and ends it."""
        if self._process != os.getpid():
            return False  # the lock may have been held by a thread that does not exist here
        with self._closing:
            if not self._closed:
                self._loop.call_soon_threadsafe(start)
            return not self._closed

    def _reason(self) -> str:
        if self._process != os.getpid():
            return "this client belongs to the process that was forked: make a new one"
        if self._closed:
            return "this client is closed"
        return "a blocking call on the loop's own thread would wait for itself"

    def _serve(self) -> None:
        loop = self._loop
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            if tasks:
                loop.run_until_complete(asyncio.wait(tasks, timeout=_CLOSE_S))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            loop.close()


class _Crossing:
    """One call on its way over and back. The lock is closed until the result is there."""

    __slots__ = ("_done", "_loop", "_task", "_work")

    def __init__(self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any]) -> None:
        self._loop = loop
        self._work = work
        self._task: asyncio.Task[Any] | None = None
        self._done = threading.Lock()
        self._done.acquire()

    def start(self) -> None:
        self._task = self._loop.create_task(self._work)
        self._task.add_done_callback(self._finished)

    def wait(self) -> None:
        # A signal that comes just before the thread sleeps does not wake it: look again, or Ctrl-C would be lost.
        while not self._done.acquire(timeout=_LOOK_S):
            pass

    def result(self) -> Any:
        assert self._task is not None
        if self._task.cancelled():
            raise RuntimeError("the client was closed while this call waited")
        return self._task.result()

    def abandon(self) -> None:
        """Nobody waits any more. Any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, and has cancelled it itself
            self._loop.call_soon_threadsafe(self._cancel)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._done.release()

    def _cancel(self) -> None:
        if self._task is None:  # the interrupt came before the start was queued
            self._work.close()
        else:
            self._task.cancel()
            self._task.add_done_callback(_forget)


def _hand_over(future: Future[T], task: asyncio.Task[T]) -> None:
    """What became of the task becomes of the future."""
    if task.cancelled():
        future.cancel()
    elif (error := task.exception()) is not None:
        future.set_exception(error)
    else:
        future.set_result(task.result())


def _forget(task: asyncio.Task[Any]) -> None:
    """Nobody is left to hear how it ended."""
    if not task.cancelled():
        task.exception()
