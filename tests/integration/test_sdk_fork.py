"""A forked child: it reconnects by itself, and whatever it does or leaves undone, the parent goes on unharmed."""

from __future__ import annotations

import errno
import gc
import multiprocessing
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lucidlink
from tests.sdk import World

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
_CHILD_S = 60


def in_child(work: Callable[[], object], *, leave: Callable[[int], None] = os._exit) -> None:
    """Run `work` in a forked child and wait for it; the child ends by itself if it hangs."""
    sys.stdout.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks beside threads
        child = os.fork()
    if child == 0:
        signal.alarm(_CHILD_S)
        code = 1
        try:
            work()
            code = 0
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
        leave(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_child_uses_what_the_parent_linked(filespace: lucidlink.Filespace, home: str) -> None:
    fs = filespace.fs
    fs.write_file(f"{home}/by-parent", b"parent")

    def child() -> None:
        assert fs.read_file(f"{home}/by-parent") == b"parent"
        fs.write_file(f"{home}/by-child", b"child")
        assert fs.list_dir(home) == ["by-child", "by-parent"]
        filespace.sync_all()
        assert filespace.pending.files == 0

    in_child(child)
    assert fs.read_file(f"{home}/by-child") == b"child"


def test_many_children_at_once(filespace: lucidlink.Filespace, home: str) -> None:
    fs = filespace.fs
    fs.write_file(f"{home}/data", os.urandom(1_000_000))
    expected = fs.read_file(f"{home}/data")
    children = []
    for number in range(4):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            signal.alarm(_CHILD_S)
            code = 1
            try:
                assert fs.read_file(f"{home}/data") == expected
                fs.write_file(f"{home}/{number}", b"done")
                code = 0
            finally:
                os._exit(code)
        children.append(pid)
    fs.write_file(f"{home}/parent", b"meanwhile")
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0] * 4
    assert fs.list_dir(home) == ["0", "1", "2", "3", "data", "parent"]


def test_workspace_and_daemon_in_a_child(shared: World, home: str) -> None:
    with shared.daemon() as daemon:
        workspace = daemon.authenticate(shared.credentials())

        def child() -> None:
            assert daemon.is_running()
            assert [info.name for info in workspace.list_filespaces()] == ["data"]
            with workspace.link_filespace(name="data") as filespace:
                filespace.fs.write_file(f"{home}/new-link", b"")
            again = daemon.authenticate(shared.credentials("second"))
            again.link_filespace(name="data").fs.delete(f"{home}/new-link")
            with shared.linked() as own:
                assert own.fs.dir_exists(home)

        in_child(child)
        assert workspace.link_filespace(name="data").fs.list_dir(home) == []


def test_open_reader_goes_on_with_its_revision(filespace: lucidlink.Filespace, home: str) -> None:
    fs, path = filespace.fs, f"{home}/file"
    old = os.urandom(700_000)
    fs.write_file(path, old)
    with fs.open(path) as stream, fs.open(path, buffering=0) as raw, fs.open(path, "r", encoding="latin-1") as text:
        assert stream.read(10) == old[:10]
        assert text.read(4) == old[:4].decode("latin-1").replace("\r\n", "\n").replace("\r", "\n")
        raw.seek(600_000)
        fs.write_file(path, b"new")

        def child() -> None:
            assert stream.read() == old[10:]
            assert raw.read(5) == old[600_000:600_005]
            stream.seek(5)
            assert stream.read(10) == old[5:15]
            assert text.readable()
            assert len(text.read()) > 0
            with fs.open(path) as fresh:
                assert fresh.read() == b"new"
            stream.close()
            raw.close()
            text.close()

        in_child(child)
        assert stream.read() == old[10:]
        assert raw.tell() == 600_000


@pytest.mark.parametrize("mode", ["wb", "w", "r+b", "a", "wb raw"])
def test_open_writer_stays_the_parents(filespace: lucidlink.Filespace, home: str, mode: str) -> None:
    fs, path = filespace.fs, f"{home}/file"
    fs.write_file(path, b"old")
    kind, _, raw = mode.partition(" ")
    data: Any = b"12345" if "b" in kind else "12345"
    stream: Any = fs.open(path, kind, 0 if raw else -1)
    stream.write(data)

    def child() -> None:
        uses: list[Callable[[], object]] = [
            lambda: stream.write(data),
            lambda: stream.write(data * 100_000),
            lambda: stream.writelines([data]),
            stream.flush,
            lambda: stream.truncate(0),
        ]
        for use in uses:
            with pytest.raises(OSError) as raised:
                use()
            assert (raised.value.errno, raised.value.filename) == (errno.EBADF, path)
        stream.close()
        assert stream.closed
        assert fs.read_file(path) == b"old"

    in_child(child)
    assert fs.read_file(path) == b"old"
    stream.write(data)
    stream.close()
    written = b"1234512345"
    assert fs.read_file(path) == (b"old" + written if kind == "a" else written)


@pytest.mark.parametrize("kind", ["w", "wb"])
def test_writer_dropped_in_a_child_publishes_nothing(filespace: lucidlink.Filespace, home: str, kind: str) -> None:
    fs, path = filespace.fs, f"{home}/file"
    streams = [fs.open(path, kind)]
    streams[0].write("parent" if kind == "w" else b"parent")  # type: ignore[arg-type]

    def child() -> None:
        warnings.simplefilter("error")
        streams.clear()
        gc.collect()
        assert not fs.file_exists(path)

    in_child(child)
    assert not fs.file_exists(path)
    streams.pop().close()
    assert fs.read_file(path) == b"parent"


def test_failed_with_block_in_a_child_leaves_the_parents_stream(filespace: lucidlink.Filespace, home: str) -> None:
    fs, path = filespace.fs, f"{home}/file"
    with fs.open(path, "w") as stream:
        stream.write("parent")

        def child() -> None:
            with pytest.raises(KeyError), stream:
                raise KeyError

        in_child(child)
    assert fs.read_file(path) == b"parent"


def test_locks_stay_the_parents(filespace: lucidlink.Filespace, home: str) -> None:
    fs, path = filespace.fs, f"{home}/file"
    fs.write_file(path, b"content")
    with fs.open(path, "r+b", lock_type="exclusive") as stream:
        number = fs.create(f"{home}/created")

        def child() -> None:
            with pytest.raises(TimeoutError):
                fs.open(path, "r+b", lock_type="exclusive", lock_timeout=0)
            with pytest.raises(TimeoutError):
                fs.open(path, lock_timeout=0)
            for call in (lambda: fs.unlock_all_byte_ranges(stream), lambda: fs.lock_byte_range(number, 0, 1)):
                with pytest.raises(OSError) as raised:
                    call()
                assert raised.value.errno == errno.EBADF
            stream.close()
            assert len(fs.list_locks(path)) == 1

        in_child(child)
        assert len(fs.list_locks(path)) == 1
        assert fs.lock_byte_range(number, 0, 1, blocking=False)
        fs.close(number)
        stream.write(b"CONTENT")
    assert fs.read_file(path) == b"CONTENT"


def _leave_normally(code: int) -> None:
    """As the end of a script: exit functions and finalizers run."""
    import atexit

    atexit._run_exitfuncs()
    gc.collect()
    os._exit(code)


@pytest.mark.parametrize("leave", [os._exit, _leave_normally])
@pytest.mark.parametrize("used", [False, True])
def test_how_a_child_leaves_does_not_matter(shared: World, home: str, leave: Callable[[int], None], used: bool) -> None:
    daemon = shared.daemon()
    daemon.start()
    filespace = daemon.authenticate(shared.credentials()).link_filespace(name="data")
    root = Path(daemon.get_status().root_path)
    stream = filespace.fs.open(f"{home}/file", "w")
    stream.write("parent")
    in_child(lambda: filespace.fs.read_dir("/") if used else None, leave=leave)
    assert root.is_dir()
    assert filespace.fs.dir_exists(home)
    stream.close()
    assert filespace.fs.read_file(f"{home}/file") == b"parent"
    daemon.stop()
    assert not root.exists()


def test_child_that_stops_everything_harms_nobody(shared: World, home: str) -> None:
    with shared.daemon() as daemon:
        workspace = daemon.authenticate(shared.credentials())
        filespace = workspace.link_filespace(name="data")
        root = Path(daemon.get_status().root_path)

        def child() -> None:
            filespace.fs.write_file(f"{home}/by-child", b"")
            filespace.unlink()
            with pytest.raises(lucidlink.FilespaceError):
                filespace.fs.read_dir("/")
            workspace.stop()
            daemon.stop()
            assert not daemon.is_running()
            assert root.is_dir()

        in_child(child)
        assert daemon.is_running()
        assert filespace.fs.list_dir(home) == ["by-child"]


def test_grandchildren(filespace: lucidlink.Filespace, home: str) -> None:
    fs, path = filespace.fs, f"{home}/file"
    fs.write_file(path, b"content" * 10_000)
    with fs.open(path) as stream:

        def child() -> None:
            assert stream.read(7) == b"content"
            in_child(grandchild)
            fs.write_file(f"{home}/child", b"")

        def grandchild() -> None:
            assert stream.read() == b"content" * 9_999
            fs.write_file(f"{home}/grandchild", b"")

        in_child(child)
    assert fs.list_dir(home) == ["child", "file", "grandchild"]


def _read(fs: lucidlink.Filesystem, path: str, answers: multiprocessing.SimpleQueue[bytes]) -> None:
    stream = fs.open(path, lock_type="shared")
    answers.put(stream.read())
    _left_open.append(stream)


_left_open: list[object] = []


def test_multiprocessing_workers(filespace: lucidlink.Filespace, home: str) -> None:
    """What a `DataLoader` with forked workers does."""
    context = multiprocessing.get_context("fork")
    answers: multiprocessing.SimpleQueue[bytes] = context.SimpleQueue()
    fs = filespace.fs
    for number in range(3):
        fs.write_file(f"{home}/{number}", b"%d" % number)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        workers = [context.Process(target=_read, args=(fs, f"{home}/{number}", answers)) for number in range(3)]
        for worker in workers:
            worker.start()
    assert sorted(answers.get() for _ in workers) == [b"0", b"1", b"2"]
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    for number in range(3):  # the workers ended their sessions, so no lock has to expire
        assert fs.list_locks(f"{home}/{number}") == []


def test_fork_beside_busy_threads(filespace: lucidlink.Filespace, home: str) -> None:
    """Whatever the parent's other threads hold at the fork, the child's own locks are free."""
    fs = filespace.fs
    fs.write_file(f"{home}/data", os.urandom(500_000))
    expected = fs.read_file(f"{home}/data")
    ends = threading.Event()

    def busy(number: int) -> None:
        with fs.open(f"{home}/data") as reader, fs.open(f"{home}/{number}", "w") as writer:
            while not ends.is_set():
                writer.write(reader.read(1000).hex())
                reader.seek(number * 1000)
                fs.dir_exists(home)
                fs.open(f"{home}/data", "r", encoding="latin-1").close()

    threads = [threading.Thread(target=busy, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(8):

            def child(number: int = number) -> None:
                assert fs.read_file(f"{home}/data") == expected
                fs.write_file(f"{home}/child-{number}", b"done")

            in_child(child, leave=os._exit if number % 2 else _leave_normally)
    finally:
        ends.set()
        for thread in threads:
            thread.join()
    assert len([name for name in fs.list_dir(home) if name.startswith("child")]) == 8
