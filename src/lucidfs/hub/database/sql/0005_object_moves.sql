-- Version 5. Filespaces whose objects go to another store: the other place beside the one in object_store. While
-- `switched_ns` is 0 it is where they go, and new ones are put; afterwards it is the one they left, to be emptied.

CREATE TABLE object_move (
    filespace     INTEGER PRIMARY KEY,        -- stays after the filespace is gone, until the place is empty
    bucket        TEXT    NOT NULL,           -- empty: the hub's own folder; these columns are as in object_store
    prefix        TEXT    NOT NULL,
    region        TEXT    NOT NULL,
    endpoint      TEXT    NOT NULL,
    virtual       INTEGER NOT NULL,
    access_key    TEXT    NOT NULL,
    sealed_secret BLOB    NOT NULL,
    started_ns    INTEGER NOT NULL,
    switched_ns   INTEGER NOT NULL
) STRICT;
