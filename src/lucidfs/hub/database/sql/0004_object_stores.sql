-- Version 4. Filespaces whose objects stand in a bucket instead of the hub's own folder.

CREATE TABLE object_store (
    filespace     INTEGER PRIMARY KEY,        -- stays after the filespace is gone, until its objects are
    bucket        TEXT    NOT NULL,
    prefix        TEXT    NOT NULL,           -- of every key; empty or ending with a slash
    region        TEXT    NOT NULL,
    endpoint      TEXT    NOT NULL,           -- empty: AWS
    virtual       INTEGER NOT NULL,           -- 1: the bucket stands in the host name
    access_key    TEXT    NOT NULL,
    sealed_secret BLOB    NOT NULL,           -- by hub/secrets
    gone_ns       INTEGER NOT NULL            -- when the filespace was deleted; 0: it is there
) STRICT;
