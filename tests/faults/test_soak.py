"""The soak in short: a mixed load of two clients fails nowhere, and open files and threads stay what they were."""

from __future__ import annotations

import pytest

from lucidfs.testing.soak.__main__ import main
from lucidfs.testing.soak.watch import Series


@pytest.mark.slow
def test_a_mixed_load_of_some_seconds(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--minutes", "0.2", "--clients", "2", "--share", "1.5"]) == 0, capfd.readouterr().out
    said = capfd.readouterr().out
    assert "fsck: clean" in said
    assert "FAILED" not in said
    for operation in ("small_write", "append", "read_whole", "range_lock", "whole_lock", "half_write"):
        assert operation in said


@pytest.mark.parametrize(
    ("values", "flat"),
    [
        ([100.0] * 90, True),
        ([100.0 + 10 * (n % 3) for n in range(90)], True),
        ([min(400.0, 20.0 * n) for n in range(90)], True),  # a cache that fills
        ([100.0 + 2 * n for n in range(90)], False),
        ([100.0 + 2 * (n // 10 * 10) + 5 * (n % 7) for n in range(90)], False),
    ],
)
def test_what_grows_is_told_from_what_wavers(values: list[float], flat: bool) -> None:
    assert Series("hub", "MiB", values).flat is flat
    assert Series("hub", "files", [value / 10 for value in values]).flat is flat
