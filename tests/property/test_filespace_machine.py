"""Two clients of one filespace against a dict: every operation, seen by both at once, with clients that come and go."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from lucidfs.testing.model import Folder, Link, ModelFilesystem
from lucidlink import Filesystem
from tests.outcome import assert_same, outcome_of
from tests.world import Client, World

NAMES = st.sampled_from(["a", "b", "c", "ä 😀", "n" * 255])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(lambda names: "/" + "/".join(names))
ODD_PATHS = st.sampled_from(["/", "a", "//a//b/", "/./a/.", "/a/../b", "/..", "/a/b/../../c"])
ANY_PATH = PATHS | ODD_PATHS
SIZES = st.sampled_from([0, 1, 1000, 65_535, 65_536, 65_537, 140_000, 300_000])
TARGETS = PATHS | st.sampled_from(["a", "../b", "b/c", ".", "..", "/", "a/./../c"])
WHO = st.integers(0, 1)
NUMBERS = itertools.count()


def pattern(size: int, seed: int) -> bytes:
    return (b"%d," % seed * (size // 2 + 1))[:size]


def write_range(fs: Filesystem, path: str, offset: int, data: bytes) -> None:
    with fs.open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


def append(fs: Filesystem, path: str, data: bytes) -> None:
    with fs.open(path, "ab") as file:
        file.write(data)


def create(fs: Filesystem, path: str) -> None:
    fs.close(fs.create(path))


def create_by_stream(fs: Filesystem, path: str) -> None:
    fs.open(path, "xb").close()


class FilespaceMachine(RuleBasedStateMachine):
    """A folder of its own in the filespace, linked as root by two clients; the dict says what they must see."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.root = f"/machine-{next(NUMBERS)}"
        self.model = ModelFilesystem()
        self.clients: list[Client] = []

    @initialize()
    def begin(self) -> None:
        with self.world.client() as client:
            client.fs.create_dir(self.root)
            self.before = self.statistics(client.fs)
        self.clients = [self.world.client(root_path=self.root) for _ in range(2)]

    @staticmethod
    def statistics(fs: Filesystem) -> tuple[int, int, int, int]:
        found = fs.get_statistics()
        return found.file_count, found.directory_count, found.symlink_count, found.data_size

    def both(self, who: int, real: Callable[[Filesystem], object], model: Callable[[], object]) -> None:
        """One client does it, and the dict does; the outcomes must be equal."""
        expected = outcome_of(model)
        assert_same(outcome_of(lambda: real(self.clients[who].fs)), expected)

    # --- files ---

    @rule(who=WHO, path=ANY_PATH, size=SIZES, seed=st.integers(0, 9))
    def write_file(self, who: int, path: str, size: int, seed: int) -> None:
        data = pattern(size, seed)
        self.both(who, lambda fs: fs.write_file(path, data), lambda: self.model.write_file(path, data))

    @rule(who=WHO, path=ANY_PATH)
    def read_file(self, who: int, path: str) -> None:
        self.both(who, lambda fs: fs.read_file(path), lambda: self.model.read_file(path))

    @rule(who=WHO, path=PATHS, offset=SIZES, size=SIZES, seed=st.integers(0, 9))
    def write_range(self, who: int, path: str, offset: int, size: int, seed: int) -> None:
        data = pattern(size, seed)
        self.both(
            who, lambda fs: write_range(fs, path, offset, data), lambda: self.model.write_range(path, offset, data)
        )

    @rule(who=WHO, path=PATHS, size=SIZES, seed=st.integers(0, 9))
    def append(self, who: int, path: str, size: int, seed: int) -> None:
        data = pattern(size, seed)
        self.both(who, lambda fs: append(fs, path, data), lambda: self.model.append(path, data))

    @rule(who=WHO, path=PATHS, size=SIZES)
    def truncate(self, who: int, path: str, size: int) -> None:
        self.both(who, lambda fs: fs.truncate(path, size), lambda: self.model.truncate(path, size))

    @rule(who=WHO, path=PATHS, how=st.sampled_from([create, create_by_stream]))
    def create(self, who: int, path: str, how: Callable[[Filesystem, str], None]) -> None:
        self.both(who, lambda fs: how(fs, path), lambda: self.model.create(path))

    @rule(who=WHO, path=PATHS)
    def abandon(self, who: int, path: str) -> None:
        """A `with` block that ends in an exception publishes nothing."""
        before = dict(self.model.nodes)

        def fail() -> None:
            with self.clients[who].fs.open(path, "wb") as file:
                file.write(b"lost" * 50_000)
                raise KeyError

        try:
            fail()
        except (KeyError, OSError):
            assert self.model.nodes == before

    # --- folders, links, places ---

    @rule(who=WHO, path=ANY_PATH)
    def create_dir(self, who: int, path: str) -> None:
        self.both(who, lambda fs: fs.create_dir(path), lambda: self.model.create_dir(path))

    @rule(who=WHO, path=ANY_PATH)
    def list_dir(self, who: int, path: str) -> None:
        self.both(who, lambda fs: fs.list_dir(path), lambda: self.model.list_dir(path))

    @rule(who=WHO, path=PATHS)
    def delete(self, who: int, path: str) -> None:
        self.both(who, lambda fs: fs.delete(path), lambda: self.model.delete(path))

    @rule(who=WHO, path=PATHS, recursive=st.booleans())
    def delete_dir(self, who: int, path: str, recursive: bool) -> None:
        self.both(who, lambda fs: fs.delete_dir(path, recursive), lambda: self.model.delete_dir(path, recursive))

    @rule(who=WHO, src=PATHS, dst=PATHS)
    def move(self, who: int, src: str, dst: str) -> None:
        """When both paths are wrong, either may be the reason."""
        wrong = [
            outcome_of(lambda: self.model.resolve(src, follow=False)),
            outcome_of(lambda: self.model.resolve(dst, follow=False)),
        ]
        expected = outcome_of(lambda: self.model.move(src, dst))
        found = outcome_of(lambda: self.clients[who].fs.move(src, dst))
        if not (found.errno and found.errno in [outcome.errno for outcome in wrong]):
            assert_same(found, expected)

    @rule(who=WHO, to=TARGETS, path=PATHS)
    def create_symlink(self, who: int, to: str, path: str) -> None:
        self.both(who, lambda fs: fs.create_symlink(to, path), lambda: self.model.create_symlink(to, path))

    @rule(who=WHO, path=PATHS)
    def read_symlink(self, who: int, path: str) -> None:
        self.both(who, lambda fs: fs.read_symlink(path), lambda: self.model.read_symlink(path))

    @rule(who=WHO, path=PATHS)
    def get_entry(self, who: int, path: str) -> None:
        def real(fs: Filesystem) -> tuple[str, str, int]:
            entry = fs.get_entry(path)
            return entry.name, entry.type, entry.size if entry.is_file() else 0

        def model() -> tuple[str, str, int]:
            parts, node = self.model.find(path, follow=False)
            kind = {bytes: "file", Folder: "dir", Link: "link"}[type(node)]
            return parts[-1], kind, len(node) if isinstance(node, bytes) else 0

        self.both(who, real, model)

    @rule(who=WHO, path=PATHS)
    def exists(self, who: int, path: str) -> None:
        try:
            node: object = self.model.find(path)[1]
        except OSError:
            node = None
        fs = self.clients[who].fs
        assert (fs.file_exists(path), fs.dir_exists(path)) == (isinstance(node, bytes), isinstance(node, Folder))

    # --- locks that conflict only across clients ---

    @rule(who=WHO, path=PATHS)
    def lock(self, who: int, path: str) -> None:
        if not isinstance(outcome_of(lambda: self.model.read_file(path)).value, bytes):
            return
        mine, other = self.clients[who].fs, self.clients[1 - who].fs
        with mine.open(path, "rb", lock_type="exclusive"):
            mine.open(path, "rb").close()
            assert [info.lock_type for info in other.list_locks(path)] == ["exclusive"]
            found = outcome_of(lambda: other.open(path, "rb", lock_type="shared", lock_timeout=0))
            assert (type(found.exception), found.errno) == (TimeoutError, errno.ETIMEDOUT)
        assert other.list_locks(path) == []

    # --- clients ---

    @rule(who=WHO)
    def reopen(self, who: int) -> None:
        self.clients[who].close()
        self.clients[who] = self.world.client(root_path=self.root)

    def teardown(self) -> None:
        try:
            for client in self.clients:
                assert tree(client.fs) == self.model.nodes
            if self.clients:
                added = zip(self.statistics(self.clients[0].fs), self.before, strict=True)
                assert tuple(now - before for now, before in added) == self.model.statistics()
        finally:
            for client in self.clients:
                client.close()


def tree(fs: Filesystem, parts: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """All that a client sees below a folder, in the model's terms."""
    path = "/" + "/".join(parts)
    found: dict[tuple[str, ...], Any] = {parts: next(iter(ModelFilesystem().nodes.values()))}
    for entry in fs.read_dir(path):
        place = (*parts, entry.name)
        at = "/" + "/".join(place)
        if entry.is_dir():
            found |= tree(fs, place)
        elif entry.is_link():
            found[place] = Link(fs.read_symlink(at))
        else:
            found[place] = fs.read_file(at)
            assert entry.size == len(found[place])
    return found


def test_two_clients_see_what_the_dict_says(world: World) -> None:
    FilespaceMachine.world = world
    run_state_machine_as_test(FilespaceMachine)
