"""External files: S3 objects that show as read-only files. This release has the names; linking comes in a later one."""

from __future__ import annotations

from typing import NoReturn

from lucidlink.connect_models import DataStoreInfo, LinkedFilesResult, S3Credentials, S3DataStoreConfig


class ConnectManager:
    """Data stores and the files linked from them. Every call raises RuntimeError: not in this release."""

    def add_data_store(self, name: str, config: S3DataStoreConfig) -> DataStoreInfo:
        """Attach a bucket under a name."""
        self._unavailable()

    def get_data_store(self, name: str) -> DataStoreInfo | None:
        """A data store with its secret; None if there is none of this name."""
        self._unavailable()

    def list_data_stores(self) -> list[DataStoreInfo]:
        """All data stores, without secrets."""
        self._unavailable()

    def rekey_data_store(
        self,
        name: str,
        credentials: S3Credentials | None = None,
        *,
        new_access_key: str | None = None,
        new_secret_key: str | None = None,
    ) -> None:
        """Give a data store new credentials."""
        self._unavailable()

    def remove_data_store(self, name: str) -> None:
        """Detach a bucket."""
        self._unavailable()

    def are_data_stores_available(self) -> bool:
        """Whether data stores can be used on this filespace: not in this release."""
        return False

    def link_file(
        self, file_path: str, data_store_name: str, object_id: str, size: int | None = None, checksum: str = ""
    ) -> None:
        """Show an object as a file. Raises ValueError when only one of size and checksum is given."""
        if (size is None) != (not checksum):
            raise ValueError("size and checksum go together: give both, or neither")
        self._unavailable()

    def unlink_file(self, file_path: str) -> None:
        """Remove such a file; the object stays."""
        self._unavailable()

    def list_external_files(self, data_store_name: str, limit: int = 100, cursor: str = "") -> LinkedFilesResult:
        """A page of the files linked from a data store."""
        self._unavailable()

    def count_external_files(self, data_store_name: str) -> int:
        """How many files are linked from a data store."""
        self._unavailable()

    def link_http_file(self, file_path: str, url: str, *, size: int | None = None) -> None:
        """Show what a URL gives as a file."""
        self._unavailable()

    def update_http_file_url(self, file_path: str, new_url: str, *, size: int | None = None) -> None:
        """Give such a file another URL."""
        self._unavailable()

    def _unavailable(self) -> NoReturn:
        raise RuntimeError("Connect is not available: this release does not link external files yet")


__all__ = ["ConnectManager"]
