"""How much memory a cache may take when nobody said."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from lucidfs.limits import (
    MEMORY_CACHE_BYTES,
    MEMORY_CACHE_BYTES_LEAST,
    MEMORY_CACHE_BYTES_MOST,
    MEMORY_CACHE_SHARE,
)

_CONTAINER = Path("/sys/fs/cgroup/memory.max")  # Linux control groups, version 2: a number of bytes, or "max"


def default_memory_bytes(container: Path = _CONTAINER) -> int:
    """A sixteenth of the memory of the machine or of its container, between 64 MiB and 1 GiB.

    Args:
        container: the file that tells the container's limit.
    """
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not every system tells
        return MEMORY_CACHE_BYTES
    with suppress(ValueError, OSError):  # no container, or one without a limit
        memory = min(memory, int(container.read_text()))
    return min(max(memory // MEMORY_CACHE_SHARE, MEMORY_CACHE_BYTES_LEAST), MEMORY_CACHE_BYTES_MOST)
