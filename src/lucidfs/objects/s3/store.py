"""A filespace's objects in an S3 bucket: the hub's own hands on them. Clients move bodies by signed URLs instead."""

from __future__ import annotations

from collections.abc import Iterator

from lucidfs.errors import Code, Fault
from lucidfs.objects.base import ObjectName, ObjectStat
from lucidfs.objects.http import Body, Http
from lucidfs.objects.s3.client import S3Client
from lucidfs.types import FilespaceId, ObjectId, id_text, id_value


class S3Store:
    """An `ObjectStore` in one bucket, its keys `<prefix><filespace>/<object>` in hex.

    Args:
        client: of the bucket.
        prefix: of every key; empty or ending with a slash.
        http: closed with the store.
    """

    def __init__(self, client: S3Client, prefix: str, http: Http) -> None:
        self.client = client
        self.prefix = prefix
        self._http = http

    def put(self, name: ObjectName, data: Body) -> None:
        key = self.key(name)
        try:
            self.client.put(key, data, if_absent=True)
        except FileExistsError:
            if not self._same(key, b"".join(data) if isinstance(data, list) else bytes(data)):
                raise FileExistsError(f"object {name.object:016x} is there with other bytes") from None

    def get(self, name: ObjectName, offset: int, length: int) -> bytes:
        if not length:
            return b""  # HTTP has no empty ranges
        try:
            return self.client.get(self.key(name), offset, length)
        except Fault as fault:
            if fault.code is Code.NOT_FOUND:
                raise FileNotFoundError(fault.message) from None
            raise

    def delete(self, name: ObjectName) -> None:
        self.client.delete(self.key(name))

    def list(self, filespace: FilespaceId) -> Iterator[ObjectStat]:
        for found in self.client.list(self._folder(filespace)):
            object_ = self._object_of(filespace, found.key)
            if object_ is not None:
                yield ObjectStat(ObjectName(filespace, object_), found.size, found.mtime_ns)

    def strangers(self, filespace: FilespaceId) -> Iterator[str]:
        """Keys in the filespace's part of the bucket that are no objects."""
        for found in self.client.list(self._folder(filespace)):
            if self._object_of(filespace, found.key) is None:
                yield found.key

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def key(self, name: ObjectName) -> str:
        """The key of an object."""
        return f"{self._folder(name.filespace)}{id_text(name.object)}"

    def _folder(self, filespace: FilespaceId) -> str:
        return f"{self.prefix}{id_text(filespace)}/"

    def _object_of(self, filespace: FilespaceId, key: str) -> ObjectId | None:
        try:
            return ObjectId(id_value(key[len(self._folder(filespace)) :]))
        except ValueError:
            return None

    def _same(self, key: str, body: bytes) -> bool:
        found = self.client.head(key)
        return found.size == len(body) and (not body or self.client.get(key, 0, len(body)) == body)
