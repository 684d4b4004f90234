-- Version 2. An object whose bytes were deleted leaves its number behind (live -2, dead_since_ns: when), so that a
-- client that comes back late cannot commit what is gone. Such rows are out of the way of the reaper's look-ups.

DROP INDEX object_dead;

CREATE INDEX object_dead ON object (dead_since_ns) WHERE dead_since_ns > 0 AND live > -2;
CREATE INDEX object_spent ON object (dead_since_ns) WHERE live = -2;
