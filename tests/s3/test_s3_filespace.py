"""A filespace whose objects are in a bucket is one like any other: real hub, real server, the SDK."""

from __future__ import annotations

import base64
import os
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import urllib3

from lucidfs.errors import Code, Fault
from lucidfs.hub.bootstrap import OBJECTS_FOLDER
from lucidfs.hub.database.base import ObjectRow
from lucidfs.hub.hub import Hub
from lucidfs.testing.hubs import new_hub
from lucidfs.testing.s3 import RadosGateway
from lucidfs.wire import messages as m
from tests.integration.test_canary import WORD, needles, plant, search
from tests.s3.place import BIG, SETTINGS, Place, S3World, check, fill, made_bucket, s3_world
from tests.world import World, data_files


@pytest.fixture
def place(s3_server: RadosGateway) -> Iterator[Place]:
    with made_bucket(s3_server) as made:
        yield made


@pytest.fixture
def world(place: Place, tmp_path: Path) -> Iterator[S3World]:
    with s3_world(place, tmp_path) as made:
        yield made


def test_files_are_written_and_read_by_others(world: S3World) -> None:
    with world.client() as writer, world.client() as other:
        fill(writer)
        check(other)
        with writer.fs.open("/big", "r+b") as file:
            file.seek(100_000)
            file.write(b"patched")
        assert other.fs.read_file("/big")[99_998:100_009] == BIG[99_998:100_000] + b"patched" + BIG[100_007:100_009]
        writer.fs.delete("/small")
        assert not other.fs.file_exists("/small")


def test_bodies_are_in_the_bucket_and_nowhere_else(world: S3World) -> None:
    with world.client() as client:
        client.fs.write_file("/big", os.urandom(6 * 2**20))
    there = world.place.objects()
    assert there and all(found.key.startswith(world.folder) for found in there)
    assert sum(found.size for found in there) > 6 * 2**20
    assert not data_files(world.hub.data / OBJECTS_FOLDER)
    moved = world.hub.run(_metrics)
    assert "lucid_object_bytes_total{" not in moved  # nothing passed through the hub's gateway


async def _metrics(hub: Hub) -> str:
    return hub.metrics.text().decode()


def test_what_the_database_holds_is_read_from_the_hub(world: S3World) -> None:
    with world.client() as writer, world.client() as other:
        writer.fs.write_file("/carried", b"c" * 200_000)
        with writer.fs.open("/carried", "r+b") as file:  # a patch: frames that the commit carries as an object
            file.seek(70_000)
            file.write(b"patched")
        expected = b"c" * 70_000 + b"patched" + b"c" * 129_993
        assert other.fs.read_file("/carried") == expected
        assert writer.fs.read_file("/carried") == expected


def test_a_grant_is_for_the_bucket_unless_the_database_has_the_bytes(world: S3World) -> None:
    number = world.number

    async def look(hub: Hub) -> list[list[m.Grant]]:
        await hub.change(lambda tx: tx.insert_object(ObjectRow(77, number, 4, 0, 5, True), b"data"))
        return [hub.grants(number, [77, 78], put, "http://hub") for put in (False, True)]

    get, put = world.hub.run(look)
    bucket = f"{world.place.server.endpoint}/{world.place.name}/some/prefix/"
    assert get[0].url.startswith("http://hub/objects/") and get[1].url.startswith(bucket)
    assert all(each.url.startswith(bucket) for each in put)


def test_a_reader_keeps_its_revision(world: S3World) -> None:
    with world.client() as writer, world.client() as other:
        fill(writer)
        with other.fs.open("/big", "rb") as reader:
            assert reader.read(10) == BIG[:10]
            writer.fs.write_file("/big", b"n" * len(BIG))
            reader.seek(5_000_000)
            assert reader.read(1000) == BIG[5_000_000:5_001_000]
        assert other.fs.read_file("/big") == b"n" * len(BIG)


def test_a_restart_of_the_hub_changes_nothing(world: S3World) -> None:
    with world.client() as client:
        fill(client)
    with world.again().client() as client:
        check(client)
        client.fs.write_file("/more", BIG)
    with world.client() as client:
        assert client.fs.read_file("/more") == BIG


def test_where_it_is_stored_is_told_and_its_keys_are_not(world: S3World) -> None:
    view = world.view()
    assert view.store is not None
    assert view.store.url == f"s3://{world.place.name}/some/prefix"
    assert (view.store.region, view.store.endpoint) == ("us-east-1", world.place.server.endpoint)
    assert view.store.conditional and not view.store.virtual
    office = world.administration()
    status = office.status()
    office.close()
    assert [each.store for each in status.filespaces] == [view.store.url]
    assert world.place.server.secret_key not in repr((view, status, world.place.new_store()))
    assert world.place.server.access_key not in repr((view, status))


def test_nothing_planted_is_found_in_bucket_or_hub(world: S3World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    plant(world)
    secrets = [world.token.rpartition(":")[2], world.place.server.secret_key]
    pattern = re.compile(b"|".join(map(re.escape, needles(*secrets))), re.IGNORECASE)
    bodies = world.place.bodies()
    assert bodies
    assert not [key for key, body in bodies.items() if pattern.search(key.encode() + b"\0" + body)]
    found = search(world.hub.data, secrets)  # while it runs: also what stands in the write-ahead log
    page = world.hub.run(_metrics)
    world.hub.stop()
    assert not found + search(world.hub.data, secrets)
    for text in (WORD, *secrets, "X-Amz-Signature"):
        assert text not in caplog.text and text not in page


def test_the_search_would_find_a_secret(world: S3World) -> None:
    (world.hub.data / "planted").write_bytes(base64.b64encode(b"x" + world.place.server.secret_key.encode()))
    assert search(world.hub.data, [world.place.server.secret_key])


# --- what does not work is said ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "code", "said"),
    [
        ({"secret_key": "wrong"}, Code.DENIED, "the secret key is wrong"),
        ({"access_key": "nobody"}, Code.DENIED, "there is no such access key"),
        ({"bucket": "no-such-bucket"}, Code.NOT_FOUND, "there is no such bucket"),
        ({"prefix": "a/../b"}, Code.INVALID, "prefix"),
        ({"endpoint": "ftp://x"}, Code.INVALID, "endpoint"),
        ({"endpoint": "http://127.0.0.1:9"}, Code.INVALID, "list: the object store cannot be reached"),
        ({"endpoint": "http://host.invalid"}, Code.INVALID, "there is no host"),
    ],
)
def test_a_bucket_that_cannot_be_used_is_refused(world: S3World, wrong: dict[str, str], code: Code, said: str) -> None:
    with pytest.raises(Fault) as refused:
        world.create("refused", world.place.new_store(**wrong))
    assert refused.value.code is code and said in refused.value.message
    assert world.place.server.secret_key not in str(refused.value)
    office = world.administration()
    assert [each.name for each in office.filespaces()] == [world.name]
    office.close()
    assert world.place.objects() == []  # nothing of the trial is left


def test_private_addresses_need_the_administrators_permission(place: Place, tmp_path: Path) -> None:
    hub, token = new_hub(tmp_path)
    try:
        office = World(hub, token).administration()
        with pytest.raises(Fault, match="--allow-private-endpoints") as refused:
            office.create_filespace("inside", place.new_store())
        assert refused.value.code is Code.DENIED
        office.close()
    finally:
        hub.stop()
    assert SETTINGS.allow_private_endpoints


def test_only_who_may_create_makes_the_hub_try_a_bucket(world: S3World) -> None:
    office = world.administration()
    plain = office.create_account("plain").token
    office.close()
    as_plain = world.administration(plain.text())
    with pytest.raises(Fault) as refused:
        as_plain.create_filespace("mine", world.place.new_store(endpoint="http://host.invalid"))
    assert refused.value.code is Code.DENIED and "workspace admin" in refused.value.message
    as_plain.close()


def test_a_bucket_that_vanished_is_an_error_and_other_filespaces_go_on(world: S3World) -> None:
    office = world.administration()
    office.create_filespace("near")
    office.close()
    with world.client() as client:
        fill(client)
    world.place.server.remove_bucket(world.place.name)
    with world.client() as client:
        with pytest.raises(OSError):
            client.fs.read_file("/big")
        assert client.fs.read_file("/small") == b"small content"
        assert [entry.name for entry in client.fs.read_dir("/")] == ["big", "small"]
    with world.client(name="near") as client:
        client.fs.write_file("/big", BIG)
        assert client.fs.read_file("/big") == BIG


def test_a_grant_ends(world: S3World) -> None:
    with world.client() as client:
        fill(client)
    object_ = int(world.place.objects()[0].key.rpartition("/")[2], 16)
    number = world.number

    async def sign(hub: Hub) -> str:
        return hub.grants(number, [object_], False, "http://hub")[0].url

    url = world.hub.run(sign)
    with urllib3.PoolManager() as pool:
        assert pool.request("GET", url).status == 200
        assert pool.request("DELETE", url).status == 403
        assert pool.request("PUT", url, body=b"other").status == 403
        long_ago = re.sub(r"X-Amz-Date=\d{8}", "X-Amz-Date=20200101", url)
        assert pool.request("GET", long_ago).status == 403


def test_new_keys_to_the_bucket(world: S3World) -> None:
    with world.client() as client:
        fill(client)
    server = world.place.server
    office = world.administration()
    view = world.view()
    for access, secret in (("nobody", "x"), (server.access_key, "wrong")):
        with pytest.raises(Fault) as refused:
            office.rekey_store(world.name, access, secret)
        assert refused.value.code is Code.DENIED
    with world.client() as client:
        check(client)

    number = world.number

    async def lose(hub: Hub) -> None:
        with hub.database.read() as tx:
            row = tx.object_store(number)
        assert row is not None
        await hub.change(lambda tx: tx.put_object_store(row._replace(access_key="nobody")))

    world.hub.run(lose)
    with world.client() as client, pytest.raises(OSError, match=r"403|Permission"):
        client.fs.read_file("/big")
    assert office.rekey_store(world.name, server.access_key, server.secret_key) == view
    with world.client() as client:
        check(client)
    office.create_filespace("near")
    with pytest.raises(Fault, match="own folder"):
        office.rekey_store("near", server.access_key, server.secret_key)
    office.close()


class Careless(BaseHTTPRequestHandler):
    """An S3 server that keeps one object, checks no signature, and takes no notice of If-None-Match."""

    body = b""

    def do_GET(self) -> None:
        listing = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
        self._answer(listing if "list-type" in self.path else type(self).body)

    def do_PUT(self) -> None:
        type(self).body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(b"")

    def do_DELETE(self) -> None:
        self._answer(b"")

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_a_server_that_replaces_objects_is_taken_and_told(world: S3World) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Careless)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        endpoint = f"http://127.0.0.1:{server.server_port}"
        made = world.create("careless", world.place.new_store(endpoint=endpoint))
        assert made.store is not None and not made.store.conditional
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
