"""The objects of a filespace move to another store while clients read and write, through crashes, and back."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lucidfs.clock import SystemClock
from lucidfs.errors import Code, Fault
from lucidfs.hub import mover as mover_module
from lucidfs.hub.bootstrap import OBJECTS_FOLDER
from lucidfs.hub.cleaning import clean_hub
from lucidfs.hub.fsck_folder import check_hub
from lucidfs.hub.settings import HubSettings
from lucidfs.objects.base import ObjectStat, ObjectStore
from lucidfs.testing.faultproxy import FaultProxy
from lucidfs.testing.hubs import HubThread, new_data
from lucidfs.wire import management as m
from tests.integration.test_packing import pack
from tests.s3.kit import Bucket
from tests.world import Client, World, data_files

BIG = bytes(range(256)) * 4096 * 6  # 6 MiB: two objects
SMALL = b"small content"
SETTINGS = HubSettings(allow_private_endpoints=True)
QUICK = replace(SETTINGS, move_settle_s=0.0, move_grace_s=0.0)
SLOW = replace(SETTINGS, move_settle_s=3600.0, move_grace_s=3600.0)  # stays at copying
LIMIT_S = 60.0


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mover_module, "MOVE_EVERY_S", 0.05)


class MovingWorld(World):
    """A hub whose settings a restart may change, with a filespace in its own folder and one in the bucket."""

    hub: HubThread

    def new_filespace(self, store: m.BucketConfig | None = None) -> str:
        office = self.administration()
        office.create_filespace("near")
        office.create_filespace("far", self.store)
        office.close()
        return "near"

    def restart(self, settings: HubSettings = QUICK) -> None:
        self.hub.stop()
        port = int(self.hub.url.rpartition(":")[2])  # clients go on
        self.hub = HubThread(self.hub.data, settings=settings, port=port)

    def move(self, name: str, store: m.BucketConfig | None) -> m.MoveView:
        office = self.administration()
        try:
            return office.move_store(name, store)
        finally:
            office.close()

    def told(self, name: str) -> m.MoveView:
        office = self.administration()
        try:
            return office.move(name)
        finally:
            office.close()

    def until(self, name: str, fits: Callable[[m.MoveView], bool]) -> m.MoveView:
        end = time.monotonic() + LIMIT_S
        while not fits(told := self.told(name)):
            assert time.monotonic() < end, told
            time.sleep(0.05)
        return told

    def problems(self) -> list[str]:
        report = check_hub(self.hub.data)
        return [str(problem) for problem in report.problems]

    def near_files(self) -> list[Path]:
        return data_files(self.hub.data / OBJECTS_FOLDER)


@pytest.fixture
def world(bucket: Bucket, tmp_path: Path) -> Iterator[MovingWorld]:
    data, token = new_data(tmp_path)
    world = MovingWorld(HubThread(data, settings=QUICK), token, bucket.store("some/prefix"))
    yield world
    world.hub.stop()


def fill(client: Client) -> None:
    """A big and a small file."""
    client.fs.write_file("/big", BIG)
    client.fs.write_file("/small", SMALL)


def check(client: Client) -> None:
    assert client.fs.read_file("/big") == BIG
    assert client.fs.read_file("/small") == SMALL


def to(bucket: Bucket, case: str) -> tuple[str, m.BucketConfig | None, str]:
    """Which filespace goes where, and how that is called."""
    if case == "to a bucket":
        return "near", bucket.store("moved"), f"s3://{bucket.name}/moved/"
    if case == "to the hub":
        return "far", None, ""
    return "far", bucket.store("moved"), f"s3://{bucket.name}/moved/"


CASES = ["to a bucket", "to the hub", "to another bucket"]


@pytest.mark.parametrize("case", CASES)
def test_everything_moves_and_nothing_stays(world: MovingWorld, bucket: Bucket, case: str) -> None:
    name, store, url = to(bucket, case)
    with world.client(name=name) as client:
        fill(client)
        was = world.told(name).place
        told = world.move(name, store)
        assert (told.state, told.place, told.other) == ("copying", was, url)
        told = world.until(name, lambda told: told.state == "none")
        assert told.place == url
        check(client)
        client.fs.write_file("/after", BIG)
    with world.client(name=name) as client:
        check(client)
        assert client.fs.read_file("/after") == BIG
    assert bool(world.near_files()) == (url == "")
    assert bool(bucket.stored("moved/")) == (url != "")
    assert bucket.stored("some/prefix/") == []
    assert world.problems() == []


@pytest.mark.parametrize("case", CASES)
def test_clients_go_on_while_it_is_under_way(world: MovingWorld, bucket: Bucket, case: str) -> None:
    world.restart(SLOW)
    name, store, _ = to(bucket, case)
    with world.client(name=name) as client, world.client(name=name) as other:
        fill(client)
        with other.fs.open("/big", "rb") as reader:
            assert reader.read(10) == BIG[:10]
            world.move(name, store)
            client.fs.write_file("/during", BIG)
            assert other.fs.read_file("/during") == BIG
            assert reader.read() == BIG[10:]
        world.until(name, lambda told: 0 < told.objects_total == told.objects)
        check(other)
        client.fs.write_file("/big", BIG[::-1])
    with world.client(name=name) as fresh:
        assert fresh.fs.read_file("/during") == BIG and fresh.fs.read_file("/big") == BIG[::-1]
    assert world.told(name).state == "copying" and world.problems() == []
    world.restart()
    world.until(name, lambda told: told.state == "none")
    with world.client(name=name) as fresh:
        assert fresh.fs.read_file("/during") == BIG and fresh.fs.read_file("/big") == BIG[::-1]
    assert world.problems() == []


@pytest.mark.parametrize("case", CASES)
def test_what_is_packed_during_a_move_goes_to_the_new_place(world: MovingWorld, bucket: Bucket, case: str) -> None:
    world.restart(SLOW)
    name, store, _ = to(bucket, case)
    bodies = {f"/{number}": os.urandom(10_000) for number in range(5)}
    with world.client(name=name) as client:
        for path, body in bodies.items():
            client.fs.write_file(path, body)
        world.move(name, store)
        assert pack(world).packs == 1
        assert len(bucket.stored("moved/")) + len(world.near_files()) == 1
        assert bucket.stored("some/prefix/") == []
    world.restart()
    world.until(name, lambda told: told.state == "none")
    with world.client(name=name) as fresh:
        for path, body in bodies.items():
            assert fresh.fs.read_file(path) == body
    assert len(bucket.stored("moved/")) + len(world.near_files()) == 1
    assert world.problems() == []


def test_writers_lose_nothing_through_a_whole_move(world: MovingWorld, bucket: Bucket) -> None:
    world.restart(replace(SETTINGS, move_settle_s=2.0, move_grace_s=2.0))
    ended = threading.Event()
    written: dict[str, bytes] = {}

    def write() -> None:
        with world.client(name="near") as client:
            while not ended.is_set():
                name, body = f"/{len(written)}", os.urandom(400_000)
                client.fs.write_file(name, body)
                written[name] = body
                assert client.fs.read_file(name) == body

    thread = threading.Thread(target=write)
    thread.start()
    try:
        world.move("near", bucket.store("moved"))
        world.until("near", lambda told: told.state == "none")
    finally:
        ended.set()
        thread.join()
    with world.client(name="near") as client:
        assert {name: client.fs.read_file(name) for name in written} == written
    assert len(written) > 3 and not world.near_files() and world.problems() == []


def test_it_goes_on_after_a_crash(world: MovingWorld, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    with world.client(name="near") as client:
        for number in range(12):
            client.fs.write_file(f"/{number}", os.urandom(300_000))
    copied: list[int] = []
    copy = mover_module.copy_object

    def some(old: ObjectStore, new: ObjectStore, stat: ObjectStat) -> None:
        if len(copied) >= 5:
            raise OSError(5, "the power goes")
        copied.append(stat.name.object)
        copy(old, new, stat)

    with monkeypatch.context() as patch:
        patch.setattr(mover_module, "copy_object", some)
        patch.setattr("lucidfs.hub.deleter.log.warning", lambda *_: None)
        world.move("near", bucket.store("moved"))
        told = world.until("near", lambda told: "power" in told.failing)
        assert told.state == "copying" and world.near_files()
        world.hub.stop()
    again: list[int] = []

    def rest(old: ObjectStore, new: ObjectStore, stat: ObjectStat) -> None:
        again.append(stat.name.object)
        copy(old, new, stat)

    monkeypatch.setattr(mover_module, "copy_object", rest)
    world.restart()
    world.until("near", lambda told: told.state == "none")
    assert again and not set(again) & set(copied)  # what was copied is not copied again
    assert world.problems() == []


def test_a_move_can_be_sent_back(world: MovingWorld, bucket: Bucket) -> None:
    world.restart(SLOW)
    with world.client(name="near") as client:
        fill(client)
        world.move("near", bucket.store("moved"))
        client.fs.write_file("/during", BIG)
        with pytest.raises(Fault) as refused:
            world.move("near", bucket.store("elsewhere"))
        assert refused.value.code is Code.EXISTS
        told = world.move("near", None)
        assert (told.state, told.place, told.other) == ("copying", f"s3://{bucket.name}/moved/", "")
        world.restart()
        world.until("near", lambda told: told.state == "none")
        check(client)
        assert client.fs.read_file("/during") == BIG
    assert bucket.stored("moved/") == [] and world.near_files() and world.problems() == []


def test_what_is_deleted_meanwhile_goes_from_both_places(world: MovingWorld, bucket: Bucket) -> None:
    world.restart(SLOW)
    with world.client(name="near") as client:
        fill(client)
        world.move("near", bucket.store("moved"))
        world.until("near", lambda told: 0 < told.objects_total == told.objects)
        client.fs.delete("/big")
    world.hub.stop()
    clean_hub(world.hub.data, clock=SystemClock(), dead_grace_s=0)
    assert not world.near_files() and bucket.stored("moved/") == []
    world.restart()


def test_a_filespace_that_is_deleted_meanwhile_leaves_nothing_at_the_new_place(
    world: MovingWorld, bucket: Bucket
) -> None:
    world.restart(SLOW)
    with world.client(name="near") as client:
        fill(client)
    world.move("near", bucket.store("moved"))
    world.until("near", lambda told: 0 < told.objects_total == told.objects)
    office = world.administration()
    office.delete_filespace("near")
    office.close()
    world.restart()
    end = time.monotonic() + LIMIT_S
    while bucket.stored("moved/"):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert world.problems() == []


def test_the_same_place_under_another_address_is_refused(world: MovingWorld, bucket: Bucket) -> None:
    with world.client(name="far") as client:
        fill(client)
    with FaultProxy(bucket.server.endpoint) as proxy:
        for store in (bucket.store("/some/prefix/"), bucket.store("some/prefix", endpoint=proxy.url)):
            with pytest.raises(Fault, match="there already") as refused:
                world.move("far", store)
            assert refused.value.code is Code.INVALID
    with pytest.raises(Fault, match="there already"):
        world.move("near", None)
    assert world.told("far").state == "none"
    with world.client(name="far") as client:
        check(client)
    assert world.problems() == []


def test_who_is_no_workspace_admin_moves_nothing(world: MovingWorld, bucket: Bucket) -> None:
    token = world.new_account(m.role_value("admin"))
    office = world.administration(token)
    with pytest.raises(Fault) as refused:
        office.move_store("near", bucket.store("moved"))
    assert refused.value.code is Code.DENIED
    office.close()
