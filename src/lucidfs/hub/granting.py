"""Permission to move objects: signed URLs, of the bucket where a filespace has one, else of the hub's own gateway."""

from __future__ import annotations

from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import Database, Tx
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

    What stands in the database is read from the hub, wherever the other objects are; and while the objects move to
    another place, all of them are.

    Args:
        database, stores: of the hub.
        filespace: whose objects; the caller checked that the client may have them.
        objects: their ids.
        put: to put them, else to get them.
        signing_key: of the hub's gateway.
        base_url: the hub's address as the client knows it.
        now_ns: wall time.

    Raises:
        Fault: INVALID for what is no id; CORRUPT when the bucket's secret does not open.
    """
    if any(not 0 < each < 2**63 for each in objects):
        raise Fault(Code.INVALID, "not an object id")
    expires_s, method = int(now_ns // 10**9 + GRANT_S), "PUT" if put else "GET"
    with database.read() as tx:
        where = where_of(tx, filespace)
        row = where.store
        if where.moving:  # put to where they go; which of the two places has an object is found out by the gateway
            row = where.move.place if put and where.move is not None else None
        far = None if row is None else stores.far(row)
        here = set() if far is None or put else _held(tx, objects)
    urls = []
    for name in (ObjectName(FilespaceId(filespace), ObjectId(each)) for each in objects):
        if far is None or name.object in here:
            urls.append(sign_url(signing_key, base_url, method, name, expires_s))
        else:
            urls.append(far.bare.client.url(method, far.bare.key(name), expires_s=int(GRANT_S)))
    return [Grant(object, url, expires_s * 10**9) for object, url in zip(objects, urls, strict=True)]


def _held(tx: Tx, objects: list[int]) -> set[int]:
    """Those whose bytes stand in the database."""
    found = ((object, tx.object(object)) for object in objects)
    return {object for object, row in found if row is not None and row.held}
