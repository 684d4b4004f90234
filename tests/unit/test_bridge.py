"""Crossing to the loop's thread and back: results, exceptions, interrupts, closing, forks."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from lucidfs.engine.bridge import Bridge


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    made = Bridge("test")
    yield made
    made.close()


async def add(a: int, b: int) -> int:
    await asyncio.sleep(0)
    return a + b


async def fail() -> None:
    raise KeyError("x")


def test_results_and_exceptions_cross(bridge: Bridge) -> None:
    assert bridge.run(add(1, 2)) == 3
    with pytest.raises(KeyError):
        bridge.run(fail())
    assert bridge.submit(add(3, 4)).result() == 7
    with pytest.raises(KeyError):
        bridge.submit(fail()).result()


def test_many_threads_at_once(bridge: Bridge) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda i: bridge.run(add(i, i)), range(500)))
    assert found == [2 * i for i in range(500)]


def test_a_call_on_the_loops_own_thread_is_refused(bridge: Bridge) -> None:
    async def inside() -> None:
        bridge.run(add(1, 2))

    with pytest.raises(RuntimeError, match="own thread"):
        bridge.run(inside())


def test_an_interrupt_cancels_the_call(bridge: Bridge) -> None:
    began, cancelled = threading.Event(), threading.Event()

    async def long() -> None:
        began.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    def interrupt() -> None:
        began.wait(10)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        bridge.run(long())
    thread.join()
    assert cancelled.wait(10)
    assert bridge.run(add(1, 2)) == 3


def test_closing_ends_calls_and_refuses_new_ones(bridge: Bridge) -> None:
    began = threading.Event()

    async def long() -> None:
        began.set()
        await asyncio.sleep(3600)

    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(lambda: bridge.run(long()))
        submitted = bridge.submit(long())
        assert began.wait(10)
        bridge.close()
        with pytest.raises(RuntimeError, match="closed"):
            waiting.result(10)
        with pytest.raises(CancelledError):
            submitted.result(10)
    bridge.close()
    assert not bridge.usable
    for use in (bridge.run, bridge.submit):
        with pytest.raises(RuntimeError, match="closed"):
            use(add(1, 2))


def test_closing_races_with_calls() -> None:
    for _ in range(50):
        bridge = Bridge("test")

        def call(bridge: Bridge = bridge) -> None:
            try:
                while True:
                    assert bridge.run(add(1, 1)) == 2
            except RuntimeError:
                pass

        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        bridge.close()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_is_told(bridge: Bridge) -> None:
    child = os.fork()
    if child == 0:
        work = add(1, 2)
        try:
            bridge.run(work)
        except RuntimeError as error:
            bridge.close()
            os._exit(0 if "forked" in str(error) and not bridge.usable else 1)
        os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert bridge.run(add(1, 2)) == 3
