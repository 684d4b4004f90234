"""Every bound of the system, each with its reason. Nothing else in the code is a bare number with a unit."""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB

# Names and paths
NAME_BYTES_MAX = 255  # what local filesystems take, so that every tree can be copied back
PATH_DEPTH_MAX = 512  # bounds one walk; deeper than any path that PATH_MAX (4096) allows with useful names
TARGET_BYTES_MAX = 4096  # PATH_MAX
LINK_HOPS_MAX = 40  # Linux's limit for symbolic links in one path

# Content
FRAME_BYTES = 64 * KIB  # AES-GCM is at full speed here (2.8 GiB/s a core) and a 4 KiB read still fetches little
FRAME_OVERHEAD_BYTES = 32  # header 4, nonce 12, tag 16
SMALL_FRAMES = 2
SMALL_BYTES_MAX = SMALL_FRAMES * (
    FRAME_BYTES + FRAME_OVERHEAD_BYTES
)  # sealed content up to here (128 KiB of plaintext, a usual
# size of chunks) travels inside the commit: one round trip, no upload
OBJECT_BYTES_MIN = 4 * MIB  # plaintext that a streaming writer gathers into one object: such bodies are near wire speed
OBJECT_BYTES_MAX = 64 * MIB  # the gateway refuses more
ETAG_CHARACTERS_MAX = 255  # of an external object; S3 has 32 to 38
FILE_BYTES_MAX = 2**62  # sizes are signed 64-bit everywhere
EXTENTS_PAGE = 2048  # extents in one reply: about 1 MiB of message
LISTING_PAGE = 4096  # entries in one reply: about 1 MiB of message
TREE_FOLDERS_MAX = 1024  # folders in one request for a tree, and in its reply: empty ones cost a query each too
EXTENTS_PAGE_FRAMES = 256 * KIB  # frames (sealed lengths) in one such reply: about 1.3 MiB
LISTING_PAGE_BYTES = 2 * MIB  # sealed names and targets in one reply; long link targets fill it first
EXTENTS_PER_COMMIT_MAX = 8192  # keeps a commit below MESSAGE_BYTES_MAX

# Wire
MESSAGE_BYTES_MAX = 4 * MIB
REQUESTS_IN_FLIGHT_MAX = 256  # per session; more wait in the client
HANDSHAKE_S = 10.0  # time to finish the handshake
HTTP_IDLE_S = 75.0  # silence between two HTTP requests of one connection
CONNECTIONS_PER_ADDRESS_MAX = 1024
FAILED_LOGINS_MAX = 10  # per address and minute; further ones are answered TOO_MANY
GRANTS_PER_REQUEST_MAX = 256
LINKS_PER_REQUEST_MAX = 1024  # external files made by one request: about 1 MiB with long keys
LINKS_PAGE = 1024  # external files in one page of a data store's
URL_CHARACTERS_MAX = 8192  # of an HTTP link; what servers take
REDIRECTS_MAX = 5  # of an HTTP link
DATA_STORES_MAX = 1024  # of one filespace
DATA_STORE_NAME_MAX = 255  # characters
URL_MINUTES_MIN = 4320  # life of the URLs that a data store signs, as the seed documents bound it: three days …
URL_MINUTES_MAX = 10_080  # … to a week, the longest that S3 signs for
BUCKETS_OPEN_MAX = 1024  # buckets of filespaces whose opened keys a hub keeps in memory
SIGNED_BACKDATE_S = 300  # signed as of this long ago, for stores whose clocks are behind the hub's
HTTP_LINK_S = 86_400  # how long a client may use the URL of an HTTP link before it asks whether there is another

# Sessions and locks
SESSION_LIMIT_S = 10.0  # silence after which a session is expired and fenced (promise 6)
HEARTBEAT_S = 2.5  # four chances within the limit
CALL_DEADLINE_S = 60.0  # how long a call waits for a hub that is away before ConnectionError
CONNECT_TIMEOUT_S = 5.0
LOCK_TIMEOUT_S = 60.0  # default of `lock_timeout`
LOCK_WAIT_S_MAX = 3600.0
LOCKS_PER_SESSION_MAX = 65_536
REPLIES_KEPT_S = 3600.0  # a vanished session's replies stay this long for a client that asks what was applied
LOGIN_S = 3600.0  # life of a management login
LOGINS_MAX = 4096  # management logins kept; the oldest ends first
CHALLENGES_MAX = 1024  # management challenges that wait for their answer; the oldest is dropped
CHALLENGES_PER_ADDRESS_MAX = 64  # so that one address cannot push out those of all others
MANAGEMENT_BODY_BYTES_MAX = 1 * MIB  # a rotation of an account with 4,000 grants
MANAGEMENT_BODY_S = 30.0  # time for such a body to arrive
MANAGEMENT_REPLY_BYTES_MAX = 64 * MIB  # a list of 100,000 accounts; what never ends is no hub

# Retries
RETRY_FIRST_S = 0.05
RETRY_MAX_S = 2.0
STORE_DEADLINE_S = 60.0
HUB_STORE_DEADLINE_S = 10.0  # of the hub's own requests at a bucket: its rounds come again
STORE_READ_TIMEOUT_S = 30.0  # silence in the middle of a body after which the connection is given up
STORE_REQUESTS_MAX = 16  # requests of one process at one store; four times the workers, for several filespaces

# Objects
GRANT_S = 900.0  # life of a signed URL
GRANT_SLACK_S = 60.0  # a client stops using one this long before its end
SIGNED_REQUEST_S = 900  # life of a URL that is signed for one request and used at once
S3_PAGE_BYTES_MAX = 8 * MIB  # a listing of 1,000 keys of 1,024 bytes, percent-encoded, with all else that S3 tells
DEAD_OBJECT_GRACE_S = 3600.0  # an open reader keeps what it opened at least this long

# Client memory and disk
MEMORY_CACHE_BYTES = 256 * MIB  # plaintext frames per linked filespace, where nobody looked at the machine
MEMORY_CACHE_SHARE = 16  # the default of fs.cache.memory is this part of the machine's memory, within …
MEMORY_CACHE_BYTES_LEAST = 64 * MIB
MEMORY_CACHE_BYTES_MOST = 1024 * MIB  # … these: a page cache takes all that is free, but processes have one each here
DISK_CACHE_MIB = 1024  # default of fs.cache.size
UPLOAD_BYTES_MAX = 64 * MIB  # sealed bytes waiting for the store per filespace; then writers wait
READ_AHEAD_BYTES_MAX = 32 * MIB  # a range for each worker
PACK_AHEAD_BYTES_MAX = 16 * MIB  # sealed bytes of small files that were fetched with others and may be asked for
RANGE_BYTES_MAX = 8 * MIB  # one ranged request; at half of it a store spends a quarter more on the same bytes
INLINE_BYTES_MAX = (
    SMALL_BYTES_MAX  # sealed or opened where it is needed: 80 µs, when another thread takes 100 to wake up
)
WORKERS = 4  # threads that seal, open and move bodies; they spend their time outside the GIL
BUFFER_BYTES = 128 * KIB  # default buffer of an open file (two frames)

# Hub
GROUP_MAX = 512  # changes in one transaction
QUEUE_MAX = 8192  # changes that wait; then TOO_MANY
REPLIES_UNACKED_MAX = 65_536  # stored replies per session: a change that waits an hour in line holds back `acked`
OUTBOX_BYTES_MAX = 64 * MIB  # answers that a client does not read; then its connection is closed
UPLOAD_BYTES_PER_S_MIN = 16 * KIB  # a slower upload gives its memory back to the others: 64 MiB in 68 minutes
MOVE_EVERY_S = 5.0  # between two looks at the moves of filespaces to other stores, and after a failure of one
MOVE_WORKERS = 4  # objects that are copied at once
MOVE_SETTLE_S = GRANT_S + OBJECT_BYTES_MAX / UPLOAD_BYTES_PER_S_MIN  # from the start of a move until the last upload
# to the old place has ended: one that was permitted just before, as slow as the gateway lets it be
MOVE_GRACE_S = GRANT_S + DEAD_OBJECT_GRACE_S  # from its switch until the old copies go: URLs of them are still used
GATEWAY_BYTES_MAX = 256 * MIB  # bodies in memory on their way into the store; further uploads wait
STORE_THREADS = 8  # of the gateway; they wait for disks
DATABASE_CACHE_BYTES = 64 * MIB  # pages in memory per connection: the upper levels of a tree of 100 million nodes
DATABASE_CHECKPOINT_PAGES = 4096  # 16 MiB of log before it is copied back, which pauses changes for some ms
REAP_EVERY_S = 60.0  # between two rounds of the reaper
STORE_FAILURES_MAX = 3  # deletions in one batch that a filespace's store refuses before the others go on without it
REAP_BATCH = 256  # objects or sessions that one of its transactions handles
PACK_EVERY_S = 60.0  # between two looks at what may be packed
PACK_AFTER_S = 3600.0  # nobody wrote the file for this long: what is written twice is mostly written twice soon
PACK_BYTES = 8 * MIB  # sealed bytes that are gathered into one pack: a body near wire speed, 80 files of 100 KiB
PACK_GAIN_BYTES = 1 * MIB  # a pack takes at least this out of the database or the store; the rest waits for more
PACK_SMALL_BYTES = 4 * KIB  # a page of the database: shorter contents stay in their rows. Stands in 0006_packing.sql
PACK_EXTENTS_MAX = 4096  # an object that more extents use is not packed anew: its transactions would stop all others
SWEEP_EVERY_S = 900.0  # between two rounds of the sweeper, which lists the whole store: 5 s for a million objects
UPLOAD_GRACE_S = 7 * 86_400.0  # an upload that no living session can have made and nobody committed goes after this
UPLOAD_STUCK_S = 86_400.0  # one of a living session that is older is shown as stuck: its stream was never closed
UNFINISHED_S = 3600.0  # a file that a put began and did not finish for this long was left by a crash
SESSION_SLACK_S = 3600.0  # a session counts as this much older when uploads are judged: a clock may have been set back
SPENT_KEPT_S = 365 * 86_400.0  # numbers of deleted objects: a client that was away longer could commit what is gone
SHUTDOWN_S = 5.0  # running work gets this long on SIGTERM
