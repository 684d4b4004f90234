"""Options, storage, credentials, models and exceptions: what they take, refuse, hide and how they travel."""

from __future__ import annotations

import copy
import errno
import os
import pickle
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import pytest

import lucidlink
from lucidfs.crypto.token import Token
from lucidfs.errors import Code, Fault
from lucidlink import connect_models, exceptions, storage
from lucidlink._folder import LocalFolder
from lucidlink._modes import check_timeout, open_lock, range_lock
from lucidlink._options import read_options
from lucidlink._paths import path_text, to_builtin

TOKEN = Token.generate(os.urandom)

# --- the surface -----------------------------------------------------------------------------------------------------


def test_every_name_is_there() -> None:
    for name in lucidlink.__all__:
        assert getattr(lucidlink, name) is not None
    assert sorted(lucidlink.__all__) == lucidlink.__all__


def test_importing_stays_light() -> None:
    """The SDK starts without what only the hub and the command line need."""
    program = (
        "import sys, lucidlink; print(sorted({'aiohttp', 'apsw', 'typer', 'prometheus_client'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


# --- options ---------------------------------------------------------------------------------------------------------


def test_options_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LUCIDLINK_HUB", raising=False)
    options = read_options(None)
    assert (options.hub_url, options.allow_plaintext) == ("http://127.0.0.1:7117", False)
    assert options.cache_bytes == 1024 * 1024 * 1024


def test_option_outranks_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUCIDLINK_HUB", "http://127.0.0.1:1")
    assert read_options({}).hub_url == "http://127.0.0.1:1"
    assert read_options({"hub.url": "https://hub.example.com/"}).hub_url == "https://hub.example.com"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("fs.cache.size", "0"),
        ("fs.cache.size", "-1"),
        ("fs.cache.size", "1.5"),
        ("fs.cache.size", "many"),
        ("fs.cache.size", ""),
        ("fs.cache.size", "99999999"),
        ("hub.url", ""),
        ("hub.url", "hub.example.com"),
        ("hub.url", "ftp://hub.example.com"),
        ("hub.url", "http://hub:port"),
        ("hub.allow_plaintext", "maybe"),
        ("no.such.option", "1"),
    ],
)
def test_bad_options_are_named(key: str, value: str) -> None:
    with pytest.raises(lucidlink.ConfigurationError, match=key) as raised:
        lucidlink.create_daemon({key: value})
    assert isinstance(raised.value, ValueError)


def test_options_are_strings() -> None:
    with pytest.raises(lucidlink.ConfigurationError, match=r"fs\.cache\.size"):
        lucidlink.create_daemon({"fs.cache.size": 5})  # type: ignore[dict-item]
    with pytest.raises(lucidlink.ConfigurationError, match="config"):
        lucidlink.create_daemon("fs.cache.size=5")  # type: ignore[arg-type]


def test_environment_is_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUCIDLINK_HUB", "nonsense")
    with pytest.raises(lucidlink.ConfigurationError, match="LUCIDLINK_HUB"):
        lucidlink.create_daemon()


def test_contradictory_flags() -> None:
    with pytest.raises(lucidlink.ConfigurationError, match="persist_files"):
        lucidlink.create_daemon(persist_files=True)
    with pytest.raises(lucidlink.ConfigurationError, match="root_path"):
        lucidlink.create_daemon(root_path="/somewhere")
    with pytest.raises(lucidlink.ConfigurationError, match="root_path"):
        lucidlink.create_daemon(sandboxed=False, root_path=5)  # type: ignore[arg-type]


def test_plaintext_to_another_machine_must_be_asked_for() -> None:
    with lucidlink.create_daemon({"hub.url": "http://hub.example.com"}) as daemon:
        with pytest.raises(PermissionError, match=r"hub\.allow_plaintext"):
            daemon.authenticate(lucidlink.ServiceAccountCredentials(TOKEN.text()))


# --- storage ---------------------------------------------------------------------------------------------------------


def test_storage_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = lucidlink.StorageConfig()
    assert config.mode is lucidlink.StorageMode.SANDBOXED
    assert config.should_cleanup()
    assert config.get_root_path() == Path(tempfile.gettempdir())
    physical = lucidlink.StorageConfig(lucidlink.StorageMode.PHYSICAL, root_path=tmp_path)
    assert physical.should_cleanup()
    assert physical.get_root_path() == tmp_path
    monkeypatch.chdir(tmp_path)
    kept = lucidlink.StorageConfig(lucidlink.StorageMode.PERSISTENT, persist_on_exit=True)
    assert not kept.should_cleanup()
    assert kept.get_root_path() == tmp_path
    assert storage.StorageMode["EPHEMERAL"] is storage.StorageMode.SANDBOXED
    assert [mode.value for mode in storage.StorageMode] == ["sandboxed", "physical"]


def test_sandbox_is_private_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = LocalFolder(lucidlink.StorageConfig())
    inner = folder.of_filespace("0" * 16)
    assert inner == folder.root / ".lucid" / ("0" * 16)
    assert folder.root.stat().st_mode & 0o777 == inner.stat().st_mode & 0o777 == 0o700
    folder.remove()
    folder.remove()
    assert list(tmp_path.iterdir()) == []


def test_physical_folder_removes_only_its_own(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    config = lucidlink.StorageConfig(lucidlink.StorageMode.PHYSICAL, root_path=tmp_path)
    first, second = LocalFolder(config), LocalFolder(config)
    shared = first.of_filespace("a" * 16)
    assert second.of_filespace("a" * 16) == shared
    second.of_filespace("b" * 16)
    first.remove()
    assert shared.is_dir()
    second.remove()
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_persistent_folder_stays(tmp_path: Path) -> None:
    folder = LocalFolder(lucidlink.StorageConfig(lucidlink.StorageMode.PHYSICAL, True, tmp_path / "new" / "root"))
    inner = folder.of_filespace("a" * 16)
    folder.remove()
    assert inner.is_dir()


def test_daemon_that_cannot_make_its_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    daemon = lucidlink.create_daemon(sandboxed=False, root_path=tmp_path / "file")
    with pytest.raises(lucidlink.DaemonError):
        daemon.start()
    assert not daemon.is_running()


# --- a daemon without a hub ------------------------------------------------------------------------------------------


def test_daemon_life() -> None:
    daemon = lucidlink.create_daemon()
    assert not daemon.is_running()
    daemon.stop()
    with pytest.raises(lucidlink.DaemonError):
        daemon.authenticate(lucidlink.ServiceAccountCredentials(TOKEN.text()))
    daemon.start()
    daemon.start()
    status = daemon.get_status()
    assert (status.is_running, status.is_authenticated, status.is_linked) == (True, False, False)
    assert Path(status.root_path).is_dir()
    with pytest.raises(TypeError):
        daemon.authenticate(TOKEN.text())  # type: ignore[arg-type]
    daemon.stop()
    daemon.stop()
    assert not Path(status.root_path).exists()
    assert not daemon.get_status().is_running
    with daemon as entered:
        assert entered is daemon
        assert daemon.is_running()
    assert not daemon.is_running()


def test_client_life() -> None:
    with lucidlink.Client(config=lucidlink.ClientConfig(fs_cache_size_mb=5)) as client:
        assert not client.is_logged_in
        for use in (lambda: client.workspace, client.list_workspaces, lambda: client.get_workspace("0" * 16)):
            with pytest.raises(lucidlink.ClientError):
                use()
    client.close()
    with pytest.raises(lucidlink.ClientError, match="closed"):
        client.login(lucidlink.ServiceAccountCredentials(TOKEN.text()))
    for bad in (lucidlink.ClientConfig(fs_cache_size_mb=0), lucidlink.ClientConfig(hub_url="x")):
        with pytest.raises(lucidlink.ConfigurationError):
            lucidlink.Client(config=bad)


# --- credentials -----------------------------------------------------------------------------------------------------


def test_credentials_hide_the_secret() -> None:
    credentials = lucidlink.ServiceAccountCredentials(token=TOKEN.text())
    secret = TOKEN.text().rpartition(":")[2]
    assert secret not in repr(credentials) + str(credentials)
    assert TOKEN.key_id in repr(credentials)
    assert credentials.token == TOKEN.text()
    assert pickle.loads(pickle.dumps(credentials)) == credentials
    assert copy.deepcopy(credentials) == credentials
    assert hash(credentials) == hash(lucidlink.ServiceAccountCredentials(TOKEN.text()))
    with pytest.raises(AttributeError):
        credentials.other = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "token", ["", "  ", "sa_live", "sa_live:only", "sa_live:0123456789abcdef:SECRETSECRET", "x" * 80]
)
def test_malformed_tokens(token: str) -> None:
    with pytest.raises(ValueError) as raised:
        lucidlink.ServiceAccountCredentials(token)
    assert "SECRET" not in "".join(traceback.format_exception(raised.value)[-1:])


def test_token_is_text() -> None:
    with pytest.raises(TypeError):
        lucidlink.ServiceAccountCredentials(None)  # type: ignore[arg-type]


# --- models ----------------------------------------------------------------------------------------------------------

S3 = connect_models.S3DataStoreConfig("AK", "hush", "bucket", "eu-west-1")
INFO = connect_models.DataStoreInfo("store", "AK", "hush", "bucket", "eu-west-1", "", 10080, False)

VALUES: list[object] = [
    lucidlink.DirEntry("a", 1, "file", 2, 0, 3.0, 4.0),
    lucidlink.FilespaceInfo("0" * 16, "a", "2026-01-01T00:00:00+00:00"),
    lucidlink.FilespaceSize(1, 2, 3, 4, 5),
    lucidlink.FilespaceStatistics(1, 2, 3, 4, 5, 6, 7, 8),
    lucidlink.LockInfo(1, "a", "shared", 0, 0, False, 1.0, 2),
    lucidlink.Pending(1, 2),
    lucidlink.SyncMode.SYNC_ALL,
    lucidlink.StorageConfig(),
    lucidlink.ClientConfig(),
    lucidlink.WorkspaceInfo("0" * 16, "demo"),
    lucidlink.DaemonStatus(True, True, False, "/tmp"),
    S3,
    INFO,
    connect_models.S3Credentials("AK", "hush"),
    connect_models.LinkedFilesResult(["/a"], ["1"], False),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_models_pickle(value: object) -> None:
    assert pickle.loads(pickle.dumps(value)) == value
    assert "hush" not in repr(value)


def test_dir_entry_kinds() -> None:
    kinds = {kind: lucidlink.DirEntry("a", 0, kind, 1, 0, 0.0, 0.0) for kind in ("file", "dir", "link", "unknown")}
    assert [kind for kind, entry in kinds.items() if entry.is_file()] == ["file"]
    assert [kind for kind, entry in kinds.items() if entry.is_dir()] == ["dir"]
    assert [kind for kind, entry in kinds.items() if entry.is_link()] == ["link"]


def test_sync_modes() -> None:
    assert (lucidlink.SyncMode("all"), lucidlink.SyncMode("none")) == (
        lucidlink.SyncMode.SYNC_ALL,
        lucidlink.SyncMode.SYNC_NONE,
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"access_key": ""},
        {"secret_key": ""},
        {"bucket_name": ""},
        {"region": ""},
        {"endpoint": "minio:9000"},
        {"url_expiration_minutes": 4319},
        {"url_expiration_minutes": 10081},
    ],
    ids=str,
)
def test_data_store_config_refuses(wrong: dict[str, object]) -> None:
    given = {"access_key": "AK", "secret_key": "hush", "bucket_name": "bucket", "region": "eu", **wrong}
    with pytest.raises(ValueError, match=next(iter(wrong))) as raised:
        lucidlink.S3DataStoreConfig(**given)  # type: ignore[arg-type]
    assert "hush" not in str(raised.value)


def test_data_store_info_from_dict() -> None:
    told = {"name": "store", "access_key": "AK", "kind": "S3DataStore", "rekey_state": "in_progress", "later": 1}
    info = lucidlink.DataStoreInfo.from_dict(told)
    assert (info.name, info.access_key, info.kind) == ("store", "AK", lucidlink.DataStoreKind.S3)
    assert info.rekey_state is lucidlink.DataStoreRekeyState.IN_PROGRESS
    for wrong in ({}, {"name": "a", "kind": "tape"}):
        with pytest.raises(ValueError):
            lucidlink.DataStoreInfo.from_dict(wrong)


def test_filespace_that_was_not_linked() -> None:
    filespace = lucidlink.Filespace("1" * 16, "demo", "2" * 16, "data.demo")
    assert (filespace.name, filespace.full_name, filespace.is_linked) == ("data", "data.demo", False)
    assert (filespace.id, filespace.workspace_id, filespace.workspace_name) == ("2" * 16, "1" * 16, "demo")
    assert filespace.sync_mode is lucidlink.SyncMode.SYNC_ALL
    with pytest.raises(lucidlink.FilespaceError):
        _ = filespace.fs
    filespace.unlink()


# --- exceptions ------------------------------------------------------------------------------------------------------

CLASSES = [getattr(exceptions, name) for name in exceptions.__all__]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_exceptions_pickle(kind: type[Exception]) -> None:
    made = kind(errno.ENOENT, "text", "/path") if issubclass(kind, OSError) else kind("text")
    copied = pickle.loads(pickle.dumps(made))
    assert (type(copied), copied.args, str(copied)) == (kind, made.args, str(made))
    if isinstance(made, OSError):
        assert (copied.errno, copied.strerror, copied.filename) == (errno.ENOENT, "text", "/path")


def test_already_linked_carries_the_id() -> None:
    error = pickle.loads(pickle.dumps(lucidlink.FilespaceAlreadyLinkedError("linked", "0" * 16)))
    assert (error.filespace_id, str(error)) == ("0" * 16, "linked")


@pytest.mark.parametrize(
    ("kind", "bases"),
    [
        (lucidlink.AuthenticationError, (lucidlink.LucidLinkError, PermissionError)),
        (lucidlink.ConfigurationError, (lucidlink.LucidLinkError, ValueError)),
        (lucidlink.DaemonError, (lucidlink.LucidLinkError, RuntimeError)),
        (lucidlink.ClientError, (lucidlink.LucidLinkError,)),
        (lucidlink.FilespaceError, (lucidlink.LucidLinkError, RuntimeError)),
        (lucidlink.FilespaceNotFoundError, (lucidlink.FilespaceError, FileNotFoundError)),
        (lucidlink.FilespaceAccessError, (lucidlink.FilespaceError, PermissionError)),
        (lucidlink.FilespaceSyncError, (lucidlink.FilespaceError, OSError)),
        (lucidlink.FilespaceUnavailableError, (lucidlink.FilespaceSyncError, ConnectionError)),
        (lucidlink.FilespaceAlreadyLinkedError, (lucidlink.FilespaceError,)),
        (lucidlink.InvalidArgumentError, (OSError, ValueError)),
    ],
)
def test_exceptions_are_builtins_too(kind: type[Exception], bases: tuple[type[Exception], ...]) -> None:
    assert all(issubclass(kind, base) for base in bases)


@pytest.mark.parametrize("code", Code, ids=lambda code: code.name)
def test_every_fault_has_errno_and_filename(code: Code) -> None:
    error = to_builtin(Fault(code, "why"), "/a")
    assert error.errno
    assert (error.filename, error.filename2) == ("/a", None)
    moved = to_builtin(Fault(code, "why"), "/a", "/b")
    assert (type(moved), moved.errno, moved.filename, moved.filename2) == (type(error), error.errno, "/a", "/b")
    copied = pickle.loads(pickle.dumps(moved))
    assert (copied.filename, copied.filename2) == ("/a", "/b")


# --- arguments -------------------------------------------------------------------------------------------------------


def test_paths() -> None:
    assert path_text(Path("/a/b")) == "/a/b"
    for wrong in (b"/a", 5, None, ["a"]):
        with pytest.raises(TypeError):
            path_text(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError) as raised:
        path_text("/a\0b")
    assert isinstance(raised.value, OSError)
    assert (raised.value.errno, raised.value.filename) == (errno.EINVAL, "/a\0b")


def test_lock_names() -> None:
    assert open_lock("") is None
    assert open_lock("shared") is range_lock("shared") is range_lock("read")
    assert open_lock("exclusive") is range_lock("exclusive") is range_lock("write")
    for wrong in ("read", "SHARED", None):
        with pytest.raises(ValueError):
            open_lock(wrong)  # type: ignore[arg-type]
    for wrong in ("", "both", None):
        with pytest.raises(ValueError):
            range_lock(wrong)  # type: ignore[arg-type]


def test_lock_timeouts() -> None:
    assert check_timeout(None, 7.0) == 7.0
    assert check_timeout(0, 7.0) == 0.0
    for wrong in (-1, float("nan")):
        with pytest.raises(ValueError):
            check_timeout(wrong, 7.0)
