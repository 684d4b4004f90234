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
