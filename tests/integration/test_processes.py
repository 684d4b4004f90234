"""Real processes over real sockets: what clients see of each other, and what is left when one of them is killed."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lucidfs.testing.hubs import ProcessHub, new_data
from lucidlink import Filesystem
from tests.worker import Worker
from tests.world import World

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    data, token = new_data(tmp_path_factory.mktemp("hub"))
    hub = ProcessHub(data)
    try:
        yield World(hub, token)
    finally:
        hub.stop()


@pytest.fixture
def workers(world: World) -> Iterator[Callable[[], Worker]]:
    """Starts workers; those that still live at the end are ended."""
    started: list[Worker] = []

    def start() -> Worker:
        started.append(Worker(world.url, world.token, world.name))
        return started[-1]

    yield start
    for worker in started:
        worker.close()


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Run `work(0) … work(count - 1)` at once; the first exception is raised."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            barrier.wait()
            work(number)
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


# --- seeing each other ------------------------------------------------------------------------------------------


def test_a_closed_file_is_seen_at_once_by_another_process(workers: Callable[[], Worker]) -> None:
    writer, reader = workers(), workers()
    writer.do("fs.create_dir('/seen')")
    for number, size in enumerate([0, 1, 1000, 65_536, 200_000, 5 * MIB] * 4):
        path = f"/seen/file-{number % 9}"
        writer.do(f"fs.write_file({path!r}, b'%d' % {number} * {size})")
        length = len(str(number)) * size
        assert reader.do(f"fs.get_entry({path!r}).size") == length
        assert reader.do(f"fs.read_file({path!r}) == b'%d' % {number} * {size}") is True
        assert path.rpartition("/")[2] in reader.do("fs.list_dir('/seen')")
        reader, writer = writer, reader
    writer.do("fs.move('/seen', '/moved')")
    assert not reader.do("fs.dir_exists('/seen')")
    assert len(reader.do("fs.list_dir('/moved')")) == 9


def test_one_of_two_creators_wins(workers: Callable[[], Worker]) -> None:
    both = [workers(), workers()]
    opened, created = "fs.open({!r}, 'xb').close()", "fs.close(fs.create({!r}))"
    calls = [opened, created, "fs.create_dir({!r})", "fs.create_symlink('x', {!r})"]
    for number in range(40):
        call = calls[number % 4].format(f"/race-{number}")
        for worker in both:
            worker.start(f"from contextlib import suppress\nwith suppress(FileExistsError):\n {call}; say('won')\n")
        won = 0
        for worker in both:
            while (line := worker.next_line()) is not None:
                won += line == "won"
        assert won == 1, call


def test_appends_of_many_processes_lose_no_line(workers: Callable[[], Worker]) -> None:
    clients = [workers() for _ in range(3)]
    for number, worker in enumerate(clients):
        lines = f"for i in range(30):\n with fs.open('/log', 'a') as f: print('line', {number}, i, file=f)\n"
        worker.start(lines)
    for worker in clients:
        worker.next_line()
    lines = clients[0].do("fs.read_file('/log')").splitlines()
    assert sorted(lines) == sorted(f"line {number} {i}" for number in range(3) for i in range(30))
    for number in range(3):
        own = [line for line in lines if line.startswith(f"line {number} ")]
        assert own == [f"line {number} {i}" for i in range(30)]


# --- threads and fork -------------------------------------------------------------------------------------------


def test_sixteen_threads_on_one_filespace(world: World) -> None:
    with world.client() as client:
        fs = client.fs
        fs.write_file("/shared", bytes(16 * 1000))
        stream = fs.open("/shared", "rb", buffering=0)

        def work(number: int) -> None:
            folder = f"/threads/{number % 4}"
            for turn in range(10):
                path = f"{folder}/{number}-{turn}"
                try:
                    fs.create_dir(folder)
                except FileExistsError:
                    assert fs.dir_exists(folder)
                data = f"{path} ".encode() * (20_000 if turn % 5 == 4 else 10)
                fs.write_file(path, data)
                assert fs.read_file(path) == data
                with fs.open("/common-log", "ab") as log:
                    log.write(f"{number} {turn}\n".encode())
                with fs.open("/shared", "r+b") as file:
                    file.seek(number * 1000)
                    file.write(bytes([number + 1]) * 1000)
                fs.move(path, path + ".moved")
                assert len(stream.read(100)) <= 100

        in_threads(16, work)
        stream.close()
        assert sum(len(fs.list_dir(f"/threads/{folder}")) for folder in range(4)) == 160
        log = fs.read_file("/common-log").decode().splitlines()
        assert sorted(log) == sorted(f"{number} {turn}" for number in range(16) for turn in range(10))
        assert fs.read_file("/shared") == b"".join(bytes([number + 1]) * 1000 for number in range(16))


FORK = """
fs.write_file('/forked', bytes(range(256)) * 4000)
files = [fs.open('/forked', 'rb') for _ in range(4)]
text = fs.open('/forked', 'r', encoding='latin-1')
held = fs.open('/held', 'wb')
held.write(b'of the parent')
heads = [f.read(n + 1) for n, f in enumerate(files)]
children = []
for n, file in enumerate(files):
    pid = os.fork()
    if not pid:
        code = 1
        try:
            assert file.read() == (bytes(range(256)) * 4000)[n + 1:]
            assert len(text.read()) == 256 * 4000
            fs.write_file('/child-%d' % n, b'child %d' % n)
            with fs.open('/log-of-children', 'ab') as log: log.write(b'%d\\n' % n)
            with fs.open('/forked', 'rb', lock_type='shared') as again: again.read(1)
            code = 0
        except BaseException:
            import traceback; traceback.print_exc()
        finally:
            os._exit(code)
    children.append(pid)
codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
held.close()
rest = [f.read() == (bytes(range(256)) * 4000)[n + 1:] for n, f in enumerate(files)]
say([codes, rest])
"""


def test_a_forked_child_uses_open_files(world: World, workers: Callable[[], Worker]) -> None:
    worker = workers()
    worker.do("import warnings; warnings.simplefilter('ignore', DeprecationWarning)")
    assert worker.do(FORK) == [[0] * 4, [True] * 4]
    with world.client() as client:
        assert [client.fs.read_file(f"/child-{n}") for n in range(4)] == [f"child {n}".encode() for n in range(4)]
        assert sorted(client.fs.read_file("/log-of-children").split()) == [b"0", b"1", b"2", b"3"]
        assert client.fs.read_file("/held") == b"of the parent"


# --- kill -9 of a client ----------------------------------------------------------------------------------------

WRITERS = {
    "small whole": "fs.write_file('/victim', text(i) * 1000)",
    "large whole": "fs.write_file('/victim', text(i) * 100_000)",
    "stream": "f = fs.open('/victim', 'wb')\nfor _ in range(40): f.write(text(i) * 5000)\nf.close()",
    "in place": "f = fs.open('/victim', 'r+b')\nfor _ in range(20): f.write(text(i) * 5000)\nf.close()",
}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_killed_writer_leaves_the_file_old_or_new(world: World, workers: Callable[[], Worker], kind: str) -> None:
    size = {"small whole": 20_000, "large whole": 2_000_000, "stream": 4_000_000, "in place": 2_000_000}[kind]
    body = "\n".join(" " + line for line in WRITERS[kind].splitlines())
    loop = f"text = lambda i: b'version %011d\\n' % i\nimport itertools\nfor i in itertools.count():\n{body}\n say(i)\n"
    with world.client() as client:
        for acknowledged in (0, 1, 3):
            client.fs.write_file("/victim", b"version %011d\n" % 0 * (size // 20))
            worker = workers()
            worker.start(loop)
            while (last := worker.next_line()) < acknowledged:
                continue
            worker.kill()
            content = client.fs.read_file("/victim")
            version = int(content[8:19])
            assert content == b"version %011d\n" % version * (size // 20), f"mixed after {last}: {kind}"
            assert version >= last
            client.fs.delete("/victim")


def test_locks_of_a_killed_client_are_released(world: World, workers: Callable[[], Worker]) -> None:
    worker = workers()
    worker.do("fs.write_file('/locked', b'x')")
    worker.do("file = fs.open('/locked', 'r+b', lock_type='exclusive')")
    worker.do("file.write(b'never published')")
    with world.client() as client:
        assert [info.lock_type for info in client.fs.list_locks("/locked")] == ["exclusive"]
        worker.kill()
        with client.fs.open("/locked", "r+b", lock_type="exclusive", lock_timeout=60) as file:
            assert file.read() == b"x"


# --- kill -9 of the hub -----------------------------------------------------------------------------------------


class Load:
    """Clients that go on working while the hub dies and comes back; they note what was acknowledged."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.lines: list[str] = []
        self.stop = threading.Event()
        self.progress = threading.Condition()

    def run(self, fs: Filesystem, number: int) -> None:
        for turn in itertools.count():
            if self.stop.is_set():
                return
            name, line = f"file-{number}-{turn}", f"{number} {turn}"
            fs.write_file(f"/load/{name}", name.encode() * (30_000 if turn % 7 == 6 else 3))
            with fs.open("/load-log", "ab") as log:
                log.write(line.encode() + b"\n")
            with self.progress:
                self.made.append(name)
                self.lines.append(line)
                self.progress.notify_all()

    def wait_for(self, count: int) -> None:
        """Until so many turns were acknowledged."""
        with self.progress:
            assert self.progress.wait_for(lambda: len(self.made) >= count, timeout=90)


@pytest.mark.logs("lucidfs")
def test_a_killed_hub_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    data, token = new_data(tmp_path)
    hub = ProcessHub(data)
    try:
        world = World(hub, token)
        clients = [world.client() for _ in range(3)]
        clients[0].fs.create_dir("/load")
        locked = clients[0].fs.open("/locked", "wb", lock_type="exclusive")
        locked.write(b"after three deaths")
        load = Load()
        threads = [threading.Thread(target=load.run, args=(clients[n % 3].fs, n)) for n in range(6)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(3):
                load.wait_for(len(load.made) + 30)
                hub.restart()
            load.wait_for(len(load.made) + 30)
        finally:
            load.stop.set()
            for thread in threads:
                thread.join()
        with world.client() as fresh:
            assert [info.lock_type for info in fresh.fs.list_locks("/locked")] == ["exclusive"]
            locked.close()
            assert fresh.fs.read_file("/locked") == b"after three deaths"
            assert sorted(fresh.fs.list_dir("/load")) == sorted(load.made)
            for name in load.made:
                content = fresh.fs.read_file(f"/load/{name}")
                assert content.replace(name.encode(), b"") == b""
                assert content
            assert sorted(fresh.fs.read_file("/load-log").decode().splitlines()) == sorted(load.lines)
        for client in clients:
            client.close()
    finally:
        hub.stop()


def test_a_hub_that_is_told_to_stop_finishes_and_comes_back(tmp_path: Path) -> None:
    data, token = new_data(tmp_path)
    hub = ProcessHub(data)
    try:
        world = World(hub, token)
        with world.client() as client:
            client.fs.write_file("/before", b"before")
            assert hub.stop() == 0
            hub.start()
            assert client.fs.read_file("/before") == b"before"
            client.fs.write_file("/after", b"after")
            assert client.fs.list_dir("/") == ["after", "before"]
    finally:
        hub.stop()
