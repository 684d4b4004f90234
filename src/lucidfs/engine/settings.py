"""What a program may choose about the client of one linked filespace; everything else is a limit with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lucidfs import limits


@dataclass(frozen=True)
class EngineSettings:
    """Choices for one linked filespace. Picklable, so that another process can link it the same way.

    Args:
        cache_folder: where sealed frames are kept between uses; None: on no disk.
        disk_cache_bytes: bound of that folder; 0 turns it off.
        memory_cache_bytes: bound of the plaintext frames in memory.
        upload_bytes: sealed bytes that may wait for the store before writers wait.
        workers: threads that seal, open and move bodies; 0 does all of it on the loop (simulation).
        algorithm: how frames are compressed: "lz4", "zstd" or "none".
        allow_plaintext: permit http:// to another machine.
        software: how this client names itself to the hub's operator.
    """

    cache_folder: Path | None = None
    disk_cache_bytes: int = limits.DISK_CACHE_MIB * limits.MIB
    memory_cache_bytes: int = limits.MEMORY_CACHE_BYTES
    upload_bytes: int = limits.UPLOAD_BYTES_MAX
    workers: int = limits.WORKERS
    algorithm: str = "lz4"
    allow_plaintext: bool = False
    software: str = "openlucid"
