"""The simulation finds nothing in some dozens of seeds, and a seed is the same run each time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lucidfs.testing.sim.run import run

SEEDS = range(1, 25)
STEPS = 200
SEVERAL = 16  # faults of this many kinds must have happened


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed(seed: int) -> None:
    report = run(seed, STEPS)
    again = f"python -m lucidfs.testing.sim --seed {seed} --steps {STEPS} --trace"
    assert not report.violations, "\n".join([*report.violations, again])
    assert report.calls["ok"] > STEPS / 2


def test_the_seeds_meet_every_fault() -> None:
    met = {fault for seed in range(100, 108) for fault in run(seed, 80).faults}
    assert len(met) == SEVERAL, sorted(met)


def test_a_seed_repeats_in_another_process() -> None:
    command = [sys.executable, "-m", "lucidfs.testing.sim", "--seed", "7", "--steps", "120", "--trace"]
    root = Path(__file__).resolve().parents[2]
    runs = [
        subprocess.run(
            command, env={"PYTHONHASHSEED": salt, "PYTHONPATH": str(root / "src")}, capture_output=True, text=True,
            check=True, timeout=60,
        ).stdout.splitlines()
        for salt in ("1", "2")
    ]  # fmt: skip
    assert [line for line in runs[0] if not line.startswith("seed")] == [
        line for line in runs[1] if not line.startswith("seed")
    ]
    assert len(runs[0]) > 100


def test_seeds_differ() -> None:
    assert run(7, 50).digest != run(8, 50).digest
