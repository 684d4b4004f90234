-- The hub's database, version 1. One row per node: a create is one insert. Integers are signed 64-bit ids,
-- bytes, or nanoseconds; what is sealed is a BLOB that only clients can open.

CREATE TABLE node (
    id          INTEGER PRIMARY KEY,
    filespace   INTEGER NOT NULL,
    parent      INTEGER NOT NULL,             -- 0: the root of a filespace
    token       BLOB    NOT NULL,             -- keyed hash of the name; empty for the root
    kind        INTEGER NOT NULL,
    sealed_name BLOB    NOT NULL,
    size        INTEGER NOT NULL,
    mtime_ns    INTEGER NOT NULL,
    ctime_ns    INTEGER NOT NULL,
    revision    INTEGER NOT NULL,
    generation  INTEGER NOT NULL,
    mac         BLOB    NOT NULL,
    target      BLOB    NOT NULL,
    version     INTEGER NOT NULL,
    map_bytes   INTEGER NOT NULL,
    small_bytes INTEGER NOT NULL,
    content     BLOB                          -- last, so that reading the columns before it skips its pages
) STRICT;

-- Roots are left out: they share the place (0, empty).
CREATE UNIQUE INDEX node_place ON node (parent, token) WHERE parent > 0;

CREATE TABLE extent (
    node         INTEGER NOT NULL,
    first        INTEGER NOT NULL,
    count        INTEGER NOT NULL,
    origin       INTEGER NOT NULL,
    origin_first INTEGER NOT NULL,
    generation   INTEGER NOT NULL,
    object       INTEGER NOT NULL,
    start        INTEGER NOT NULL,            -- bytes into the object
    lengths      BLOB    NOT NULL,            -- sealed bytes of each frame, 32-bit little-endian
    PRIMARY KEY (node, first)
) STRICT, WITHOUT ROWID;

CREATE TABLE object (
    id            INTEGER PRIMARY KEY,
    filespace     INTEGER NOT NULL,
    size          INTEGER NOT NULL,
    live          INTEGER NOT NULL,           -- -1: being deleted
    dead_since_ns INTEGER NOT NULL,           -- 0: alive
    held          INTEGER NOT NULL,           -- 1: the bytes stand in `data`
    data          BLOB
) STRICT;

CREATE INDEX object_dead ON object (dead_since_ns) WHERE dead_since_ns > 0;
CREATE INDEX object_filespace ON object (filespace);

CREATE TABLE counts (
    filespace      INTEGER PRIMARY KEY,
    files          INTEGER NOT NULL,
    folders        INTEGER NOT NULL,
    links          INTEGER NOT NULL,
    entries_bytes  INTEGER NOT NULL,
    data_bytes     TEXT    NOT NULL,         -- decimal: a few sparse files can claim more than 63 bits together
    storage_bytes  INTEGER NOT NULL,
    external_bytes INTEGER NOT NULL,
    external_files INTEGER NOT NULL
) STRICT;

CREATE TABLE workspace (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE,
    created_ns INTEGER NOT NULL
) STRICT;

CREATE TABLE account (
    id             INTEGER PRIMARY KEY,
    workspace      INTEGER NOT NULL REFERENCES workspace (id),
    name           TEXT    NOT NULL,
    key_id         TEXT    NOT NULL UNIQUE,
    login_public   BLOB    NOT NULL,
    sealing_public BLOB    NOT NULL,
    admin          INTEGER NOT NULL,
    created_ns     INTEGER NOT NULL,
    revoked_ns     INTEGER NOT NULL,          -- 0: not revoked
    UNIQUE (workspace, name)
) STRICT;

CREATE TABLE filespace (
    id         INTEGER PRIMARY KEY,
    workspace  INTEGER NOT NULL REFERENCES workspace (id),
    name       TEXT    NOT NULL,
    root       INTEGER NOT NULL,
    created_ns INTEGER NOT NULL,
    UNIQUE (workspace, name)
) STRICT;

CREATE TABLE filespace_grant (
    filespace  INTEGER NOT NULL REFERENCES filespace (id),
    account    INTEGER NOT NULL REFERENCES account (id),
    role       INTEGER NOT NULL,
    sealed_key BLOB    NOT NULL,
    PRIMARY KEY (filespace, account)
) STRICT, WITHOUT ROWID;

CREATE INDEX filespace_grant_account ON filespace_grant (account);

CREATE TABLE session (
    id         INTEGER PRIMARY KEY,
    account    INTEGER NOT NULL,
    filespace  INTEGER NOT NULL,
    created_ns INTEGER NOT NULL,
    ended_ns   INTEGER NOT NULL               -- 0: live
) STRICT;

CREATE INDEX session_ended ON session (ended_ns);

CREATE TABLE reply (
    session INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    body    BLOB    NOT NULL,
    PRIMARY KEY (session, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE lock (
    id        INTEGER PRIMARY KEY,
    filespace INTEGER NOT NULL,
    session   INTEGER NOT NULL,
    node      INTEGER NOT NULL,
    handle    INTEGER NOT NULL,
    mode      INTEGER NOT NULL,
    start     INTEGER NOT NULL,
    length    INTEGER NOT NULL,               -- 0: to the end
    account   TEXT    NOT NULL,
    since_ns  INTEGER NOT NULL
) STRICT;

CREATE INDEX lock_session ON lock (session);

CREATE TABLE setting (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
