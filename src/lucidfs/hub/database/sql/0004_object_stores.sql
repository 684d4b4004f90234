-- Version 4. Where a filespace's objects are; one without a row has them in the hub's own folder. The row outlives its
-- filespace until the last of its objects is gone from the bucket. The secret is sealed with a key beside the database.

CREATE TABLE object_store (
    filespace     INTEGER PRIMARY KEY,
    bucket        TEXT    NOT NULL,
    prefix        TEXT    NOT NULL,           -- of every key; empty or ending with a slash
    region        TEXT    NOT NULL,
    endpoint      TEXT    NOT NULL,           -- empty: AWS
    virtual       INTEGER NOT NULL,           -- 1: the bucket stands in the host name
    conditional   INTEGER NOT NULL,           -- 1: the server refuses to replace an object when it is asked to
    access_key    TEXT    NOT NULL,
    sealed_secret BLOB    NOT NULL,
    gone_ns       INTEGER NOT NULL            -- when its filespace was deleted; 0: it is there
) STRICT;

-- A filespace whose objects go to another place: the other place beside the one above. While `switched_ns` is 0 it is
-- where they go, and new ones are put; afterwards it is where they were, to be emptied. An empty bucket: the hub's folder.
CREATE TABLE object_move (
    filespace     INTEGER PRIMARY KEY,
    bucket        TEXT    NOT NULL,
    prefix        TEXT    NOT NULL,
    region        TEXT    NOT NULL,
    endpoint      TEXT    NOT NULL,
    virtual       INTEGER NOT NULL,
    conditional   INTEGER NOT NULL,
    access_key    TEXT    NOT NULL,
    sealed_secret BLOB    NOT NULL,
    started_ns    INTEGER NOT NULL,
    switched_ns   INTEGER NOT NULL
) STRICT;
