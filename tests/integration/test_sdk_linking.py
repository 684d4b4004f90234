"""Daemons, clients, workspaces, linking and unlinking against a real hub, with every error."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import lucidlink
from lucidfs.crypto.token import Token
from lucidfs.testing.hubs import new_hub
from tests.sdk import World, refused


def test_workspace(shared: World) -> None:
    with shared.daemon() as daemon:
        workspace = daemon.authenticate(shared.credentials())
        assert workspace.name == "demo"
        assert len(workspace.id) == 16
        assert daemon.get_status().is_authenticated
        infos = workspace.list_filespaces()
        assert [info.name for info in infos] == ["data"]
        created = datetime.fromisoformat(infos[0].created)
        assert created.tzinfo is not None
        assert abs((datetime.now(timezone.utc) - created).total_seconds()) < 3600
        assert workspace.linked_filespaces == []
        by_name = workspace.link_filespace(name="data")
        assert daemon.get_status().is_linked
        assert workspace.link_filespace(id=infos[0].id) is by_name
        assert workspace.link_filespace(name="data.demo") is by_name
        assert workspace.linked_filespaces == [by_name]
        assert (by_name.id, by_name.name, by_name.full_name) == (infos[0].id, "data", "data.demo")
        assert (by_name.workspace_id, by_name.workspace_name) == (workspace.id, "demo")
        assert by_name.file_system is by_name.fs
        by_name.sync()
        by_name.unlink()
        by_name.unlink()
        assert not by_name.is_linked
        assert workspace.linked_filespaces == []
        assert not daemon.get_status().is_linked
        again = workspace.link_filespace(name="data")
        assert again is not by_name
        workspace.stop()
        workspace.stop()
        assert not again.is_linked
        with pytest.raises(RuntimeError):
            workspace.list_filespaces()
        with pytest.raises(RuntimeError):
            workspace.link_filespace(name="data")


def test_several_filespaces_at_once(shared: World) -> None:
    with shared.daemon() as daemon:
        workspace = daemon.authenticate(shared.credentials("admin"))
        data, other = (workspace.link_filespace(name=name) for name in ("data", "other"))
        assert {each.name for each in workspace.linked_filespaces} == {"data", "other"}
        data.fs.write_file("/only-in-data", b"1")
        assert not other.fs.file_exists("/only-in-data")
        data.fs.delete("/only-in-data")


def test_linking_again_otherwise(shared: World) -> None:
    with shared.daemon() as daemon:
        workspace = daemon.authenticate(shared.credentials())
        linked = workspace.link_filespace(name="data")
        otherwise: list[dict[str, Any]] = [{"root_path": "/else"}, {"sync_mode": lucidlink.SyncMode.SYNC_NONE}]
        for options in otherwise:
            with pytest.raises(lucidlink.FilespaceAlreadyLinkedError) as raised:
                workspace.link_filespace(name="data", **options)
            assert raised.value.filespace_id == linked.id


def test_link_errors(shared: World) -> None:
    with shared.daemon() as daemon:
        workspace = daemon.authenticate(shared.credentials())
        link = workspace.link_filespace
        for name, number in ((None, None), ("data", "0" * 16)):
            with pytest.raises(ValueError):
                link(name, number)
        with pytest.raises(ValueError):
            workspace.link_filespace(name="data", sync_mode="all")  # type: ignore[arg-type]
        for asked in ("nothing", "other"):
            error = refused(FileNotFoundError, errno.ENOENT, asked, partial(link, name=asked))
            assert isinstance(error, lucidlink.FilespaceError)
        for asked in ("0" * 15 + "1", "no id"):
            refused(FileNotFoundError, errno.ENOENT, asked, partial(link, id=asked))
        refused(FileNotFoundError, errno.ENOENT, "/missing", lambda: link(name="data", root_path="/missing"))
        with workspace.link_filespace(name="data") as filespace:
            filespace.fs.write_file("/plain", b"")
        refused(NotADirectoryError, errno.ENOTDIR, "/plain", lambda: link(name="data", root_path="/plain"))
        number = filespace.id
        stranger = daemon.authenticate(shared.credentials("stranger"))
        assert stranger.list_filespaces() == []
        error = refused(PermissionError, errno.EACCES, number, lambda: stranger.link_filespace(id=number))
        assert isinstance(error, lucidlink.FilespaceError)


def test_bad_token(shared: World) -> None:
    token = Token.generate(os.urandom).text()
    with shared.daemon() as daemon:
        with pytest.raises(lucidlink.AuthenticationError) as raised:
            daemon.authenticate(lucidlink.ServiceAccountCredentials(token))
        assert isinstance(raised.value, PermissionError)
        assert raised.value.errno == errno.EACCES
        assert token.rpartition(":")[2] not in str(raised.value)
        assert not daemon.get_status().is_authenticated


def test_stopped_daemon(shared: World) -> None:
    daemon = shared.daemon()
    daemon.start()
    workspace = daemon.authenticate(shared.credentials())
    filespace = workspace.link_filespace(name="data")
    fs = filespace.fs
    daemon.stop()
    assert not filespace.is_linked
    for call in (workspace.list_filespaces, lambda: workspace.link_filespace(name="data")):
        with pytest.raises(RuntimeError):
            call()
    with pytest.raises(lucidlink.FilespaceError):
        fs.read_dir("/")
    daemon.start()
    assert daemon.authenticate(shared.credentials()).link_filespace(name="data").fs.dir_exists("/")
    daemon.stop()


def test_everything_raises_after_unlink(shared: World) -> None:
    with shared.linked() as filespace:
        fs = filespace.fs
        fs.write_file("/before-unlink", b"content")
        stream = fs.open("/before-unlink")
    calls: list[Callable[[], object]] = [
        lambda: filespace.fs,
        lambda: filespace.connect,
        lambda: filespace.pending,
        filespace.sync_all,
        filespace.wait_durable,
        filespace.__enter__,
        lambda: fs.open("/before-unlink"),
        lambda: fs.read_file("/before-unlink"),
        lambda: fs.write_file("/a", b""),
        lambda: fs.read_dir("/"),
        lambda: fs.list_dir("/"),
        lambda: fs.create_dir("/a"),
        lambda: fs.file_exists("/a"),
        lambda: fs.get_entry("/"),
        lambda: fs.move("/a", "/b"),
        lambda: fs.create("/a"),
        lambda: fs.close(1),
        fs.get_size,
        stream.read,
    ]
    for call in calls:
        with pytest.raises(lucidlink.FilespaceError, match="data"):
            call()
    stream.close()


def test_root_path_is_the_root(shared: World, fs: lucidlink.Filesystem, home: str) -> None:
    fs.create_dir(f"{home}/inner/deep")
    fs.write_file(f"{home}/outside", b"")
    fs.create_symlink("/deep", f"{home}/inner/absolute")
    fs.create_symlink("../outside", f"{home}/inner/escape")
    with shared.linked(root_path=f"{home}/inner") as filespace:
        assert filespace.root_path == f"{home}/inner"
        assert filespace.fs.list_dir("/") == ["absolute", "deep", "escape"]
        assert filespace.fs.dir_exists("/absolute")
        assert not filespace.fs.file_exists("/escape")
        with pytest.raises(OSError):
            filespace.fs.read_file("/../outside")
        filespace.fs.write_file("/deep/file", b"through")
    assert fs.read_file(f"{home}/inner/deep/file") == b"through"


def test_client(shared: World) -> None:
    config = lucidlink.ClientConfig(hub_url=shared.hub.url, fs_cache_size_mb=8)
    with lucidlink.Client(config=config) as client:
        workspace = client.login(shared.credentials())
        assert client.is_logged_in
        assert client.workspace is workspace
        assert client.list_workspaces() == [lucidlink.WorkspaceInfo(workspace.id, "demo")]
        assert client.get_workspace(workspace.id) is workspace
        with pytest.raises(lucidlink.ClientError):
            client.get_workspace("0" * 16)
        filespace = workspace.link_filespace(name="data")
        tools = lucidlink.FsUtils(filespace.file_system)
        tools.write_bytes("/by-client", b"content")
        assert tools.read_bytes("/by-client") == b"content"
        client.login(shared.credentials("second"))
        assert not filespace.is_linked
    assert not client.is_logged_in


def test_storage_of_a_daemon(shared: World, tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    for persist in (False, True):
        daemon = lucidlink.create_daemon({"hub.url": shared.hub.url}, False, persist, tmp_path)
        with daemon:
            filespace = daemon.authenticate(shared.credentials()).link_filespace(name="data")
            assert daemon.get_status().root_path == str(tmp_path)
            assert (tmp_path / ".lucid" / filespace.id).is_dir()
        assert (tmp_path / ".lucid").exists() == persist
    assert (tmp_path / "mine").exists()


def test_many_daemons_in_one_process(shared: World) -> None:
    daemons = [shared.daemon() for _ in range(4)]
    linked = []
    for daemon in daemons:
        daemon.start()
        linked.append(daemon.authenticate(shared.credentials()).link_filespace(name="data"))
    assert len({daemon.get_status().root_path for daemon in daemons}) == 4
    linked[0].fs.write_file("/seen-by-all", b"now")
    assert [each.fs.read_file("/seen-by-all") for each in linked] == [b"now"] * 4
    daemons[0].stop()
    assert linked[1].fs.read_file("/seen-by-all") == b"now"
    for daemon in daemons:
        daemon.stop()


def test_durability(filespace: lucidlink.Filespace, home: str) -> None:
    filespace.fs.write_file(f"{home}/file", b"x" * 1_000_000)
    filespace.wait_durable()
    filespace.wait_durable(timeout=60)
    assert filespace.pending == lucidlink.Pending(0, 0)
    filespace.sync_all()
    with pytest.raises(ValueError):
        filespace.wait_durable(-1)


def test_unlink_without_sync(shared: World) -> None:
    with shared.daemon() as daemon:
        workspace = daemon.authenticate(shared.credentials())
        filespace = workspace.link_filespace(name="data", sync_mode=lucidlink.SyncMode.SYNC_NONE)
        assert filespace.sync_mode is lucidlink.SyncMode.SYNC_NONE
        filespace.fs.write_file("/unsynced", b"all the same")
        filespace.unlink()
    with shared.linked("second") as other:
        assert other.fs.read_file("/unsynced") == b"all the same"


def test_connect_is_here(filespace: lucidlink.Filespace) -> None:
    assert filespace.connect.are_data_stores_available()
    assert filespace.connect.list_data_stores() == []


def test_no_hub(tmp_path: Path) -> None:
    hub, token = new_hub(tmp_path)
    hub.stop()
    with lucidlink.create_daemon({"hub.url": hub.url}) as daemon:
        with pytest.raises(ConnectionError) as raised:
            daemon.authenticate(lucidlink.ServiceAccountCredentials(token))
        assert raised.value.filename == hub.url
        assert raised.value.errno
