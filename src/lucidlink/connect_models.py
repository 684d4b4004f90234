"""Values of Connect: data stores and the files linked from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

_EXPIRATION_MINUTES_MIN = 4320  # three days
_EXPIRATION_MINUTES_MAX = 10080  # a week, the longest that S3 signs for


class DataStoreKind(Enum):
    """What a data store is."""

    S3 = "S3DataStore"


class DataStoreRekeyState(Enum):
    """Whether new credentials are on their way."""

    NO_REKEY = "no_rekey"
    IN_PROGRESS = "in_progress"


@dataclass(frozen=True)
class S3DataStoreConfig:
    """An S3 bucket to attach.

    Args:
        access_key: id of the access key.
        secret_key: its secret; not shown by `repr`.
        bucket_name: name of the bucket.
        region: region, such as "us-east-1".
        endpoint: full URL of an S3 service, or empty for AWS.
        url_expiration_minutes: life of signed URLs, 4320 to 10080.
        use_virtual_addressing: bucket in the host name instead of the path.

    Raises:
        ValueError: a part that must be there is empty, or out of range.
    """

    access_key: str
    secret_key: str = field(repr=False)
    bucket_name: str
    region: str
    endpoint: str = ""
    url_expiration_minutes: int = _EXPIRATION_MINUTES_MAX
    use_virtual_addressing: bool = False

    def __post_init__(self) -> None:
        for name in ("access_key", "secret_key", "bucket_name", "region"):
            if not getattr(self, name):
                raise ValueError(f"{name}: empty")
        if self.endpoint:
            parts = urlsplit(self.endpoint)
            if parts.scheme not in ("http", "https") or not parts.netloc:
                raise ValueError(f"endpoint: expected a full URL (https://host), got {self.endpoint!r}")
        if not _EXPIRATION_MINUTES_MIN <= self.url_expiration_minutes <= _EXPIRATION_MINUTES_MAX:
            raise ValueError(
                f"url_expiration_minutes: {self.url_expiration_minutes} is not within "
                f"{_EXPIRATION_MINUTES_MIN}–{_EXPIRATION_MINUTES_MAX}"
            )


@dataclass(frozen=True)
class S3Credentials:
    """New credentials for a data store; the secret is not shown by `repr`."""

    access_key: str
    secret_key: str = field(repr=False)
    kind: DataStoreKind = DataStoreKind.S3


@dataclass(frozen=True)
class DataStoreInfo:
    """A data store that is attached. `secret_key` is empty in listings and not shown by `repr`."""

    name: str
    access_key: str
    secret_key: str = field(repr=False)
    bucket_name: str
    region: str
    endpoint: str
    url_expiration_minutes: int
    use_virtual_addressing: bool
    kind: DataStoreKind = DataStoreKind.S3
    key_id: str = ""
    rekey_state: DataStoreRekeyState = DataStoreRekeyState.NO_REKEY

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DataStoreInfo:
        """Build from a mapping with the field names as keys; kinds and states by value, unknown keys ignored.

        Raises:
            ValueError: `name` is missing, or a kind or state is unknown.
        """
        if not data.get("name"):
            raise ValueError("name: missing")
        return cls(
            name=str(data["name"]),
            access_key=str(data.get("access_key", "")),
            secret_key=str(data.get("secret_key", "")),
            bucket_name=str(data.get("bucket_name", "")),
            region=str(data.get("region", "")),
            endpoint=str(data.get("endpoint", "")),
            url_expiration_minutes=int(data.get("url_expiration_minutes", _EXPIRATION_MINUTES_MAX)),
            use_virtual_addressing=bool(data.get("use_virtual_addressing", False)),
            kind=DataStoreKind(data.get("kind", DataStoreKind.S3)),
            key_id=str(data.get("key_id", "")),
            rekey_state=DataStoreRekeyState(data.get("rekey_state", DataStoreRekeyState.NO_REKEY)),
        )


@dataclass(frozen=True)
class LinkRequest:
    """A file for `ConnectManager.link_files`; the fields are the arguments of `link_file`."""

    file_path: str
    data_store_name: str
    object_id: str
    size: int | None = None
    checksum: str = ""


@dataclass(frozen=True)
class ExternalFile:
    """A file that is linked from a data store."""

    path: str
    file_id: str
    object_id: str
    size: int
    checksum: str


@dataclass(frozen=True)
class LinkedFilesResult:
    """A page of linked files; pass `cursor` to get the next while `has_more`."""

    file_paths: list[str]
    file_ids: list[str]
    has_more: bool
    cursor: str = ""


__all__ = [
    "DataStoreInfo",
    "DataStoreKind",
    "DataStoreRekeyState",
    "ExternalFile",
    "LinkRequest",
    "LinkedFilesResult",
    "S3Credentials",
    "S3DataStoreConfig",
]
