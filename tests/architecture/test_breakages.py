"""The list of breakages fits the code: what it breaks is there, and every promise is broken at least twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.breakages.breakages import BREAKAGES, Breakage

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda breakage: breakage.what)
def test_what_is_broken_is_there(breakage: Breakage) -> None:
    assert (ROOT / "src" / breakage.file).read_text().count(breakage.old) == 1
    assert breakage.new != breakage.old
    for test in breakage.tests.split():
        assert (ROOT / test.partition("::")[0]).is_file()


def test_every_promise_is_broken_twice() -> None:
    counted = Counter(breakage.promise for breakage in BREAKAGES)
    assert sorted(counted) == list(range(1, 13))
    assert min(counted.values()) >= 2
