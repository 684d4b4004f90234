"""Time as an argument. The only module that reads the machine's clock; everything else is handed a `Clock`."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """The waist between the system and time. Timers (`sleep`, `call_later`) belong to the asyncio loop, which a
    simulation replaces by one with virtual time; a `Clock` only tells."""

    def now_ns(self) -> int:
        """Wall time in nanoseconds since 1970, for times that users see."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never go back, for limits and expiry."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic_s(self) -> float:
        return time.monotonic()
