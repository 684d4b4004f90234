"""Handles by number, and locks: on byte ranges of what is open, and who holds which."""

from __future__ import annotations

import operator

from lucidfs.engine.engine import Engine
from lucidfs.limits import LOCK_TIMEOUT_S
from lucidfs.types import LockMode
from lucidfs.wire import messages
from lucidlink._buffered import raw_of
from lucidlink._link import Link
from lucidlink._modes import check_timeout, parse_mode, range_lock
from lucidlink._opening import Stream
from lucidlink._paths import PathText, invalid, path_text
from lucidlink.filesystem_models import LockInfo
from lucidlink.stream import LucidFileStream

_LOCK_NAMES = {LockMode.SHARED: "shared", LockMode.EXCLUSIVE: "exclusive"}
_NS = 1_000_000_000


class Locking:
    """The calls of a `Filesystem` on handles and locks."""

    _link: Link

    def create(self, path: PathText) -> int:
        """Make an empty file and return a handle id for the lock calls; end it with `close`.

        Raises:
            FileExistsError: something is there.
        """
        text = path_text(path)
        live = self._link.connect()
        handle = self._link.call(lambda engine: engine.files.create(text), text)
        stream = LucidFileStream(self._link, live, handle, text, parse_mode("rb+"))
        self._link.created[handle.id] = stream
        return handle.id

    def close(self, handle_id: int | Stream) -> None:
        """End a handle and its locks. Raises OSError(EBADF) for a number that is no handle."""
        if isinstance(handle_id, int):
            self._raw(handle_id).close()
        else:
            handle_id.close()

    def lock_byte_range(
        self,
        handle_id: int | Stream,
        offset: int,
        length: int,
        lock_type: str = "exclusive",
        blocking: bool = True,
        *,
        lock_timeout: float | None = None,
    ) -> bool:
        """Lock bytes of an open file against every other handle; what the stream reads afterwards is the newest.

        Args:
            handle_id: a stream, or the number that `create` returned or `stream.handle_id` is.
            offset: first byte.
            length: bytes; 0: to the end, however far.
            lock_type: "exclusive" (= "write") or "shared" (= "read").
            blocking: wait for locks of others.
            lock_timeout: for how many seconds; None: 60.

        Returns:
            True; False if not `blocking` and somebody has a lock there.

        Raises:
            TimeoutError: not granted in time.
            OSError(EBADF): no such handle.
        """
        mode = range_lock(lock_type)
        timeout_s = check_timeout(lock_timeout, LOCK_TIMEOUT_S) if blocking else 0.0
        raw = self._raw(handle_id)
        try:
            raw.lock_range(mode, *_range(offset, length, str(raw.name)), timeout_s)
        except TimeoutError:
            if blocking:
                raise
            return False
        (raw if isinstance(handle_id, int) else handle_id).refresh()
        return True

    def unlock_byte_range(self, handle_id: int | Stream, offset: int, length: int) -> None:
        """Release what the handle has locked of these bytes; the rest stays locked. `flush` first what must be seen."""
        raw = self._raw(handle_id)
        raw.unlock_range(*_range(offset, length, str(raw.name)))

    def unlock_all_byte_ranges(self, handle_id: int | Stream) -> None:
        """Release every lock of the handle."""
        self._raw(handle_id).unlock_range(0, 0)

    def list_locks(self, path: PathText) -> list[LockInfo]:
        """Locks that anybody holds on a file or waits for, in the order of their bytes."""
        text = path_text(path)

        async def holders(engine: Engine) -> list[messages.LockInfo]:
            node = await engine.tree.entry(text, follow=True)
            return await engine.locks.holders(node.id)

        locks = [
            LockInfo(
                handle_id=lock.handle,
                account=lock.account,
                lock_type=_LOCK_NAMES[lock.mode],
                offset=lock.offset,
                length=lock.length,
                waiting=lock.waiting,
                since=lock.since_ns / _NS,
                session=lock.session,
            )
            for lock in self._link.call(holders, text)
        ]
        return sorted(locks, key=lambda lock: (lock.waiting, lock.offset, lock.since))

    def _raw(self, handle_id: int | Stream) -> LucidFileStream:
        if isinstance(handle_id, int):
            return self._link.stream(handle_id)
        return raw_of(handle_id)


def _range(offset: int, length: int, path: str) -> tuple[int, int]:
    first, count = operator.index(offset), operator.index(length)
    if first < 0 or count < 0:
        raise invalid(f"a byte range cannot start at {first} and be {count} long", path)
    return first, count
