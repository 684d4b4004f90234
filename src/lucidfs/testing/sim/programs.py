"""What the simulated clients' programs do, and what they note about it: the calls of a run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from functools import partial

from lucidfs.engine.handle import Handle
from lucidfs.errors import Code, Fault
from lucidfs.testing.sim import content
from lucidfs.testing.sim.content import Half, Parse, entries, one, slots
from lucidfs.testing.sim.history import Op
from lucidfs.testing.sim.models import Counter, Folder, Log, Slots, WholeFile
from lucidfs.testing.sim.world import Client, World
from lucidfs.types import LockMode

THINKS_S = (0.05, 0.6, 0.6)  # longest pause of a program between two calls: each seed has its own
PROGRAMS = 2  # of each client, at the same time
WHOLE, SLOTTED, LOGS, COUNTERS, FOLDERS = 4, 2, 2, 2, 1
SLOT_BYTES, SLOTS = 30_000, 6  # slots straddle frames, and all of them do not fit into a commit
SIZES = (40, 40, 300, 70_000, 150_000, 400_000, 5_000_000)
ENTRY_SIZES = (30, 60, 3_000, 66_000)
COUNTER_SIZES = (60, 150_000)
_SLOTS = partial(slots, slot_bytes=SLOT_BYTES)
_PARSERS: dict[type, Parse] = {Slots: _SLOTS, Log: entries}
NAMES = ("a", "b", "sub/a", "sub/b", "sub")


def subjects(world: World) -> None:
    """Tell the world what there is."""
    for number in range(WHOLE):
        world.subject(f"/whole{number}", WholeFile())
    for number in range(SLOTTED):
        world.subject(f"/slots{number}", Slots(SLOTS))
    for number in range(LOGS):
        world.subject(f"/log{number}", Log())
    world.subject("/diary", Log(there=False))
    for number in range(COUNTERS):
        world.subject(f"/counter{number}", Counter())
    for number in range(FOLDERS):
        world.subject(f"/folder{number}", Folder())


async def furnish(client: Client) -> None:
    """Make what is there from the beginning."""
    assert client.engine is not None
    files = client.engine.files
    for number in range(SLOTTED):
        await files.write_file(f"/slots{number}", bytes(SLOT_BYTES * SLOTS))
    for number in range(LOGS):
        await files.write_file(f"/log{number}", b"")
    for number in range(COUNTERS):
        await files.write_file(f"/counter{number}", content.make(1, COUNTER_SIZES[number % 2]))
    for number in range(FOLDERS):
        await client.engine.tree.make_folders(f"/folder{number}")


class Program:
    """One thread of one client's program.

    Args:
        world: where calls are noted.
        client: whose engine is used.
    """

    def __init__(self, world: World, client: Client) -> None:
        assert client.engine is not None
        self._world = world
        self._client = client
        self._engine = client.engine
        self._files = client.engine.files
        self._rng = client.rng
        self._think_s = THINKS_S[world.seed % len(THINKS_S)]

    async def run(self) -> None:
        """Do something as long as there are steps left."""
        while self._world.steps_left > 0:
            self._world.steps_left -= 1
            kinds = (self.whole, self.slots, self.log, self.diary, self.counter, self.folder)
            await self._rng.choices(kinds, (4, 4, 3, 1, 3, 3))[0]()
            await asyncio.sleep(self._rng.random() * self._think_s)

    async def look_at_everything(self) -> None:
        """Read all subjects once."""
        for subject, history in self._world.histories.items():
            if isinstance(history.model, Folder):
                await self._list(subject)
            else:
                await self._read(subject, _PARSERS.get(type(history.model), one), slow=False)

    # --- files that are replaced whole ----------------------------------------------------------------------------

    async def whole(self) -> None:
        path = f"/whole{self._rng.randrange(WHOLE)}"
        name = self._rng.choices(("read", "write", "create", "delete", "replace", "copy"), (6, 4, 1, 1, 1, 1))[0]
        if name == "read":
            await self._read(path, one, slow=self._rng.random() < 0.5)
        elif name == "delete":
            op = self._world.begin(self._client, path, "delete")
            await self._judge(op, self._engine.tree.delete(path), "NOT_FOUND")
        else:
            number = self._number()
            data = content.make(number, self._rng.choices(SIZES, (8, 8, 4, 4, 4, 3, 1))[0])
            await getattr(self, "_" + name)(path, number, data)

    async def _write(self, path: str, number: int, data: bytes) -> None:
        op = self._world.begin(self._client, path, "write", number)
        await self._judge(op, self._write_in_pieces(path, data))

    async def _create(self, path: str, number: int, data: bytes) -> None:
        op = self._world.begin(self._client, path, "create", number)
        await self._judge(op, self._write_in_pieces(path, data, exclusive=True), "EXISTS")

    async def _replace(self, path: str, number: int, data: bytes) -> None:
        if await self._aside(f"/aside{number:x}", data):
            op = self._world.begin(self._client, path, "replace", number)
            await self._judge(op, self._engine.tree.move(f"/aside{number:x}", path, replace=True))

    async def _copy(self, path: str, number: int, data: bytes) -> None:
        if await self._aside(f"/aside{number:x}", data):
            op = self._world.begin(self._client, path, "copy", number)
            await self._judge(op, self._files.copy(f"/aside{number:x}", path))

    async def _aside(self, path: str, data: bytes) -> bool:
        """A file that nobody else knows."""
        try:
            await self._files.write_file(path, data)
        except Fault as fault:
            if fault.code is not Code.UNAVAILABLE and not self._was_refused(fault):
                self._wrong(f"writing {path} aside", fault)
            return False
        return True

    async def _write_in_pieces(self, path: str, data: bytes, exclusive: bool = False) -> None:
        handle = await self._files.open(path, read=False, write=True, create=True, truncate=True, exclusive=exclusive)
        half = self._rng.randrange(len(data))
        await handle.write(0, data[:half])
        if self._rng.random() < 0.3:
            await asyncio.sleep(self._rng.random())
        await handle.write(half, data[half:])
        await handle.close()

    # --- files that are written in place --------------------------------------------------------------------------

    async def slots(self) -> None:
        path = f"/slots{self._rng.randrange(SLOTTED)}"
        name = self._rng.choices(("read", "patch", "cut"), (3, 6, 1))[0]
        if name == "read":
            await self._read(path, _SLOTS, slow=self._rng.random() < 0.5)
        elif name == "cut":
            size = self._rng.randint(1, SLOTS)
            op = self._world.begin(self._client, path, "cut", size)
            await self._judge(op, self._files.truncate(path, size * SLOT_BYTES))
        else:
            patch = {self._rng.randrange(SLOTS): self._number() for _ in range(self._rng.randint(1, 3))}
            op = self._world.begin(self._client, path, "patch", tuple(sorted(patch.items())))
            await self._judge(op, self._patch(path, patch))

    async def _patch(self, path: str, patch: dict[int, int]) -> None:
        handle = await self._files.open(path, write=True)
        for at, number in patch.items():
            await handle.write(at * SLOT_BYTES, content.make(number, SLOT_BYTES))
            if self._rng.random() < 0.3:
                await asyncio.sleep(self._rng.random())
        for at, number in patch.items():
            if await _bytes(handle, at * SLOT_BYTES, SLOT_BYTES) != content.make(number, SLOT_BYTES):
                self._world.violated(f"{path}: a handle does not see what it wrote into slot {at}")
        await handle.close()

    # --- logs -----------------------------------------------------------------------------------------------------

    async def log(self) -> None:
        await self._use_log(f"/log{self._rng.randrange(LOGS)}", 0.0)

    async def diary(self) -> None:
        """A log that is made by whoever appends to it first, and is deleted now and then."""
        await self._use_log("/diary", 0.25)

    async def _use_log(self, path: str, deletes: float) -> None:
        if self._rng.random() < deletes:
            op = self._world.begin(self._client, path, "delete")
            await self._judge(op, self._engine.tree.delete(path), "NOT_FOUND")
        elif self._rng.random() < 0.35:
            await self._read(path, entries, slow=self._rng.random() < 0.5)
        else:
            numbers = [self._number() for _ in range(self._rng.randint(1, 2))]
            op = self._world.begin(self._client, path, "append", *numbers)
            expected = ("NOT_FOUND",) if deletes else ()  # it was deleted between open and close
            await self._judge(op, self._append(path, numbers), *expected)

    async def _append(self, path: str, numbers: list[int]) -> None:
        handle = await self._files.open(path, write=True, create=True, append=True)
        for number in numbers:
            await handle.write(None, content.make(number, self._rng.choice(ENTRY_SIZES)))
            if self._rng.random() < 0.3:
                await asyncio.sleep(self._rng.random())
        await handle.close()

    # --- counters under a lock ------------------------------------------------------------------------------------

    async def counter(self) -> None:
        path = f"/counter{self._rng.randrange(COUNTERS)}"
        if self._rng.random() < 0.3:
            await self._read(path, one, slow=False)
            return
        op = self._world.begin(self._client, path, "add")
        await self._judge(op, self._add(path), "LOCKED", "FENCED")

    async def _add(self, path: str) -> Hashable:
        """Read, think, write: correct only because of the lock."""
        timeout_s = self._rng.choice((0.5, 30.0))
        handle = await self._files.open(path, write=True, lock=LockMode.EXCLUSIVE, lock_timeout_s=timeout_s)
        self._client.holding += 1
        try:
            old = one(await _bytes(handle, 0, handle.size))
            await asyncio.sleep(self._rng.random() * 1.5)
            assert isinstance(old, int)
            await handle.write(0, content.make(old + 1, handle.size))
        except BaseException:
            await handle.abort()
            raise
        finally:
            self._client.holding -= 1
        await handle.close()
        return old

    # --- a folder -------------------------------------------------------------------------------------------------

    async def folder(self) -> None:
        root = f"/folder{self._rng.randrange(FOLDERS)}"
        tree = self._engine.tree
        path, other = self._rng.choice(NAMES[:-1]), self._rng.choice(NAMES[:-1])
        name = self._rng.choice(("list", "mkdir", "create", "link", "delete", "rmdir", "move"))
        if name == "list":
            await self._list(root)
            return
        if name in ("mkdir", "rmdir"):
            path = "sub"
        if name == "move" and path == other:
            return
        args = (path, other) if name == "move" else (path,)
        work: dict[str, Callable[[], Awaitable[object]]] = {
            "mkdir": lambda: tree.make_folders(f"{root}/{path}"),
            "rmdir": lambda: tree.delete_folder(f"{root}/{path}", recursive=True),
            "create": lambda: self._write_in_pieces(f"{root}/{path}", content.make(1, 30), exclusive=True),
            "link": lambda: tree.make_link("nowhere", f"{root}/{path}"),
            "delete": lambda: tree.delete(f"{root}/{path}"),
            "move": lambda: tree.move(f"{root}/{path}", f"{root}/{other}"),
        }
        op = self._world.begin(self._client, root, name, *args)
        await self._judge(op, _none(work[name]()), "EXISTS", "NOT_FOUND")

    async def _list(self, root: str) -> None:
        op = self._world.begin(self._client, root, "list")
        await self._judge(op, self._names(root))

    async def _names(self, root: str) -> Hashable:
        nodes = await self._engine.tree.list(root)
        return frozenset(node.name + "/" * node.is_folder for node in nodes)

    # --- what all have in common ----------------------------------------------------------------------------------

    async def _read(self, path: str, parse: Parse, slow: bool) -> None:
        """Open, and read all of it, perhaps slowly: what is seen is what was there between call and return of open."""
        op = self._world.begin(self._client, path, "read")
        try:
            handle = await self._files.open(path)
        except Fault as fault:
            self._judge_fault(op, fault, ("NOT_FOUND", "LOCKED"))
            return
        self._world.returned(op)
        try:
            half = self._rng.randint(0, handle.size) if slow else handle.size
            data = await _bytes(handle, 0, half)
            if slow:
                await asyncio.sleep(self._rng.random() * 3)
            data += await _bytes(handle, half, handle.size - half)
            self._world.end(op, "ok", parse(data))
        except Half:
            self._world.violated(f"{op}: {path} is half or mixed ({len(data)} bytes)")
        except Fault as fault:
            self._world.end(op, "none")
            if fault.code is not Code.UNAVAILABLE:
                self._wrong(f"reading {path}", fault)
        finally:
            await handle.close()

    async def _judge(self, op: Op, work: Awaitable[Hashable], *expected: str) -> None:
        """Do it and note how it ended."""
        try:
            result = await work
        except Half:
            self._world.violated(f"{op}: half or mixed")
        except Fault as fault:
            self._judge_fault(op, fault, expected)
        else:
            self._world.end(op, "ok", result)

    def _judge_fault(self, op: Op, fault: Fault, expected: tuple[str, ...]) -> None:
        if fault.code is Code.UNAVAILABLE or self._was_refused(fault):
            self._world.end(op, "unknown")
        elif _is_reserved(fault) and self._world.may_be_reserved(op):
            self._world.end(op, "none")
        elif fault.code.name in expected:
            self._world.end(op, "none" if fault.code in (Code.LOCKED, Code.FENCED) else fault.code.name)
        elif fault.code is Code.LOCKED:
            self._world.end(op, "none")
        else:
            self._world.end(op, "none")
            self._wrong(str(op), fault)

    def _was_refused(self, fault: Fault) -> bool:
        """Whether a disk that was made to refuse a commit explains it."""
        return fault.code is Code.INTERNAL and self._world.commits_refused

    def _wrong(self, what: str, fault: Fault) -> None:
        self._world.violated(f"{self._client.name}: {what} raised {fault}")

    def _number(self) -> int:
        return self._world.tick()


def _is_reserved(fault: Fault) -> bool:
    """Whether it was refused because somebody holds the name to create it, who may yet give up."""
    return fault.code is Code.EXISTS and ("reserved" in fault.message or "about to create" in fault.message)


async def _bytes(handle: Handle, offset: int, length: int) -> bytes:
    buffer = bytearray(length)
    count = await handle.read(offset, memoryview(buffer))
    return bytes(buffer[:count])


async def _none(work: Awaitable[object]) -> None:
    await work
