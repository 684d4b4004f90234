"""What looks after the data does so in a bucket too: reaper, sweeper, fsck, gc, backup, and the end of a filespace."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from lucidfs.clock import SystemClock
from lucidfs.hub.backup import backup_hub
from lucidfs.hub.bootstrap import DATABASE_FILE, OBJECTS_FOLDER
from lucidfs.hub.cleaning import Cleaned, clean_hub
from lucidfs.hub.database.sqlite import SqliteDatabase
from lucidfs.hub.fsck_folder import Report, check_hub
from lucidfs.hub.reaper import Reaper
from lucidfs.hub.secrets import KEY_FILE
from lucidfs.objects.base import ObjectName
from lucidfs.testing.hubs import HubThread
from lucidfs.testing.s3 import RadosGateway
from lucidfs.types import FilespaceId, ObjectId
from tests.s3.place import BIG, SETTINGS, Place, S3World, check, fill, made_bucket, make_bucket, s3_world
from tests.world import World, data_files


@pytest.fixture
def place(s3_server: RadosGateway) -> Iterator[Place]:
    with made_bucket(s3_server) as made:
        yield made


@pytest.fixture
def world(place: Place, tmp_path: Path) -> Iterator[S3World]:
    with s3_world(place, tmp_path) as made:
        yield made


def clean(world: S3World, *, uploads: bool = True) -> Cleaned:
    """What gc does, with no grace; the hub is stopped."""
    world.hub.stop()
    return clean_hub(
        world.hub.data,
        clock=SystemClock(),
        random=os.urandom,
        dead_grace_s=0,
        upload_grace_s=0 if uploads else 10**6,
        allow_private=True,
    )


def fsck(data: Path) -> Report:
    return check_hub(data, clock=SystemClock(), random=os.urandom, allow_private=True)


def kinds(report: Report) -> set[str]:
    return {problem.invariant for problem in report.problems}


def stores(data: Path) -> list[str]:
    """Buckets that the database names."""
    database = SqliteDatabase(data / DATABASE_FILE)
    try:
        with database.read() as tx:
            return [row.bucket for row in tx.object_stores()]
    finally:
        database.close()


def test_dead_objects_go_and_living_ones_stay(world: S3World) -> None:
    with world.client() as client:
        fill(client)
        client.fs.write_file("/dead", os.urandom(5_000_000))
        client.fs.delete("/dead")
    before = len(world.place.objects())
    cleaned = clean(world, uploads=False)
    assert cleaned.reaped.objects > 0 and cleaned.reaped.failed == 0
    assert len(world.place.objects()) == before - cleaned.reaped.objects
    assert fsck(world.hub.data).problems == []
    with world.again().client() as client:
        check(client)


def test_uploads_that_nobody_committed_are_swept(world: S3World) -> None:
    with world.client() as client:
        fill(client)
    store = world.place.store("some/prefix/")
    store.put(ObjectName(FilespaceId(world.number), ObjectId(1)), b"never committed")
    store.close()
    before = len(world.place.objects())
    assert fsck(world.hub.data).uploads == 1
    assert clean(world, uploads=False).uploads.objects == 1
    assert clean(world).uploads.swept == 1
    assert len(world.place.objects()) == before - 1
    with world.again().client() as client:
        check(client)


def test_a_deleted_filespace_leaves_nothing(world: S3World) -> None:
    with world.client() as client:
        fill(client)
    office = world.administration()
    office.delete_filespace(world.name)
    office.close()
    assert world.place.objects()  # readers may still have them for the grace
    assert clean(world).reaped.objects > 0
    assert world.place.objects() == []
    assert stores(world.hub.data) == [world.place.name]  # a URL that was signed before may still put
    _set(world, "gone_ns", 1)
    clean(world)
    assert stores(world.hub.data) == []
    assert fsck(world.hub.data).problems == []


@pytest.mark.parametrize("away", ["bucket", "keys", "server"])
def test_a_bucket_that_is_away_keeps_nobody_else_from_being_cleaned(
    world: S3World, away: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("lucidfs.hub.stores.STORE_DEADLINE_HUB_S", 0.1)
    monkeypatch.setattr("lucidfs.hub.reaper.REAP_BATCH", 2)  # fewer than are dead in the first filespace
    office = world.administration()
    office.create_filespace("near")
    office.close()
    for name in (world.name, "near"):
        with world.client(name=name) as client:
            for number in range(3):
                client.fs.write_file(f"/{number}", os.urandom(300_000))
            for number in range(3):
                client.fs.delete(f"/{number}")
    there = len(world.place.objects())
    world.hub.stop()
    _take_away(world, away)
    cleaned = clean(world)
    assert (cleaned.reaped.objects, cleaned.reaped.failed > 0) == (3, True)
    assert not data_files(world.hub.data / OBJECTS_FOLDER)
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(told) == 2 and "did not delete" in told[0] and "cannot be listed" in told[1]
    assert world.place.server.secret_key not in caplog.text
    assert kinds(fsck(world.hub.data)) == {"store"}

    _bring_back(world, away)
    if away != "bucket":
        assert len(world.place.objects()) == there
    assert clean(world).reaped.failed == 0
    assert world.place.objects() == []
    assert fsck(world.hub.data).problems == []


def _take_away(world: S3World, what: str) -> None:
    if what == "bucket":
        world.place.server.remove_bucket(world.place.name)
    else:
        _set(
            world, "access_key" if what == "keys" else "endpoint", "nobody" if what == "keys" else "http://127.0.0.1:9"
        )


def _bring_back(world: S3World, what: str) -> None:
    if what == "bucket":
        make_bucket(world.place)
    elif what == "keys":
        _set(world, "access_key", world.place.server.access_key)
    else:
        _set(world, "endpoint", world.place.server.endpoint)


def _set(world: S3World, column: str, value: object) -> None:
    connection = apsw.Connection(str(world.hub.data / DATABASE_FILE))
    connection.execute(f"UPDATE object_store SET {column} = ?", (value,))
    connection.close()


def test_fsck_finds_what_is_missing_short_and_strange_in_the_bucket(world: S3World) -> None:
    with world.client() as client:
        fill(client)
        client.fs.write_file("/more", os.urandom(400_000))
    assert fsck(world.hub.data).problems == []
    assert fsck(world.hub.data).stored == len(world.place.objects())
    one, other, *_ = world.place.objects()
    with world.place.client() as bucket:
        bucket.put(one.key, b"short")
        bucket.delete(other.key)
        bucket.put(f"{world.folder}no-object", b"?")
    assert kinds(fsck(world.hub.data)) == {"missing", "short", "folder"}


def test_a_running_hub_cleans_its_buckets(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lucidfs.hub.reaper.REAP_EVERY_S", 0.05)
    monkeypatch.setattr(Reaper.__init__, "__kwdefaults__", {**(Reaper.__init__.__kwdefaults__ or {}), "grace_s": 0.0})
    with s3_world(place, tmp_path) as world:
        with world.client() as client:
            fill(client)
            client.fs.delete("/big")
            while place.objects():
                time.sleep(0.05)
            assert client.fs.read_file("/small")


def test_a_backup_leaves_objects_in_their_bucket(world: S3World, tmp_path: Path) -> None:
    office = world.administration()
    office.create_filespace("near")
    office.close()
    for name in (world.name, "near"):
        with world.client(name=name) as client:
            fill(client)
    target = tmp_path / "backup"
    done = backup_hub(world.hub.data, target, clock=SystemClock())
    there = world.place.objects()
    assert (done.elsewhere, done.elsewhere_bytes) == (len(there), sum(found.size for found in there))
    assert done.objects == len(data_files(target / OBJECTS_FOLDER)) > 0 and done.missing == []
    assert (target / KEY_FILE).stat().st_mode & 0o077 == 0
    assert fsck(target).problems == []

    world.hub.stop()
    shutil.rmtree(world.hub.data)
    restored = HubThread(Path(shutil.copytree(target, tmp_path / "restored")), settings=SETTINGS)
    try:
        for name in (world.name, "near"):
            with World.client(_at(world, restored), name=name) as client:
                check(client)
                client.fs.write_file("/after", BIG)
    finally:
        restored.stop()


def _at(world: S3World, hub: HubThread) -> S3World:
    world.hub = hub
    return world


def test_without_its_key_nothing_of_the_bucket_is_told(world: S3World) -> None:
    with world.client() as client:
        fill(client)
    world.hub.stop()
    (world.hub.data / KEY_FILE).unlink()
    found = fsck(world.hub.data)
    assert kinds(found) == {"store"} and "secrets are missing" in str(found.problems[0])
