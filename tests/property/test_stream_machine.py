"""A stream of a filespace against a local file: the same calls give the same answers, and the same bytes at the end."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lucidlink import Filesystem
from tests.outcome import Outcome, assert_same, outcome_of

EDGES = [0, 1, 2, 100, 4096, 8191, 8192, 65_535, 65_536, 65_537, 131_072, 200_000]
SIZES = st.sampled_from(EDGES) | st.integers(0, 70_000)
COUNTS = st.sampled_from([-1, *EDGES]) | st.integers(0, 70_000)
TEXTS = st.text("aä€😀\n\r \t", max_size=60)
BINARY_MODES = ["rb", "wb", "ab", "xb", "r+b", "w+b", "a+b", "x+b", "rb+"]
TEXT_MODES = ["r", "w", "a", "x", "r+", "w+", "a+", "x+", "rt", "tw"]
NUMBERS = itertools.count()


def pattern(size: int, seed: int) -> bytes:
    """Bytes with a beginning, lines and no period that a frame has."""
    return (b"%d line\n" % seed * (size // 6 + 1))[:size]


class StreamMachine(RuleBasedStateMachine):
    """Two files, `ours` and `theirs`, opened and used alike."""

    fs: Filesystem
    folder: Path

    def __init__(self) -> None:
        super().__init__()
        name = f"stream-{next(NUMBERS)}"
        self.path, self.local = f"/{name}", self.folder / name
        self.ours: Any = None
        self.theirs: Any = None
        self.text = self.appends = False
        self.tells: list[int] = []

    def both(self, call: Callable[[Any], object]) -> Outcome:
        """Do it to both; the outcomes must be equal."""
        ours = outcome_of(lambda: call(self.ours))
        theirs = outcome_of(lambda: call(self.theirs))
        assert_same(ours, theirs)
        return ours

    def check_content(self) -> None:
        assert self.fs.file_exists(self.path) == self.local.exists()
        if self.local.exists():
            assert self.fs.read_file(self.path) == self.local.read_bytes()

    @initialize(exists=st.booleans(), size=SIZES)
    def begin(self, exists: bool, size: int) -> None:
        if exists:
            self.fs.write_file(self.path, pattern(size, 7))
            self.local.write_bytes(pattern(size, 7))

    # --- open and close ---

    @precondition(lambda self: self.ours is None)
    @rule(mode=st.sampled_from(BINARY_MODES), buffering=st.sampled_from([-1, 0, 2, 100, 8192, 300_000]))
    def open_binary(self, mode: str, buffering: int) -> None:
        self.open(False, mode, buffering)

    @precondition(lambda self: self.ours is None)
    @rule(
        mode=st.sampled_from(TEXT_MODES),
        buffering=st.sampled_from([-1, 1, 100, 8192]),
        encoding=st.sampled_from(["utf-8", "utf-16", "latin-1"]),
        errors=st.sampled_from(["strict", "replace", "ignore"]),
        newline=st.sampled_from([None, "", "\n", "\r", "\r\n"]),
    )
    def open_text(self, mode: str, buffering: int, **options: str | None) -> None:
        self.open(True, mode, buffering, **options)

    def open(self, text: bool, mode: str, buffering: int, **options: Any) -> None:
        ours = outcome_of(lambda: self.fs.open(self.path, mode, buffering, **options))
        theirs = outcome_of(lambda: open(self.local, mode, buffering, **options))  # noqa: SIM115
        if theirs.exception is not None:
            assert_same(ours, theirs)
        elif ours.exception is not None:
            raise ours.exception
        self.ours, self.theirs, self.text, self.tells = ours.value, theirs.value, text, []
        self.appends = "a" in mode

    opened = precondition(lambda self: self.ours is not None)
    opened_text = precondition(lambda self: self.ours is not None and self.text)
    opened_binary = precondition(lambda self: self.ours is not None and not self.text)

    @opened
    @rule()
    def close(self) -> None:
        self.both(lambda file: file.close())
        self.both(lambda file: file.closed)
        self.both(lambda file: file.read(1))
        self.both(lambda file: file.write("x" if self.text else b"x"))
        self.ours = self.theirs = None
        self.check_content()

    @opened
    @rule()
    def flush(self) -> None:
        self.both(lambda file: file.flush())
        if self.both(lambda file: file.writable()).value:
            self.check_content()

    def settle(self) -> None:
        """Where an appending stream stands depends on how much of it is buffered, until it is flushed."""
        if self.appends:
            self.both(lambda file: file.flush())

    # --- move about ---

    @opened_binary
    @rule(offset=SIZES | st.integers(-300, -1), whence=st.sampled_from([0, 0, 1, 2]))
    def seek(self, offset: int, whence: int) -> None:
        self.settle()
        self.both(lambda file: file.seek(offset, whence))

    @opened_text
    @rule(whence=st.sampled_from([0, 2]))
    def seek_text(self, whence: int) -> None:
        self.both(lambda file: file.seek(0, whence))

    @opened_text
    @rule(choice=st.integers(0, 100))
    def seek_back(self, choice: int) -> None:
        if self.tells:
            position = self.tells[choice % len(self.tells)]
            self.both(lambda file: file.seek(position))

    @opened
    @rule()
    def tell(self) -> None:
        self.settle()
        position = self.both(lambda file: file.tell()).value
        if isinstance(position, int):
            self.tells.append(position)

    # --- read ---

    @opened
    @rule(count=COUNTS)
    def read(self, count: int) -> None:
        self.both(lambda file: file.read(count))

    @opened_binary
    @rule(count=SIZES)
    def readinto(self, count: int) -> None:
        buffers = {id(self.ours): bytearray(count), id(self.theirs): bytearray(count)}
        self.both(lambda file: file.readinto(buffers[id(file)]))
        assert buffers[id(self.ours)] == buffers[id(self.theirs)]

    @opened
    @rule()
    def readline(self) -> None:
        self.both(lambda file: file.readline())

    @opened
    @rule(hint=st.sampled_from([1, 50, 5000]))
    def readlines(self, hint: int) -> None:
        self.both(lambda file: file.readlines(hint))

    @opened
    @rule()
    def iterate(self) -> None:
        self.both(lambda file: next(file, None))

    # --- write ---

    @opened_binary
    @rule(size=SIZES, seed=st.integers(0, 9))
    def write(self, size: int, seed: int) -> None:
        self.both(lambda file: file.write(pattern(size, seed)))

    @opened_text
    @rule(text=TEXTS, times=st.sampled_from([1, 1, 400]))
    def write_text(self, text: str, times: int) -> None:
        self.both(lambda file: file.write(text * times))

    @opened
    @rule(count=st.integers(0, 3))
    def writelines(self, count: int) -> None:
        lines: list[Any] = ["line\n"] * count if self.text else [b"line\n", bytearray(b"x")] * count
        self.both(lambda file: file.writelines(lines))

    @opened
    @rule(size=st.none() | SIZES)
    def truncate(self, size: int | None) -> None:
        self.both(lambda file: file.truncate(size))

    @invariant()
    def same_abilities(self) -> None:
        if self.ours is not None:
            self.both(lambda file: (file.readable(), file.writable(), file.seekable(), file.closed, file.isatty()))

    def teardown(self) -> None:
        if self.ours is not None:
            self.close()


def test_a_stream_behaves_like_a_local_file(fs: Filesystem, tmp_path: Path) -> None:
    StreamMachine.fs, StreamMachine.folder = fs, tmp_path
    run_state_machine_as_test(StreamMachine)
