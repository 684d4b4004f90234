"""The `.name` of a stream: the text of its path for whoever shows it, and no `str` for whoever takes it for a file's.

pandas before 3 writes parquet to the local path `stream.name` if that is a `str` and the stream an `io.BufferedWriter`;
the stream stays empty, and nobody is told. CPython's own streams have names that are no text too (descriptors).
"""

from __future__ import annotations

import os
from typing import Any


class StreamName(os.PathLike[str]):
    """Compares, hashes, prints and joins as its text does, and has its methods; `str(name)` is the text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __fspath__(self) -> str:
        return self._text

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return repr(self._text)

    def __format__(self, spec: str) -> str:
        return format(self._text, spec)

    def __eq__(self, other: object) -> bool:
        return self._text == (other._text if isinstance(other, StreamName) else other)

    def __hash__(self) -> int:
        return hash(self._text)

    def __len__(self) -> int:
        return len(self._text)

    def __contains__(self, part: str) -> bool:
        return part in self._text

    def __getitem__(self, key: int | slice) -> str:
        return self._text[key]

    def __add__(self, other: str) -> str:
        return self._text + other

    def __radd__(self, other: str) -> str:
        return other + self._text

    def __getattr__(self, name: str) -> Any:
        return getattr(self._text, name)

    def __reduce__(self) -> tuple[type[StreamName], tuple[str]]:
        return StreamName, (self._text,)
