"""The model itself against a local disk, so that what a filespace is compared with is what Python programs know."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from lucidfs.testing.model import ModelFilesystem
from tests.outcome import assert_same, outcome_of

NAMES = st.sampled_from(["a", "b", "c", "ä"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
TARGETS = PATHS | st.sampled_from([".", "./b"])
SIZES = st.sampled_from([0, 1, 10, 1000])


class ModelMachine(RuleBasedStateMachine):
    """A folder on disk and the dict; both get the same calls. (Links are relative: a local disk has another root.)"""

    def __init__(self) -> None:
        super().__init__()
        self.model = ModelFilesystem()
        self.root = Path(tempfile.mkdtemp(prefix="model-"))

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    def both(self, disk: Callable[[], object], model: Callable[[], object]) -> None:
        assert_same(outcome_of(model), outcome_of(disk))

    @rule(path=PATHS, size=SIZES)
    def write_file(self, path: str, size: int) -> None:
        def write() -> None:
            (self.root / path).write_bytes(b"x" * size)

        self.both(write, lambda: self.model.write_file(path, b"x" * size))

    @rule(path=PATHS)
    def read_file(self, path: str) -> None:
        self.both(lambda: (self.root / path).read_bytes(), lambda: self.model.read_file(path))

    @rule(path=PATHS)
    def create(self, path: str) -> None:
        self.both(lambda: open(self.root / path, "xb").close(), lambda: self.model.create(path))

    @rule(path=PATHS, size=SIZES)
    def append(self, path: str, size: int) -> None:
        def append() -> None:
            with open(self.root / path, "ab") as file:
                file.write(b"y" * size)

        self.both(append, lambda: self.model.append(path, b"y" * size))

    @rule(path=PATHS, offset=SIZES, size=SIZES)
    def write_range(self, path: str, offset: int, size: int) -> None:
        def write() -> None:
            with open(self.root / path, "r+b") as file:
                file.seek(offset)
                file.write(b"z" * size)

        self.both(write, lambda: self.model.write_range(path, offset, b"z" * size))

    @rule(path=PATHS, size=SIZES)
    def truncate(self, path: str, size: int) -> None:
        self.both(lambda: os.truncate(self.root / path, size), lambda: self.model.truncate(path, size))

    @rule(path=PATHS)
    def create_dir(self, path: str) -> None:
        self.both(lambda: os.makedirs(self.root / path), lambda: self.model.create_dir(path))

    @rule(path=PATHS)
    def list_dir(self, path: str) -> None:
        self.both(lambda: sorted(os.listdir(self.root / path)), lambda: self.model.list_dir(path))

    @rule(path=PATHS)
    def delete(self, path: str) -> None:
        self.both(lambda: os.remove(self.root / path), lambda: self.model.delete(path))

    @rule(path=PATHS)
    def delete_dir(self, path: str) -> None:
        self.both(lambda: os.rmdir(self.root / path), lambda: self.model.delete_dir(path))

    @rule(path=PATHS, to=TARGETS)
    def create_symlink(self, path: str, to: str) -> None:
        self.both(lambda: os.symlink(to, self.root / path), lambda: self.model.create_symlink(to, path))

    @rule(path=PATHS)
    def read_symlink(self, path: str) -> None:
        self.both(lambda: os.readlink(self.root / path), lambda: self.model.read_symlink(path))

    @rule(src=PATHS, dst=PATHS)
    def move(self, src: str, dst: str) -> None:
        """A local rename replaces, the SDK's move never does, so it is compared where the place is free."""
        if not os.path.lexists(self.root / dst):
            self.both(lambda: os.rename(self.root / src, self.root / dst), lambda: self.model.move(src, dst))


TestModel = ModelMachine.TestCase
