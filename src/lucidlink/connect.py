"""External files: objects of S3 buckets, or behind URLs, that show as read-only files. Not a byte of them is copied."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import fields
from functools import partial
from typing import Any, TypeVar

from lucidfs.engine import connect as engine_connect
from lucidfs.engine.connect import Connect
from lucidfs.errors import Code, Fault
from lucidfs.limits import LINKS_PAGE, LINKS_PER_REQUEST_MAX
from lucidfs.types import id_text, id_value
from lucidfs.wire.messages import DataStore
from lucidlink._link import Link
from lucidlink._paths import PathText, path_text
from lucidlink.connect_models import (
    DataStoreInfo,
    DataStoreKind,
    ExternalFile,
    LinkedFilesResult,
    LinkRequest,
    S3Credentials,
    S3DataStoreConfig,
)
from lucidlink.exceptions import ConnectConfigurationError, connect_error

T = TypeVar("T")

_FIELDS = {field.name for field in (*fields(S3DataStoreConfig), *fields(LinkRequest))} | {"name", "url"}


class ConnectManager:
    """Data stores, and the files that are linked from them. Made by `Filespace.connect`; any thread may use it.

    Data stores are administered with the role "admin" in the filespace, links with "write"; reading takes "read".
    Every method also raises RuntimeError when the filespace is not linked any more, or the hub has no data stores.

    Args:
        link: the filespace.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    # --- data stores ------------------------------------------------------------------------------------------------

    def add_data_store(self, name: str, config: S3DataStoreConfig) -> DataStoreInfo:
        """Attach a bucket under a name. S3 is asked once whether it answers to the keys, before anything is stored.

        Args:
            name: unique in the filespace.
            config: where the bucket is, and the keys to read it with.

        Returns:
            The data store, without its secret.

        Raises:
            ValueError: naming the field that is wrong, with what S3 answered; the name is empty.
            FileExistsError: the name is taken (also a RuntimeError).
            PermissionError: the account is no admin of the filespace (also a RuntimeError).
            TypeError: `config` is no S3DataStoreConfig.
        """
        _check_name(name)
        if not isinstance(config, S3DataStoreConfig):
            raise TypeError(f"config: expected an S3DataStoreConfig, not {type(config).__name__}")
        store = DataStore(
            0,
            name,
            config.access_key,
            config.bucket_name,
            config.region,
            config.endpoint,
            config.url_expiration_minutes,
            config.use_virtual_addressing,
        )
        made = self._call(lambda connect: connect.add(store, config.secret_key), checks=True)
        return _info(made)

    def get_data_store(self, name: str) -> DataStoreInfo | None:
        """A data store with its secret; None if there is none of this name.

        Raises:
            PermissionError: the account is no admin of the filespace (also a RuntimeError).
        """
        try:
            store, secret = self._call(lambda connect: connect.get(name))
        except FileNotFoundError:
            return None
        return _info(store, secret)

    def list_data_stores(self) -> list[DataStoreInfo]:
        """All data stores by name, without secrets."""
        return [_info(store) for store in self._call(lambda connect: connect.stores())]

    def rekey_data_store(
        self,
        name: str,
        credentials: S3Credentials | None = None,
        *,
        new_access_key: str | None = None,
        new_secret_key: str | None = None,
    ) -> None:
        """Give a data store new keys: S3 is asked whether they work, then everything that is signed is signed by them.

        Reads under way go on with the URLs that they have; when S3 refuses one of those they get a new one.

        Args:
            name: of the data store.
            credentials: both keys; or else:
            new_access_key, new_secret_key: the two, each for itself.

        Raises:
            ValueError: keys are missing, empty or given twice; S3 does not answer to them.
            FileNotFoundError: there is no such data store (also a RuntimeError).
        """
        if credentials is not None and (new_access_key is not None or new_secret_key is not None):
            raise ValueError("credentials: given together with new_access_key or new_secret_key")
        access_key = credentials.access_key if credentials is not None else new_access_key
        secret_key = credentials.secret_key if credentials is not None else new_secret_key
        for field, text in (("new_access_key", access_key), ("new_secret_key", secret_key)):
            if not text:
                raise ValueError(f"{field}: missing or empty")
        assert access_key is not None and secret_key is not None
        self._call(lambda connect: connect.rekey(name, access_key, secret_key), checks=True)

    def remove_data_store(self, name: str) -> None:
        """Detach a bucket; its objects stay.

        Raises:
            FileNotFoundError: there is no such data store (also a RuntimeError).
            RuntimeError: files are linked from it; the message says how many.
        """
        self._call(lambda connect: connect.remove(name))

    def are_data_stores_available(self) -> bool:
        """Whether the hub keeps data stores for this filespace."""
        try:
            self._call(lambda connect: connect.stores())
        except OSError as error:
            if getattr(error, "code", None) in (Code.UNSUPPORTED, Code.UNKNOWN_MESSAGE):
                return False
            raise
        return True

    # --- links ------------------------------------------------------------------------------------------------------

    def link_file(
        self,
        file_path: PathText,
        data_store_name: str,
        object_id: str,
        size: int | None = None,
        checksum: str = "",
    ) -> None:
        """Show an object as a file. Missing folders above it are made.

        Args:
            file_path: of the new file.
            data_store_name: where the object is.
            object_id: its key.
            size: bytes of the object. With `checksum` S3 is not asked.
            checksum: the object's ETag; it is read only while it has this one.

        Raises:
            ValueError: only one of size and checksum, or one that cannot be.
            FileExistsError: something has this path (also a RuntimeError, as the next).
            FileNotFoundError: there is no such data store or object.
            PermissionError: the account or the keys do not permit it.
        """
        path = path_text(file_path)
        wanted = _wanted(path, data_store_name, object_id, size, checksum)
        self._call(lambda connect: connect.link(wanted), path)

    def link_files(self, files: Iterable[LinkRequest | tuple[Any, ...]]) -> int:
        """Link many files, a thousand in one request.

        Args:
            files: `LinkRequest`s, or tuples of their fields in order; taken as they are needed.

        Returns:
            How many were linked.

        Raises:
            As `link_file`, for the first that is refused: those before it in the same thousand, and those after it,
            are linked all the same; of the thousands behind it none is.
        """
        count = 0
        requests = (_as_wanted(file) for file in files)
        while batch := list(itertools.islice(requests, LINKS_PER_REQUEST_MAX)):
            codes = self._call(partial(Connect.link_all, wanted=batch))
            count += codes.count(None)
            for wanted, code in zip(batch, codes, strict=True):
                if code is not None:
                    raise connect_error(engine_connect.refusal(code, wanted.path), wanted.path)
        return count

    def unlink_file(self, file_path: PathText) -> None:
        """Remove an external file; the object stays.

        Raises:
            FileNotFoundError: there is nothing at this path (also a RuntimeError, as the next).
            OSError: EINVAL: it is no external file.
        """
        path = path_text(file_path)
        self._call(lambda connect: connect.unlink(path), path)

    def list_external_files(self, data_store_name: str, limit: int = 100, cursor: str = "") -> LinkedFilesResult:
        """A page of the files that are linked from a data store, below the linked root.

        Pages stay right while files are linked and unlinked: what is there for the whole time is told once.

        Args:
            data_store_name: name of the data store.
            limit: at most so many files.
            cursor: of the page before; empty: from the start.

        Raises:
            ValueError: the limit is not positive, or the cursor is none of this method's.
            FileNotFoundError: there is no such data store (also a RuntimeError).
        """
        if limit < 1:
            raise ValueError(f"limit: expected at least 1, got {limit}")
        try:
            after = id_value(cursor) if cursor else 0
        except ValueError:
            raise ValueError(f"cursor: {cursor!r} is not a cursor of this method") from None
        found: list[engine_connect.LinkedFile] = []
        more = True
        while more and len(found) < limit:
            wanted = partial(
                Connect.page, store=data_store_name, after=after, limit=min(limit - len(found), LINKS_PAGE)
            )
            files, after, more = self._call(wanted)
            found += files
        paths, ids = [file.path for file in found], [id_text(file.node) for file in found]
        return LinkedFilesResult(paths, ids, more, id_text(after) if more else "")

    def iter_external_files(self, data_store_name: str) -> Iterator[ExternalFile]:
        """All files below the linked root that are linked from a data store, a thousand in one request.

        What is linked or unlinked meanwhile may be told or not. Raises as `list_external_files`.
        """
        after, more = 0, True
        while more:
            wanted = partial(Connect.page, store=data_store_name, after=after, limit=LINKS_PAGE)
            files, after, more = self._call(wanted)
            for file in files:
                yield ExternalFile(file.path, id_text(file.node), file.key, file.size, file.etag)

    def is_external(self, file_path: PathText) -> bool:
        """Whether there is an external file at a path."""
        path = path_text(file_path)
        return self._call(lambda connect: connect.is_external(path), path)

    def relink_file(
        self, file_path: PathText, object_id: str = "", size: int | None = None, checksum: str = ""
    ) -> None:
        """Let an external file be another object of its data store, or the same as it is now. One atomic change.

        Args:
            file_path: of the external file.
            object_id: the other object's key; empty: the same object, which was replaced.
            size, checksum: as for `link_file`.

        Raises:
            FileNotFoundError: there is nothing at this path, or no such object (also a RuntimeError, as the next).
            OSError: EINVAL: it is not linked from a data store.
            ValueError: only one of size and checksum, or one that cannot be.
        """
        path = path_text(file_path)
        if (size is None) != (not checksum):
            raise ValueError("size and checksum go together: give both, or neither")
        _check_size(size)
        self._call(lambda connect: connect.relink(path, object_id, size, checksum.strip('"')), path)

    def count_external_files(self, data_store_name: str) -> int:
        """How many files of the filespace are linked from a data store: a counter that is kept, not a walk.

        Raises:
            FileNotFoundError: there is no such data store (also a RuntimeError).
        """
        return self._call(lambda connect: connect.find(data_store_name)).links

    def link_http_file(self, file_path: PathText, url: str, *, size: int | None = None) -> None:
        """Show what a URL gives as a file.

        Args:
            file_path: of the new file; missing folders above it are made.
            url: http or https; its server must serve ranges and tell a length.
            size: bytes; None: the server is asked.

        Raises:
            ValueError: the URL cannot be used: the message says why.
            FileExistsError: something has this path (also a RuntimeError).
        """
        path = path_text(file_path)
        _check_size(size)
        self._call(lambda connect: connect.link_url(path, url, size), path)

    def update_http_file_url(self, file_path: PathText, new_url: str, *, size: int | None = None) -> None:
        """Give an HTTP link another URL.

        Args:
            file_path: of the file.
            new_url, size: as for `link_http_file`.

        Raises:
            FileNotFoundError: there is nothing at this path (also a RuntimeError, as the next).
            OSError: EINVAL: it is no HTTP link.
            ValueError: as `link_http_file`.
        """
        path = path_text(file_path)
        _check_size(size)
        self._call(lambda connect: connect.update_url(path, new_url, size), path)

    def _call(
        self, make: Callable[[Connect], Coroutine[Any, Any, T]], path: str | None = None, *, checks: bool = False
    ) -> T:
        """Run work of the engine; refusals become this module's exceptions.

        Args:
            make: the work.
            path: for messages.
            checks: what is refused is the configuration, whatever the reason was.
        """

        async def work(engine: Any) -> T | Fault:
            try:
                return await make(engine.connect)
            except Fault as fault:  # not yet a builtin: the code says more
                return fault

        result = self._link.call(work, path)
        if not isinstance(result, Fault):
            return result
        if checks and (field := engine_connect.field_at_fault(result)):
            text = result.message if result.message.startswith(f"{field}: ") else f"{field}: {result.message}"
            raise ConnectConfigurationError(text)
        if result.message.partition(":")[0] in _FIELDS:
            raise ConnectConfigurationError(result.message)
        raise connect_error(result, path)


def _wanted(path: str, store: str, key: str, size: int | None, checksum: str) -> engine_connect.Link:
    if (size is None) != (not checksum):
        raise ValueError("size and checksum go together: give both, or neither")
    _check_size(size)
    if not isinstance(key, str) or not key:
        raise ValueError("object_id: empty")
    return engine_connect.Link(path, store, key, size, checksum.strip('"'))


def _as_wanted(file: LinkRequest | tuple[Any, ...]) -> engine_connect.Link:
    request = file if isinstance(file, LinkRequest) else LinkRequest(*file)
    return _wanted(
        path_text(os.fspath(request.file_path)),
        request.data_store_name,
        request.object_id,
        request.size,
        request.checksum,
    )


def _check_size(size: int | None) -> None:
    if size is not None and (not isinstance(size, int) or size < 0):
        raise ValueError(f"size: expected bytes from 0 up, got {size!r}")


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not name.strip():
        raise ValueError("name: empty")


def _info(store: DataStore, secret: str = "") -> DataStoreInfo:
    return DataStoreInfo(
        store.name,
        store.access_key,
        secret,
        store.bucket,
        store.region,
        store.endpoint,
        store.url_minutes,
        store.virtual,
        DataStoreKind.S3,
        store.key_id,
    )


__all__ = ["ConnectManager"]
