"""How programs end: without a stop, with open streams, in the middle of things. Nothing stays, nothing is said."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import pytest

import lucidlink
from tests.sdk import World

_HEAD = """
import sys, lucidlink
daemon = lucidlink.create_daemon()
daemon.start()
workspace = daemon.authenticate(lucidlink.ServiceAccountCredentials(sys.argv[1]))
filespace = workspace.link_filespace(name="data")
fs = filespace.fs
"""


def run(shared: World, tmp_path: Path, body: str) -> subprocess.CompletedProcess[str]:
    """A program of its own, with its temp folders in `tmp_path`."""
    return subprocess.run(
        [sys.executable, "-c", _HEAD + body, shared.tokens["writer"]],
        env={"LUCIDLINK_HUB": shared.hub.url, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("fs.write_file('/exit-1', b'written')", 0),
        ("fs.write_file('/exit-2', b'written'); sys.exit(3)", 3),
        ("fs.write_file('/exit-3', b'written'); stream = fs.open('/exit-3', 'w'); stream.write('never')", 0),
        ("fs.write_file('/exit-4', b'written'); stream = fs.open('/exit-4'); stream.read(3)", 0),
        ("fs.write_file('/exit-5', b'written'); other = fs.open('/exit-5', 'ab', 0); other.write(b'never')", 0),
        ("fs.write_file('/exit-6', b'written'); fs.open('/exit-6', 'r+b', lock_type='exclusive')", 0),
    ],
)
def test_programs_that_just_end(shared: World, fs: lucidlink.Filesystem, tmp_path: Path, body: str, code: int) -> None:
    result = run(shared, tmp_path, body)
    assert (result.returncode, result.stderr, result.stdout) == (code, "", "")
    assert list(tmp_path.iterdir()) == []
    path = body.split("'")[1]
    assert fs.read_file(path) == b"written"
    assert fs.list_locks(path) == []


def test_failing_program_shows_its_own_error_only(shared: World, fs: lucidlink.Filesystem, tmp_path: Path) -> None:
    result = run(shared, tmp_path, "with filespace, fs.open('/half', 'w') as s:\n    s.write('x')\n    1 / 0")
    assert result.returncode == 1
    assert result.stderr.rstrip().endswith("ZeroDivisionError: division by zero")
    assert shared.tokens["writer"].rpartition(":")[2] not in result.stderr
    assert list(tmp_path.iterdir()) == []
    assert not fs.file_exists("/half")


def test_dropped_streams_are_said_where_asked_for(shared: World, tmp_path: Path) -> None:
    body = "import warnings; warnings.simplefilter('always'); fs.open('/exit-7', 'w')"
    result = run(shared, tmp_path, body)
    assert result.stderr.count("ResourceWarning: unclosed file") == 1
    assert "/exit-7" in result.stderr


def test_fork_in_a_program_that_just_ends(shared: World, fs: lucidlink.Filesystem, tmp_path: Path) -> None:
    body = """
import os
stream = fs.open('/forked', 'w')
stream.write('parent')
child = os.fork()
if child == 0:
    fs.write_file('/by-child', b'child')
    sys.exit(5)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
assert fs.read_file('/by-child') == b'child'
stream.close()
"""
    result = run(shared, tmp_path, body)
    assert (result.returncode, result.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []
    assert fs.read_file("/forked") == b"parent"


def test_interrupt_while_waiting(shared: World, fs: lucidlink.Filesystem, home: str) -> None:
    """Ctrl-C ends a wait for a lock at once, and what the lock was wanted for does not happen later."""
    path = f"{home}/file"
    fs.write_file(path, b"content")
    with shared.linked("second") as other:
        with fs.open(path, lock_type="exclusive"):
            waits = threading.Event()

            def interrupt() -> None:
                while not waits.is_set():
                    if any(lock.waiting for lock in fs.list_locks(path)):
                        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                        return

            thread = threading.Thread(target=interrupt)
            thread.start()
            try:
                with pytest.raises(KeyboardInterrupt):
                    other.fs.open(path, lock_type="exclusive")
            finally:
                waits.set()
                thread.join()
        assert other.fs.read_dir(home)
        with fs.open(path, lock_type="exclusive"):
            assert len([lock for lock in fs.list_locks(path) if not lock.waiting]) == 1


def test_stream_in_a_reference_cycle_is_collected(fs: lucidlink.Filesystem, home: str) -> None:
    import gc

    stream = fs.open(f"{home}/file", "w")
    stream.write("never")
    stream.cycle = [stream]  # type: ignore[attr-defined]
    gone = weakref.ref(stream)
    with pytest.warns(ResourceWarning):
        del stream
        gc.collect()
    assert gone() is None
    assert not fs.file_exists(f"{home}/file")
