"""Permission to move objects: signed URLs, of the bucket where a filespace has one, else of the hub's own gateway."""

from __future__ import annotations

from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import Database
from lucidfs.hub.stores import Stores, where_of
from lucidfs.limits import GRANT_S
from lucidfs.objects.base import ObjectName
from lucidfs.objects.signing import sign_url
from lucidfs.types import FilespaceId, ObjectId
from lucidfs.wire.messages import Grant


def grants(
    database: Database,
    stores: Stores,
    filespace: int,
    objects: list[int],
    *,
    put: bool,
    signing_key: bytes,
    base_url: str,
    now_ns: int,
) -> list[Grant]:
    """URLs that let their bearer PUT or GET these objects for GRANT_S.

    What stands in the database is read from the hub, wherever the other objects are. While they move to another place
    all are: which of the two places has an object is found out by the gateway, object by object.

    Args:
        database, stores: of the hub.
        filespace: whose objects; the caller checked that the client may have them.
        objects: their ids.
        put: to put them, else to get them.
        signing_key: of the hub's gateway.
        base_url: the hub's address as the client knows it.
        now_ns: wall time.

    Raises:
        Fault: INVALID for what is no id; CORRUPT, UNSUPPORTED when the bucket's keys do not open.
    """
    if any(not 0 < each < 2**63 for each in objects):
        raise Fault(Code.INVALID, "not an object id")
    with database.read() as tx:
        where = where_of(tx, filespace)
        bucket = where.put_to if put else None if where.moving else where.store
        rows = {} if put else {object_: row for object_ in objects if (row := tx.object(object_)) is not None}
    expires_s, method = int(now_ns // 10**9 + GRANT_S), "PUT" if put else "GET"
    made = []
    for object_ in objects:
        name = ObjectName(FilespaceId(filespace), ObjectId(object_))
        row = rows.get(object_)
        size = row.size if row is not None and row.filespace == filespace else 0
        if bucket is None or (row is not None and row.held):
            url = sign_url(signing_key, base_url, method, name, expires_s)
            made.append(Grant(object_, url, expires_s * 10**9, size))
        else:
            made.append(Grant(object_, *stores.url(bucket, method, name), size))
    return made
