"""The promises of a filespace, in the words of a user: each class is one promise."""

from __future__ import annotations

import errno
import io
import os
import pickle
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import lucidlink
from lucidfs.types import Role
from tests.world import Client, World

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def both(world: World) -> Iterator[tuple[Client, Client]]:
    """Two clients of one filespace, of two accounts."""
    with world.client() as one, world.client(token=world.new_account(Role.WRITE)) as two:
        yield one, two


@pytest.fixture
def one(both: tuple[Client, Client], request: pytest.FixtureRequest) -> lucidlink.Filesystem:
    """The first client's files, emptied."""
    fs = both[0].fs
    for entry in fs.read_dir("/"):
        if entry.is_dir():
            fs.delete_dir(entry.name, recursive=True)
        else:
            fs.delete(entry.name)
    return fs


@pytest.fixture
def two(both: tuple[Client, Client], one: lucidlink.Filesystem) -> lucidlink.Filesystem:
    """The second client's files."""
    return both[1].fs


FS = lucidlink.Filesystem


class TestAtomicNamespace:
    def test_one_of_two_creators_wins(self, one: FS, two: FS) -> None:
        one.create_dir("/folder")
        with pytest.raises(FileExistsError):
            two.create_dir("/folder")
        with one.open("/folder/new", "xb") as file:
            with pytest.raises(FileExistsError):
                two.open("/folder/new", "xb")
            file.write(b"mine")
        assert two.read_file("/folder/new") == b"mine"

    def test_an_abandoned_exclusive_creation_frees_the_name(self, one: FS, two: FS) -> None:
        with suppress(KeyError), one.open("/name", "xb"):
            raise KeyError
        assert two.list_dir("/") == []
        two.open("/name", "xb").close()
        assert one.list_dir("/") == ["name"]

    def test_a_moved_folder_moves_with_everything(self, one: FS, two: FS) -> None:
        one.create_dir("/a/b/c")
        one.write_file("/a/b/c/file", b"x")
        number = one.get_entry("/a/b/c/file").file_id
        one.move("/a/b", "/z")
        assert two.read_file("/z/c/file") == b"x"
        assert two.get_entry("/z/c/file").file_id == number
        assert two.list_dir("/a") == []

    def test_replacing_is_never_seen_half(self, one: FS, two: FS) -> None:
        one.write_file("/file", b"a" * 300_000)
        stop = threading.Event()
        seen: set[bytes] = set()

        def watch() -> None:
            while not stop.is_set():
                content = two.read_file("/file")
                assert len(content) == 300_000
                seen.add(bytes(set(content)))

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            for letter in b"bcdefgh":
                one.write_file("/file", bytes([letter]) * 300_000)
        finally:
            stop.set()
            thread.join()
        assert all(len(letters) == 1 for letters in seen)


class TestClosedMeansSeen:
    @pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 200_000, 9 * MIB])
    def test_at_once_and_whole(self, one: FS, two: FS, size: int) -> None:
        data = os.urandom(size)
        with one.open("/file", "wb") as file:
            file.write(data)
            assert not two.file_exists("/file")
        assert two.read_file("/file") == data
        assert two.get_entry("/file").size == size

    def test_flush_publishes_too(self, one: FS, two: FS) -> None:
        with one.open("/file", "wb") as file:
            file.write(b"part")
            file.flush()
            assert two.read_file("/file") == b"part"
            file.write(b" and rest")
            assert two.read_file("/file") == b"part"
        assert two.read_file("/file") == b"part and rest"

    def test_an_exception_publishes_nothing_after_the_last_flush(self, one: FS, two: FS) -> None:
        with suppress(KeyError), one.open("/file", "wb") as file:
            file.write(b"kept")
            file.flush()
            file.write(b"lost")
            raise KeyError
        assert two.read_file("/file") == b"kept"

    @pytest.mark.parametrize("buffering", [-1, 0])
    def test_a_stream_that_is_dropped_publishes_nothing(
        self, both: tuple[Client, Client], one: FS, two: FS, buffering: int
    ) -> None:
        two.write_file("/there", b"old")
        with pytest.warns(ResourceWarning, match="not published"):
            for path in ("/there", "/new"):
                file = one.open(path, "wb", buffering=buffering)
                file.write(b"lost")
                del file
        both[0].filespace.sync_all()
        assert two.read_file("/there") == b"old"
        assert not two.file_exists("/new")


class TestReaders:
    def test_a_reader_keeps_what_it_opened(self, one: FS, two: FS) -> None:
        old, new = os.urandom(6 * MIB), os.urandom(3 * MIB)
        one.write_file("/file", old)
        with two.open("/file", "rb") as reader:
            assert reader.read(10) == old[:10]
            one.write_file("/file", new)
            assert reader.read() == old[10:]
            one.delete("/file")
            reader.seek(5 * MIB)
            assert reader.read() == old[5 * MIB :]

    def test_a_handle_sees_its_own_writes(self, one: FS) -> None:
        one.write_file("/file", b"a" * 200_000)
        with one.open("/file", "r+b") as file:
            file.seek(70_000)
            file.write(b"b" * 10)
            file.seek(69_990)
            assert file.read(30) == b"a" * 10 + b"b" * 10 + b"a" * 10

    def test_taking_a_lock_shows_the_newest(self, one: FS, two: FS) -> None:
        one.write_file("/file", b"old")
        with two.open("/file", "rb", buffering=0) as stream:
            assert stream.read() == b"old"
            one.write_file("/file", b"new!")
            two.lock_byte_range(stream, 0, 4, "shared")
            stream.seek(0)
            assert stream.read() == b"new!"


class TestNoLostUpdates:
    def test_disjoint_ranges_both_survive(self, one: FS, two: FS) -> None:
        one.write_file("/file", bytes(MIB))
        with one.open("/file", "r+b") as first, two.open("/file", "r+b") as second:
            first.seek(100)
            first.write(b"first")
            second.seek(105)
            second.write(b"second")
        content = two.read_file("/file")
        assert content[100:111] == b"firstsecond"
        assert content.count(0) == MIB - 11

    def test_where_ranges_overlap_the_later_close_wins(self, one: FS, two: FS) -> None:
        one.write_file("/file", b".........")
        first, second = one.open("/file", "r+b"), two.open("/file", "r+b")
        first.write(b"aaaaaa")
        second.seek(3)
        second.write(b"bbbbbb")
        second.close()
        first.close()
        assert two.read_file("/file") == b"aaaaaabbb"

    def test_appends_of_two_add_up(self, one: FS, two: FS) -> None:
        with one.open("/log", "a") as first, two.open("/log", "a") as second:
            for number in range(10):
                print("first", number, file=first, flush=True)
                print("second", number, file=second, flush=True)
        lines = one.read_file("/log").decode().splitlines()
        assert lines == [f"{who} {number}" for number in range(10) for who in ("first", "second")]

    def test_big_appends_at_once(self, one: FS, two: FS) -> None:
        pieces = [bytes([letter]) * 150_001 for letter in b"ab"]
        files = [fs.open("/log", "ab") for fs in (one, two)]
        for file, piece in zip(files, pieces, strict=True):
            file.write(piece)
        for file in files:
            file.close()
        assert one.read_file("/log") == b"".join(pieces)

    def test_truncate_and_write_of_another(self, one: FS, two: FS) -> None:
        one.write_file("/file", b"x" * 200_000)
        with two.open("/file", "r+b") as file:
            file.seek(10)
            file.write(b"y")
            one.truncate("/file", 100)
        assert one.read_file("/file") == b"x" * 10 + b"y" + b"x" * 89


class TestDurability:
    def test_pending_and_wait(self, both: tuple[Client, Client], one: FS) -> None:
        filespace = both[0].filespace
        with one.open("/file", "wb") as file:
            file.write(os.urandom(5 * MIB))
        filespace.sync_all()
        assert (filespace.pending.files, filespace.pending.bytes) == (0, 0)
        filespace.wait_durable(timeout=30)

    def test_unlink_syncs_and_ends(self, world: World) -> None:
        with world.client() as client:
            client.fs.write_file("/unlinked", b"x")
            client.filespace.unlink()
            client.filespace.unlink()
            with pytest.raises(lucidlink.FilespaceError):
                client.fs.read_dir("/")
        with world.client() as client:
            assert client.fs.read_file("/unlinked") == b"x"

    def test_sync_none_still_publishes_what_was_closed(self, world: World) -> None:
        with world.client(sync_mode=lucidlink.SyncMode.SYNC_NONE) as client:
            client.fs.write_file("/not-synced", b"x")
        with world.client() as client:
            assert client.fs.read_file("/not-synced") == b"x"


class TestLocks:
    @pytest.fixture(autouse=True)
    def _file(self, one: FS) -> None:
        one.write_file("/file", b"content of the file")

    def test_shared_locks_go_together(self, one: FS, two: FS) -> None:
        with one.open("/file", "rb", lock_type="shared"), two.open("/file", "rb", lock_type="shared"):
            assert len(one.list_locks("/file")) == 2

    @pytest.mark.parametrize("kind", ["", "shared", "exclusive"])
    def test_exclusive_excludes_also_who_asks_for_no_lock(self, one: FS, two: FS, kind: str) -> None:
        with one.open("/file", "r+b", lock_type="exclusive"):
            with pytest.raises(TimeoutError) as caught:
                two.open("/file", "rb", lock_type=kind, lock_timeout=0)
            assert caught.value.errno == errno.ETIMEDOUT
            assert caught.value.filename == "/file"
            one.open("/file", "rb").close()
        two.open("/file", "rb", lock_type=kind, lock_timeout=0).close()

    def test_a_shared_lock_keeps_writers_away(self, one: FS, two: FS) -> None:
        with one.open("/file", "rb", lock_type="shared"):
            assert two.read_file("/file")
            for kind in ("", "exclusive"):
                with pytest.raises(TimeoutError):
                    two.open("/file", "r+b", lock_type=kind, lock_timeout=0)

    def test_a_waiter_goes_on_when_the_lock_is_released(self, one: FS, two: FS) -> None:
        holder = one.open("/file", "r+b", lock_type="exclusive")
        holder.write(b"CONTENT")
        seen: list[bytes] = []

        def wait() -> None:
            with two.open("/file", "rb", lock_type="shared", lock_timeout=60) as file:
                seen.append(file.read())

        thread = threading.Thread(target=wait)
        thread.start()
        while not any(info.waiting for info in one.list_locks("/file")):
            assert thread.is_alive()
        holder.close()
        thread.join()
        assert seen == [b"CONTENT of the file"]

    def test_byte_ranges(self, one: FS, two: FS) -> None:
        with one.open("/file", "r+b", 0) as first, two.open("/file", "r+b", 0) as second:
            assert one.lock_byte_range(first, 0, 10)
            assert not two.lock_byte_range(second, 9, 5, blocking=False)
            assert two.lock_byte_range(second, 10, 5, blocking=False)
            one.unlock_byte_range(first, 5, 5)
            assert two.lock_byte_range(second, 5, 5, "shared", blocking=False)
            assert not two.lock_byte_range(second, 4, 1, "read", blocking=False)
            one.unlock_all_byte_ranges(first)
            assert two.lock_byte_range(second, 0, 5, "write", blocking=False)
        assert one.list_locks("/file") == []

    def test_handles_of_create(self, one: FS, two: FS) -> None:
        handle = one.create("/new")
        with pytest.raises(FileExistsError):
            two.create("/new")
        assert one.lock_byte_range(handle, 0, 100)
        with pytest.raises(TimeoutError):
            two.open("/new", "r+b", lock_type="exclusive", lock_timeout=0)
        one.close(handle)
        two.open("/new", "r+b", lock_type="exclusive", lock_timeout=0).close()

    def test_unknown_kinds(self, one: FS) -> None:
        with pytest.raises(ValueError):
            one.open("/file", lock_type="mandatory")


class TestErrors:
    """Each as a local file would raise it, with errno and filename."""

    @pytest.fixture(autouse=True)
    def _tree(self, one: FS) -> None:
        one.write_file("/file", b"x")
        one.create_dir("/folder/inner")
        one.create_symlink("loop", "/loop")

    @pytest.mark.parametrize(
        ("call", "kind", "number", "path"),
        [
            (lambda fs: fs.read_file("/no"), FileNotFoundError, errno.ENOENT, "/no"),
            (lambda fs: fs.open("/no/file", "wb"), FileNotFoundError, errno.ENOENT, "/no/file"),
            (lambda fs: fs.read_file("/file/x"), NotADirectoryError, errno.ENOTDIR, "/file/x"),
            (lambda fs: fs.read_dir("/file"), NotADirectoryError, errno.ENOTDIR, "/file"),
            (lambda fs: fs.read_file("/folder"), IsADirectoryError, errno.EISDIR, "/folder"),
            (lambda fs: fs.write_file("/folder", b""), IsADirectoryError, errno.EISDIR, "/folder"),
            (lambda fs: fs.delete("/folder"), IsADirectoryError, errno.EISDIR, "/folder"),
            (lambda fs: fs.delete("/no"), FileNotFoundError, errno.ENOENT, "/no"),
            (lambda fs: fs.delete_dir("/file"), NotADirectoryError, errno.ENOTDIR, "/file"),
            (lambda fs: fs.delete_dir("/folder"), OSError, errno.ENOTEMPTY, "/folder"),
            (lambda fs: fs.create_dir("/folder"), FileExistsError, errno.EEXIST, "/folder"),
            (lambda fs: fs.create("/file"), FileExistsError, errno.EEXIST, "/file"),
            (lambda fs: fs.move("/no", "/new"), FileNotFoundError, errno.ENOENT, "/no"),
            (lambda fs: fs.move("/file", "/folder"), FileExistsError, errno.EEXIST, None),
            (lambda fs: fs.move("/folder", "/folder/inner/x"), OSError, errno.EINVAL, None),
            (lambda fs: fs.read_symlink("/file"), OSError, errno.EINVAL, "/file"),
            (lambda fs: fs.read_file("/loop"), OSError, errno.ELOOP, "/loop"),
            (lambda fs: fs.read_file("/" + "n" * 256), OSError, errno.ENAMETOOLONG, "/" + "n" * 256),
            (lambda fs: fs.read_file("/../x"), OSError, errno.EINVAL, "/../x"),
            (lambda fs: fs.truncate("/no", 1), FileNotFoundError, errno.ENOENT, "/no"),
            (lambda fs: fs.get_entry("/no"), FileNotFoundError, errno.ENOENT, "/no"),
        ],
    )
    def test_refusals(self, one: FS, call: object, kind: type[OSError], number: int, path: str | None) -> None:
        assert callable(call)
        with pytest.raises(kind) as caught:
            call(one)
        assert caught.value.errno == number
        assert caught.value.filename == path or path is None
        assert isinstance(pickle.loads(pickle.dumps(caught.value)), kind)

    @pytest.mark.parametrize("path", ["/nul\0byte", "/lone \udc80 surrogate"])
    def test_paths_that_are_none(self, one: FS, path: str) -> None:
        with pytest.raises((ValueError, OSError)):
            one.read_file(path)
        assert not one.file_exists(path)

    def test_wrong_types(self, one: FS) -> None:
        with pytest.raises(TypeError):
            one.write_file("/x", "text")  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            one.read_file(7)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            one.open(b"/x")  # type: ignore[call-overload]

    def test_readers_may_not_write(self, world: World, one: FS) -> None:
        with world.client(token=world.new_account(Role.READ)) as client:
            assert client.fs.read_file("/file") == b"x"
            with pytest.raises(PermissionError):
                client.fs.write_file("/file", b"y")
            with pytest.raises(PermissionError):
                client.fs.create_dir("/new")
            with pytest.raises(PermissionError):
                client.fs.delete("/file")
            with pytest.raises(PermissionError):
                client.fs.move("/file", "/y")
        assert one.read_file("/file") == b"x"

    def test_tokens(self, world: World) -> None:
        token = world.new_account(Role.WRITE, "to-revoke")
        wrong = token[:-3] + ("AAA" if token[-3:] != "AAA" else "BBB")
        with lucidlink.create_daemon(config={"hub.url": world.url}) as daemon:
            with pytest.raises(lucidlink.AuthenticationError) as caught:
                daemon.authenticate(lucidlink.ServiceAccountCredentials(token=wrong))
            assert isinstance(caught.value, PermissionError)
            assert wrong.rpartition(":")[2] not in repr(caught.value) + str(caught.value)
            workspace = daemon.authenticate(lucidlink.ServiceAccountCredentials(token=token))
            with pytest.raises(FileNotFoundError):
                workspace.link_filespace(name="no-such-filespace")
            with pytest.raises(ValueError):
                workspace.link_filespace()
        for text in ("", "sa_live:", "nonsense", "sa_live:0:0"):
            with pytest.raises(ValueError):
                lucidlink.ServiceAccountCredentials(token=text)

    @pytest.mark.logs("lucid")
    def test_revoking_ends_the_session(self, world: World) -> None:
        token = world.new_account(Role.WRITE, "revoked")
        with world.client(token=token) as client:
            client.fs.write_file("/by-revoked", b"x")
            administration = world.administration()
            administration.revoke("revoked")
            administration.close()
            with pytest.raises(PermissionError):
                client.fs.write_file("/by-revoked", b"y")
            with pytest.raises(PermissionError):
                client.fs.read_dir("/")
        with world.client() as other:
            assert other.fs.read_file("/by-revoked") == b"x"


class TestBounds:
    def test_a_file_that_claims_to_be_large(self, one: FS, two: FS) -> None:
        one.write_file("/sparse", b"head")
        one.truncate("/sparse", 10**15)
        assert two.get_entry("/sparse").size == 10**15
        with two.open("/sparse", "r+b") as file:
            assert file.read(6) == b"head\0\0"
            file.seek(10**15 - 5)
            assert file.read() == bytes(5)
            file.seek(5 * 10**14)
            file.write(b"middle")
        with one.open("/sparse", "rb") as file:
            file.seek(5 * 10**14 - 2)
            assert file.read(10) == b"\0\0middle\0\0"
        assert one.get_size().storage < MIB

    def test_names_of_every_kind(self, one: FS, two: FS) -> None:
        names = ["a", "ä" * 127, "n" * 255, "😀" * 63, "with space", "back\\slash", "new\nline", "%2e", "...", "-", "*"]
        for name in names:
            one.write_file(f"/{name}", name.encode())
        assert two.list_dir("/") == sorted(names)
        for name in names:
            assert two.read_file(f"/{name}") == name.encode()

    def test_a_folder_of_many(self, one: FS, two: FS) -> None:
        one.create_dir("/many")
        for number in range(500):
            one.create_symlink("x", f"/many/{number:04}")
        assert two.list_dir("/many") == [f"{number:04}" for number in range(500)]

    def test_deep_paths(self, one: FS, two: FS) -> None:
        path = "/d" * 200
        one.create_dir(path)
        one.write_file(path + "/file", b"deep")
        assert two.read_file(path + "/file") == b"deep"


class TestLife:
    """Daemons, workspaces, filespaces: how a program begins and ends."""

    def test_before_start(self, world: World) -> None:
        daemon = lucidlink.create_daemon(config={"hub.url": world.url})
        with pytest.raises(lucidlink.DaemonError):
            daemon.authenticate(lucidlink.ServiceAccountCredentials(token=world.token))
        daemon.start()
        daemon.start()
        assert daemon.is_running()
        workspace = daemon.authenticate(lucidlink.ServiceAccountCredentials(token=world.token))
        filespace = workspace.link_filespace(name=world.name)
        status = daemon.get_status()
        assert (status.is_running, status.is_authenticated, status.is_linked) == (True, True, True)
        daemon.stop()
        daemon.stop()
        assert not daemon.is_running()
        with pytest.raises(lucidlink.FilespaceError):
            filespace.fs.list_dir("/")

    def test_who_and_where(self, world: World) -> None:
        with world.client() as client:
            found = {info.name: info.id for info in client.workspace.list_filespaces()}
            assert found[world.name] == client.filespace.id
            assert client.filespace.full_name == f"{world.name}.{client.workspace.name}"
            assert client.filespace.name == world.name
            assert client.workspace.link_filespace(id=client.filespace.id) is client.filespace

    def test_a_folder_as_root(self, world: World) -> None:
        with world.client() as client:
            client.fs.create_dir("/linked/root")
            client.fs.write_file("/linked/secret", b"x")
            client.fs.create_symlink("../secret", "/linked/root/out")
            client.fs.create_symlink("/inside", "/linked/root/absolute")
        with world.client(root_path="/linked/root") as client:
            client.fs.write_file("/inside", b"y")
            assert client.fs.list_dir("/") == ["absolute", "inside", "out"]
            assert client.fs.read_file("/absolute") == b"y"
            with pytest.raises(OSError):
                client.fs.read_file("/out")

    def test_the_cache_folder_goes_with_the_daemon(self, world: World, tmp_path: Path) -> None:
        config = {"hub.url": world.url}
        for persist in (False, True):
            with lucidlink.create_daemon(config, False, persist, tmp_path) as daemon:
                workspace = daemon.authenticate(lucidlink.ServiceAccountCredentials(token=world.token))
                with workspace.link_filespace(name=world.name) as filespace:
                    filespace.fs.write_file("/cached", os.urandom(300_000))
                    assert len(filespace.fs.read_file("/cached")) == 300_000
                assert (tmp_path / ".lucid").is_dir()
            assert (tmp_path / ".lucid").exists() == persist

    def test_the_memory_of_a_client_can_be_bounded(self, world: World) -> None:
        with lucidlink.create_daemon({"hub.url": world.url, "fs.cache.memory": "3"}) as daemon:
            workspace = daemon.authenticate(lucidlink.ServiceAccountCredentials(world.token))
            with workspace.link_filespace(name=world.name) as filespace:
                filespace.fs.write_file("/file", bytes(range(256)) * 40_000)
                assert len(filespace.fs.read_file("/file")) == 256 * 40_000
                live = filespace.fs._link.live
                assert live is not None
                assert 0 < live.engine.files.source.memory.bytes_held <= 3 * 1024 * 1024
        for value in ("0", "-1", "many"):
            with pytest.raises(lucidlink.ConfigurationError, match=r"^fs\.cache\.memory: "):
                lucidlink.create_daemon({"fs.cache.memory": value})

    def test_streams_made_by_hand(self, one: FS) -> None:
        from lucidlink.stream import open_buffered, open_text

        with open_buffered(one, "/file", "wb", buffer_size=1000) as file:
            file.write(b"by hand")
        with open_text(one, "/file") as text:
            assert text.read() == "by hand"
        with io.BufferedReader(one.open("/file", "rb", 0)) as reader:
            assert reader.read() == b"by hand"
        with one.open_legacy("/file", "r") as handle:
            assert handle.read(4, 3) == b"hand"
