"""House rules of every test: unexpected warnings in logs fail it, a hang shows stacks, and nothing is left behind.

A test that provokes WARNING logs says so with `@pytest.mark.logs("pattern")` (a regular expression), or asks for
`caplog` and looks at them itself. Hangs: pytest-timeout fails the test and prints the stacks of all threads;
`faulthandler_timeout` prints them also when the main thread cannot be interrupted.
"""

from __future__ import annotations

import gc
import logging
import os
import re
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

if TYPE_CHECKING:
    from lucidlink import Filesystem
    from tests.world import Client, World

SETTLE_S = 5.0  # how long threads and processes may take to end after the last test

hypothesis.settings.register_profile("small", max_examples=40, stateful_step_count=25, deadline=None)
hypothesis.settings.register_profile("large", max_examples=2000, stateful_step_count=60, deadline=None)
hypothesis.settings.load_profile(os.environ.get("LUCID_HYPOTHESIS", "small"))


class Collector(logging.Handler):
    """Keeps the WARNING records of one test."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture(autouse=True)
def _no_unexpected_warnings(request: pytest.FixtureRequest) -> Iterator[None]:
    collector = Collector()
    root = logging.getLogger()
    root.addHandler(collector)
    yield
    root.removeHandler(collector)
    if "caplog" in request.fixturenames:
        return
    expected = [mark.args[0] for mark in request.node.iter_markers("logs")]
    messages = [f"{record.levelname} {record.name}: {record.getMessage()}" for record in collector.records]
    surprises = [text for text in messages if not any(re.search(pattern, text) for pattern in expected)]
    assert not surprises, "unexpected logs:\n" + "\n".join(surprises)


# --- the same tests on another object store ---------------------------------------------------------------------


def in_buckets() -> bool:
    """Whether this run puts the objects of filespaces in a bucket."""
    return os.environ.get("LUCID_TEST_STORE", "") == "s3"


@pytest.fixture(scope="session", autouse=True)
def _store_of_filespaces() -> Iterator[None]:
    """With LUCID_TEST_STORE=s3 the filespaces that tests make have their objects in a bucket."""
    if not in_buckets():
        yield
        return
    from tests.other_store import objects_in_a_bucket

    with objects_in_a_bucket():
        yield


# --- which tests run, and in which process ----------------------------------------------------------------------


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file's tests run in one process, as fixtures of modules want it; those that share an S3 server too."""
    no_folder = pytest.mark.skip(reason="looks into the hub's own object folder")
    for item in items:
        folder = item.path.parent.name
        item.add_marker(pytest.mark.xdist_group(folder if folder == "s3" else str(item.path)))
        if in_buckets() and item.get_closest_marker("folder"):
            item.add_marker(no_folder)


# --- what must be gone at the end -------------------------------------------------------------------------------


class Surroundings:
    """Threads, child processes and the temporary folder of this run, so that what stays behind is noticed."""

    def __init__(self) -> None:
        original = tempfile.gettempdir()
        self.folder = Path(tempfile.mkdtemp(prefix="openlucid-tests-"))
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", original)  # tmp_path stays where one looks for it
        os.environ["TMPDIR"] = tempfile.tempdir = str(self.folder)
        self.threads = set(threading.enumerate())

    def left_over(self) -> list[str]:
        """What is still there, after it had a moment to go."""
        end = time.monotonic() + SETTLE_S
        while True:
            gc.collect()
            threads = set(threading.enumerate()) - self.threads
            found = [f"thread {one.name}" for one in threads if one.name != "fsspecIO"]  # fsspec's own, for ever
            found += [f"process {pid}: {command}" for pid, command in children()]
            found += [f"temporary {path.name}" for path in self.folder.iterdir()]
            if not found or time.monotonic() > end:
                return found
            time.sleep(0.05)


def children() -> Iterator[tuple[int, str]]:
    """Child processes of this one, where the system tells (Linux)."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            command = stat.with_name("cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # ended meanwhile
        if parent == os.getpid():
            yield int(stat.parent.name), command or "ended, not waited for"


SURROUNDINGS = pytest.StashKey[Surroundings]()
LEFT_BEHIND = "left behind"
left_by_workers: list[str] = []


def pytest_sessionstart(session: pytest.Session) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job; children would inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    session.config.stash[SURROUNDINGS] = Surroundings()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    surroundings = session.config.stash[SURROUNDINGS]
    found = surroundings.left_over()
    shutil.rmtree(surroundings.folder, ignore_errors=True)
    ours = not any("ecosystem" in argument for argument in session.config.args)  # other libraries leave threads
    found += left_by_workers
    told: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if told is not None:  # a worker's own output is not seen
        told[LEFT_BEHIND] = found
        return
    if found and ours and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    if found:
        print("\nleft behind by the tests:\n  " + "\n  ".join(found))


def pytest_testnodedown(node: Any, error: object) -> None:
    """A worker of xdist has ended."""
    told: dict[str, list[str]] = getattr(node, "workeroutput", {})  # none from one that died
    left_by_workers.extend(told.get(LEFT_BEHIND, []))


# --- a hub for those who need one -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A hub with real sockets in a thread of this process, and a filespace; shared by the tests of a module."""
    from lucidfs.testing.hubs import new_hub
    from tests.world import World

    hub, token = new_hub(tmp_path_factory.mktemp("hub"))
    try:
        yield World(hub, token)
    finally:
        hub.stop()


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    """One client of the module's world."""
    with world.client() as found:
        yield found


@pytest.fixture
def fs(client: Client) -> Filesystem:
    """The files that this client sees."""
    return client.fs
