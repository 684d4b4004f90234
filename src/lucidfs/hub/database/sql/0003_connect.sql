-- Version 3. Connect: the buckets that a filespace links objects of, and which object each external file is.

CREATE TABLE data_store (
    id            INTEGER PRIMARY KEY,
    filespace     INTEGER NOT NULL,
    name          TEXT    NOT NULL,
    access_key    TEXT    NOT NULL,
    sealed_secret BLOB    NOT NULL,           -- by hub/secrets
    bucket        TEXT    NOT NULL,
    region        TEXT    NOT NULL,
    endpoint      TEXT    NOT NULL,           -- empty: AWS
    url_minutes   INTEGER NOT NULL,           -- life of signed URLs
    virtual       INTEGER NOT NULL,           -- 1: the bucket stands in the host name
    key_id        TEXT    NOT NULL,           -- of the key that sealed the secret
    created_ns    INTEGER NOT NULL,
    links         INTEGER NOT NULL,           -- external files
    UNIQUE (filespace, name)
) STRICT;

CREATE TABLE external (
    node  INTEGER PRIMARY KEY,
    store INTEGER NOT NULL,                   -- a data store; 0: an HTTP link
    place BLOB    NOT NULL,                   -- the object's key in UTF-8; of an HTTP link: its URL, sealed
    etag  TEXT    NOT NULL                    -- empty: the server has none
) STRICT;

CREATE INDEX external_store ON external (store, node) WHERE store > 0;
