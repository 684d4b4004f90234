"""Text and compression over a stream: closing the layer closes what is below, and a failed `with` block gives it up.

The compressors of the standard library leave the file below open, which with our streams would publish nothing.
"""

from __future__ import annotations

import contextlib
import io
from types import TracebackType
from typing import Any

from fsspec.compression import compr
from fsspec.core import get_compression


def compressed(below: Any, path: str, compression: str, mode: str) -> Any:
    """A file object that compresses into, or decompresses from, a stream.

    Args:
        below: the stream.
        path: tells the compression when that is "infer".
        compression: a name that fsspec knows, or "infer".
        mode: "r", "w", …

    Raises:
        ValueError: an unknown compression.
    """
    try:
        name = get_compression(path, compression)
        if name is None:
            return below
        file = compr[name](below, mode=mode)
    except BaseException:
        _give_up(below)
        raise
    kind: Any = type(file)

    class Layer(kind):  # one class for each file: it knows what is below
        def close(self) -> None:
            if not self.closed:
                super().close()
            below.close()

        def abort(self) -> None:
            _give_up(below)
            with contextlib.suppress(ValueError, OSError):
                super().close()

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
        ) -> None:
            if kind is None:
                self.close()
            else:
                self.abort()

    file.__class__ = Layer
    return file


class Text(io.TextIOWrapper):
    """Text over any stream whose `__exit__` tells success from failure."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
            return
        below: Any = self.buffer
        below.__exit__(kind, error, trace)
        with contextlib.suppress(ValueError, OSError):
            self.close()


def _give_up(stream: Any) -> None:
    """Publish nothing of it."""
    (stream.abort if hasattr(stream, "abort") else stream.close)()
