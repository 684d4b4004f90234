"""`python -m lucidfs.testing.sim --seed N --steps M`: one seed, or `--seeds K` of them from there on."""

from __future__ import annotations

import argparse
import sys
import time

from lucidfs.testing.sim.run import run


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m lucidfs.testing.sim", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many, one after the other")
    parser.add_argument("--steps", type=int, default=200, help="calls of programs in one run")
    parser.add_argument("--trace", action="store_true", help="print everything that happens")
    args = parser.parse_args()
    failed = 0
    for seed in range(args.seed, args.seed + args.seeds):
        began_s = time.monotonic()
        report = run(seed, args.steps)
        if args.trace:
            print("\n".join(report.trace))
        verdict = "FAILED" if report.violations else "ok"
        took_s = time.monotonic() - began_s
        print(
            f"seed {seed}: {verdict} digest {report.digest} {report.virtual_s:.0f} s in {took_s:.1f} s, "
            f"calls {report.calls}, {sum(report.faults.values())} faults",
            flush=True,
        )
        for undecided in (name for name in report.faults if name.startswith("UNDECIDED")):
            print(f"  {undecided}")
        for violation in report.violations:
            print(f"  {violation}")
        if report.violations:
            failed += 1
            print(f"  again: python -m lucidfs.testing.sim --seed {seed} --steps {args.steps} --trace", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
