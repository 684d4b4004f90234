"""The simulation finds bugs: each planted one within a few seeds."""

from __future__ import annotations

import pytest

from lucidfs.testing.sim.run import run
from tests.simulation.mutants import MUTANTS, Mutation

SEEDS = range(14, 60)
STEPS = 200


@pytest.mark.parametrize("mutate", MUTANTS, ids=lambda mutate: mutate.__name__)
def test_a_planted_bug_is_found(mutate: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    mutate(monkeypatch)
    found = next((report for report in (run(seed, STEPS) for seed in SEEDS) if report.violations), None)
    assert found is not None, f"{mutate.__doc__} Nobody noticed it."
    print(f"seed {found.seed}: {found.violations[0]}")
