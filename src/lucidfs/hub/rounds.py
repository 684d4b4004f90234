"""Work that comes again and again: what reaper, sweeper and packer have in common."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

log = logging.getLogger(__name__)
T = TypeVar("T")


async def rounds(every_s: float, one: Callable[[], Awaitable[T]], observe: Callable[[T], None], who: str) -> None:
    """A round every `every_s`, until cancelled. A round that fails is logged, and the next one comes.

    Args:
        every_s: between two rounds.
        one: does a round.
        observe: told what each round did.
        who: for the log.
    """
    while True:
        await asyncio.sleep(every_s)
        try:
            observe(await one())
        except Exception:
            log.exception("a round of the %s failed", who)
