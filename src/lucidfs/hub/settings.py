"""What an operator, a test or a simulation may set; everything else is in `lucidfs.limits`."""

from __future__ import annotations

from dataclasses import dataclass

from lucidfs.limits import (
    FAILED_LOGINS_MAX,
    HANDSHAKE_S,
    HEARTBEAT_S,
    MOVE_GRACE_S,
    MOVE_SETTLE_S,
    PACK_AFTER_S,
    PACK_EVERY_S,
    PACK_GAIN_BYTES,
    SESSION_LIMIT_S,
    SHUTDOWN_S,
    SWEEP_EVERY_S,
    UPLOAD_GRACE_S,
)


@dataclass(frozen=True)
class HubSettings:
    """How one hub runs.

    Args:
        public_url: the address that signed URLs start with; empty: the one by which the client reached the hub.
        session_limit_s: silence after which a session is expired.
        heartbeat_s: how often idle clients are told to speak.
        handshake_s: time to finish the handshake.
        shutdown_s: how long running work may take when the hub stops.
        failed_logins_max: per address and minute.
        objects_mark: the file beside the folder of objects (`LocalStore.mark`), told to clients
            on this machine; empty: none.
        sweep_every_s: between two looks at uploads that nobody committed.
        upload_grace_s: how long those of clients that are gone are kept.
        allow_private_endpoints: addresses that accounts give (HTTP links, buckets) may be of private networks.
        move_settle_s, move_grace_s: how long a move of objects to another store waits before it switches, and before it
            empties the place that was left.
        pack_every_s: between two looks at what may be packed.
        pack_after_s: how long nobody wrote a file whose content is packed.
        pack_gain_bytes: what a pack takes out of the database and the store at least.
        inline_commit: commit on the loop, for simulation; else in a thread, so that reads go on during the fsync.
    """

    public_url: str = ""
    session_limit_s: float = SESSION_LIMIT_S
    heartbeat_s: float = HEARTBEAT_S
    handshake_s: float = HANDSHAKE_S
    shutdown_s: float = SHUTDOWN_S
    failed_logins_max: int = FAILED_LOGINS_MAX
    objects_mark: str = ""
    sweep_every_s: float = SWEEP_EVERY_S
    upload_grace_s: float = UPLOAD_GRACE_S
    allow_private_endpoints: bool = False
    move_settle_s: float = MOVE_SETTLE_S
    move_grace_s: float = MOVE_GRACE_S
    pack_every_s: float = PACK_EVERY_S
    pack_after_s: float = PACK_AFTER_S
    pack_gain_bytes: int = PACK_GAIN_BYTES
    inline_commit: bool = False
