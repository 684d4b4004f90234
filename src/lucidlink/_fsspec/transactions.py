"""A transaction, and its files: they take bytes like any other; `commit` publishes these, `discard` gives them up."""

from __future__ import annotations

import io
from types import TracebackType
from typing import TYPE_CHECKING, Any

from fsspec.transaction import Transaction

from lucidlink._buffered import LucidBufferedStream, raw_of, unpublished

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class DeferredFile(io.BufferedIOBase):
    """What a program writes between `open` and `close` of a transaction; nobody sees it before `commit`.

    Args:
        stream: where the bytes go; its handle lives until `commit` or `discard`.
        fs, path: for those who ask.
    """

    def __init__(self, stream: LucidBufferedStream, fs: Any, path: str) -> None:
        self._stream = stream
        self.fs = fs
        self.path = path

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return self._stream.readable()

    def seekable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        self._check()
        return self._stream.write(data)

    def read(self, size: int | None = -1, /) -> bytes:
        self._check()
        return self._stream.read(-1 if size is None else size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._check()
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        self._check()
        return self._stream.tell()

    def truncate(self, size: int | None = None, /) -> int:
        self._check()
        return self._stream.truncate(size)

    def flush(self) -> None:
        """Hand over what is buffered; it is not published."""
        if not self.closed:
            with unpublished(raw_of(self._stream)):
                self._stream.flush()

    def commit(self) -> None:
        """Publish all of it. Raises what `close` of a stream raises; nothing is published then."""
        self.close()
        self._stream.close()

    def discard(self) -> None:
        """Publish nothing of it."""
        self.close()
        self._stream.abort()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()  # an error ends the whole transaction, which discards

    def _check(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file.")


class Whole(Transaction):
    """Files that are published one after the other at the end; once one cannot be, the rest is given up."""

    def complete(self, commit: bool = True) -> None:
        """Publish or give up all. Either way the transaction is over, which older versions of fsspec forget."""
        fs: Any = self.fs
        files = list(self.files)
        self.files.clear()
        fs._intrans, fs._transaction = False, None
        self.fs: Any = None
        try:
            while commit and files:
                files[0].commit()
                del files[0]
        finally:
            for file in files:
                file.discard()
