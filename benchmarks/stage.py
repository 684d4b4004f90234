"""What is measured: a hub in a process of its own, a filespace in it, and links whose traffic is counted."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import lucidlink
from lucidfs.crypto.token import Token
from lucidfs.engine.administration import Administration
from lucidfs.engine.engine import Engine
from lucidfs.testing.hubs import ProcessHub, new_data
from lucidfs.wire.messages import GrantObjects

NAME = "bench"


class Traffic(NamedTuple):
    """What went between a link and the hub: round trips of the session, bodies and their bytes."""

    calls: int = 0
    grants: int = 0
    puts: int = 0
    gets: int = 0
    bytes: int = 0

    def since(self, before: Traffic) -> Traffic:
        return Traffic(*(now - then for now, then in zip(self, before, strict=True)))

    def each(self, count: int) -> str:
        """Per operation, in words."""
        parts = [f"{self.calls / count:.2f} round trips"]
        if self.puts or self.gets:
            parts.append(f"{(self.puts + self.gets) / count:.2f} bodies")
        return ", ".join(parts)

    def whole(self) -> str:
        """All of it, in words."""
        bodies = self.puts + self.gets
        return f"{self.calls} round trips ({self.grants} for grants), {bodies} bodies, {self.bytes / 2**20:.0f} MiB"


class Linked:
    """One client with a filespace linked, and its counters."""

    def __init__(self, fs: lucidlink.Filesystem, engine: Engine) -> None:
        self.fs = fs
        self.engine = engine
        self._calls = self._grants = 0
        original = engine.session.call

        async def counted(body: Any, **options: Any) -> Any:
            self._calls += 1
            self._grants += isinstance(body, GrantObjects)
            return await original(body, **options)

        engine.session.call = counted  # type: ignore[method-assign]

    @property
    def traffic(self) -> Traffic:
        store: Any = self.engine._bodies.store
        moved = store.statistics()
        return Traffic(self._calls, self._grants, moved.puts, moved.gets, moved.put_bytes + moved.get_bytes)


class Stage:
    """A hub process with one filespace.

    Attributes:
        url, token: of the hub and of its admin.
        driver_url: of the filespace, for fsspec.
        folder: on the same disk as the hub's data, for rivals.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        data, self.token = new_data(folder)
        self.hub = ProcessHub(data)
        self.url = self.hub.url
        admin = Administration(self.url, Token.parse(self.token), os.urandom)
        admin.create_filespace(NAME)
        self.driver_url = f"lucidlink://{admin.workspace()}/{NAME}"
        admin.close()

    @contextmanager
    def linked(self, url: str = "") -> Iterator[Linked]:
        """A client with empty caches.

        Args:
            url: reach the hub by another address, such as a proxy's.
        """
        with lucidlink.create_daemon({"hub.url": url or self.url}) as daemon:
            workspace = daemon.authenticate(lucidlink.ServiceAccountCredentials(self.token))
            with workspace.link_filespace(name=NAME) as filespace:
                link: Any = filespace.fs._link
                yield Linked(filespace.fs, link.live.engine)


@contextmanager
def staged(where: str | None = None) -> Iterator[Stage]:
    """A stage in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="lucid-bench-", dir=where) as folder:
        stage = Stage(Path(folder))
        try:
            with stage.linked() as linked:  # a log that still grows costs twice: let it reach its size
                linked.fs.create_dir("/warm-up")
                for number in range(150):
                    linked.fs.write_file(f"/warm-up/{number}", os.urandom(100_000))
            yield stage
        finally:
            stage.hub.stop()
