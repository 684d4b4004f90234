"""`python -m lucidfs.testing.soak --minutes 60`: the load, the curves, the verdict."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from lucidfs.clock import SystemClock
from lucidfs.crypto.token import Token
from lucidfs.engine.administration import Administration
from lucidfs.hub.fsck_folder import check_hub
from lucidfs.testing.hubs import ProcessHub, new_data
from lucidfs.testing.soak.settings import FILESPACE
from lucidfs.testing.soak.watch import Watch

_JUDGED_FROM_MIN = 10.0  # before that caches still fill
_SAMPLES = 360
_STOP_S = 120.0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 when nothing failed and nothing grew."""
    parser = argparse.ArgumentParser(prog="python -m lucidfs.testing.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long; shorter than 10: nothing is judged")
    parser.add_argument("--clients", type=int, default=3, help="processes, of two threads each")
    parser.add_argument("--share", type=float, default=0.3, help="of one core, for all clients together")
    parser.add_argument("--folder", help="on which disk; default: the temporary folder's")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="lucid-soak-", dir=options.folder) as folder:
        data, token = new_data(Path(folder))
        hub = ProcessHub(data)
        try:
            failed = _soak(hub, token, options.minutes * 60, options.clients, options.share)
        finally:
            hub.stop()
        problems = check_hub(data, clock=SystemClock(), random=os.urandom).problems
    print("\nfsck: " + ("\n".join(map(str, problems)) or "clean"))
    return 1 if failed or problems else 0


def _soak(hub: ProcessHub, token: str, seconds: float, clients: int, share: float) -> bool:
    admin = Administration(hub.url, Token.parse(token), os.urandom)
    admin.create_filespace(FILESPACE)
    admin.close()
    command = [sys.executable, "-m", "lucidfs.testing.soak.load", hub.url]
    loads = [
        subprocess.Popen(
            [*command, str(n), str(seconds), str(share / clients)],
            env={**os.environ, "LUCIDLINK_TOKEN": token},
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(clients)
    ]
    watch = Watch({"hub": hub.pid, **{f"client {n}": load.pid for n, load in enumerate(loads)}}, hub.data)
    failed = False
    end_s, step_s = time.monotonic() + seconds, seconds / _SAMPLES
    while time.monotonic() + step_s < end_s and all(load.poll() is None for load in loads):
        time.sleep(step_s)
        watch.sample()
    for load in loads:
        said, _ = load.communicate(timeout=_STOP_S)
        failed |= load.returncode != 0
        print(said, end="")
    print("\n" + watch.table())
    if seconds < _JUDGED_FROM_MIN * 60:
        return failed
    growing = [f"{one.name} {one.unit}" for one in watch.judged() if not one.flat]
    print("\n" + (f"GROWING: {', '.join(growing)}" if growing else "memory, open files and threads: flat"))
    return failed or bool(growing)


if __name__ == "__main__":
    sys.exit(main())
