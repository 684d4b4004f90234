"""`lucid hub fsck`, `gc` and `backup` on a real hub: while it runs under load, after it was killed, and restored."""

from __future__ import annotations

import os
import shutil
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

import lucidlink
from lucidfs.clock import SystemClock
from lucidfs.hub.backup import backup_hub
from lucidfs.hub.bootstrap import DATABASE_FILE, OBJECTS_FOLDER
from lucidfs.hub.hold import Hold
from lucidfs.hub.settings import HubSettings
from lucidfs.objects.base import ObjectName
from lucidfs.objects.local import LocalStore
from lucidfs.testing.hubs import HubThread, ProcessHub, new_data, new_hub
from lucidfs.types import FilespaceId, ObjectId
from tests.integration.lucid import Lucid
from tests.world import Client, World

BIG = 300_000  # bytes: more than travels in a commit


class Load(threading.Thread):
    """Writes, replaces and deletes files until it is told to stop; remembers what was closed and stays."""

    def __init__(self, fs: lucidlink.Filesystem, folder: str) -> None:
        super().__init__()
        self.fs, self.folder = fs, folder
        self.kept: dict[str, bytes] = {}
        self.rounds = 0
        self.error: BaseException | None = None
        self._end = threading.Event()
        fs.create_dir(folder)

    def run(self) -> None:
        try:
            while not self._end.is_set():
                path, body = f"{self.folder}/{self.rounds}", os.urandom(BIG if self.rounds % 2 else 1000)
                self.fs.write_file(path, body)
                self.kept[path] = body
                self.fs.write_file(f"{self.folder}/again", os.urandom(BIG))
                self.fs.write_file(f"{self.folder}/gone", os.urandom(BIG))
                self.fs.delete(f"{self.folder}/gone")
                self.rounds += 1
        except BaseException as error:  # noqa: BLE001 - raised by stop
            self.error = error

    def stop(self) -> None:
        self._end.set()
        self.join()
        if self.error is not None:
            raise self.error


def check(data: Path, shell: Lucid) -> dict[str, int]:
    """The command's own verdict, which must be good."""
    told = shell.ok("hub", "fsck", "--data", data, "--json").json
    assert told["problems"] == []
    checked: dict[str, int] = told["checked"]
    return checked


def linked(world: World, url: str = "") -> Client:
    return Client(url or world.url, world.token, world.name, "/", lucidlink.SyncMode.SYNC_ALL)


def metric(hub: HubThread, name: str) -> float:
    with urllib.request.urlopen(f"{hub.url}/metrics") as answer:
        (value,) = [line.split()[1] for line in answer.read().decode().splitlines() if line.startswith(f"{name} ")]
    return float(value)


def wait_for(hub: HubThread, name: str, reached: Callable[[float], bool]) -> None:
    while not reached(metric(hub, name)):
        pass  # bounded by the test's own time limit


@pytest.mark.slow
def test_a_backup_under_load_is_restored_whole(tmp_path: Path) -> None:
    data, token = new_data(tmp_path)
    hub, target, copy = ProcessHub(data), tmp_path / "backup", tmp_path / "restored"
    shell = Lucid("", "", tmp_path)
    world = World(hub, token)
    with linked(world) as client:
        before = {f"/{number}": os.urandom(BIG) for number in range(5)}
        for path, body in before.items():
            client.fs.write_file(path, body)
        load = Load(client.fs, "/load")
        load.start()
        first = shell.ok("hub", "backup", target, "--data", data, "--json").json
        assert first["missing"] == [] and first["copied"] == first["objects"]
        assert first["objects"] + first["elsewhere"] >= 5  # one of the two is 0: folder or bucket
        check(target, shell)
        check(data, shell)  # of a hub that runs, under load
        known = dict(load.kept)
        second = shell.ok("hub", "backup", target, "--data", data, "--json").json
        assert second["copied"] < second["objects"] + second["elsewhere"]
        load.stop()
    hub.stop()
    assert not (target / "admin.token").exists()
    check(target, shell)
    check(data, shell)
    shutil.copytree(target, copy)
    restored = HubThread(copy)
    with linked(world, restored.url) as client:
        for path, body in {**before, **known}.items():
            assert client.fs.read_file(path) == body
        names = [entry.name for entry in client.fs.read_dir("/load")]
        for each in names:
            assert len(client.fs.read_file(f"/load/{each}")) in (1000, BIG)
        client.fs.write_file("/new", b"life goes on")
    restored.stop()
    check(copy, shell)


def test_a_target_that_is_no_backup_stays_untouched(tmp_path: Path) -> None:
    hub, _ = new_hub(tmp_path / "one")
    other, _ = new_data(tmp_path / "other")
    shell = Lucid("", "", tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("years of work")
    assert shell.run("hub", "backup", "full", "--data", hub.data).code == 1
    assert sorted(path.name for path in (tmp_path / "full").iterdir()) == ["thesis.txt"]
    assert shell.run("hub", "backup", other, "--data", hub.data).code == 1
    assert shell.run("hub", "backup", hub.data / "inside", "--data", hub.data).code == 1
    assert not (hub.data / "inside").exists()
    shell.ok("hub", "backup", "first", "--data", hub.data)
    assert shell.run("hub", "backup", "first", "--data", other).code == 1
    assert shell.run("hub", "backup", "second", "--data", tmp_path / "nothing").code == 4
    assert not (tmp_path / "second").exists()
    hub.stop()


@pytest.mark.folder
def test_a_backup_that_was_cut_off_leaves_the_one_before(tmp_path: Path) -> None:
    hub, token = new_hub(tmp_path)
    target = tmp_path / "backup"
    with linked(World(hub, token)) as client:
        client.fs.write_file("/first", os.urandom(BIG))
        backup_hub(hub.data, target, clock=SystemClock())
        old = (target / DATABASE_FILE).read_bytes()
        client.fs.write_file("/second", os.urandom(BIG))

        def crash(done: int, total: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            backup_hub(hub.data, target, clock=SystemClock(), progress=crash)
        assert (target / DATABASE_FILE).read_bytes() == old
        check(target, Lucid("", "", tmp_path))
        with Hold(hub.data).deleting() as allowed:
            assert allowed  # who crashed holds nothing any more
        done = backup_hub(hub.data, target, clock=SystemClock())
        assert done.objects == 2
        client.fs.delete("/first")
    hub.stop()


@pytest.mark.folder
def test_a_lost_object_is_told_by_backup_and_fsck(tmp_path: Path) -> None:
    hub, token = new_hub(tmp_path)
    with linked(World(hub, token)) as client:
        client.fs.write_file("/file", os.urandom(BIG))
    shell = Lucid("", "", tmp_path)
    (stored,) = [path for path in (hub.data / OBJECTS_FOLDER).rglob("*") if path.is_file()]
    stored.unlink()
    done = shell.run("hub", "backup", "backup", "--data", hub.data, "--json")
    assert (done.code, done.json["missing"]) == (1, [stored.name])
    found = shell.run("hub", "fsck", "--data", hub.data)
    assert found.code == 1
    assert found.out.startswith(f"missing: object {stored.name}")
    hub.stop()


@pytest.mark.folder
def test_gc_deletes_what_nobody_needs(tmp_path: Path) -> None:
    data, token = new_data(tmp_path)
    hub, shell = ProcessHub(data), Lucid("", "", tmp_path)
    world = World(hub, token)
    with linked(world) as client:
        client.fs.write_file("/kept", os.urandom(BIG))
        client.fs.write_file("/gone", os.urandom(BIG))
        client.fs.delete("/gone")
        refused = shell.run("hub", "gc", "--data", data)
        assert refused.code == 1 and "by itself" in refused.err
    hub.kill()
    folder = next(path for path in (data / OBJECTS_FOLDER).rglob("*") if path.is_file()).parent
    upload, unfinished = ObjectName(FilespaceId(int(folder.parent.name, 16)), ObjectId(77)), folder / ".1-0"
    LocalStore(data / OBJECTS_FOLDER).put(upload, b"never committed")
    unfinished.write_bytes(b"cut off")
    for path in (next((data / OBJECTS_FOLDER).rglob(f"{77:016x}")), unfinished):
        os.utime(path, (1000, 1000))  # long before any session
    assert check(data, shell)["leftover"] == 1
    told = shell.ok("hub", "gc", "--data", data, "--dead-grace", "0s", "--json").json
    assert (told["dead"]["objects"], told["uploads"]["swept"], told["uploads"]["objects"]) == (1, 1, 0)
    assert not unfinished.exists()
    checked = check(data, shell)
    assert (checked["stored"], checked["uploads"]) == (1, 0)
    hub.start()
    with linked(world) as client:
        assert len(client.fs.read_file("/kept")) == BIG
    hub.stop()


def test_a_running_hub_shows_and_sweeps_uploads(tmp_path: Path) -> None:
    hub, token = new_hub(tmp_path, settings=HubSettings(sweep_every_s=0.05, upload_grace_s=0))
    world = World(hub, token)
    with linked(world) as client:
        with pytest.raises(KeyError), client.fs.open("/never", "wb") as stream:
            for _ in range(16):
                stream.write(os.urandom(1024 * 1024))  # whole objects are put meanwhile
            wait_for(hub, "lucid_uploads", lambda value: value >= 1)
            raise KeyError("the program fails")
        with client.fs.open("/late", "wb") as stream:
            stream.write(os.urandom(8 * 1024 * 1024))
            wait_for(hub, "lucid_uploads", lambda value: value >= 2)
        assert metric(hub, "lucid_uploads_swept_total") == 0
        assert len(client.fs.read_file("/late")) == 8 * 1024 * 1024
    wait_for(hub, "lucid_uploads_swept_total", lambda value: value >= 1)
    wait_for(hub, "lucid_uploads", lambda value: value == 0)
    with linked(world) as client:
        assert len(client.fs.read_file("/late")) == 8 * 1024 * 1024
    check(hub.data, Lucid("", "", tmp_path))
    hub.stop()


@pytest.mark.parametrize("time", ["7", "d", "1.5h", "-1d", "week"])
def test_no_time_is_a_usage_error(tmp_path: Path, time: str) -> None:
    assert Lucid("", "", tmp_path).run("hub", "gc", "--data", "data", "--dead-grace", time).code == 2


def test_invariants_are_told(tmp_path: Path) -> None:
    shell = Lucid("", "", tmp_path)
    assert "missing  " in shell.ok("hub", "fsck", "--invariants").out
    assert "missing" in shell.ok("hub", "fsck", "--invariants", "--json").json
    assert shell.run("hub", "fsck", "--data", "nothing").code == 4
