"""Connect against another S3 server, `rclone serve s3`: one that ignores If-Match and If-None-Match."""

from __future__ import annotations

import errno
import json
import random
from collections.abc import Iterator

import pytest

from lucidfs.errors import Code, Fault
from lucidfs.testing.rclone import RcloneServer
from tests.integration.lucid import Lucid
from tests.s3.kit import Bucket, fresh_bucket
from tests.world import Client, World

BODY = random.Random(7).randbytes(5_000_000)


@pytest.fixture
def bucket(second_server: RcloneServer) -> Iterator[Bucket]:
    """In place of the bucket of all other tests of this folder."""
    with fresh_bucket(second_server) as made:
        yield made


def test_connect_from_first_to_last(client: Client, bucket: Bucket, store: str) -> None:
    connect, fs = client.filespace.connect, client.fs
    etag = bucket.put("raw/x/file.bin", BODY)
    bucket.put("raw/empty", b"")
    connect.link_file("/set/file.bin", store, "raw/x/file.bin")
    connect.link_file("/set/empty", store, "raw/empty")
    connect.link_file("/set/told", store, "raw/x/file.bin", size=len(BODY), checksum=etag)
    assert fs.list_dir("/set") == ["empty", "file.bin", "told"]
    assert fs.get_entry("/set/file.bin").size == len(BODY)
    with fs.open("/set/file.bin", "rb") as stream:
        stream.seek(4_999_990)
        assert stream.read() == BODY[-10:]
        stream.seek(65_530)
        assert stream.read(20) == BODY[65_530:65_550]
    assert fs.read_file("/set/file.bin") == fs.read_file("/set/told") == BODY
    assert fs.read_file("/set/empty") == b""
    assert sorted(connect.list_external_files(store).file_paths) == ["/set/empty", "/set/file.bin", "/set/told"]
    with pytest.raises(RuntimeError, match="3 files"):
        connect.remove_data_store(store)
    for name in fs.list_dir("/set"):
        connect.unlink_file(f"/set/{name}")
    assert fs.list_dir("/set") == []
    connect.remove_data_store(store)
    assert bucket.client.get("raw/x/file.bin", 0, 10) == BODY[:10]


@pytest.mark.parametrize(
    ("wrong", "field", "said"),
    [
        ({"access_key": "nobody"}, "access_key", "InvalidAccessKeyId"),
        ({"secret_key": "another secret"}, "secret_key", "SignatureDoesNotMatch"),
        ({"bucket_name": "no-such-bucket"}, "bucket_name", "NoSuchBucket"),
    ],
)
def test_a_wrong_field_is_named(client: Client, bucket: Bucket, wrong: dict[str, str], field: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}: .*{said}"):
        client.filespace.connect.add_data_store("films", bucket.config(**wrong))
    assert client.filespace.connect.list_data_stores() == []


@pytest.mark.parametrize("key", ["a b/c+d&e=f?g#h", "ä/ö€", "~-_.!*'()", "100%25", "x" * 200])
def test_any_key_that_it_takes(client: Client, bucket: Bucket, store: str, key: str) -> None:
    bucket.put(key, key.encode())
    client.filespace.connect.link_file("/file", store, key)
    assert client.fs.read_file("/file") == key.encode()


def test_a_key_that_it_refuses(client: Client, store: str) -> None:
    with pytest.raises(RuntimeError, match=r"object 'a//b': S3 answered 400"):
        client.filespace.connect.link_file("/file", store, "a//b")
    assert not client.fs.file_exists("/file")


@pytest.mark.parametrize("other", [BODY[::-1], BODY + b"more", BODY[:-1]], ids=["as-long", "longer", "shorter"])
def test_an_object_that_was_replaced(client: Client, bucket: Bucket, store: str, other: bytes) -> None:
    """It sends what it has, whatever If-Match says: no byte of it may be taken for the object that was linked."""
    connect, fs = client.filespace.connect, client.fs
    bucket.put("file", BODY)
    connect.link_file("/file", store, "file")
    with fs.open("/file", "rb") as stream:
        assert stream.read(10) == BODY[:10]
        bucket.put("file", other)
        stream.seek(4_500_000)
        with pytest.raises(OSError, match=r"'films', object 'file'.*link it again") as caught:
            stream.read(10)
    assert caught.value.errno == errno.ESTALE
    connect.unlink_file("/file")
    connect.link_file("/file", store, "file")
    assert fs.read_file("/file") == other


def test_an_object_that_is_gone(client: Client, bucket: Bucket, store: str) -> None:
    bucket.put("file", BODY)
    client.filespace.connect.link_file("/file", store, "file")
    bucket.client.delete("file")
    with pytest.raises(FileNotFoundError, match=r"'films', object 'file'") as gone:
        client.fs.read_file("/file")
    assert gone.value.filename == "/file"
    with pytest.raises(FileNotFoundError, match=r"object 'file': S3 answered 404"):
        client.filespace.connect.link_file("/again", store, "file")


def test_a_mirror_follows_its_bucket(shell: Lucid, client: Client, bucket: Bucket, store: str) -> None:
    fs, source = client.fs, f"s3://{bucket.client.bucket.name}/set/"
    where = f"lucidlink://demo/{client.filespace.name}/m"
    for number in range(1_010):  # more than one page
        bucket.put(f"set/many/{number:04}", b"%d" % number)
    for key in ("set/a", "set/sub/b", "other/x"):
        bucket.put(key, key.encode())

    def run(*more: str) -> list[tuple[str, str]]:
        done = shell.run("connect", "mirror", source, where, "--json", *more)
        assert done.code == 0, done.err
        return sorted((each["change"], each["path"]) for each in map(json.loads, done.out.splitlines()[:-1]))

    assert len(run()) == 1_012
    assert fs.list_dir("/m") == ["a", "many", "sub"]
    assert fs.read_file("/m/sub/b") == b"set/sub/b"
    assert fs.read_file("/m/many/1009") == b"1009"
    assert run() == []
    bucket.put("set/a", b"other")  # as long as before
    bucket.client.delete("set/sub/b")
    bucket.put("set/new", b"new")
    assert run("--delete") == [("change", "/m/a"), ("link", "/m/new"), ("unlink", "/m/sub/b")]
    assert fs.read_file("/m/a") == b"other"


def test_no_filespace_is_made_where_one_object_could_replace_another(
    s3_world: World, shell: Lucid, bucket: Bucket
) -> None:
    administration = s3_world.administration()
    before = administration.filespaces()
    with pytest.raises(Fault, match=r"ignores If-None-Match.*use one that knows conditional writes") as caught:
        administration.create_filespace("on-rclone", bucket.store("place"))
    assert caught.value.code is Code.UNSUPPORTED
    options = ["--store", f"s3://{bucket.client.bucket.name}/place", "--endpoint", bucket.server.endpoint]
    refused = shell.run("filespace", "create", "on-rclone", *options)
    assert refused.code == 1
    assert "ignores If-None-Match" in refused.err
    assert administration.filespaces() == before
    administration.close()
    assert bucket.stored() == []  # the probe is gone
