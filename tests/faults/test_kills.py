"""kill -9 of hub and clients at random instants under load. More rounds: LUCID_FAULT_ROUNDS (see docs/TESTING.md)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.field import ROUNDS, Field

WRITERS = 2


@pytest.fixture
def field(tmp_path: Path) -> Iterator[Field]:
    made = Field(tmp_path)
    try:
        for _ in range(WRITERS):
            made.start()
        yield made
    finally:
        made.close()
        print(f"\n{dict(made.tally)}")


@pytest.mark.timeout(60 + 20 * ROUNDS)
@pytest.mark.logs("lucidfs")
@pytest.mark.parametrize("victim", ["hub", "client", "both"])
def test_nothing_acknowledged_is_lost(field: Field, victim: str) -> None:
    for _ in range(field.rounds(2, 3)):
        field.let_work()
        if victim == "hub":
            field.kill_hub()
        elif victim == "client":
            field.kill_writer()
        else:
            field.hub.kill()
            load = field.loads.pop(0)
            load.kill()
            field.tally.update({"hubs killed": 1, "clients killed": 1})
            field.hub.start()
            field.check(load)
            field.start()
    field.finish()
