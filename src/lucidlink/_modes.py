"""Mode strings, judged as the builtin `open` judges them."""

from __future__ import annotations

from typing import NamedTuple

from lucidfs.types import LockMode


class Mode(NamedTuple):
    """What a mode string asks for. Exactly one of reading-only `r`, truncating, appending, exclusive is the start."""

    reading: bool
    writing: bool
    creating: bool  # makes the file when it is missing
    exclusive: bool
    truncating: bool
    appending: bool
    text: bool

    @property
    def raw(self) -> str:
        """The `mode` that a raw stream shows, spelled as `io.FileIO` spells it."""
        plus = "+" if self.reading else ""
        if self.exclusive:
            return "xb" + plus
        if self.appending:
            return "ab" + plus
        if self.writing:
            return "rb+" if self.reading else "wb"
        return "rb"


def parse_mode(mode: str) -> Mode:
    """Raises TypeError for what is not text, ValueError for what the builtin `open` refuses."""
    if not isinstance(mode, str):
        raise TypeError(f"mode must be str, not {type(mode).__name__}")
    letters = set(mode)
    if letters - set("rwaxbt+") or len(mode) > len(letters):
        raise ValueError(f"invalid mode: {mode!r}")
    if {"t", "b"} <= letters:
        raise ValueError("can't have text and binary mode at once")
    if len(letters & set("rwax")) != 1:
        raise ValueError("must have exactly one of create/read/write/append mode")
    return Mode(
        reading="r" in letters or "+" in letters,
        writing="r" not in letters or "+" in letters,
        creating="r" not in letters,
        exclusive="x" in letters,
        truncating="w" in letters,
        appending="a" in letters,
        text="b" not in letters,
    )


def check_buffering(mode: Mode, buffering: int) -> None:
    """Raises TypeError and ValueError as the builtin `open` does for a `buffering` that cannot be."""
    if not isinstance(buffering, int):
        raise TypeError(f"buffering must be int, not {type(buffering).__name__}")
    if buffering < -1:
        raise ValueError(f"invalid buffering size: {buffering}")
    if buffering == 0 and mode.text:
        raise ValueError("can't have unbuffered text I/O")


_LOCK_TYPES = {
    "": None,
    "shared": LockMode.SHARED,
    "read": LockMode.SHARED,
    "exclusive": LockMode.EXCLUSIVE,
    "write": LockMode.EXCLUSIVE,
}


def open_lock(lock_type: str) -> LockMode | None:
    """The lock that `open` takes. Raises ValueError for anything but "", "shared" and "exclusive"."""
    if lock_type not in ("", "shared", "exclusive"):
        raise ValueError(f'lock_type: expected "", "shared" or "exclusive", got {lock_type!r}')
    return _LOCK_TYPES[lock_type]


def range_lock(lock_type: str) -> LockMode:
    """The lock of a byte range. Raises ValueError for an unknown name."""
    mode = _LOCK_TYPES.get(lock_type) if isinstance(lock_type, str) else None
    if mode is None:
        raise ValueError(f'lock_type: expected "exclusive", "shared", "read" or "write", got {lock_type!r}')
    return mode


def check_timeout(lock_timeout: float | None, default: float) -> float:
    """Seconds to wait for a lock; None: `default`. Raises ValueError for a negative number."""
    if lock_timeout is None:
        return default
    if not lock_timeout >= 0:
        raise ValueError(f"lock_timeout: expected seconds from 0 up, got {lock_timeout!r}")
    return float(lock_timeout)
