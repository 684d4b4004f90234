"""Operations of Connect: data stores, the files that are linked from them, and permission to read those.

The hub signs; it never talks to a bucket here, and a secret leaves it in one reply only (`get_data_store`).
"""

from __future__ import annotations

from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import DataStoreRow
from lucidfs.hub.operations.locking import check_unlocked, check_unreserved
from lucidfs.hub.operations.scene import Scene
from lucidfs.hub.secrets import Secrets
from lucidfs.limits import (
    DATA_STORE_NAME_MAX,
    DATA_STORES_MAX,
    GRANTS_PER_REQUEST_MAX,
    HTTP_LINK_S,
    LINKS_PAGE,
    LINKS_PER_REQUEST_MAX,
    SIGNED_BACKDATE_S,
    SIGNED_REQUEST_S,
    URL_CHARACTERS_MAX,
    URL_MINUTES_MAX,
    URL_MINUTES_MIN,
)
from lucidfs.namespace import external as rules
from lucidfs.namespace.lookup import ID_MAX
from lucidfs.namespace.tree import ExternalRow, NodeRow, entry_of
from lucidfs.objects.addresses import check_literal, check_url
from lucidfs.objects.s3.bucket import S3Bucket, S3Keys, check_key
from lucidfs.objects.s3.sigv4 import presign
from lucidfs.types import Access, Kind
from lucidfs.wire import messages as m

# --- data stores --------------------------------------------------------------------------------------------------


def add_data_store(scene: Scene, request: m.AddDataStore) -> m.Done:
    """Keep a bucket and its keys under a name."""
    tx, filespace, store, secrets = scene.tx, scene.caller.filespace, request.store, _secrets(scene)
    if not store.name.strip() or len(store.name) > DATA_STORE_NAME_MAX or not store.name.isprintable():
        raise Fault(Code.INVALID, f"name: expected 1 to {DATA_STORE_NAME_MAX} printable characters")
    if not URL_MINUTES_MIN <= store.url_minutes <= URL_MINUTES_MAX:
        asked = f"expected {URL_MINUTES_MIN} to {URL_MINUTES_MAX}, got {store.url_minutes}"
        raise Fault(Code.INVALID, f"url_expiration_minutes: {asked}")
    S3Bucket(store.bucket, store.region, store.endpoint, store.virtual)
    _check_keys(store.access_key, request.secret)
    if not 0 < store.id <= ID_MAX:
        raise Fault(Code.INVALID, "a data store's id is positive and below 2**63")
    if tx.data_store(store.id) is not None:
        raise Fault(Code.ID_TAKEN, "the id of the new data store is taken")
    if tx.data_store_by_name(filespace, store.name) is not None:
        raise Fault(Code.EXISTS, f"there is a data store {store.name!r} already")
    if len(tx.data_stores(filespace)) >= DATA_STORES_MAX:
        raise Fault(Code.TOO_MANY, f"a filespace has at most {DATA_STORES_MAX} data stores")
    tx.insert_data_store(
        DataStoreRow(
            store.id,
            filespace,
            store.name,
            store.access_key,
            secrets.seal(request.secret, _place_of_store(store.id)),
            store.bucket,
            store.region,
            store.endpoint,
            store.url_minutes,
            store.virtual,
            secrets.key_id,
            scene.now_ns,
        )
    )
    return m.Done()


def rekey_data_store(scene: Scene, request: m.RekeyDataStore) -> m.Done:
    """Sign with other keys from now on."""
    secrets, row = _secrets(scene), _store(scene, request.name)
    _check_keys(request.access_key, request.secret)
    sealed = secrets.seal(request.secret, _place_of_store(row.id))
    scene.tx.rekey_data_store(row.id, request.access_key, sealed, secrets.key_id)
    return m.Done()


def remove_data_store(scene: Scene, request: m.RemoveDataStore) -> m.Done:
    """Forget a bucket from which nothing is linked."""
    row = _store(scene, request.name)
    if row.links:
        raise Fault(Code.NOT_EMPTY, f"{row.links} files are linked from the data store {row.name!r}: unlink them first")
    scene.tx.delete_data_store(row.id)
    return m.Done()


def list_data_stores(scene: Scene, request: m.ListDataStores) -> m.DataStores:
    """The data stores of the filespace, by name."""
    _secrets(scene)
    return m.DataStores([_view(row) for row in scene.tx.data_stores(scene.caller.filespace)], scene.private)


def get_data_store(scene: Scene, request: m.GetDataStore) -> m.DataStoreSecret:
    """A data store with its secret."""
    row = _store(scene, request.name)
    return m.DataStoreSecret(_view(row), _secret(scene, row))


# --- links --------------------------------------------------------------------------------------------------------


def link_files(scene: Scene, request: m.LinkFiles) -> m.Linked:
    """Make external files, each for itself."""
    if len(request.links) > LINKS_PER_REQUEST_MAX:
        raise Fault(Code.TOO_MANY, f"at most {LINKS_PER_REQUEST_MAX} links in one request")
    codes: list[int] = []
    for new in request.links:
        try:
            _link(scene, new)
        except Fault as fault:
            codes.append(int(fault.code))
        else:
            codes.append(0)
    return m.Linked(codes)


def _link(scene: Scene, new: m.NewLink) -> None:
    place = _checked_place(scene, new.store, new.place, new.node.id)
    check_unreserved(scene, new.parent, new.node.token)
    external = ExternalRow(new.node.id, new.store, place, new.etag)
    rules.link(scene.tx, scene.caller.filespace, new.parent, new.node, new.size, external, scene.now_ns)


def relink(scene: Scene, request: m.Relink) -> m.Created:
    """Let an external file be another object."""
    row, external = rules.require_external(scene.tx, scene.caller.filespace, request.node)
    place = _checked_place(scene, external.store, request.place, row.id)
    check_unlocked(scene, row.id, Access.WRITE, [])
    after = external._replace(place=place, etag=request.etag)
    return m.Created(entry_of(rules.relink(scene.tx, row, request.size, after, scene.now_ns)))


def list_links(scene: Scene, request: m.ListLinks) -> m.Links:
    """A page of a data store's external files, with the folders above them."""
    tx, store = scene.tx, _store(scene, request.store)
    limit = min(request.limit, LINKS_PAGE) if request.limit > 0 else LINKS_PAGE
    rows = tx.externals(store.id, min(max(request.after, 0), ID_MAX), limit + 1)
    links: list[m.LinkInfo] = []
    folders: dict[int, m.Entry] = {}
    for external in rows[:limit]:
        node = tx.node(external.node)
        assert node is not None, "an external file has a node"
        links.append(m.LinkInfo(entry_of(node), external.place.decode(), external.etag))
        above = node.parent
        while above and above not in folders:
            folder = tx.node(above)
            assert folder is not None, "a node stands in a folder"
            folders[above] = entry_of(folder)
            above = folder.parent
    return m.Links(links, list(folders.values()), len(rows) > limit)


# --- permission to read -------------------------------------------------------------------------------------------


def grant_external(scene: Scene, request: m.GrantExternal) -> m.Externals:
    """Which objects some external files are, with URLs to read them."""
    if len(request.nodes) > GRANTS_PER_REQUEST_MAX:
        raise Fault(Code.TOO_MANY, f"at most {GRANTS_PER_REQUEST_MAX} files in one request")
    found: list[m.External] = []
    for number in request.nodes:
        row = scene.tx.node(number) if 0 < number <= ID_MAX else None
        if row is not None and row.filespace == scene.caller.filespace and row.kind == Kind.EXTERNAL:
            found.append(external_of(scene, row))
    return m.Externals(found)


def sign_head(scene: Scene, request: m.SignHead) -> m.Signed:
    """A URL for the HEAD of an object that is to be linked."""
    check_key(request.place)
    row = _store(scene, request.store)
    now_s = scene.now_ns // 1_000_000_000
    keys = S3Keys(row.access_key, _secret(scene, row))
    return m.Signed(presign(_bucket(row), keys, "HEAD", request.place, now_s=now_s, expires_s=SIGNED_REQUEST_S))


def external_of(scene: Scene, row: NodeRow) -> m.External:
    """Which object an external file is, with a URL to read it."""
    external = scene.tx.external(row.id)
    assert external is not None, "an external file has a row of its own"
    now_s = scene.now_ns // 1_000_000_000
    if not external.store:
        url = _secrets(scene).open(external.place, _place_of_link(row.id))
        end_ns = (now_s + HTTP_LINK_S) * 1_000_000_000
        return m.External(row.id, row.revision, "", url, external.etag, row.size, url, end_ns, scene.private)
    store = scene.tx.data_store(external.store)
    assert store is not None, "an external file has a data store"
    key, signed_s, life_s = external.place.decode(), now_s - SIGNED_BACKDATE_S, store.url_minutes * 60
    keys = S3Keys(store.access_key, _secret(scene, store))
    url = presign(_bucket(store), keys, "GET", key, now_s=signed_s, expires_s=life_s)
    end_ns = (signed_s + life_s) * 1_000_000_000
    return m.External(row.id, row.revision, store.name, key, external.etag, row.size, url, end_ns)


# --- parts --------------------------------------------------------------------------------------------------------


def _store(scene: Scene, name: str) -> DataStoreRow:
    _secrets(scene)
    row = scene.tx.data_store_by_name(scene.caller.filespace, name)
    if row is None:
        raise Fault(Code.NOT_FOUND, f"there is no data store {name!r}")
    return row


def _secrets(scene: Scene) -> Secrets:
    if scene.secrets is None:
        raise Fault(Code.UNSUPPORTED, "this hub keeps no secrets, so it has no data stores")
    return scene.secrets


def _secret(scene: Scene, row: DataStoreRow) -> str:
    return _secrets(scene).open(row.sealed_secret, _place_of_store(row.id))


def _checked_place(scene: Scene, store: int, place: str, node: int) -> bytes:
    """The place of an object as it is stored. Raises Fault: INVALID, NOT_FOUND (the data store)."""
    if not store:
        host = check_url(place, URL_CHARACTERS_MAX)
        if not scene.private:
            check_literal(host)
        return _secrets(scene).seal(place, _place_of_link(node))
    row = scene.tx.data_store(store) if 0 < store <= ID_MAX else None
    if row is None or row.filespace != scene.caller.filespace:
        raise Fault(Code.NOT_FOUND, "the data store is gone")
    check_key(place)
    return place.encode()


def _check_keys(access_key: str, secret: str) -> None:
    for name, text in (("access_key", access_key), ("secret_key", secret)):
        if not 0 < len(text) <= 1024 or not text.isprintable():
            raise Fault(Code.INVALID, f"{name}: expected 1 to 1024 printable characters")


def _bucket(row: DataStoreRow) -> S3Bucket:
    return S3Bucket(row.bucket, row.region, row.endpoint, row.virtual)


def _view(row: DataStoreRow) -> m.DataStore:
    return m.DataStore(
        row.id,
        row.name,
        row.access_key,
        row.bucket,
        row.region,
        row.endpoint,
        row.url_minutes,
        row.virtual,
        row.key_id,
        row.created_ns,
        row.links,
    )


def _place_of_store(store: int) -> str:
    return f"data store {store:016x}"


def _place_of_link(node: int) -> str:
    return f"http link {node:016x}"
