"""Measuring on a machine that others use too: contestants take turns, several rounds, and the median counts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

MIB = 1024 * 1024


class Result(NamedTuple):
    """One line of a table.

    Attributes:
        subject: what was done.
        who: "openlucid", or the ceiling or rival.
        value: the median over all rounds.
        unit: of the value.
        durable: whether what was written is on disk (or at the server) when the clock stops; "" where nothing is.
        counted: round trips, requests, bytes, where they can be counted.
    """

    subject: str
    who: str
    value: float
    unit: str
    durable: str = ""
    counted: str = ""

    @property
    def better_when_lower(self) -> bool:
        return self.unit.endswith("s") and "/" not in self.unit


Timed = Callable[[], float]


def seconds(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def in_turns(contestants: Mapping[str, Timed], rounds: int) -> dict[str, float]:
    """The median of what each contestant returns, called in turns so that a busy neighbour hits all of them."""
    values: dict[str, list[float]] = {who: [] for who in contestants}
    for number in range(rounds):
        for who in list(contestants)[:: 1 - 2 * (number % 2)]:
            values[who].append(contestants[who]())
    return {who: statistics.median(found) for who, found in values.items()}


def rate(amount: float, work: Callable[[], object]) -> float:
    """How much of `amount` passes in a second."""
    return amount / seconds(work)
