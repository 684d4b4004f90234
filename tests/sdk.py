"""What the SDK's tests stand on: a fake engine in memory for its streams, and a real hub with accounts for the rest."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeVar, cast

import pytest

import lucidlink
from lucidfs.crypto.token import Token
from lucidfs.engine.administration import Administration
from lucidfs.errors import Code, Fault
from lucidfs.testing.hubs import HubThread, new_hub
from lucidfs.types import FilespaceId, Role
from lucidlink._buffered import LucidBufferedStream, LucidTextStream, buffered
from lucidlink._link import Link, Live
from lucidlink._modes import parse_mode
from lucidlink.stream import LucidFileStream

T = TypeVar("T")


# --- a fake engine ---------------------------------------------------------------------------------------------------


class FakeHandle:
    """A handle on bytes in memory. `published` is what others would see; None: nothing, not even the name."""

    numbers = iter(range(1, 1 << 30))

    def __init__(self, published: bytes | None, *, truncate: bool = False) -> None:
        self.id = next(self.numbers)
        self.node = SimpleNamespace(id=self.id)
        self.published = published
        self.data = bytearray(b"" if truncate or published is None else published)
        self.publications = 0
        self.ended = ""
        self.dirty = truncate or published is None
        self.cold = False  # whether reads must cross to the loop
        self.fails: Fault | None = None

    @property
    def size(self) -> int:
        return len(self.data)

    def read_cached(self, offset: int, view: memoryview) -> int | None:
        if self.cold:
            return None
        part = self.data[offset : offset + len(view)]
        view[: len(part)] = part
        return len(part)

    async def read(self, offset: int, view: memoryview) -> int:
        cold, self.cold = self.cold, False
        count = self.read_cached(offset, view)
        self.cold = cold
        assert count is not None
        return count

    def write_nowait(self, offset: int | None, data: memoryview) -> bool:
        if self.fails is not None:
            raise self.fails
        at = len(self.data) if offset is None else offset
        if at > len(self.data):
            self.data += bytes(at - len(self.data))
        self.data[at : at + len(data)] = data
        self.dirty = True
        return True

    async def drain(self) -> None:
        pass

    async def truncate(self, size: int) -> None:
        del self.data[size:]
        self.data += bytes(size - len(self.data))
        self.dirty = True

    async def flush(self) -> None:
        if self.fails is not None:
            raise self.fails
        if self.dirty:
            self.publications += 1
            self.published = bytes(self.data)
            self.dirty = False

    async def refresh(self) -> None:
        if not self.dirty and self.published is not None:
            self.data = bytearray(self.published)

    async def close(self) -> None:
        await self.flush()
        self.ended = "closed"

    async def abort(self) -> None:
        self.ended = self.ended or "aborted"


class FakeBridge:
    """Runs what never waits."""

    def __init__(self) -> None:
        self.loop = self

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(work)

    def call_soon_threadsafe(self, call: Any, *arguments: Any) -> None:
        async def soon() -> None:
            call(*arguments)
            await asyncio.sleep(0)

        asyncio.run(soon())


def fake_link() -> Link:
    """A link whose engine does nothing."""
    live = Live(cast(Any, SimpleNamespace()), cast(Any, FakeBridge()))
    return Link(FilespaceId(1), "fake", "/", lambda: live, live)


def fake_stream(mode: str, content: bytes | None = b"") -> tuple[LucidFileStream, FakeHandle]:
    """A raw stream over a fake handle."""
    parsed = parse_mode(mode)
    handle = FakeHandle(content, truncate=parsed.truncating)
    link = fake_link()
    assert link.live is not None
    return LucidFileStream(link, link.live, cast(Any, handle), "/file", parsed), handle


def fake_buffered(mode: str, content: bytes | None = b"", size: int = 64) -> tuple[LucidBufferedStream, FakeHandle]:
    """A buffered stream over a fake handle."""
    raw, handle = fake_stream(mode, content)
    return buffered(raw, parse_mode(mode), size), handle


def fake_text(mode: str, content: bytes | None = b"", **options: Any) -> tuple[LucidTextStream, FakeHandle]:
    """A text stream over a fake handle."""
    below, handle = fake_buffered(mode, content)
    given: dict[str, Any] = {"encoding": "utf-8", "errors": None, "newline": None, "line_buffering": False, **options}
    return LucidTextStream(below, mode, **given), handle


def refusal(code: Code) -> Fault:
    """A fault as the engine raises it."""
    return Fault(code, "refused")


# --- asking ---------------------------------------------------------------------------------------------------------


def refused(kind: type[OSError], number: int, filename: str, call: Callable[[], object]) -> OSError:
    with pytest.raises(kind) as raised:
        call()
    assert (raised.value.errno, raised.value.filename) == (number, filename)
    assert raised.value.strerror
    return raised.value


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Run `work(0..count-1)` at once; the first failure is raised."""
    failures: list[BaseException] = []
    start = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            start.wait()
            work(number)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


# --- a real hub ------------------------------------------------------------------------------------------------------


class World(NamedTuple):
    """A hub with the filespaces "data" and "other", and accounts: admin, writer, second (both write), reader,
    stranger (no role)."""

    hub: HubThread
    tokens: dict[str, str]

    def credentials(self, account: str = "writer") -> lucidlink.ServiceAccountCredentials:
        return lucidlink.ServiceAccountCredentials(self.tokens[account])

    def daemon(self, **config: str) -> lucidlink.Daemon:
        """A daemon that is not started."""
        return lucidlink.create_daemon({"hub.url": self.hub.url, **config})

    @contextmanager
    def linked(self, account: str = "writer", **options: Any) -> Iterator[lucidlink.Filespace]:
        """The filespace "data" through a daemon of its own."""
        with self.daemon() as daemon:
            with daemon.authenticate(self.credentials(account)).link_filespace(name="data", **options) as filespace:
                yield filespace


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """A world with its data below `folder`."""
    hub, admin = new_hub(folder)
    try:
        office = Administration(hub.url, Token.parse(admin), os.urandom)
        try:
            for name in ("data", "other"):
                office.create_filespace(name)
            tokens = {"admin": admin}
            roles = {"writer": Role.WRITE, "second": Role.WRITE, "reader": Role.READ}
            for name, role in roles.items():
                tokens[name] = office.create_account(name, {"data": role}).token.text()
            tokens["stranger"] = office.create_account("stranger").token.text()
        finally:
            office.close()
        yield World(hub, tokens)
    finally:
        hub.stop()
