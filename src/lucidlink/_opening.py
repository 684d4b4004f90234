"""Opening files: every way that ends in a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, overload

from lucidfs.limits import BUFFER_BYTES, LOCK_TIMEOUT_S
from lucidlink._buffered import (
    LucidBufferedRandom,
    LucidBufferedReader,
    LucidBufferedStream,
    LucidBufferedWriter,
    LucidTextStream,
    buffered,
)
from lucidlink._legacy import FileHandle
from lucidlink._link import Link
from lucidlink._modes import Mode, check_buffering, check_timeout, open_lock, parse_mode
from lucidlink._paths import PathText, path_text
from lucidlink.stream import LucidFileStream

if TYPE_CHECKING:
    from _typeshed import (
        OpenBinaryMode,
        OpenBinaryModeReading,
        OpenBinaryModeUpdating,
        OpenBinaryModeWriting,
        OpenTextMode,
    )

Stream = LucidFileStream | LucidBufferedStream | LucidTextStream


class Opening:
    """The calls of a `Filesystem` that open."""

    _link: Link

    @overload
    def open(
        self,
        path: PathText,
        mode: OpenTextMode,
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        lock_type: str = "",
        *,
        lock_timeout: float | None = None,
    ) -> LucidTextStream: ...

    @overload
    def open(  # type: ignore[overload-overlap]  # `buffering` 0 is an int too; the first that fits is taken
        self,
        path: PathText,
        mode: OpenBinaryMode,
        buffering: Literal[0],
        encoding: None = None,
        errors: None = None,
        newline: None = None,
        lock_type: str = "",
        *,
        lock_timeout: float | None = None,
    ) -> LucidFileStream: ...

    @overload
    def open(
        self,
        path: PathText,
        mode: OpenBinaryModeReading = "rb",
        buffering: int = -1,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
        lock_type: str = "",
        *,
        lock_timeout: float | None = None,
    ) -> LucidBufferedReader: ...

    @overload
    def open(
        self,
        path: PathText,
        mode: OpenBinaryModeWriting,
        buffering: int = -1,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
        lock_type: str = "",
        *,
        lock_timeout: float | None = None,
    ) -> LucidBufferedWriter: ...

    @overload
    def open(
        self,
        path: PathText,
        mode: OpenBinaryModeUpdating,
        buffering: int = -1,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
        lock_type: str = "",
        *,
        lock_timeout: float | None = None,
    ) -> LucidBufferedRandom: ...

    @overload
    def open(
        self,
        path: PathText,
        mode: str,
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        lock_type: str = "",
        *,
        lock_timeout: float | None = None,
    ) -> Stream: ...

    def open(
        self,
        path: PathText,
        mode: str = "rb",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        lock_type: str = "",
        *,
        lock_timeout: float | None = None,
    ) -> Stream:
        """Open a file. What is written shows to others when `flush` or `close` returns, whole; see `lucidlink.stream`.

        Args:
            path: the file; links are followed.
            mode: as for the builtin `open`; bare "r", "w", "a", "x" are text.
            buffering: -1: 128 KiB; 0: none, binary only; 1: by line, text only; more: bytes.
            encoding: of text; None: UTF-8.
            errors: what to do with bytes that are no text; None: "strict".
            newline: as for the builtin `open`.
            lock_type: "", "shared" or "exclusive": a lock on the whole file, held until close.
            lock_timeout: seconds to wait for locks of others; None: 60; 0: not at all.

        Raises:
            FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError: as the builtin `open`.
            TimeoutError: a lock of another client stayed.
            ValueError: mode, buffering or lock_type that cannot be.
        """
        parsed = parse_mode(mode)
        check_buffering(parsed, buffering)
        if parsed.text:
            return self.open_text(path, mode, buffering, encoding, errors, newline, lock_type, lock_timeout)
        for name, value in (("encoding", encoding), ("errors", errors), ("newline", newline)):
            if value is not None:
                raise ValueError(f"binary mode doesn't take {'an' if name[0] in 'e' else 'a'} {name} argument")
        if buffering == 0:
            return self._open_raw(path, parsed, lock_type, lock_timeout)
        return self.open_binary(path, mode, buffering, lock_type, lock_timeout)

    def open_binary(
        self, path: PathText, mode: str, buffering: int = -1, lock_type: str = "", lock_timeout: float | None = None
    ) -> LucidBufferedStream:
        """`open` for a binary mode, with a buffer."""
        parsed = parse_mode(mode)
        raw = self._open_raw(path, parsed, lock_type, lock_timeout)
        return buffered(raw, parsed, BUFFER_BYTES if buffering in (-1, 1) else buffering)

    def open_text(
        self,
        path: PathText,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        lock_type: str = "",
        lock_timeout: float | None = None,
    ) -> LucidTextStream:
        """`open` for a text mode."""
        parsed = parse_mode(mode)
        raw = self._open_raw(path, parsed, lock_type, lock_timeout)
        try:
            below = buffered(raw, parsed, BUFFER_BYTES if buffering in (-1, 1) else buffering)
            return LucidTextStream(below, mode, encoding or "utf-8", errors, newline, buffering == 1)
        except BaseException:
            raw.abort()
            raise

    def _open_raw(self, path: PathText, mode: Mode, lock_type: str, lock_timeout: float | None) -> LucidFileStream:
        text = path_text(path)
        lock = open_lock(lock_type)
        timeout_s = check_timeout(lock_timeout, LOCK_TIMEOUT_S)
        live = self._link.connect()
        handle = self._link.call(
            lambda engine: engine.files.open(
                text,
                read=mode.reading,
                write=mode.writing,
                create=mode.creating,
                exclusive=mode.exclusive,
                truncate=mode.truncating,
                append=mode.appending,
                lock=lock,
                lock_timeout_s=timeout_s,
            ),
            text,
        )
        return LucidFileStream(self._link, live, handle, text, mode)

    def open_legacy(self, path: PathText, mode: str = "r") -> FileHandle:
        """Open for reading and writing at given offsets.

        Args:
            path: the file.
            mode: "r", "w", "a", "x", with or without "+" and "b".
        """
        binary = mode.replace("b", "") + "b" if isinstance(mode, str) else mode
        return FileHandle(self._open_raw(path, parse_mode(binary), "", None), mode)
