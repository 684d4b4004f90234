-- What may be packed (docs/decisions/0016-packing.md). Each index holds only what is still to be looked at, but for the
-- one of extents: which files use an object.

CREATE INDEX node_small ON node (filespace, mtime_ns) WHERE small_bytes >= 4096;
CREATE INDEX object_held ON object (filespace) WHERE held = 1 AND live > 0;
CREATE INDEX object_sparse ON object (filespace) WHERE held = 0 AND live > 0 AND size > live * 2;
CREATE INDEX extent_object ON extent (object);
