"""A filespace whose objects are in a bucket: the same promises, nothing through the hub, nothing readable there."""

from __future__ import annotations

import errno
import json
import logging
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lucidfs.errors import Code, Fault
from lucidfs.hub.deleter import Deleter
from lucidfs.hub.fsck_folder import check_hub
from lucidfs.hub.hub import Hub
from lucidfs.hub.reaper import Reaper
from lucidfs.hub.settings import HubSettings
from lucidfs.hub.sweeper import Sweeper, Uploads
from lucidfs.objects.base import ObjectName
from lucidfs.testing.faultproxy import FaultProxy
from lucidfs.testing.hubs import HubThread, new_hub
from lucidfs.types import FilespaceId, ObjectId
from tests.integration.lucid import Lucid
from tests.integration.test_canary import needles, plant
from tests.integration.test_wire_canary import Tap
from tests.s3.kit import Bucket, shell_with_keys
from tests.world import Client, World

BIG = random.Random(3).randbytes(20_000_000)
CANARY = b"the quick brown canary"


@pytest.fixture
def world(tmp_path: Path, bucket: Bucket) -> Iterator[World]:
    """A hub of the test's own, whose filespaces are on the test's bucket."""
    hub, token = new_hub(tmp_path, settings=HubSettings(allow_private_endpoints=True))
    try:
        yield World(hub, token, bucket.store("films"))
    finally:
        hub.stop()


@pytest.fixture
def on_s3(world: World) -> Iterator[Client]:
    with world.client() as client:
        yield client


def test_files_go_to_the_bucket_and_come_back(world: World, on_s3: Client, bucket: Bucket) -> None:
    fs = on_s3.fs
    fs.write_file("/small", b"small")
    assert bucket.stored() == []  # in its commit
    with fs.open("/big", "wb") as stream:
        stream.write(BIG)
    keys = bucket.stored()
    assert len(keys) > 1
    assert all(re.fullmatch(rf"films/{on_s3.filespace.id}/[0-9a-f]{{16}}", key) for key in keys)
    with world.client() as other:
        assert other.fs.read_file("/big") == BIG
        assert other.fs.read_file("/small") == b"small"
    with fs.open("/big", "r+b") as stream:
        stream.seek(1_000_000)
        stream.write(b"patched")
    with world.client() as other:
        found = other.fs.read_file("/big")
        assert found == BIG[:1_000_000] + b"patched" + BIG[1_000_007:]
    assert not any((world.hub.data / "objects").rglob("*/*/*"))  # nothing through the hub


def test_the_gateway_is_not_used(world: World, on_s3: Client) -> None:
    assert isinstance(world.hub, HubThread)
    before = world.hub.run(_metrics)
    on_s3.fs.write_file("/big", BIG)
    with world.client() as other:
        assert other.fs.read_file("/big") == BIG
    assert world.hub.run(_metrics) == before


async def _metrics(hub: Hub) -> list[str]:
    return [line for line in hub.metrics.text().decode().splitlines() if line.startswith("lucid_object_bytes_total")]


def test_many_small_files_are_one_round_trip_each(world: World, on_s3: Client, bucket: Bucket) -> None:
    for number in range(50):
        on_s3.fs.write_file(f"/{number}", b"x" * 100_000)
    assert bucket.stored() == []
    with world.client() as other:
        assert all(other.fs.read_file(f"/{number}") == b"x" * 100_000 for number in range(50))


def test_a_reader_keeps_its_revision_and_the_reaper_deletes_in_the_bucket(
    world: World, on_s3: Client, bucket: Bucket
) -> None:
    assert isinstance(world.hub, HubThread)
    fs = on_s3.fs
    fs.write_file("/big", BIG)
    before = set(bucket.stored())
    with world.client() as other, other.fs.open("/big", "rb") as stream:
        fs.write_file("/big", BIG[::-1])
        assert stream.read() == BIG

    async def reap(hub: Hub) -> int:
        reaper = Reaper(hub, Deleter(hub.store, hub._cleaning, None), clock=hub.clock, grace_s=0)
        return (await reaper.round()).objects

    assert world.hub.run(reap) == len(before)
    assert not before & set(bucket.stored())
    assert fs.read_file("/big") == BIG[::-1]


def test_a_deleted_filespace_leaves_nothing_in_the_bucket(
    world: World, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(world.hub, HubThread)
    with world.client() as client:
        client.fs.write_file("/big", BIG)
    administration = world.administration()
    administration.delete_filespace(world.name)
    administration.close()

    async def reap(hub: Hub) -> list[bool]:
        deleter = Deleter(hub.store, hub._cleaning, None)
        await Reaper(hub, deleter, clock=hub.clock, grace_s=0).round()
        sweeper = Sweeper(hub, hub.database, hub.store, deleter, clock=hub.clock)
        known = []
        for _ in range(2):
            await sweeper.round()
            with hub.database.read() as tx:
                known.append(any(tx.object_store(filespace) for filespace in tx.object_filespaces()))
            monkeypatch.setattr("lucidfs.hub.sweeper.GRANT_S", -3600)  # no URL of before can be used any more
        return known

    assert world.hub.run(reap) == [True, False]
    assert bucket.stored() == []


def test_uploads_that_nobody_committed_are_swept(world: World, bucket: Bucket) -> None:
    assert isinstance(world.hub, HubThread)
    with world.client() as client:
        filespace = int(client.filespace.id, 16)
    name = ObjectName(FilespaceId(filespace), ObjectId(77))

    async def sweep(hub: Hub) -> Uploads:
        hub.store.put(name, b"never committed")
        deleter = Deleter(hub.store, hub._cleaning, None)
        sweeper = Sweeper(hub, hub.database, hub.store, deleter, clock=hub.clock, grace_s=-60)
        return await sweeper.round()

    assert world.hub.run(sweep).swept == 1
    assert bucket.stored() == []


@pytest.mark.logs("cannot be listed")
def test_a_bucket_that_is_away_keeps_nobody_waiting(world: World, bucket: Bucket) -> None:
    assert isinstance(world.hub, HubThread)
    with FaultProxy(bucket.server.endpoint) as proxy:
        away = world.new_filespace(bucket.store("away", endpoint=proxy.url))
        with world.client(name=away) as client:
            client.fs.write_file("/big", BIG[:1_000_000])
        proxy.harm("status", count=403, times=1000)

        async def sweep(hub: Hub) -> Uploads:
            deleter = Deleter(hub.store, hub._cleaning, None)
            return await Sweeper(hub, hub.database, hub.store, deleter, clock=hub.clock).round()

        assert world.hub.run(sweep).at_ns
        assert any(problem.invariant == "bucket" for problem in check_hub(world.hub.data).problems)


def test_fsck_looks_into_the_bucket(world: World, on_s3: Client, bucket: Bucket) -> None:
    on_s3.fs.write_file("/big", BIG)
    assert check_hub(world.hub.data).problems == []
    lost, short, *_ = bucket.stored()
    bucket.client.delete(lost)
    bucket.client.put(short, b"short")
    found = {(problem.invariant, problem.text.split()[1]) for problem in check_hub(world.hub.data).problems}
    assert found == {("missing", lost[-16:]), ("short", short[-16:])}


def _flip(bucket: Bucket, key: str, body: bytes) -> None:
    bucket.client.put(key, body[: len(body) // 2] + bytes((body[len(body) // 2] ^ 1,)) + body[len(body) // 2 + 1 :])


def _cut(bucket: Bucket, key: str, body: bytes) -> None:
    bucket.client.put(key, body[:-1])


def _remove(bucket: Bucket, key: str, body: bytes) -> None:
    bucket.client.delete(key)


def _swap(bucket: Bucket, key: str, body: bytes) -> None:
    other = next(stored for stored in bucket.stored() if stored != key)
    bucket.client.put(key, bucket.client.get(other, 0, bucket.client.head(other).size))


@pytest.mark.parametrize("tamper", [_flip, _cut, _remove, _swap], ids=lambda tamper: tamper.__name__)
def test_what_the_bucket_lost_is_an_error_and_nothing_else(
    world: World, on_s3: Client, bucket: Bucket, tamper: Callable[[Bucket, str, bytes], None]
) -> None:
    on_s3.fs.write_file("/big", BIG)
    on_s3.fs.write_file("/small", b"small")
    keys = bucket.stored()
    for key in keys:
        tamper(bucket, key, bucket.client.get(key, 0, bucket.client.head(key).size))
    with world.client() as other:
        with pytest.raises(OSError) as caught:
            other.fs.read_file("/big")
        assert (caught.value.errno, caught.value.filename) == (errno.EIO, "/big")
        assert other.fs.read_file("/small") == b"small"


def test_nothing_planted_travels_to_the_bucket(world: World, bucket: Bucket) -> None:
    server = urlsplit(bucket.server.endpoint)
    assert server.hostname
    assert server.port
    tap = Tap((server.hostname, server.port))
    try:
        world.store = bucket.store("films", endpoint=f"http://127.0.0.1:{tap.port}")
        world.name = world.new_filespace()
        plant(world)
        streams = [bytes(stream) for stream in tap.streams]
    finally:
        tap.close()
    for seen in (b"PUT /", b"GET /", b"films/"):
        assert any(seen in stream for stream in streams), "what may be read is found, so it was looked at"
    secrets = (world.token.rpartition(":")[2], bucket.server.secret_key)
    pattern = re.compile(b"|".join(map(re.escape, needles(*secrets))), re.IGNORECASE)
    assert not [match for stream in streams if (match := pattern.search(stream))]


def test_nothing_readable_is_in_the_bucket_and_no_secret_at_the_hub(
    world: World, on_s3: Client, bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with on_s3.fs.open("/folder of canaries.txt", "wb") as stream:
        stream.write(CANARY * 400_000)
    on_s3.fs.write_file("/canary.txt", CANARY)
    assert bucket.stored()
    for key in bucket.stored():
        body = bucket.client.get(key, 0, bucket.client.head(key).size)
        assert CANARY not in body
        assert b"canar" not in key.encode()
    secret = bucket.server.secret_key.encode()
    for path in world.hub.data.rglob("*"):
        assert not path.is_file() or secret not in path.read_bytes(), path
    assert bucket.server.secret_key not in caplog.text


def test_a_restarted_hub_goes_on(tmp_path: Path, bucket: Bucket) -> None:
    hub, token = new_hub(tmp_path, settings=HubSettings(allow_private_endpoints=True))
    world = World(hub, token, bucket.store())
    with world.client() as client:
        client.fs.write_file("/big", BIG)
    hub.stop()
    world.hub = HubThread(hub.data)
    try:
        with world.client() as client:
            assert client.fs.read_file("/big") == BIG
    finally:
        world.hub.stop()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"secret_key": "wrong"}, "SignatureDoesNotMatch"),
        ({"access_key": "nobody"}, "InvalidAccessKeyId"),
        ({"bucket": "no-such-bucket"}, "NoSuchBucket"),
        ({"endpoint": "http://127.0.0.1:1"}, "cannot be reached"),
        ({"endpoint": "host"}, "endpoint"),
        ({"bucket": "a/b"}, "bucket_name"),
        ({"secret_key": ""}, "secret_key"),
    ],
)
def test_a_bucket_is_tried_first(world: World, bucket: Bucket, wrong: dict[str, str], said: str) -> None:
    administration = world.administration()
    before = administration.filespaces()
    with pytest.raises(Fault, match=said):
        administration.create_filespace("wrong", bucket.store("films", **wrong))
    assert administration.filespaces() == before
    administration.close()
    assert bucket.stored() == []


def test_private_endpoints_must_be_allowed(tmp_path: Path, bucket: Bucket) -> None:
    hub, token = new_hub(tmp_path)
    try:
        world = World(hub, token)
        administration = world.administration()
        with pytest.raises(Fault, match="allow-private-endpoints") as caught:
            administration.create_filespace("wrong", bucket.store())
        assert caught.value.code is Code.DENIED
        administration.close()
    finally:
        hub.stop()


def test_the_command_line(world: World, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "shell"
    folder.mkdir()
    shell = Lucid(world.url, world.token, folder)
    where = f"s3://{bucket.name}/shell"
    command = ["filespace", "create", "films", "--store", where, "--endpoint", bucket.server.endpoint]
    none = shell.run(*command)
    assert none.code == 2
    assert "AWS_ACCESS_KEY_ID" in none.err
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", bucket.server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", bucket.server.secret_key)
    made = shell.run(*command)
    assert (made.code, made.err) == (0, "")
    assert where in made.out
    listed = {each["name"]: each["store"] for each in shell.run("filespace", "list", "--json").json}
    assert listed["films"] == where + "/"
    (folder / "big").write_bytes(BIG)
    assert shell.run("cp", folder / "big", "lucidlink://demo/films/big").code == 0
    assert all(key.startswith("shell/") for key in bucket.stored())
    assert json.loads(shell.run("stat", "lucidlink://demo/films/big", "--json").out)[0]["size"] == len(BIG)


@pytest.fixture
def shell(world: World, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lucid:
    """A shell with the keys of the bucket in its environment."""
    return shell_with_keys(world, bucket, tmp_path, monkeypatch)


def test_a_move_from_the_shell(shell: Lucid, bucket: Bucket) -> None:
    shell.ok("filespace", "create", "data")
    (shell.folder / "file").write_bytes(BIG[:300_000])
    shell.ok("cp", "file", "lucidlink://demo/data/file")
    assert shell.ok("filespace", "move-store", "data", "--to", "hub", "--json").json["state"] == "none"
    assert "s3://BUCKET/PREFIX" in shell.run("filespace", "move-store", "data", "--to", "elsewhere").err
    to = ["--to", f"s3://{bucket.name}/moved", "--endpoint", bucket.server.endpoint, "--no-wait"]
    told = shell.ok("filespace", "move-store", "data", *to, "--json").json
    assert (told["state"], told["place"], told["other"]) == ("copying", "", f"s3://{bucket.name}/moved/")
    again = shell.ok("filespace", "move-store", "data", *to).out  # asks how far it is
    assert again.startswith(f"hub to s3://{bucket.name}/moved/: ")
    assert shell.run("filespace", "move-store", "data", "--to", "s3://third", "--no-wait").code == 1
    back = shell.ok("filespace", "move-store", "data", "--to", "hub", "--no-wait").out
    assert back.startswith(f"s3://{bucket.name}/moved/ to hub: ")
    shell.ok("cp", "lucidlink://demo/data/file", "back")
    assert (shell.folder / "back").read_bytes() == BIG[:300_000]


def test_new_keys_from_the_shell(world: World, bucket: Bucket, shell: Lucid, monkeypatch: pytest.MonkeyPatch) -> None:
    told = shell.ok("filespace", "rekey-store", world.name, "--json").json
    assert told["store"] == f"s3://{bucket.name}/films/" and bucket.server.secret_key not in str(told)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    refused = shell.run("filespace", "rekey-store", world.name)
    assert refused.code != 0 and "SignatureDoesNotMatch" in refused.err
    with world.client() as client:  # the old ones stay
        client.fs.write_file("/big", BIG[:300_000])
    shell.ok("filespace", "create", "data")
    assert "own folder" in shell.run("filespace", "rekey-store", "data").err


def test_small_content_that_is_held_by_the_hub_is_read_from_it(world: World, on_s3: Client) -> None:
    """Writers may carry objects inside a commit; those stand in the database, whatever the filespace's store is."""
    assert isinstance(world.hub, HubThread)
    with on_s3.fs.open("/file", "wb") as stream:
        stream.write(BIG[:300_000])
        stream.flush()
        stream.write(b"more")
    with world.client() as other:
        assert other.fs.read_file("/file") == BIG[:300_000] + b"more"


def test_writes_through_a_line_that_does_harm_are_whole_or_raise(world: World, bucket: Bucket) -> None:
    with FaultProxy(bucket.server.endpoint) as proxy:
        name = world.new_filespace(bucket.store("harm", endpoint=proxy.url))
        with world.client(name=name) as client, world.client(name=name) as other:
            for deed in ("reset", "lose", "status", "status"):
                proxy.harm(deed, method="PUT", path=".*/harm/.*", count=503)
            client.fs.write_file("/big", BIG)
            assert not any(rule.times for rule in proxy.rules)
            proxy.harm("cut", method="GET", path=".*/harm/.*", count=100_000, times=3)
            proxy.harm("garble", method="GET", path=".*/harm/.*", count=70_000, times=9)
            with pytest.raises(OSError, match="/big"):  # a byte that was changed on the way is no other content
                other.fs.read_file("/big")
            proxy.rules.clear()
            assert other.fs.read_file("/big") == BIG
            proxy.harm("status", method="PUT", path=".*/harm/.*", count=403, times=1000)
            with pytest.raises(PermissionError):
                client.fs.write_file("/big", BIG[::-1])
            assert other.fs.read_file("/big") == BIG


def test_a_server_that_lets_objects_be_replaced_is_refused(world: World, bucket: Bucket) -> None:
    """It answers a second PUT with 200, as those do that know no If-None-Match."""
    with FaultProxy(bucket.server.endpoint) as proxy:
        proxy.harm("pass", method="PUT")  # the probe's first
        proxy.harm("status", method="PUT", count=200)
        administration = world.administration()
        with pytest.raises(Fault, match="conditional writes") as caught:
            administration.create_filespace("wrong", bucket.store("films", endpoint=proxy.url))
        assert caught.value.code is Code.UNSUPPORTED
        administration.close()
    assert bucket.stored() == []
