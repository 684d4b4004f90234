"""Every call of the SDK, once. Run it against a hub of your own; it works in a folder that it makes and removes.

lucid hub start                       # in another terminal; prints the admin's token on its first start
export LUCIDLINK_TOKEN=sa_live:…
lucid filespace create production-data
python examples/everything.py production-data
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path, PurePosixPath

import lucidlink
from lucidlink import (
    ClientConfig,
    DaemonStatus,
    DirEntry,
    FilespaceInfo,
    FilespaceSize,
    FilespaceStatistics,
    LockInfo,
    Pending,
    StorageConfig,
    StorageMode,
    SyncMode,
)

FOLDER = PurePosixPath("/everything")


def main(token: str, name: str) -> None:
    """Go through the whole API with one filespace."""
    credentials = lucidlink.ServiceAccountCredentials(token=token)
    daemons(credentials, name)
    with lucidlink.create_daemon() as daemon:
        workspace = daemon.authenticate(credentials)
        with workspace.link_filespace(name=name) as filespace:
            fs = filespace.fs
            fs.create_dir(FOLDER / "made" / "with" / "parents")
            try:
                files(fs)
                folders(fs)
                streams(fs)
                text(fs)
                locks(fs)
                durability(filespace)
            finally:
                fs.delete_dir(FOLDER, recursive=True)
            external(filespace)
    later_names(credentials, name)
    errors(credentials, name)
    print("everything works")


def daemons(credentials: lucidlink.ServiceAccountCredentials, name: str) -> None:
    """Start, log in, link; where local files go."""
    assert "secret" not in repr(credentials) and credentials.key_id in repr(credentials)
    with tempfile.TemporaryDirectory() as folder:
        daemon = lucidlink.create_daemon(
            config={"fs.cache.size": "64"}, sandboxed=False, persist_files=True, root_path=Path(folder)
        )
        daemon.start()
        workspace = daemon.authenticate(credentials)
        infos: list[FilespaceInfo] = workspace.list_filespaces()
        info = next(each for each in infos if each.name == name)
        print(f"workspace {workspace.name} ({workspace.id}): {info.name} since {info.created}")
        filespace = workspace.link_filespace(id=info.id, root_path="/", sync_mode=SyncMode.SYNC_NONE)
        assert filespace.full_name == f"{filespace.name}.{filespace.workspace_name}"
        assert filespace.workspace_id == workspace.id and workspace.linked_filespaces == [filespace]
        status: DaemonStatus = daemon.get_status()
        assert status.is_running and status.is_authenticated and status.is_linked and status.root_path == folder
        filespace.sync_all()
        filespace.unlink()
        workspace.stop()
        daemon.stop()
        assert not daemon.is_running() and (Path(folder) / ".lucid").is_dir()
    config = StorageConfig(StorageMode.PHYSICAL, persist_on_exit=True, root_path="/srv/cache")
    assert config.get_root_path() == Path("/srv/cache") and not config.should_cleanup()
    lucidlink.Daemon(config=None, storage=StorageConfig(mode=StorageMode.SANDBOXED))


def files(fs: lucidlink.Filesystem) -> None:
    """Whole files, entries, sizes."""
    path = FOLDER / "hello.txt"
    fs.write_file(path, b"Hello, world!")
    assert fs.read_file(path) == b"Hello, world!"
    assert fs.file_exists(path) and not fs.dir_exists(path)
    entry: DirEntry = fs.get_entry(path)
    assert (entry.name, entry.size, entry.type, entry.file_id_external) == ("hello.txt", 13, "file", 0)
    assert entry.is_file() and not entry.is_dir() and not entry.is_link() and entry.ctime <= entry.mtime
    fs.truncate(path, 5)
    fs.move(path, FOLDER / "moved.txt")
    fs.create_symlink("moved.txt", FOLDER / "link")
    assert fs.read_symlink(FOLDER / "link") == "moved.txt"
    assert fs.read_file(FOLDER / "link") == b"Hello"
    fs.delete(FOLDER / "link")
    size: FilespaceSize = fs.get_size()
    statistics: FilespaceStatistics = fs.get_statistics()
    assert size.data == statistics.data_size and statistics.file_count >= 1


def folders(fs: lucidlink.Filesystem) -> None:
    """Listing, making, removing."""
    fs.create_dir(FOLDER / "projects" / "2026")
    assert fs.list_dir(FOLDER / "projects") == ["2026"]
    entries: list[DirEntry] = fs.read_dir(FOLDER)
    for entry in entries:
        print(f"{entry.type:4} {entry.size:8} {entry.name}")
    fs.delete_dir(FOLDER / "projects" / "2026")
    fs.delete_dir(FOLDER / "made", recursive=True)


def streams(fs: lucidlink.Filesystem) -> None:
    """Binary streams, buffered and raw."""
    path = FOLDER / "output.dat"
    block = os.urandom(1024 * 1024)
    with fs.open(path, "wb") as writer:
        for _ in range(3):
            writer.write(block)
        writer.flush()  # everybody sees it from here on
    with fs.open(path, "rb", buffering=8192) as reader:
        assert b"".join(iter(lambda: reader.read(4096), b"")) == block * 3
        reader.seek(-4, io.SEEK_END)
        assert reader.read() == block[-4:] and reader.tell() == len(block) * 3
    with fs.open(path, "rb", buffering=0) as raw:
        stream: lucidlink.LucidFileStream = raw
        target = bytearray(10)
        assert stream.readinto(target) == 10 and stream.readable() and stream.seekable() and not stream.isatty()
        assert (stream.name, stream.mode, stream.closed) == (str(path), "rb", False)
        stream.refresh()
    with fs.open(path, "r+b") as update:
        update.truncate(4)
        update.seek(0)
        update.write(b"abcd")
    with lucidlink.open_buffered(fs, path, "ab", buffer_size=65536) as append:
        append.write(b"efgh")
    unwanted = fs.open(path, "wb")
    unwanted.write(b"never seen")
    unwanted.abort()
    with fs.open_legacy(path, "r") as handle:
        assert handle.read(2, offset=6) == b"gh" and handle.path == str(path) and handle.mode == "r"
    with fs.open_legacy(path, "r+") as handle:
        assert handle.write(b"X", offset=0) == 1 and not handle.closed


def text(fs: lucidlink.Filesystem) -> None:
    """Text streams."""
    path = FOLDER / "document.txt"
    with fs.open(path, "w", encoding="utf-8", newline="\n") as writer:
        writer.write("first\nsecond\n")
    with fs.open(path, "rt", errors="strict") as reader:
        assert [line.strip() for line in reader] == ["first", "second"]
    with fs.open(path, "a", buffering=1) as log:
        log.write("each line shows at once\n")
    with lucidlink.open_text(fs, path, encoding="utf-8") as reader:
        assert len(reader.readlines()) == 3


def locks(fs: lucidlink.Filesystem) -> None:
    """Locks on open, and on byte ranges."""
    path = FOLDER / "shared.db"
    fs.write_file(path, b"0" * 100)
    with fs.open(path, "r+b", lock_type="exclusive", lock_timeout=5.0) as stream:
        held: list[LockInfo] = fs.list_locks(path)
        assert [(lock.lock_type, lock.account != "") for lock in held] == [("exclusive", True)]
        stream.write(b"1")
    with fs.open(path, "r+b") as stream:
        assert fs.lock_byte_range(stream, 0, 10, "shared")
        other = fs.create(FOLDER / "handle")
        assert fs.lock_byte_range(other, 0, 10, lock_type="exclusive", blocking=False)
        assert fs.lock_byte_range(stream.handle_id, 50, 10, lock_timeout=1.0)
        fs.unlock_byte_range(stream, 0, 5)
        fs.unlock_all_byte_ranges(stream)
        fs.close(other)


def durability(filespace: lucidlink.Filespace) -> None:
    """What is durable."""
    filespace.fs.write_file(FOLDER / "important", b"data")
    filespace.wait_durable(timeout=30)
    pending: Pending = filespace.pending
    assert (pending.files, pending.bytes) == (0, 0)


def external(filespace: lucidlink.Filespace) -> None:
    """External files: the names are there, this release cannot link them."""
    config = lucidlink.S3DataStoreConfig(
        access_key="AKIA", secret_key="hidden", bucket_name="bucket", region="us-east-1", url_expiration_minutes=4320
    )
    assert "hidden" not in repr(config)
    try:
        filespace.connect.add_data_store("store", config)
    except RuntimeError as error:
        print(f"connect: {error}")


def later_names(credentials: lucidlink.ServiceAccountCredentials, name: str) -> None:
    """The same under the names of later releases."""
    with lucidlink.Client(
        storage=StorageConfig(StorageMode.EPHEMERAL), config=ClientConfig(fs_cache_size_mb=64)
    ) as client:
        client.login(credentials)
        assert client.is_logged_in
        found = client.list_workspaces()[0]
        assert client.get_workspace(found.id) is client.workspace and found.name == client.workspace.name
        filespace = client.workspace.link_filespace(name=name)
        tools = lucidlink.FsUtils(filespace.file_system)
        tools.write_bytes("/by-client", b"data")
        assert tools.read_bytes("/by-client") == b"data"
        filespace.file_system.delete("/by-client")
        filespace.sync()
        assert filespace.is_linked


def errors(credentials: lucidlink.ServiceAccountCredentials, name: str) -> None:
    """What can go wrong, and as which exception it shows."""
    with lucidlink.create_daemon() as daemon:
        workspace = daemon.authenticate(credentials)
        filespace = workspace.link_filespace(name=name)
        try:
            filespace.fs.read_file("/no such file")
        except FileNotFoundError as error:
            print(f"{error.errno}: {error.strerror}: {error.filename}")
        try:
            workspace.link_filespace(name=name, root_path="/elsewhere")
        except lucidlink.FilespaceAlreadyLinkedError as error:
            assert error.filespace_id == filespace.id
        try:
            workspace.link_filespace(name="no-such-filespace")
        except lucidlink.FilespaceError as error:
            print(error)
        filespace.unlink()
        try:
            filespace.fs.list_dir("/")
        except lucidlink.LucidLinkError as error:
            print(error)
    for config in ({"fs.cache.size": "none"}, {"no.such.option": "1"}):
        try:
            lucidlink.create_daemon(config)
        except lucidlink.ConfigurationError as error:
            print(error)


if __name__ == "__main__":
    main(os.environ["LUCIDLINK_TOKEN"], sys.argv[1])
