"""A shared cloud filesystem that programs use like a local disk.

    import lucidlink

    with lucidlink.create_daemon() as daemon:
        workspace = daemon.authenticate(lucidlink.ServiceAccountCredentials(token="sa_live:…"))
        with workspace.link_filespace(name="production-data") as filespace:
            with filespace.fs.open("/hello.txt", "w") as file:
                file.write("Hello")

What one client has closed, every client sees at once and whole. Errors are Python's own.
"""

from lucidlink.client import Client, ClientConfig, WorkspaceInfo
from lucidlink.connect import ConnectManager
from lucidlink.connect_models import (
    DataStoreInfo,
    DataStoreKind,
    DataStoreRekeyState,
    LinkedFilesResult,
    S3Credentials,
    S3DataStoreConfig,
)
from lucidlink.credentials import ServiceAccountCredentials
from lucidlink.daemon import Daemon, DaemonStatus, create_daemon
from lucidlink.exceptions import (
    AuthenticationError,
    ClientError,
    ConfigurationError,
    DaemonError,
    FilespaceAccessError,
    FilespaceAlreadyLinkedError,
    FilespaceError,
    FilespaceNotFoundError,
    FilespaceSyncError,
    FilespaceUnavailableError,
    InvalidArgumentError,
    LucidLinkError,
)
from lucidlink.filespace import Filespace
from lucidlink.filespace_models import FilespaceInfo, Pending, SyncMode
from lucidlink.filesystem import FileHandle, Filesystem, FsUtils
from lucidlink.filesystem_models import DirEntry, FilespaceSize, FilespaceStatistics, LockInfo
from lucidlink.storage import StorageConfig, StorageMode
from lucidlink.stream import LucidFileStream, open_buffered, open_text
from lucidlink.workspace import Workspace

__all__ = [
    "AuthenticationError",
    "Client",
    "ClientConfig",
    "ClientError",
    "ConfigurationError",
    "ConnectManager",
    "Daemon",
    "DaemonError",
    "DaemonStatus",
    "DataStoreInfo",
    "DataStoreKind",
    "DataStoreRekeyState",
    "DirEntry",
    "FileHandle",
    "Filespace",
    "FilespaceAccessError",
    "FilespaceAlreadyLinkedError",
    "FilespaceError",
    "FilespaceInfo",
    "FilespaceNotFoundError",
    "FilespaceSize",
    "FilespaceStatistics",
    "FilespaceSyncError",
    "FilespaceUnavailableError",
    "Filesystem",
    "FsUtils",
    "InvalidArgumentError",
    "LinkedFilesResult",
    "LockInfo",
    "LucidFileStream",
    "LucidLinkError",
    "Pending",
    "S3Credentials",
    "S3DataStoreConfig",
    "ServiceAccountCredentials",
    "StorageConfig",
    "StorageMode",
    "SyncMode",
    "Workspace",
    "WorkspaceInfo",
    "create_daemon",
    "open_buffered",
    "open_text",
]
