"""SIGSTOP: a client that sleeps beyond the session limit, with and without a lock, and a hub that sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lucidfs.testing.hubs import new_data
from tests.faults.field import Field
from tests.faults.hub import FaultHub, stopped
from tests.worker import Worker
from tests.world import World

SESSION_LIMIT_S = 1.5
LOCK_TIMEOUT_S = 30.0  # of who waits for a lock that a sleeper holds: twenty times the limit

ERRNO = """
def told(call):
    try: call()
    except OSError as error: return [error.errno, error.filename, error.strerror]
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    data, token = new_data(tmp_path_factory.mktemp("hub"))
    hub = FaultHub(data, SESSION_LIMIT_S)
    try:
        yield World(hub, token)
    finally:
        hub.stop()


@pytest.fixture
def sleeper(world: World) -> Iterator[Worker]:
    with Worker(world.url, world.token, world.name) as worker:
        worker.do(ERRNO)
        yield worker


def asleep_until(done: Callable[[], bool]) -> None:
    """Wait for what is a matter of seconds."""
    end = time.monotonic() + LOCK_TIMEOUT_S
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("size", "flushed"), [(100, False), (3_000_000, True)], ids=["small, nothing published", "large, flushed once"]
)
def test_a_sleeper_with_a_lock_is_fenced(world: World, sleeper: Worker, size: int, flushed: bool) -> None:
    sleeper.do("fs.write_file('/fenced', b'before')")
    sleeper.do("file = fs.open('/fenced', 'r+b', lock_type='exclusive')")
    sleeper.do(f"file.write(b'A' * {size})")
    if flushed:
        sleeper.do("file.flush()")
        sleeper.do(f"file.write(b'B' * {size})")
    with world.client() as other, stopped(sleeper.process.pid):
        with other.fs.open("/fenced", "r+b", lock_type="exclusive", lock_timeout=LOCK_TIMEOUT_S) as file:
            assert file.read() == (b"A" * size if flushed else b"before")
            file.truncate(0)
            file.seek(0)
            file.write(b"the next holder's")
    number, name, words = sleeper.do("told(file.close)")
    assert (number, name) == (116, "/fenced")
    assert "lock" in words
    with world.client() as other:
        assert other.fs.read_file("/fenced") == b"the next holder's"
        assert other.fs.list_locks("/fenced") == []
    # it is not ruined: what needs no lock of old works, and locks can be taken anew
    assert sleeper.do("fs.read_file('/fenced')") == "the next holder's"
    sleeper.do("with fs.open('/fenced', 'ab', lock_type='exclusive') as again: again.write(b'+')")
    assert sleeper.do("fs.read_file('/fenced')") == "the next holder's+"


def test_what_a_sleeper_had_under_way_is_fenced(world: World, sleeper: Worker) -> None:
    """The write leaves in the very moment of waking: behind it, another holder has come and gone."""
    sleeper.do("fs.write_file('/raced', b'before')")
    sleeper.do("file = fs.open('/raced', 'r+b', lock_type='exclusive')")
    sleeper.do("file.write(b'of the sleeper')")
    with world.client() as other:
        with stopped(sleeper.process.pid):
            sleeper.start("told(file.close)")  # it reads this when it wakes, before its connection is found dead
            other.fs.open("/raced", "wb", lock_type="exclusive", lock_timeout=LOCK_TIMEOUT_S).close()
        assert sleeper.next_line()[0] == 116
        assert other.fs.read_file("/raced") == b""


def test_byte_ranges_of_a_sleeper_are_fenced(world: World, sleeper: Worker) -> None:
    sleeper.do("fs.write_file('/ranges', bytes(100))")
    sleeper.do("file = fs.open('/ranges', 'r+b', buffering=0)")
    assert sleeper.do("fs.lock_byte_range(file, 0, 10)") is True
    sleeper.do("file.write(b'sleeper...')")
    with world.client() as other, other.fs.open("/ranges", "r+b") as file:
        with stopped(sleeper.process.pid):
            assert other.fs.lock_byte_range(file, 0, 10, lock_timeout=LOCK_TIMEOUT_S)
            file.write(b"the other.")
            file.flush()
        assert sleeper.do("told(file.close)")[0] == 116
        assert other.fs.read_file("/ranges") == b"the other." + bytes(90)


def test_a_reserved_name_of_a_sleeper_is_free(world: World, sleeper: Worker) -> None:
    sleeper.do("file = fs.open('/reserved', 'xb')")
    with world.client() as other:
        with pytest.raises(FileExistsError):
            other.fs.open("/reserved", "xb")

        def made() -> bool:
            try:
                other.fs.open("/reserved", "xb").close()
            except FileExistsError:
                return False
            return True

        with stopped(sleeper.process.pid):
            asleep_until(made)
        sleeper.do("file.write(b'too late')")
        assert sleeper.do("told(file.close)")[0] == 17
        assert other.fs.read_file("/reserved") == b""


def test_a_sleeper_without_a_lock_goes_on(world: World, sleeper: Worker) -> None:
    sleeper.do("fs.write_file('/plain', bytes(200_000))")
    sleeper.do("reading, file = fs.open('/plain', 'rb'), fs.open('/plain', 'r+b')")
    sleeper.do("log = fs.open('/log', 'ab')")
    assert sleeper.do("len(reading.read(10))") == 10
    sleeper.do("(file.write(b'of the sleeper'), log.write(b'of the sleeper'))")
    with world.client() as other:
        other.fs.write_file("/other", b"held")
        with stopped(sleeper.process.pid), other.fs.open("/other", "r+b", lock_type="exclusive") as held:
            with other.fs.open("/log", "ab") as log:
                log.write(b"of the other, ")
            held.write(b"until the sleeper's session is over")
            time.sleep(SESSION_LIMIT_S * 1.5)
        sleeper.do("(file.close(), log.close())")
        assert sleeper.do("reading.read() == bytes(199_990)") is True  # the revision that it had opened
        assert other.fs.read_file("/plain") == b"of the sleeper".ljust(200_000, b"\0")
        assert other.fs.read_file("/log") == b"of the other, of the sleeper"


def test_a_sleeping_hub_costs_nobody_a_lock(tmp_path: Path) -> None:
    data, token = new_data(tmp_path)
    hub = FaultHub(data, SESSION_LIMIT_S)
    try:
        world = World(hub, token)
        with world.client() as client, Worker(world.url, world.token, world.name) as worker:
            client.fs.write_file("/held", b"before")
            with client.fs.open("/held", "r+b", lock_type="exclusive") as held:
                held.write(b"holder")
                with hub.stopped():
                    worker.start("fs.write_file('/while', b'the hub slept')")
                    time.sleep(SESSION_LIMIT_S * 2)
                assert worker.next_line() is None
                held.flush()
                time.sleep(SESSION_LIMIT_S)  # and the time after that is counted anew
            assert client.fs.read_file("/held") == b"holder"
            assert client.fs.read_file("/while") == b"the hub slept"
    finally:
        hub.stop()


@pytest.mark.logs("lucidfs")
def test_sleeping_under_load(tmp_path: Path) -> None:
    """Writers lose their locks while they sleep, in the middle of anything: refused is not applied, done is."""
    field = Field(tmp_path, session_limit_s=1.0)
    try:
        for _ in range(2):
            field.start()
        for turn in range(field.rounds(2)):
            field.let_work()
            with stopped(field.hub.pid if turn % 4 == 3 else field.loads[turn % 2].process.pid):
                time.sleep(1.5)
            field.tally["slept"] += 1
        field.finish()
    finally:
        field.close()
        print(f"\n{dict(field.tally)}")
