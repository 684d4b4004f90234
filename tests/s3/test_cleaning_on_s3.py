"""What looks after the data of a hub that is stopped does so in buckets too: gc, fsck, backup."""

from __future__ import annotations

import os
import shutil
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
from lucidfs.hub.secrets import KEY_FILE
from lucidfs.hub.settings import HubSettings
from lucidfs.testing.hubs import HubThread, new_hub
from tests.s3.kit import Bucket
from tests.world import World, data_files

BIG = bytes(range(256)) * 4096 * 6  # 6 MiB: two objects
SETTINGS = HubSettings(allow_private_endpoints=True)


@pytest.fixture
def world(bucket: Bucket, tmp_path: Path) -> Iterator[World]:
    hub, token = new_hub(tmp_path, settings=SETTINGS)
    world = World(hub, token, bucket.store("some/prefix"))
    yield world
    world.hub.stop()


def clean(world: World, *, upload_grace_s: float = 0) -> Cleaned:
    """What gc does, with no grace."""
    world.hub.stop()
    return clean_hub(world.hub.data, clock=SystemClock(), dead_grace_s=0, upload_grace_s=upload_grace_s)


def again(world: World) -> World:
    """The same after an orderly restart of the hub."""
    world.hub.stop()
    world.hub = HubThread(world.hub.data, settings=SETTINGS)
    return world


def kinds(report: Report) -> set[str]:
    return {problem.invariant for problem in report.problems}


def buckets_known(data: Path) -> list[str]:
    """Buckets that the database names."""
    database = SqliteDatabase(data / DATABASE_FILE)
    try:
        with database.read() as tx:
            rows = [tx.object_store(filespace) for filespace in tx.object_filespaces()]
            return [row.bucket for row in rows if row is not None]
    finally:
        database.close()


def set_column(data: Path, column: str, value: object) -> None:
    connection = apsw.Connection(str(data / DATABASE_FILE))
    connection.execute(f"UPDATE object_store SET {column} = ?", (value,))
    connection.close()


def test_gc_deletes_dead_objects_and_keeps_living_ones(world: World, bucket: Bucket) -> None:
    with world.client() as client:
        client.fs.write_file("/big", BIG)
        living = set(bucket.stored())
        client.fs.write_file("/dead", os.urandom(5_000_000))
        client.fs.delete("/dead")
    before = set(bucket.stored())
    cleaned = clean(world, upload_grace_s=10**6)
    assert cleaned.reaped.objects == len(before - living) > 0 and cleaned.reaped.failed == 0
    assert set(bucket.stored()) == living
    assert check_hub(world.hub.data).problems == []
    with again(world).client() as client:
        assert client.fs.read_file("/big") == BIG


def test_gc_deletes_uploads_that_nobody_committed(world: World, bucket: Bucket) -> None:
    with world.client() as client:
        client.fs.write_file("/big", BIG)
        folder = f"some/prefix/{client.filespace.id}/"
    before = bucket.stored()
    bucket.put(f"{folder}{1:016x}", b"never committed")
    assert check_hub(world.hub.data).uploads == 1
    assert clean(world, upload_grace_s=10**6).uploads.objects == 1
    assert clean(world).uploads.swept == 1
    assert bucket.stored() == before


def test_gc_ends_a_deleted_filespace(world: World, bucket: Bucket) -> None:
    with world.client() as client:
        client.fs.write_file("/big", BIG)
    office = world.administration()
    office.delete_filespace(world.name)
    office.close()
    assert bucket.stored()  # readers may still have them for the grace
    assert clean(world).reaped.objects > 0
    assert bucket.stored() == []
    assert buckets_known(world.hub.data) == [bucket.name]  # a URL that was signed before may still put
    set_column(world.hub.data, "gone_ns", 1)
    clean(world)
    assert buckets_known(world.hub.data) == []
    assert check_hub(world.hub.data).problems == []


@pytest.mark.logs("did not delete|cannot be listed|was not deleted")
@pytest.mark.parametrize(("column", "wrong"), [("access_key", "nobody"), ("endpoint", "http://127.0.0.1:9")])
def test_a_bucket_that_is_away_keeps_nobody_else_from_being_cleaned(
    world: World,
    bucket: Bucket,
    column: str,
    wrong: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("lucidfs.hub.stores.HUB_STORE_DEADLINE_S", 0.1)
    office = world.administration()
    office.create_filespace("near")
    office.close()
    for name in (world.name, "near"):
        with world.client(name=name) as client:
            client.fs.write_file("/dead", BIG)
            client.fs.delete("/dead")
    there = bucket.stored()
    world.hub.stop()
    set_column(world.hub.data, column, wrong)
    cleaned = clean(world)
    assert cleaned.reaped.objects > 0 and cleaned.reaped.failed > 0
    assert not data_files(world.hub.data / OBJECTS_FOLDER) and bucket.stored() == there
    assert bucket.server.secret_key not in caplog.text
    assert kinds(check_hub(world.hub.data)) == {"bucket"}

    right = bucket.server.access_key if column == "access_key" else bucket.server.endpoint
    set_column(world.hub.data, column, right)
    assert clean(world).reaped.failed == 0
    assert bucket.stored() == []
    assert check_hub(world.hub.data).problems == []


def test_a_backup_leaves_buckets_where_they_are_and_can_be_used(world: World, bucket: Bucket, tmp_path: Path) -> None:
    office = world.administration()
    office.create_filespace("near")
    office.close()
    for name in (world.name, "near"):
        with world.client(name=name) as client:
            client.fs.write_file("/big", BIG)
    target = tmp_path / "backup"
    done = backup_hub(world.hub.data, target, clock=SystemClock())
    assert done.elsewhere == len(bucket.stored()) > 0
    assert done.objects == len(data_files(target / OBJECTS_FOLDER)) > 0 and done.missing == []
    assert (target / KEY_FILE).stat().st_mode & 0o077 == 0
    assert check_hub(target).problems == []

    world.hub.stop()
    shutil.rmtree(world.hub.data)
    world.hub = HubThread(Path(shutil.copytree(target, tmp_path / "restored")), settings=SETTINGS)
    for name in (world.name, "near"):
        with world.client(name=name) as client:
            assert client.fs.read_file("/big") == BIG
            client.fs.write_file("/after", BIG)


def test_without_the_key_of_secrets_the_bucket_is_told_as_closed(world: World) -> None:
    with world.client() as client:
        client.fs.write_file("/big", BIG)
    world.hub.stop()
    (world.hub.data / KEY_FILE).unlink()
    found = check_hub(world.hub.data)
    assert kinds(found) == {"bucket"} and "secrets is missing" in str(found.problems[0])
