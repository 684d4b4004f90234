"""Pauses between attempts: growing, bounded, and different for everybody, so that clients do not return as a herd."""

from __future__ import annotations

from collections.abc import Callable

from lucidfs.limits import RETRY_FIRST_S, RETRY_MAX_S


def pause_s(attempt: int, random: Callable[[int], bytes]) -> float:
    """Seconds to wait before attempt `attempt` (1 is the first repeat): half to all of a doubling, bounded pause."""
    longest_s = min(RETRY_MAX_S, RETRY_FIRST_S * 2.0 ** min(attempt, 16))
    return longest_s * (0.5 + random(1)[0] / 510)
