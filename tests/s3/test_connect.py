"""Connect as the seed documents describe it, against a real S3 server: data stores, links, and reading them."""

from __future__ import annotations

import errno
import random
from pathlib import Path

import pytest

import lucidlink
from lucidfs.testing.s3 import RadosGateway
from lucidfs.types import Role
from lucidlink import S3Credentials
from lucidlink.connect_models import LinkRequest
from lucidlink.exceptions import ConnectError, FilespaceError
from tests.s3.kit import Bucket
from tests.world import Client, World

KEYS = ["a b/c+d&e=f?g#h", "ä/ö€", "x/../y", "/lead", "a//b", "~-_.!*'()", "100%25", "k" * 1024]
BODY = random.Random(5).randbytes(5_000_000)


# --- data stores ------------------------------------------------------------------------------------------------------


def test_a_data_store_is_added_told_and_removed(client: Client, bucket: Bucket) -> None:
    connect = client.filespace.connect
    assert connect.are_data_stores_available()
    assert connect.list_data_stores() == []
    assert connect.get_data_store("films") is None
    added = connect.add_data_store("films", bucket.config(url_expiration_minutes=4320))
    assert (added.name, added.bucket_name, added.url_expiration_minutes) == ("films", bucket.client.bucket.name, 4320)
    assert (added.kind, added.rekey_state) == (
        lucidlink.DataStoreKind.S3,
        lucidlink.DataStoreRekeyState.NO_REKEY,
    )
    assert [store.name for store in connect.list_data_stores()] == ["films"]
    assert [store.secret_key for store in connect.list_data_stores()] == [""]
    found = connect.get_data_store("films")
    assert found is not None
    assert found.secret_key == bucket.server.secret_key
    assert bucket.server.secret_key not in repr(found)
    with pytest.raises(FileExistsError, match="films"):
        connect.add_data_store("films", bucket.config())
    connect.remove_data_store("films")
    assert connect.list_data_stores() == []
    with pytest.raises(RuntimeError, match="films"):
        connect.remove_data_store("films")


@pytest.mark.parametrize(
    ("wrong", "field", "said"),
    [
        ({"access_key": "nobody"}, "access_key", "InvalidAccessKeyId"),
        ({"secret_key": "wrong"}, "secret_key", "SignatureDoesNotMatch"),
        ({"bucket_name": "no-such-bucket"}, "bucket_name", "NoSuchBucket"),
        ({"bucket_name": "no/bucket"}, "bucket_name", ""),
        ({"endpoint": "http://127.0.0.1:1"}, "endpoint", "cannot be reached"),
        ({"endpoint": "http://host/with/path"}, "endpoint", ""),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_stored(
    client: Client, bucket: Bucket, wrong: dict[str, str], field: str, said: str
) -> None:
    connect = client.filespace.connect
    with pytest.raises(ValueError, match=f"^{field}: .*{said}") as caught:
        connect.add_data_store("films", bucket.config(**wrong))
    assert isinstance(caught.value, RuntimeError)
    assert connect.list_data_stores() == []


def test_empty_names_and_other_types(client: Client, bucket: Bucket) -> None:
    connect = client.filespace.connect
    for name in ("", "  "):
        with pytest.raises(ValueError, match="name"):
            connect.add_data_store(name, bucket.config())
    with pytest.raises(TypeError, match="config"):
        connect.add_data_store("films", {"access_key": "x"})  # type: ignore[arg-type]


def test_keys_are_checked_before_they_are_changed(client: Client, bucket: Bucket, store: str) -> None:
    connect, server = client.filespace.connect, bucket.server
    bucket.put("a", b"hello")
    connect.link_file("/a", store, "a")
    with pytest.raises(ValueError, match="secret_key"):
        connect.rekey_data_store(store, S3Credentials(server.access_key, "wrong"))
    for access_key, secret_key in ((None, None), ("x", None), ("", "x")):
        with pytest.raises(ValueError, match="missing or empty"):
            connect.rekey_data_store(store, new_access_key=access_key, new_secret_key=secret_key)
    with pytest.raises(ValueError, match="together"):
        connect.rekey_data_store(store, S3Credentials("a", "b"), new_access_key="c")
    with pytest.raises(RuntimeError, match="no data store"):
        connect.rekey_data_store("nowhere", new_access_key="a", new_secret_key="b")
    connect.rekey_data_store(store, new_access_key=server.access_key, new_secret_key=server.secret_key)
    assert client.fs.read_file("/a") == b"hello"


def test_what_is_linked_from_is_not_removed(client: Client, bucket: Bucket, store: str) -> None:
    connect = client.filespace.connect
    for number in range(3):
        connect.link_file(f"/{number}", store, f"{number}", size=1, checksum="abc")
    with pytest.raises(RuntimeError, match="3 files"):
        connect.remove_data_store(store)
    client.fs.delete("/0")
    connect.unlink_file("/1")
    client.fs.write_file("/2", b"an own file")
    connect.remove_data_store(store)


def test_roles(s3_world: World, bucket: Bucket) -> None:
    with s3_world.client() as admin:
        admin.filespace.connect.add_data_store("roles", bucket.config())
        bucket.put("a", b"hello")
        admin.filespace.connect.link_file("/roles/a", "roles", "a")
    with s3_world.client(token=s3_world.new_account(Role.WRITE)) as writer:
        connect = writer.filespace.connect
        connect.link_file("/roles/b", "roles", "a")
        with pytest.raises(PermissionError) as caught:
            connect.get_data_store("roles")
        assert isinstance(caught.value, RuntimeError)
        with pytest.raises(PermissionError):
            connect.add_data_store("other", bucket.config())
        with pytest.raises(PermissionError):
            connect.remove_data_store("roles")
    with s3_world.client(token=s3_world.new_account(Role.READ)) as reader:
        assert reader.fs.read_file("/roles/b") == b"hello"
        assert reader.filespace.connect.count_external_files("roles") == 2
        with pytest.raises(PermissionError):
            reader.filespace.connect.link_file("/roles/c", "roles", "a")


def test_an_unlinked_filespace(client: Client) -> None:
    connect = client.filespace.connect
    client.filespace.unlink()
    with pytest.raises(FilespaceError):
        connect.list_data_stores()


# --- links ------------------------------------------------------------------------------------------------------------


def test_a_linked_file_is_a_file(client: Client, bucket: Bucket, store: str) -> None:
    connect, fs = client.filespace.connect, client.fs
    bucket.put("raw/x/file.bin", BODY)
    connect.link_file("/proj/set one/file.bin", store, "raw/x/file.bin")
    entry = fs.get_entry("/proj/set one/file.bin")
    assert (entry.size, entry.type, entry.is_file()) == (len(BODY), "file", True)
    assert entry.file_id_external
    assert fs.list_dir("/proj/set one") == ["file.bin"]
    assert fs.file_exists("/proj/set one/file.bin")
    assert fs.read_file("/proj/set one/file.bin") == BODY
    with fs.open("/proj/set one/file.bin", "rb") as stream:
        stream.seek(4_999_990)
        assert stream.read() == BODY[-10:]
        stream.seek(65_530)
        assert stream.read(20) == BODY[65_530:65_550]
        assert b"".join(iter(lambda: stream.read(100_000), b"")) == BODY[65_550:]
    size = fs.get_size()
    assert (size.external_files_count, size.external_files_size) == (1, len(BODY))
    assert fs.get_statistics().file_count == 1
    assert fs.get_statistics().data_size == 0


def test_another_client_sees_it_at_once(client: Client, s3_world: World, bucket: Bucket, store: str) -> None:
    bucket.put("a", b"hello")
    with s3_world.client(name=client.filespace.name) as other:
        assert other.fs.list_dir("/") == []
        client.filespace.connect.link_file("/a", store, "a")
        assert other.fs.read_file("/a") == b"hello"
        client.filespace.connect.unlink_file("/a")
        assert not other.fs.file_exists("/a")


@pytest.mark.parametrize(
    "key", ["a b/c+d&e=f?g#h", "ä/ö€", "x/../y", "/lead", "a//b", "~-_.!*'()", "100%25", "k" * 1024]
)
def test_any_key(client: Client, bucket: Bucket, store: str, key: str) -> None:
    body = key.encode()
    bucket.put(key, body)
    client.filespace.connect.link_file("/file", store, key)
    assert client.fs.read_file("/file") == body


def test_refusals(client: Client, bucket: Bucket, store: str) -> None:
    connect, fs = client.filespace.connect, client.fs
    bucket.put("a", b"hello")
    connect.link_file("/a", store, "a")
    with pytest.raises(FileExistsError) as caught:
        connect.link_file("/a", store, "a")
    assert isinstance(caught.value, RuntimeError)
    assert isinstance(caught.value, ConnectError)
    assert (caught.value.errno, caught.value.filename) == (errno.EEXIST, "/a")
    with pytest.raises(FileNotFoundError, match="nowhere") as missing:
        connect.link_file("/b", "nowhere", "a")
    assert isinstance(missing.value, RuntimeError)
    with pytest.raises(FileNotFoundError, match="no-such-key"):
        connect.link_file("/b", store, "no-such-key")
    for size, checksum in ((5, ""), (None, "abc"), (-1, "abc")):
        with pytest.raises(ValueError):
            connect.link_file("/b", store, "a", size, checksum)
    for key in ("", "x" * 1025):
        with pytest.raises(ValueError):
            connect.link_file("/b", store, key)
    with pytest.raises(RuntimeError):
        connect.unlink_file("/b")
    fs.write_file("/own", b"own")
    with pytest.raises(RuntimeError, match="not an external file"):
        connect.unlink_file("/own")
    with pytest.raises(FileExistsError):
        connect.link_file("/", store, "a")
    with pytest.raises(NotADirectoryError):
        connect.link_file("/own/below", store, "a")
    assert fs.list_dir("/") == ["a", "own"]


def test_it_is_read_only_in_place_and_makes_room_for_an_own_file(client: Client, bucket: Bucket, store: str) -> None:
    connect, fs = client.filespace.connect, client.fs
    bucket.put("a", b"hello")
    connect.link_file("/a", store, "a")
    for mode in ("r+b", "ab", "a+b"):
        with pytest.raises(PermissionError) as caught:
            fs.open("/a", mode)
        assert caught.value.filename == "/a"
    with pytest.raises(PermissionError):
        fs.truncate("/a", 1)
    with pytest.raises(FileExistsError):
        fs.open("/a", "xb")
    with pytest.raises(ZeroDivisionError):
        with fs.open("/a", "wb") as stream:
            stream.write(b"half")
            raise ZeroDivisionError
    assert fs.read_file("/a") == b"hello"
    with fs.open("/a", "wb") as stream:
        stream.write(b"an own file")
        assert fs.read_file("/a") == b"hello"
    assert fs.read_file("/a") == b"an own file"
    assert fs.get_entry("/a").file_id_external == 0
    assert connect.count_external_files(store) == 0
    assert bucket.client.get("a", 0, 5) == b"hello"


def test_moves_and_deletes_touch_the_link_only(client: Client, bucket: Bucket, store: str) -> None:
    connect, fs = client.filespace.connect, client.fs
    bucket.put("a", b"hello")
    for path in ("/a", "/folder/b", "/folder/sub/c"):
        connect.link_file(path, store, "a")
    fs.move("/a", "/folder/moved")
    fs.move("/folder", "/other")
    assert fs.read_file("/other/moved") == b"hello"
    assert connect.list_external_files(store).file_paths.count("/other/moved") == 1
    fs.delete("/other/b")
    fs.delete_dir("/other", recursive=True)
    assert connect.count_external_files(store) == 0
    size = fs.get_size()
    assert (size.external_files_count, size.external_files_size) == (0, 0)
    assert bucket.client.get("a", 0, 5) == b"hello"


def test_locks(client: Client, s3_world: World, bucket: Bucket, store: str) -> None:
    fs = client.fs
    bucket.put("a", b"hello")
    client.filespace.connect.link_file("/a", store, "a")
    with s3_world.client(name=client.filespace.name) as other:
        with fs.open("/a", "rb", lock_type="exclusive") as stream:
            assert stream.read() == b"hello"
            with pytest.raises(TimeoutError):
                other.fs.open("/a", "rb", lock_timeout=0)
            with pytest.raises(TimeoutError):
                other.fs.open("/a", "rb", lock_type="shared", lock_timeout=0)
        with other.fs.open("/a", "rb", lock_type="shared") as one, fs.open("/a", "rb", lock_type="shared") as two:
            assert one.read() == two.read() == b"hello"
        with fs.open("/a", "wb", lock_type="exclusive") as stream:
            stream.write(b"own")
        assert other.fs.read_file("/a") == b"own"


def test_many_at_once_and_pages(client: Client, bucket: Bucket, store: str) -> None:
    connect = client.filespace.connect
    wanted = [LinkRequest(f"/many/{number % 7}/{number:04}", store, f"k{number}", 5, "abc") for number in range(2_500)]
    assert connect.link_files(wanted) == 2_500
    assert connect.count_external_files(store) == 2_500
    paths: list[str] = []
    cursor = ""
    while True:
        page = connect.list_external_files(store, limit=700, cursor=cursor)
        assert len(page.file_paths) == len(page.file_ids) <= 700
        paths += page.file_paths
        cursor = page.cursor
        if not page.has_more:
            break
    assert sorted(paths) == sorted(request.file_path for request in wanted)
    assert len(client.fs.read_dir("/many/3")) == len(range(3, 2_500, 7))
    with pytest.raises(FileExistsError, match="0001"):
        connect.link_files([("/many/x", store, "x", 5, "abc"), wanted[1], ("/many/y", store, "y", 5, "abc")])
    assert client.fs.list_dir("/many")[-2:] == ["x", "y"]
    with pytest.raises(ValueError, match="cursor"):
        connect.list_external_files(store, cursor="?")
    with pytest.raises(ValueError, match="limit"):
        connect.list_external_files(store, limit=0)


def test_a_linked_subfolder_lists_what_lies_below_it(
    client: Client, s3_world: World, bucket: Bucket, store: str
) -> None:
    connect = client.filespace.connect
    connect.link_files([("/in/a", store, "a", 1, "x"), ("/out/b", store, "b", 1, "x")])
    with s3_world.client(name=client.filespace.name, root_path="/in") as inner:
        assert inner.filespace.connect.list_external_files(store).file_paths == ["/a"]
        assert inner.filespace.connect.count_external_files(store) == 2


def test_a_copy_is_an_own_file(client: Client, s3_world: World, bucket: Bucket, store: str) -> None:
    from lucidlink.fsspec import LucidLinkFileSystem

    bucket.put("a", BODY)
    client.filespace.connect.link_file("/a", store, "a")
    fs = LucidLinkFileSystem(token=s3_world.token, hub=s3_world.url, skip_instance_cache=True)
    root = f"lucidlink://demo/{client.filespace.name}"
    fs.cp_file(f"{root}/a", f"{root}/b")
    assert fs.find(root) == [f"demo/{client.filespace.name}/{name}" for name in "ab"]
    assert fs.cat_file(f"{root}/b") == BODY == fs.cat_file(f"{root}/a")
    fs.close()
    assert client.fs.get_entry("/b").file_id_external == 0
    assert client.filespace.connect.count_external_files(store) == 1


# --- what happens to objects ------------------------------------------------------------------------------------------


def test_an_object_that_was_replaced_or_deleted(client: Client, s3_world: World, bucket: Bucket, store: str) -> None:
    connect, fs = client.filespace.connect, client.fs
    for key in ("replaced", "deleted"):
        bucket.put(key, BODY)
        connect.link_file(f"/{key}", store, key)
    stream = fs.open("/replaced", "rb")
    stream.read(10)
    bucket.put("replaced", BODY[::-1])
    bucket.client.delete("deleted")
    with pytest.raises(OSError, match=r"'films', object 'replaced'.*replaced; link it again") as caught:
        stream.seek(4_500_000)
        stream.read(10)
    assert caught.value.errno == errno.ESTALE
    stream.close()
    with pytest.raises(FileNotFoundError, match=r"'films', object 'deleted'") as gone:
        fs.read_file("/deleted")
    assert gone.value.filename == "/deleted"
    connect.unlink_file("/replaced")
    connect.link_file("/replaced", store, "replaced")
    assert fs.read_file("/replaced") == BODY[::-1]


def test_keys_that_were_revoked(client: Client, s3_server: RadosGateway, bucket: Bucket, store: str) -> None:
    connect = client.filespace.connect
    bucket.put("a", b"hello")
    connect.link_file("/a", store, "a")
    stranger = s3_server.new_user("stranger")
    with pytest.raises(ValueError, match=r"access_key: .*AccessDenied"):
        connect.rekey_data_store(store, new_access_key=stranger[0], new_secret_key=stranger[1])
    assert client.fs.read_file("/a") == b"hello"


def test_an_empty_object(client: Client, bucket: Bucket, store: str) -> None:
    bucket.put("empty", b"")
    client.filespace.connect.link_file("/empty", store, "empty")
    assert client.fs.read_file("/empty") == b""
    assert client.fs.get_entry("/empty").size == 0


def test_a_wrong_checksum_is_found_when_it_is_read(client: Client, bucket: Bucket, store: str) -> None:
    bucket.put("a", b"hello")
    client.filespace.connect.link_file("/a", store, "a", size=5, checksum="0" * 32)
    with pytest.raises(OSError) as caught:
        client.fs.read_file("/a")
    assert caught.value.errno == errno.ESTALE


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_the_secret_is_nowhere_on_the_hubs_disk(s3_world: World, client: Client, bucket: Bucket, store: str) -> None:
    secret = bucket.server.secret_key.encode()
    for path in Path(s3_world.hub.data).rglob("*"):
        assert not path.is_file() or secret not in path.read_bytes(), path
    found = client.filespace.connect.get_data_store(store)
    assert found is not None
    assert found.secret_key.encode() == secret
