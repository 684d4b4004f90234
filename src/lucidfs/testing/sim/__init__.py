"""Deterministic simulation: the real engine and the real hub, several clients, one process, virtual time, one seed.

`python -m lucidfs.testing.sim --seed N --steps M` runs one seed; `--seeds K` runs K of them from there on. A seed that
fails is printed with the command that repeats it exactly.

Real: everything of `lucidfs.engine`, `lucidfs.hub`, the wire's messages, keys and frames, SQLite.
Simulated: the network (`network`), what the object store answers (`store`), when the hub's database loses its power
(`database`), clocks and timers (`process`), worker threads, of which one runs at a time (`workers`).

Faults (`chaos`), at random moments:
- connections cut with requests and replies in flight, of which some arrive; each side notices at its own time, so that
  requests of the old connection reach the hub after the session was resumed and the same request came again (doubled);
- connections that stall, and that swallow everything without breaking; clients cut off for longer than a session;
- clients killed (with and without their connections being closed), frozen briefly, and frozen beyond their session;
- the hub's power cut at any moment, just before and just after a commit; a commit that the disk refuses; an orderly
  restart; a hub that is frozen;
- uploads and downloads that fail before and after the deed (a lost answer), that are torn, slow, or outlive their
  client; a night in which the hub deletes what nobody needs, and deletions that fail;
- clocks and timers that run up to 2 % too fast or too slow, wall clocks that are wrong by up to two minutes.

Checked:
- each subject (a file, or a folder with what is in it) has a linearization of all completed calls (`history`,
  `models`), the reads of a client that knows nothing after one last crash included: nothing acknowledged is lost;
- no read is half or mixed: contents tell who wrote each byte and where it belongs (`content`); a slow reader keeps the
  revision that it opened; a handle sees its own writes;
- no error but those that the faults explain: never CORRUPT, never an error in the product's log, no call that hangs;
- fsck finds nothing and every extent's object is stored, whenever a hub starts and at the end.
"""
