"""Any thread may use any object, and of many that race one wins."""

from __future__ import annotations

import threading

import lucidlink
from tests.sdk import World, in_threads


def test_sixteen_threads_on_one_filespace(fs: lucidlink.Filesystem, home: str) -> None:
    def work(number: int) -> None:
        for round_ in range(5):
            path = f"{home}/{number}-{round_}"
            data = bytes([number]) * (1000 * (number + 1))
            fs.write_file(path, data)
            assert fs.read_file(path) == data
            with fs.open(path, "ab") as stream:
                stream.write(b"end")
            assert fs.get_entry(path).size == len(data) + 3
            fs.move(path, path + "-moved")
            assert fs.file_exists(path + "-moved")

    in_threads(16, work)
    assert len(fs.list_dir(home)) == 80


def test_threads_share_a_stream(fs: lucidlink.Filesystem, home: str) -> None:
    path = f"{home}/lines"
    with fs.open(path, "w") as stream:
        in_threads(8, lambda number: stream.writelines(f"{number}-{line}\n" for line in range(500)))
    seen: list[str] = []
    with fs.open(path) as raw, fs.open(path, "r") as reading:

        def read(_: int) -> None:
            for line in iter(reading.readline, ""):
                seen.append(line)

        in_threads(8, read)
        assert sorted(raw.read().decode().splitlines(keepends=True)) == sorted(seen)
    assert sorted(seen) == sorted(f"{number}-{line}\n" for number in range(8) for line in range(500))


def test_one_of_many_creators_wins(filespace: lucidlink.Filespace, second: lucidlink.Filespace, home: str) -> None:
    outcomes: list[str] = []

    def create(number: int) -> None:
        chosen = (filespace, second)[number % 2]
        try:
            chosen.fs.create_dir(f"{home}/same")
            outcomes.append("made")
        except FileExistsError:
            outcomes.append("exists")

    in_threads(8, create)
    assert sorted(outcomes) == ["exists"] * 7 + ["made"]


def test_linking_at_once_gives_one_object(shared: World) -> None:
    with shared.daemon() as daemon:
        workspace = daemon.authenticate(shared.credentials())
        linked: list[lucidlink.Filespace] = []
        in_threads(8, lambda _: linked.append(workspace.link_filespace(name="data")))
        assert len({id(each) for each in linked}) == 1


def test_unlink_ends_what_waits(shared: World, fs: lucidlink.Filesystem, home: str) -> None:
    path = f"{home}/file"
    fs.write_file(path, b"content")
    with fs.open(path, lock_type="exclusive"), shared.daemon() as daemon:
        linked = daemon.authenticate(shared.credentials("second")).link_filespace(name="data")
        inner, outcomes = linked.fs, []

        def wait() -> None:
            try:
                inner.open(path, lock_type="exclusive")
            except BaseException as error:  # noqa: BLE001
                outcomes.append(error)

        threads = [threading.Thread(target=wait) for _ in range(3)]
        for thread in threads:
            thread.start()
        while len(fs.list_locks(path)) < 4:
            pass
        linked.unlink()
        for thread in threads:
            thread.join()
        assert [type(error) for error in outcomes] == [lucidlink.FilespaceError] * 3
