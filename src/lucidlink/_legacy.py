"""The older way to an open file: every read and write names its offset."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from lucidlink.stream import LucidFileStream

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class FileHandle:
    """Made by `Filesystem.open_legacy`. What was written shows to others when `close` returns.

    Args:
        stream: what it reads and writes.
        mode: as it was asked for.
    """

    def __init__(self, stream: LucidFileStream, mode: str) -> None:
        self._stream = stream
        self._mode = mode

    @property
    def path(self) -> str:
        return str(self._stream.name)

    @property
    def mode(self) -> str:
        return self._mode

    @property
    def closed(self) -> bool:
        return self._stream.closed

    def read(self, size: int = -1, offset: int = 0) -> bytes:
        """Up to `size` bytes (negative: all) from `offset` on."""
        return self._stream.read_from(offset, size)

    def write(self, data: ReadableBuffer, offset: int = 0) -> int:
        """Put `data` at `offset` (mode "a": at the end) and return its length."""
        return self._stream.write_to(offset, data)

    def close(self) -> None:
        """Publish what was written. A repeat does nothing."""
        self._stream.close()

    def __enter__(self) -> FileHandle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.__exit__(kind, error, trace)
